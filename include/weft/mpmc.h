/*
 * mpmc.h - messages that many receivers share: each goes to one of them
 *
 * An mpmc channel is a queue of work. Senders put messages into it, and wait while it is full. Each
 * message goes to one receiver. Senders that wait are served in the order in which they began to
 * wait, and so are receivers.
 *
 * A message is `size` bytes, which are copied in and out. The channel needs no runtime. Any thread
 * and any executor may use its ends. If the caller of weft_mpmc_open is run by a runtime, the
 * memory of the channel comes from that runtime's allocator. Each end has one owner, which closes
 * it. Messages, the places of results and the end are borrowed until READY. So a wait that
 * weft_keep has left pending must be over before its end is closed.
 */
#ifndef WEFT_MPMC_H
#define WEFT_MPMC_H

#include <weft/async.h>
#include <weft/wait.h>

WEFT_BEGIN_DECLS

/* The ends of an mpmc channel. */
typedef struct weft_mpmc_sender   weft_mpmc_sender;
typedef struct weft_mpmc_receiver weft_mpmc_receiver;

/*
 * Opens an mpmc channel, for messages of `size` bytes. At most `capacity` messages wait in it. The
 * caller owns the two ends, and closes each or passes it on.
 *
 * Returns: 0.
 * Errors:  -EINVAL, `capacity` is 0, or a message or the buffer would be too large.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_mpmc_open(size_t size, size_t capacity,
                                           weft_mpmc_sender   **ret_sender,
                                           weft_mpmc_receiver **ret_receiver);

/* ---- senders ---- */

/*
 * Makes one more sender of an mpmc channel. Its owner closes it.
 *
 * Returns: the new sender.
 */
WEFT_API WEFT_NODISCARD weft_mpmc_sender *weft_mpmc_sender_clone(weft_mpmc_sender *sender);

/*
 * Closes a sender of an mpmc channel. Once the last one is closed, the receivers get the messages
 * that were sent, and then WEFT_EOF. Aborts if no end of the channel is left, and a receive that
 * weft_keep has left is pending. `sender` may be NULL.
 */
WEFT_API void weft_mpmc_sender_close(weft_mpmc_sender *sender);

/*
 * Sends a message to an mpmc channel, and waits for room if the channel is full. Senders that wait
 * are served in the order in which they began to wait. The message is borrowed until READY.
 *
 * Returns: 0.
 * Errors:  -EPIPE, all receivers are closed, or the channel is stopped.
 * Cancel:  WITHDRAWS. With -ECANCELED the message has not been sent. If it had been sent, the
 *   result is 0.
 */
WEFT_API weft_future *weft_mpmc_send(weft_wait *wait, weft_mpmc_sender *sender,
                                     const void *message);

/*
 * Sends a message to an mpmc channel if there is room for it. It never waits.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EAGAIN, the channel is full, or other senders wait.
 *   -EPIPE, all receivers are closed, or the channel is stopped.
 */
WEFT_API WEFT_NODISCARD int weft_mpmc_try_send(weft_mpmc_sender *sender, const void *message);

/*
 * Waits until all receivers of an mpmc channel are closed, or the channel is stopped.
 *
 * Returns: 0.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_mpmc_closed(weft_wait *wait, weft_mpmc_sender *sender);

/* ---- receivers ---- */

/*
 * Makes one more receiver of an mpmc channel. Its owner closes it.
 *
 * Returns: the new receiver.
 */
WEFT_API WEFT_NODISCARD weft_mpmc_receiver *weft_mpmc_receiver_clone(weft_mpmc_receiver *receiver);

/*
 * Waits for a message of an mpmc channel. It is copied to *ret_message, which is borrowed until
 * READY. Receivers that wait are served in the order in which they began to wait. One that has its
 * turn and is not polled keeps a message back from the others until it is polled or cancelled. One
 * that a select has left pending (weft_keep) is passed over instead.
 *
 * Returns: 0, with a message.
 * Errors:  WEFT_EOF, no message is left, and every sender is closed or the channel is stopped.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has taken nothing.
 */
WEFT_API weft_future *weft_mpmc_receive(weft_wait *wait, weft_mpmc_receiver *receiver,
                                        void *ret_message);

/*
 * Receives a message of an mpmc channel if there is one that no other receiver waits for. It is
 * copied to *ret_message. It never waits.
 *
 * Thread:  any.
 * Returns: 0, with a message.
 * Errors:  -EAGAIN, there is no message, or other receivers wait for it.
 *   WEFT_EOF, no message is left, and every sender is closed or the channel is stopped.
 */
WEFT_API WEFT_NODISCARD int weft_mpmc_try_receive(weft_mpmc_receiver *receiver, void *ret_message);

/*
 * Returns how many messages wait in an mpmc channel. It may be another number a moment later.
 *
 * Thread:  any.
 */
WEFT_API WEFT_NODISCARD size_t weft_mpmc_count(weft_mpmc_receiver *receiver);

/*
 * Stops an mpmc channel: senders that wait and later ones get -EPIPE. The receivers still get the
 * messages that were sent, and then WEFT_EOF. Each receiver must be closed all the same.
 *
 * Thread:  any.
 */
WEFT_API void weft_mpmc_receiver_stop(weft_mpmc_receiver *receiver);

/*
 * Closes a receiver of an mpmc channel. Once the last one is closed, senders that wait and later
 * ones get -EPIPE, and messages that were not received are dropped. If a message owns something,
 * stop the channel first, and take the messages until WEFT_EOF. Aborts if no end of the channel is
 * left, and a receive that weft_keep has left is pending. `receiver` may be NULL.
 */
WEFT_API void weft_mpmc_receiver_close(weft_mpmc_receiver *receiver);

WEFT_END_DECLS

#endif
