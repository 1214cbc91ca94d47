/*
 * channel.h - messages between tasks and threads: oneshot and mpsc
 *
 * A message is `size` bytes, which are copied in and out. Channels need no runtime. Any thread and
 * any executor may use their ends. If the caller of ..._open is run by a runtime, the memory of
 * the channel comes from that runtime's allocator. Each end has one owner, which closes it.
 * Functions that wait make a future in memory of the caller. Messages, the places of results and
 * the end are borrowed until READY. So a wait that weft_keep has left pending must be over before
 * its end is closed.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/async.h>
#include <weft/wait.h>

WEFT_BEGIN_DECLS

/* The ends of channels. */
typedef struct weft_oneshot_sender   weft_oneshot_sender;
typedef struct weft_oneshot_receiver weft_oneshot_receiver;
typedef struct weft_mpsc_sender      weft_mpsc_sender;
typedef struct weft_mpsc_receiver    weft_mpsc_receiver;
/* A weak sender, and a place in the channel that is kept for one message. */
typedef struct weft_mpsc_weak   weft_mpsc_weak;
typedef struct weft_mpsc_permit weft_mpsc_permit;

/* ---- oneshot: one message, once ---- */

/*
 * Opens a oneshot channel, for one message of `size` bytes. The caller owns the two ends, and
 * closes each or passes it on.
 *
 * Returns: 0.
 * Errors:  -EINVAL, `size` is more than 64 KiB.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_oneshot_open(size_t size, weft_oneshot_sender **ret_sender,
                                              weft_oneshot_receiver **ret_receiver);

/*
 * Sends the message of a oneshot channel and closes the sender. It never waits.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EPIPE, the receiver is closed. The sender is closed all the same.
 */
WEFT_API int weft_oneshot_send(weft_oneshot_sender *sender, const void *message);

/*
 * Closes the sender of a oneshot channel without sending. The receiver gets WEFT_EOF. `sender` may
 * be NULL.
 */
WEFT_API void weft_oneshot_sender_close(weft_oneshot_sender *sender);

/*
 * Waits until the receiver of a oneshot channel is closed, so that a message that is not wanted any
 * more need not be made. The wait must have ended before its sender sends or is closed: both abort
 * while it is pending.
 *
 * Returns: 0.
 * Errors:  -EBUSY, another wait on this sender is pending.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_oneshot_closed(weft_wait *wait, weft_oneshot_sender *sender);

/*
 * Waits for the message of a oneshot channel. It is copied to *ret_message, which is borrowed
 * until READY.
 *
 * Returns: 0, with the message.
 * Errors:  WEFT_EOF, the sender was closed without a message, or the message has been received
 *   before.
 *   -EBUSY, another wait on this receiver is pending.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has taken nothing.
 */
WEFT_API weft_future *weft_oneshot_receive(weft_wait *wait, weft_oneshot_receiver *receiver,
                                           void *ret_message);

/*
 * Receives the message of a oneshot channel if it has been sent. It is copied to *ret_message. It
 * never waits.
 *
 * Returns: 0, with the message.
 * Errors:  -EAGAIN, there is no message yet.
 *   WEFT_EOF, the sender was closed without a message, or the message has been received before.
 */
WEFT_API WEFT_NODISCARD int weft_oneshot_try_receive(weft_oneshot_receiver *receiver,
                                                     void                  *ret_message);

/*
 * Closes the receiver of a oneshot channel. A later weft_oneshot_send gets -EPIPE. A message that
 * was sent before and not received is dropped: see weft_oneshot_receiver_finish. Aborts if a wait
 * on the receiver is pending. `receiver` may be NULL.
 */
WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver);

/*
 * Closes the receiver of a oneshot channel, and receives the message if it has been sent, in one
 * step. A message is either received here, or its weft_oneshot_send gets -EPIPE. So a message that
 * owns something, for example a descriptor, is not lost where a receive had a time limit. It is
 * copied to *ret_message. Aborts if a wait on the receiver is pending.
 *
 * Returns: 0, with the message.
 * Errors:  WEFT_EOF, there is no message, or it has been received before. The receiver is closed
 *   all the same.
 */
WEFT_API WEFT_NODISCARD int weft_oneshot_receiver_finish(weft_oneshot_receiver *receiver,
                                                         void                  *ret_message);

/* ---- mpsc: many senders, one receiver, at most `capacity` messages waiting ---- */

/*
 * Opens an mpsc channel, for messages of `size` bytes. At most `capacity` messages wait in it. The
 * caller owns the two ends, and closes each or passes it on.
 *
 * Returns: 0.
 * Errors:  -EINVAL, `capacity` is 0, or a message or the buffer would be too large.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_open(size_t size, size_t capacity,
                                           weft_mpsc_sender   **ret_sender,
                                           weft_mpsc_receiver **ret_receiver);

/*
 * Opens an mpsc channel without a limit, for messages of `size` bytes. Sending to it never waits.
 * It grows as messages wait in it, and gives memory back when the receiver finds it empty.
 * Nothing holds back senders that are too fast: prefer weft_mpsc_open where that can happen.
 *
 * Returns: 0.
 * Errors:  -EINVAL, a message would be too large.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_open_unbounded(size_t size, weft_mpsc_sender **ret_sender,
                                                     weft_mpsc_receiver **ret_receiver);

/*
 * Makes one more sender of an mpsc channel. Its owner closes it.
 *
 * Returns: the new sender.
 */
WEFT_API WEFT_NODISCARD weft_mpsc_sender *weft_mpsc_sender_clone(weft_mpsc_sender *sender);

/*
 * Closes a sender of an mpsc channel. Once the last one is closed, the receiver gets the messages
 * that were sent, and then WEFT_EOF. `sender` may be NULL.
 */
WEFT_API void weft_mpsc_sender_close(weft_mpsc_sender *sender);

/*
 * Sends a message to an mpsc channel, and waits for room if the channel is full. Senders that wait
 * are served in the order in which they began to wait. The message is borrowed until READY.
 *
 * Returns: 0.
 * Errors:  -EPIPE, the receiver is closed or stopped.
 *   -ENOMEM, the channel is unbounded, and there is no memory.
 * Cancel:  WITHDRAWS. With -ECANCELED the message has not been sent. If it had been sent, the
 *   result is 0.
 */
WEFT_API weft_future *weft_mpsc_send(weft_wait *wait, weft_mpsc_sender *sender,
                                     const void *message);

/*
 * Sends a message to an mpsc channel if there is room for it. It never waits.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EAGAIN, the channel is full, or other senders wait.
 *   -EPIPE, the receiver is closed or stopped.
 *   -ENOMEM, the channel is unbounded, and there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_send(weft_mpsc_sender *sender, const void *message);

/*
 * Waits until the receiver of an mpsc channel is closed or stopped.
 *
 * Returns: 0.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_mpsc_closed(weft_wait *wait, weft_mpsc_sender *sender);

/* Returns how many messages may wait in an mpsc channel. SIZE_MAX if it is unbounded. */
WEFT_API WEFT_NODISCARD size_t weft_mpsc_capacity(weft_mpsc_sender *sender);

/*
 * Returns how many messages or permits an mpsc channel has room for now. It may be another number a
 * moment later. SIZE_MAX if it is unbounded, and 0 if the receiver is closed or stopped.
 *
 * Thread:  any.
 */
WEFT_API WEFT_NODISCARD size_t weft_mpsc_available(weft_mpsc_sender *sender);

/* ---- permits: room first, the message later ---- */

/*
 * Waits for room in an mpsc channel, and keeps it for one message. Its place in the queue is that
 * of a weft_mpsc_send. Use it if the message should be made only once it can be sent, or must not
 * be lost by a cancel. The caller owns the permit, and ends it by weft_mpsc_permit_send or
 * weft_mpsc_permit_close. *ret_permit is borrowed until READY. A permit is an end of the channel:
 * it may be used after its sender was closed, and the receiver does not get WEFT_EOF before it has
 * ended.
 *
 * Returns: 0, with a permit.
 * Errors:  -EPIPE, the receiver is closed or stopped.
 *   -EINVAL, the channel is unbounded.
 * Cancel:  WITHDRAWS, with -ECANCELED. The room that it had been given goes to the next sender.
 */
WEFT_API weft_future *weft_mpsc_reserve(weft_wait *wait, weft_mpsc_sender *sender,
                                        weft_mpsc_permit **ret_permit);

/*
 * Takes a permit of an mpsc channel if there is room. It never waits.
 *
 * Thread:  any.
 * Returns: 0, with a permit.
 * Errors:  -EAGAIN, the channel is full, or other senders wait.
 *   -EPIPE, the receiver is closed or stopped.
 *   -EINVAL, the channel is unbounded.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_reserve(weft_mpsc_sender  *sender,
                                                  weft_mpsc_permit **ret_permit);

/*
 * Waits for room in an mpsc channel for `n` messages, and keeps it. Its place in the queue is that
 * of one weft_mpsc_send: once its turn has come it collects room as messages are received, and
 * those behind it wait. Each permit is one of weft_mpsc_reserve, and is ended by itself. The `n`
 * permits are written to ret_permits[0] and so on, which is borrowed until READY.
 *
 * Returns: 0, with the permits. With an `n` of 0 there are none.
 * Errors:  -EPIPE, the receiver is closed or stopped.
 *   -EINVAL, the channel is unbounded, or `n` is more than its capacity.
 * Cancel:  WITHDRAWS, with -ECANCELED. The room that it had been given goes to the next senders.
 */
WEFT_API weft_future *weft_mpsc_reserve_many(weft_wait *wait, weft_mpsc_sender *sender, uint32_t n,
                                             weft_mpsc_permit **ret_permits);

/*
 * Takes `n` permits of an mpsc channel if there is room for all of them. It never waits. They are
 * written to ret_permits[0] and so on.
 *
 * Thread:  any.
 * Returns: 0, with the permits. With an `n` of 0 there are none.
 * Errors:  -EAGAIN, there is too little room, or other senders wait.
 *   -EPIPE, the receiver is closed or stopped.
 *   -EINVAL, the channel is unbounded, or `n` is more than its capacity.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_reserve_many(weft_mpsc_sender *sender, uint32_t n,
                                                       weft_mpsc_permit **ret_permits);

/*
 * Sends the message for which a permit kept room, and ends the permit. It never waits. A receiver
 * that was stopped still gets the message.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EPIPE, the receiver is closed. The permit has ended all the same.
 */
WEFT_API int weft_mpsc_permit_send(weft_mpsc_permit *permit, const void *message);

/* Ends a permit without sending. Its room goes to the next sender. `permit` may be NULL. */
WEFT_API void weft_mpsc_permit_close(weft_mpsc_permit *permit);

/* ---- weak senders: they do not keep the receiver waiting ---- */

/*
 * Makes a weak sender of an mpsc channel. It can't send: weft_mpsc_upgrade makes a sender of it. A
 * receiver that takes messages until all senders are closed does not wait for weak ones. Its owner
 * closes it.
 *
 * Returns: the weak sender.
 */
WEFT_API WEFT_NODISCARD weft_mpsc_weak *weft_mpsc_downgrade(weft_mpsc_sender *sender);

/*
 * Makes a sender from a weak one, which stays as it is. The owner of the new sender closes it.
 *
 * Thread:  any.
 * Returns: the sender, or NULL if all senders are closed.
 */
WEFT_API WEFT_NODISCARD weft_mpsc_sender *weft_mpsc_upgrade(weft_mpsc_weak *weak);

/* Closes a weak sender of an mpsc channel. `weak` may be NULL. */
WEFT_API void weft_mpsc_weak_close(weft_mpsc_weak *weak);

/* ---- the receiver ---- */

/*
 * Waits for a message of an mpsc channel. It is copied to *ret_message, which is borrowed until
 * READY.
 *
 * Returns: 0, with a message.
 * Errors:  WEFT_EOF, no message is left and every sender is closed.
 *   -EBUSY, another wait on this receiver is pending.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has taken nothing.
 */
WEFT_API weft_future *weft_mpsc_receive(weft_wait *wait, weft_mpsc_receiver *receiver,
                                        void *ret_message);

/*
 * Waits for messages of an mpsc channel, and takes those that are there, at most `most`. They are
 * copied to ret_messages, an array that is borrowed until READY. `most` may be up to UINT32_MAX.
 *
 * Returns: how many messages it has taken, at least 1. If `most` is 0 the result is 0, at once.
 * Errors:  WEFT_EOF, no message is left and every sender is closed.
 *   -EBUSY, another wait on this receiver is pending.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has taken nothing.
 */
WEFT_API weft_future *weft_mpsc_receive_many(weft_wait *wait, weft_mpsc_receiver *receiver,
                                             void *ret_messages, size_t most);

/*
 * Receives a message of an mpsc channel if there is one. It is copied to *ret_message. It never
 * waits.
 *
 * Returns: 0, with a message.
 * Errors:  -EAGAIN, there is no message.
 *   WEFT_EOF, no message is left and every sender is closed.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_receive(weft_mpsc_receiver *receiver, void *ret_message);

/* Returns how many messages wait in an mpsc channel. It may be more a moment later. */
WEFT_API WEFT_NODISCARD size_t weft_mpsc_count(weft_mpsc_receiver *receiver);

/*
 * Stops an mpsc channel: senders that wait and later ones get -EPIPE. The receiver still gets the
 * messages that were sent, also those of permits, and then WEFT_EOF. It must be closed all the
 * same.
 */
WEFT_API void weft_mpsc_receiver_stop(weft_mpsc_receiver *receiver);

/*
 * Closes the receiver of an mpsc channel. Senders that wait and later ones get -EPIPE. Messages
 * that were not received are dropped. If a message owns something, for example the sender of a
 * oneshot channel, stop the receiver first, and take the messages until WEFT_EOF. Aborts if a
 * receive is pending. `receiver` may be NULL.
 */
WEFT_API void weft_mpsc_receiver_close(weft_mpsc_receiver *receiver);

WEFT_END_DECLS

#endif
