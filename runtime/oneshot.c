/*
 * oneshot.c - a channel for one message
 *
 * Purpose     The result of something done elsewhere.
 * Threads     Each end: its owner.
 * Invariants  V1 both ends are the same memory; the second to close frees it. V2 the message is in the
 *             channel until it has been received.
 * Ordering    The lock.
 * Failure     -EPIPE when the other end is closed.
 */
#include "alloc.h"
#include "lock.h"
#include "waker.h"

#include <string.h>
#include <weft/channel.h>

#define MESSAGE_MOST 65536

typedef struct oneshot {
    uint32_t       lock;
    bool           sent, sender_closed, receiver_closed; /* under the lock, as is all below */
    weft_message  *waiter;
    size_t         size;
    weft_allocator alloc;
    _Alignas(16) char message[];
} oneshot;

static void channel_free(oneshot *c)
{
    weft_allocator alloc = c->alloc;

    wf_release(&alloc, c, sizeof *c + c->size);
}

WEFT_API int weft_oneshot_open(weft_oneshot_sender   **ret_sender,
                               weft_oneshot_receiver **ret_receiver, size_t size)
{
    const weft_allocator *alloc = wf_alloc_current();
    oneshot              *c;

    if (size > MESSAGE_MOST)
        return -EINVAL;
    c = wf_alloc(alloc, sizeof *c + size);
    if (!c)
        return -ENOMEM;
    *c = (oneshot){.size = size, .alloc = *alloc};
    *ret_sender = (weft_oneshot_sender *)c;
    *ret_receiver = (weft_oneshot_receiver *)c;
    return 0;
}

static int sender_close(oneshot *c, bool send, const void *message)
{
    wf_wakes wakes = {0};
    bool     last;

    wf_lock(&c->lock);
    last = c->receiver_closed;
    c->sent = send && !last;
    if (c->sent && c->size > 0)
        memcpy(c->message, message, c->size);
    c->sender_closed = true;
    if (c->waiter)
        wf_waker_fire(&c->waiter->waker_, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (last)
        channel_free(c);
    return last ? -EPIPE : 0;
}

WEFT_API int weft_oneshot_send(weft_oneshot_sender *sender, const void *message)
{
    return sender_close((oneshot *)sender, true, message);
}

WEFT_API void weft_oneshot_sender_close(weft_oneshot_sender *sender)
{
    if (sender)
        sender_close((oneshot *)sender, false, NULL);
}

/* Under the lock. */
static int take(oneshot *c, void *ret_message)
{
    if (!c->sent)
        return c->sender_closed ? -EPIPE : -EAGAIN;
    if (c->size > 0)
        memcpy(ret_message, c->message, c->size);
    c->sent = false;
    return 0;
}

WEFT_API int weft_oneshot_try_receive(weft_oneshot_receiver *receiver, void *ret_message)
{
    oneshot *c = (oneshot *)receiver;
    int      r;

    wf_lock(&c->lock);
    r = take(c, ret_message);
    wf_unlock(&c->lock);
    return r;
}

WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver)
{
    oneshot *c = (oneshot *)receiver;
    bool     last;

    if (!c)
        return;
    wf_lock(&c->lock);
    last = c->sender_closed;
    c->receiver_closed = true;
    wf_unlock(&c->lock);
    if (last)
        channel_free(c);
}

static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_message *wait = weft_container(future, weft_message, future);
    oneshot      *c = wait->end_;
    bool          cancelled = weft_future_is_cancelled(future);
    int           r;

    if (!cancelled && !weft_context_spend(cx))
        return WEFT_PENDING;
    wf_lock(&c->lock);
    if (cancelled)
        r = -ECANCELED;
    else if (c->waiter && c->waiter != wait)
        r = -EBUSY;
    else
        r = take(c, wait->memory_);
    if (r == -EAGAIN) {
        c->waiter = wait;
        wf_waker_store(&wait->waker_, cx->waker);
    } else if (c->waiter == wait) {
        c->waiter = NULL;
        wf_waker_forget(&wait->waker_);
    }
    wf_unlock(&c->lock);
    return r == -EAGAIN ? WEFT_PENDING : weft_ready(future, r);
}

static void receive_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

static const weft_future_ops receive_ops = {sizeof(weft_message), WEFT_FUTURE_WITHDRAWS,
                                            "weft_oneshot_receive", receive_poll, receive_cancel};

WEFT_API weft_future *weft_oneshot_receive(weft_message *wait, weft_oneshot_receiver *receiver,
                                           void *ret_message)
{
    *wait = (weft_message){.end_ = receiver, .memory_ = ret_message};
    weft_future_init(&wait->future, &receive_ops);
    return &wait->future;
}
