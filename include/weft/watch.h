/*
 * watch.h - a value that many tasks and threads watch: the latest one counts
 *
 * A watch channel holds one value of `size` bytes. A sender replaces it. Each receiver learns that
 * there is a value which it has not seen, and reads the latest one. Values that were replaced
 * before a receiver looked are not kept for it. So a slow receiver holds nothing up: use a watch
 * for a configuration, a state or a price, and a channel of weft/channel.h or weft/broadcast.h if
 * each message counts.
 *
 * Values are copied in and out. A watch needs no runtime. Any thread and any executor may use its
 * ends. If the caller of weft_watch_open is run by a runtime, the memory of the channel comes from
 * that runtime's allocator. Each end has one owner, which closes it. A wait borrows its end until
 * READY. So a wait that weft_keep has left pending must be over before its end is closed.
 */
#ifndef WEFT_WATCH_H
#define WEFT_WATCH_H

#include <weft/async.h>
#include <weft/wait.h>

WEFT_BEGIN_DECLS

/* The ends of a watch. */
typedef struct weft_watch_sender   weft_watch_sender;
typedef struct weft_watch_receiver weft_watch_receiver;

/*
 * Opens a watch, for a value of `size` bytes that begins as *value. The receiver has seen that
 * value. The caller owns the two ends, and closes each or passes it on.
 *
 * Returns: 0.
 * Errors:  -EINVAL, `size` is more than 64 KiB.
 *   -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_watch_open(size_t size, const void *value,
                                            weft_watch_sender   **ret_sender,
                                            weft_watch_receiver **ret_receiver);

/* ---- senders ---- */

/*
 * Makes one more sender of a watch. Its owner closes it.
 *
 * Returns: the new sender.
 */
WEFT_API WEFT_NODISCARD weft_watch_sender *weft_watch_sender_clone(weft_watch_sender *sender);

/*
 * Closes a sender of a watch. Once the last one is closed, each receiver can still learn of the
 * last value and read it, and then gets WEFT_EOF. `sender` may be NULL.
 */
WEFT_API void weft_watch_sender_close(weft_watch_sender *sender);

/*
 * Replaces the value of a watch, and tells all receivers. It never waits.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EPIPE, there is no receiver. The value stays as it was.
 */
WEFT_API int weft_watch_send(weft_watch_sender *sender, const void *value);

/*
 * Replaces the value of a watch, also if there is no receiver: later receivers find it. The value
 * that it replaces is copied to *ret_before, which is other memory than *value and may be NULL. It
 * never waits.
 *
 * Thread:  any.
 */
WEFT_API void weft_watch_replace(weft_watch_sender *sender, const void *value, void *ret_before);

/*
 * Changes the value of a watch, as one step that no other sender comes between. `modify(value,
 * arg)` is called with a copy of the value, in *ret_value. If it returns true, the copy becomes the
 * value, and all receivers are told. If it returns false, nothing changes. The value is sent also
 * if there is no receiver.
 *
 * No lock is held while `modify` runs, so it may use this watch and anything else. The price: if
 * another sender has replaced the value meanwhile, `modify` is called again, with the new value. So
 * it computes the new value from what it is given, and has no other effect that counts.
 *
 * Thread:  any.
 * Returns: 1, the value was sent. 0, `modify` has returned false. In either case *ret_value is what
 *   its last call has left there.
 */
WEFT_API int weft_watch_send_if_modified(weft_watch_sender *sender,
                                         bool (*modify)(void *value, void *arg), void *arg,
                                         void *ret_value);

/*
 * Copies the value of a watch to *ret_value, for a sender.
 *
 * Thread:  any.
 */
WEFT_API void weft_watch_sender_peek(weft_watch_sender *sender, void *ret_value);

/*
 * Makes a receiver of a watch. It has seen the present value. Its owner closes it.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_watch_subscribe(weft_watch_sender    *sender,
                                                 weft_watch_receiver **ret_receiver);

/*
 * Returns how many receivers a watch has. It may be another number a moment later.
 *
 * Thread:  any.
 */
WEFT_API WEFT_NODISCARD size_t weft_watch_receiver_count(weft_watch_sender *sender);

/*
 * Waits until a watch has no receiver. A sender whose values only receivers use may stop making
 * them then. There may be receivers later, by weft_watch_subscribe.
 *
 * Returns: 0.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_watch_closed(weft_wait *wait, weft_watch_sender *sender);

/* ---- receivers ---- */

/*
 * Waits until a watch has a value that this receiver has not seen, and marks that value as seen.
 * Read it with weft_watch_read, which may find a later one. If there is such a value already, it
 * does not wait.
 *
 * Returns: 0.
 * Errors:  WEFT_EOF, the receiver has seen the last value, and every sender is closed.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled wait has marked nothing as seen.
 */
WEFT_API weft_future *weft_watch_changed(weft_wait *wait, weft_watch_receiver *receiver);

/*
 * Tells whether a watch has a value that this receiver has not seen. It never waits, and marks
 * nothing as seen.
 *
 * Returns: 1, there is such a value. 0, there is none.
 * Errors:  WEFT_EOF, there is none, and every sender is closed.
 */
WEFT_API WEFT_NODISCARD int weft_watch_has_changed(weft_watch_receiver *receiver);

/*
 * Copies the latest value of a watch to *ret_value, and marks it as seen. It never waits, and works
 * also after all senders were closed.
 */
WEFT_API void weft_watch_read(weft_watch_receiver *receiver, void *ret_value);

/*
 * Copies the latest value of a watch to *ret_value, and leaves it marked as it was: as seen, or as
 * not seen. It never waits, and works also after all senders were closed.
 */
WEFT_API void weft_watch_peek(weft_watch_receiver *receiver, void *ret_value);

/*
 * Marks the present value of a watch as not seen, so that the receiver's next weft_watch_changed
 * does not wait. A wait that is pending already does not end by it.
 */
WEFT_API void weft_watch_mark_changed(weft_watch_receiver *receiver);

/* Marks the latest value of a watch as seen, without reading it. */
WEFT_API void weft_watch_mark_unchanged(weft_watch_receiver *receiver);

/*
 * Makes one more receiver of a watch. It has seen what the given one has seen. Its owner closes it.
 *
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_watch_receiver_clone(weft_watch_receiver  *receiver,
                                                      weft_watch_receiver **ret_receiver);

/*
 * Closes a receiver of a watch. Once the last one is closed, weft_watch_send gets -EPIPE. Aborts if
 * a wait on the receiver is pending. `receiver` may be NULL.
 */
WEFT_API void weft_watch_receiver_close(weft_watch_receiver *receiver);

WEFT_END_DECLS

#endif
