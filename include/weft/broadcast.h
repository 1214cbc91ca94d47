/*
 * broadcast.h - messages that every receiver gets
 *
 * A broadcast channel keeps the last `capacity` messages. Each receiver gets every message that was
 * sent after it subscribed, in their order. Senders never wait. So a receiver that is too slow
 * misses the oldest messages: its next receive says how many, and goes on with the oldest that is
 * still there.
 *
 * A message is `size` bytes, which are copied in and out. The channel needs no runtime. Any thread
 * and any executor may use its ends. If the caller of weft_broadcast_open is run by a runtime, the
 * memory of the channel comes from that runtime's allocator. Each end has one owner, which closes
 * it. A wait borrows its end until READY. So a wait that weft_keep has left pending must be over
 * before its end is closed.
 */
#ifndef WEFT_BROADCAST_H
#define WEFT_BROADCAST_H

#include <weft/async.h>
#include <weft/wait.h>

WEFT_BEGIN_DECLS

/* The ends of a broadcast channel. */
typedef struct weft_broadcast_sender   weft_broadcast_sender;
typedef struct weft_broadcast_receiver weft_broadcast_receiver;
/* A weak sender. */
typedef struct weft_broadcast_weak weft_broadcast_weak;

/*
 * Opens a broadcast channel, for messages of `size` bytes. It keeps the last `capacity` of them.
 * The caller owns the two ends, and closes each or passes it on.
 *
 * Returns: 0.
 * Errors:  -EINVAL, `capacity` is 0, or a message or the buffer would be too large.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_broadcast_open(size_t size, size_t capacity,
                                                weft_broadcast_sender   **ret_sender,
                                                weft_broadcast_receiver **ret_receiver);

/* ---- senders ---- */

/*
 * Makes one more sender of a broadcast channel. Its owner closes it.
 *
 * Returns: the new sender.
 */
WEFT_API WEFT_NODISCARD weft_broadcast_sender *
weft_broadcast_sender_clone(weft_broadcast_sender *sender);

/*
 * Closes a sender of a broadcast channel. Once the last one is closed, each receiver gets the
 * messages that it has not received, and then WEFT_EOF. `sender` may be NULL.
 */
WEFT_API void weft_broadcast_sender_close(weft_broadcast_sender *sender);

/*
 * Sends a message to every receiver of a broadcast channel. It never waits: if the channel is full,
 * the message takes the place of the oldest.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EPIPE, there is no receiver. A later one does not get the message.
 */
WEFT_API int weft_broadcast_send(weft_broadcast_sender *sender, const void *message);

/*
 * Makes a receiver of a broadcast channel. It gets the messages that are sent from now on. Its
 * owner closes it.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_broadcast_subscribe(weft_broadcast_sender    *sender,
                                                     weft_broadcast_receiver **ret_receiver);

/*
 * Returns how many receivers a broadcast channel has. It may be another number a moment later.
 *
 * Thread:  any.
 */
WEFT_API WEFT_NODISCARD size_t weft_broadcast_receiver_count(weft_broadcast_sender *sender);

/*
 * Waits until a broadcast channel has no receiver. There may be receivers later, by
 * weft_broadcast_subscribe.
 *
 * Returns: 0.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_broadcast_closed(weft_wait *wait, weft_broadcast_sender *sender);

/* ---- weak senders: they do not keep the receivers waiting ---- */

/*
 * Makes a weak sender of a broadcast channel. It can't send: weft_broadcast_upgrade makes a sender
 * of it. Receivers that take messages until all senders are closed do not wait for weak ones. Its
 * owner closes it.
 *
 * Returns: the weak sender.
 */
WEFT_API WEFT_NODISCARD weft_broadcast_weak *
weft_broadcast_downgrade(weft_broadcast_sender *sender);

/*
 * Makes a sender from a weak one, which stays as it is. The owner of the new sender closes it.
 *
 * Thread:  any.
 * Returns: the sender, or NULL if all senders are closed.
 */
WEFT_API WEFT_NODISCARD weft_broadcast_sender *weft_broadcast_upgrade(weft_broadcast_weak *weak);

/* Closes a weak sender of a broadcast channel. `weak` may be NULL. */
WEFT_API void weft_broadcast_weak_close(weft_broadcast_weak *weak);

/* ---- receivers ---- */

/*
 * Waits for the next message of a broadcast channel. It is copied to *ret_message, which is
 * borrowed until READY. If this receiver was too slow, the message is the oldest that is still
 * there.
 *
 * Returns: how many messages the receiver has missed before this one. Mostly that is 0.
 * Errors:  WEFT_EOF, no message is left and every sender is closed.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has taken nothing.
 */
WEFT_API weft_future *weft_broadcast_receive(weft_wait *wait, weft_broadcast_receiver *receiver,
                                             void *ret_message);

/*
 * Receives the next message of a broadcast channel if there is one. It is copied to *ret_message.
 * It never waits.
 *
 * Returns: how many messages the receiver has missed before this one.
 * Errors:  -EAGAIN, there is no message.
 *   WEFT_EOF, no message is left and every sender is closed.
 */
WEFT_API WEFT_NODISCARD int64_t weft_broadcast_try_receive(weft_broadcast_receiver *receiver,
                                                           void                    *ret_message);

/*
 * Makes one more receiver of a broadcast channel. Like weft_broadcast_subscribe, it gets the
 * messages that are sent from now on, not those that wait for the given receiver. Its owner closes
 * it.
 *
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_broadcast_resubscribe(weft_broadcast_receiver  *receiver,
                                                       weft_broadcast_receiver **ret_receiver);

/*
 * Closes a receiver of a broadcast channel. Once the last one is closed, weft_broadcast_send gets
 * -EPIPE. Aborts if a wait on the receiver is pending. `receiver` may be NULL.
 */
WEFT_API void weft_broadcast_receiver_close(weft_broadcast_receiver *receiver);

WEFT_END_DECLS

#endif
