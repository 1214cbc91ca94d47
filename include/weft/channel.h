/*
 * channel.h - messages between tasks and threads: oneshot, and bounded mpsc
 *
 * A message is `size` bytes, which are copied in and out. Channels need no runtime. Any thread and
 * any executor may use their ends. If the caller of ..._open is run by a runtime, the memory of
 * the channel comes from that runtime's allocator. Each end has one owner, which closes it. What
 * can wait is a future in memory of the caller. Messages and the places of results are borrowed
 * until READY.
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
WEFT_API int weft_oneshot_try_receive(weft_oneshot_receiver *receiver, void *ret_message);

/*
 * Closes the receiver of a oneshot channel. A later weft_oneshot_send gets -EPIPE. `receiver` may
 * be NULL.
 */
WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver);

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
 * Makes one more sender of an mpsc channel. Its owner closes it.
 *
 * Returns: the new sender.
 */
WEFT_API weft_mpsc_sender *weft_mpsc_sender_clone(weft_mpsc_sender *sender);

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
 * Errors:  -EPIPE, the receiver is closed.
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
 *   -EPIPE, the receiver is closed.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_send(weft_mpsc_sender *sender, const void *message);

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
 * Receives a message of an mpsc channel if there is one. It is copied to *ret_message. It never
 * waits.
 *
 * Returns: 0, with a message.
 * Errors:  -EAGAIN, there is no message.
 *   WEFT_EOF, no message is left and every sender is closed.
 */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_receive(weft_mpsc_receiver *receiver, void *ret_message);

/*
 * Closes the receiver of an mpsc channel. Senders that wait and later ones get -EPIPE. Messages
 * that were not received are dropped. If a message owns something, for example the sender of a
 * oneshot channel, take the messages with weft_mpsc_try_receive first, until it answers an error.
 * `receiver` may be NULL.
 */
WEFT_API void weft_mpsc_receiver_close(weft_mpsc_receiver *receiver);

WEFT_END_DECLS

#endif
