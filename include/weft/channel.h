/*
 * channel.h - messages between tasks and threads: oneshot, and bounded mpsc
 *
 * A message is `size` bytes, copied in and out. Channels need no runtime: their ends may be used by
 * any thread and any executor; its memory comes from the hooks of the runtime that runs the caller of
 * ..._open, if one does. Each end has one owner who closes it. What can wait is a future in
 * memory of the caller's; messages and places for results are borrowed until READY.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/async.h>

WEFT_BEGIN_DECLS

typedef struct weft_oneshot_sender   weft_oneshot_sender;
typedef struct weft_oneshot_receiver weft_oneshot_receiver;
typedef struct weft_mpsc_sender      weft_mpsc_sender;
typedef struct weft_mpsc_receiver    weft_mpsc_receiver;

/* One wait on a channel. */
typedef struct weft_message {
    weft_future          future;
    weft_waker           waker_;
    void                *end_;
    void                *memory_;
    struct weft_message *next_, *prev_;
    int64_t              answer_;
    uint32_t             state_;
} weft_message;

/* ---- oneshot: one message, once ---- */

/* 0 and both ends, or -ENOMEM, -EINVAL (size over 64 KiB). */
WEFT_API WEFT_NODISCARD int weft_oneshot_open(weft_oneshot_sender   **ret_sender,
                                              weft_oneshot_receiver **ret_receiver, size_t size);
/* Sends and closes the sender; never waits. 0, or -EPIPE: the receiver is closed (the sender is gone
 * all the same). Any thread. */
WEFT_API int weft_oneshot_send(weft_oneshot_sender *sender, const void *message);
/* Closes without sending: the receiver gets -EPIPE. NULL is fine. */
WEFT_API void weft_oneshot_sender_close(weft_oneshot_sender *sender);
/* Waits for the message: 0 and the message in *ret_message, or -EPIPE: the sender was closed. One
 * wait at a time (-EBUSY). WITHDRAWS: a cancelled wait has taken nothing. */
WEFT_API weft_future *weft_oneshot_receive(weft_message *wait, weft_oneshot_receiver *receiver,
                                           void *ret_message);
/* 0 with the message, -EAGAIN if there is none yet, -EPIPE. */
WEFT_API int weft_oneshot_try_receive(weft_oneshot_receiver *receiver, void *ret_message);
/* NULL is fine. */
WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver);

/* ---- mpsc: many senders, one receiver, at most `capacity` messages waiting ---- */

/* 0 and both ends; -ENOMEM; -EINVAL: capacity 0, or message or buffer too large. */
WEFT_API WEFT_NODISCARD int weft_mpsc_open(weft_mpsc_sender   **ret_sender,
                                           weft_mpsc_receiver **ret_receiver, size_t size,
                                           size_t capacity);
/* One more sender of the same channel, to be closed by its owner. */
WEFT_API weft_mpsc_sender *weft_mpsc_sender_clone(weft_mpsc_sender *sender);
/* The last sender closed: the receiver gets -EPIPE after the messages sent. NULL is fine. */
WEFT_API void weft_mpsc_sender_close(weft_mpsc_sender *sender);
/* Sends, waiting for room behind those who waited before (first come, first served): 0, or -EPIPE: the
 * receiver is closed. WITHDRAWS: cancelled, the message has not been sent; if it had been, 0. */
WEFT_API weft_future *weft_mpsc_send(weft_message *wait, weft_mpsc_sender *sender,
                                     const void *message);
/* 0; -EAGAIN: full, or others wait; -EPIPE. Any thread; never waits. */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_send(weft_mpsc_sender *sender, const void *message);
/* Waits for a message: 0 and the message, or -EPIPE: no message is left and every sender is closed. One
 * wait at a time (-EBUSY). WITHDRAWS: a cancelled wait has taken nothing. */
WEFT_API weft_future *weft_mpsc_receive(weft_message *wait, weft_mpsc_receiver *receiver,
                                        void *ret_message);
/* 0 with a message, -EAGAIN if there is none, -EPIPE. */
WEFT_API WEFT_NODISCARD int weft_mpsc_try_receive(weft_mpsc_receiver *receiver, void *ret_message);
/* Closes: waiting and later senders get -EPIPE; messages not taken are dropped. NULL is fine. */
WEFT_API void weft_mpsc_receiver_close(weft_mpsc_receiver *receiver);

WEFT_END_DECLS

#endif
