/*
 * oneshot.c - a channel for one message
 *
 * Purpose     The result of something done elsewhere.
 * Threads     Each end: its owner.
 * Invariants  V1 Both ends are the same memory. The second end to close frees it.
 *             V2 The message belongs to the sender until DONE, and to the receiver from then on.
 *             V3 While WAITING is set, `waiter` has a waker to fire and is touched only under LOCK.
 *             Without WAITING it belongs to the receiver.
 * Ordering    [oneshot-1] DONE releases the message to the receiver.
 *             [oneshot-2] WAITING publishes the waker to the sender. LOCK orders all later uses of
 *             it.
 *             [oneshot-3] The end that closes second acquires what the first one did.
 * Failure     -EPIPE when the receiver is closed, WEFT_EOF when the sender is closed.
 */
#include "alloc.h"
#include "copy.h"
#include "invariant.h"
#include "lock.h"
#include "waker.h"

#include <string.h>
#include <weft/channel.h>

#define MESSAGE_MOST 65536

enum {
    SENT = 1 << 0,    /* there is a message, or was */
    DONE = 1 << 1,    /* the sender is closed */
    CLOSED = 1 << 2,  /* the receiver is closed */
    WAITING = 1 << 3, /* a receive waits */
    LOCK = 1 << 4,
};

typedef struct oneshot {
    /* -- both ends -- */
    uint64_t state;
    /* -- receiver -- */
    weft_wait *waiter;
    bool       taken;
    /* -- constant -- */
    size_t         size;
    weft_allocator alloc;
    /* -- V2 -- */
    _Alignas(16) char message[];
} oneshot;

static void channel_free(oneshot *c)
{
    weft_allocator alloc = c->alloc;

    wf_release(&alloc, c, sizeof *c + c->size);
}

WEFT_API int weft_oneshot_open(size_t size, weft_oneshot_sender **ret_sender,
                               weft_oneshot_receiver **ret_receiver)
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

/* A receive waits. Its waker is fired under LOCK, while its future can't end. */
static uint64_t close_waited_for(oneshot *c, uint64_t how)
{
    wf_wakes wakes = {0};
    uint64_t was = wf_lock_bit(&c->state, LOCK); /* [oneshot-2] */

    if (was & WAITING)
        wf_waker_fire(&c->waiter->waker_, &wakes);
    was = wf_add(&c->state, how - LOCK - (was & WAITING), ACQ_REL); /* [oneshot-1] [oneshot-2] */
    WF_ASSERT((was & LOCK) && !(was & DONE));                       /* V2 */
    wf_lock_gave();
    wf_wakes_flush(&wakes);
    return was; /* the receiver may have closed while we held LOCK [oneshot-3] */
}

/* Closes the sender. `how` is DONE, or SENT | DONE. */
static int sender_close(oneshot *c, uint64_t how)
{
    uint64_t state = wf_load(&c->state, ACQUIRE); /* [oneshot-3] */

    while (!(state & (WAITING | LOCK | CLOSED)))
        if (wf_cas(&c->state, &state, state | how, ACQ_REL)) /* [oneshot-1] [oneshot-3] */
            return 0;
    if (!(state & CLOSED))
        state = close_waited_for(c, how);
    if (!(state & CLOSED))
        return 0;
    channel_free(c);
    return -EPIPE;
}

WEFT_API int weft_oneshot_send(weft_oneshot_sender *sender, const void *message)
{
    oneshot *c = (oneshot *)sender;

    wf_copy(c->message, message, c->size);
    return sender_close(c, SENT | DONE);
}

WEFT_API void weft_oneshot_sender_close(weft_oneshot_sender *sender)
{
    if (sender)
        sender_close((oneshot *)sender, DONE);
}

static int take(oneshot *c, void *ret_message)
{
    uint64_t state = wf_load(&c->state, ACQUIRE); /* [oneshot-1] */

    if (!(state & DONE))
        return -EAGAIN;
    if (!(state & SENT) || c->taken)
        return WEFT_EOF;
    wf_copy(ret_message, c->message, c->size);
    c->taken = true;
    return 0;
}

WEFT_API int weft_oneshot_try_receive(weft_oneshot_receiver *receiver, void *ret_message)
{
    return take((oneshot *)receiver, ret_message);
}

WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver)
{
    oneshot *c = (oneshot *)receiver;

    if (!c)
        return;
    if ((wf_load(&c->state, ACQUIRE) & DONE) ||     /* [oneshot-3] the sender is closed */
        (wf_or(&c->state, CLOSED, ACQ_REL) & DONE)) /* [oneshot-3] */
        channel_free(c);
}

/* ---- waiting ---- */

/* False: the sender is closed, and the waker slot is empty. */
static bool wait_locked(oneshot *c, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker), before = {0};
    uint64_t   was = wf_lock_bit(&c->state, LOCK); /* [oneshot-2] */

    if (was & DONE)
        before = wf_waker_take(&c->waiter->waker_);
    else
        wf_waker_exchange(&c->waiter->waker_, &next);
    wf_add(&c->state, (was & (DONE | WAITING) ? 0 : WAITING) - (uint64_t)LOCK,
           ACQ_REL); /* [oneshot-2] */
    wf_lock_gave();
    wf_waker_discard(before);
    wf_waker_discard(next);
    return !(was & DONE);
}

static bool wait_first(oneshot *c, weft_wait *wait, const weft_waker *waker)
{
    uint64_t was;

    c->waiter = wait;
    wf_waker_store(&c->waiter->waker_, waker);
    was = wf_or(&c->state, WAITING, ACQ_REL); /* [oneshot-2] */
    /* The sender is closed, or is closing and has not seen WAITING. */
    if (was & (DONE | LOCK))
        return wait_locked(c, waker);
    return true;
}

static void wait_end(oneshot *c)
{
    weft_waker before = {0};
    uint64_t   was;

    if (wf_load(&c->state, ACQUIRE) & WAITING) { /* [oneshot-2] */
        was = wf_lock_bit(&c->state, LOCK);      /* [oneshot-2] */
        if (was & WAITING)
            before = wf_waker_take(&c->waiter->waker_);
        wf_add(&c->state, -(uint64_t)LOCK - (was & WAITING), ACQ_REL); /* [oneshot-2] */
        wf_lock_gave();
    }
    c->waiter = NULL;
    /* Discarding the waker may close the sender. The receiver still keeps the channel. */
    wf_waker_discard(before);
}

static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    oneshot   *c = wait->object_;
    bool       cancelled = weft_future_is_cancelled(future);
    int        r;

    if (!cancelled && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (c->waiter && c->waiter != wait)
        return weft_ready(future, cancelled ? -ECANCELED : -EBUSY);
    r = cancelled ? -ECANCELED : take(c, wait->second_);
    if (r == -EAGAIN) {
        if (c->waiter ? wait_locked(c, cx->waker) : wait_first(c, wait, cx->waker))
            return WEFT_PENDING;
        r = take(c, wait->second_);
    }
    if (c->waiter)
        wait_end(c);
    return weft_ready(future, r);
}

static void receive_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

static const weft_future_ops receive_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_oneshot_receive", receive_poll, receive_cancel};

WEFT_API weft_future *weft_oneshot_receive(weft_wait *wait, weft_oneshot_receiver *receiver,
                                           void *ret_message)
{
    *wait = (weft_wait){.object_ = receiver, .second_ = ret_message};
    weft_future_init(&wait->future, &receive_ops);
    return &wait->future;
}
