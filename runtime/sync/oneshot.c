/*
 * oneshot.c - a channel for one message
 *
 * Purpose     The result of something done elsewhere.
 * Threads     Each end: its owner.
 * Invariants  V1 Both ends are the same memory. The second end to close frees it.
 *             V2 The message belongs to the sender until DONE, and to the receiver from then on.
 *             V3 While WAITING is set, `waiter` has a waker to fire and is touched only under LOCK.
 *             Without WAITING it belongs to the receiver. CLOSING and `closer` are the same for
 *             the sender.
 * Ordering    [oneshot-1] DONE releases the message to the receiver.
 *             [oneshot-2] WAITING publishes the waker to the sender, and CLOSING that of the
 *             sender to the receiver. LOCK orders all later uses of it.
 *             [oneshot-3] The end that closes second acquires what the first one did.
 * Failure     -EPIPE when the receiver is closed, WEFT_EOF when the sender is closed. Closing an
 *             end while a wait on it is pending aborts.
 */
#include "alloc.h"
#include "copy.h"
#include "rt.h"
#include "waits.h"

#include <string.h>
#include <weft/channel.h>

#define MESSAGE_MOST 65536

enum {
    SENT = 1 << 0,    /* there is a message, or was */
    DONE = 1 << 1,    /* the sender is closed */
    CLOSED = 1 << 2,  /* the receiver is closed */
    WAITING = 1 << 3, /* a receive waits */
    LOCK = 1 << 4,
    CLOSING = 1 << 5, /* the sender waits until the receiver is closed */
};

typedef struct oneshot {
    /* -- both ends -- */
    uint64_t state;
    /* -- receiver -- */
    weft_wait *waiter;
    bool       taken;
    /* -- sender -- */
    weft_wait *closer;
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

/* One of the two waits of a channel: the receiver's for DONE, the sender's for CLOSED. */
typedef struct side {
    weft_wait **wait;
    uint64_t    waits, end;
} side;

#define RECEIVER(c) ((side){&(c)->waiter, WAITING, DONE})
#define SENDER(c)   ((side){&(c)->closer, CLOSING, CLOSED})

#define INLINE static inline __attribute__((always_inline)) /* so that a side costs nothing */

/* The other side waits. Its waker is fired under LOCK, while its future can't end. */
INLINE uint64_t close_waited_for(oneshot *c, uint64_t how, side other)
{
    wf_wakes wakes = {0};
    uint64_t was = wf_lock_bit(&c->state, LOCK); /* [oneshot-2] */

    if (was & other.waits)
        wf_waker_fire(&(*other.wait)->waker_, &wakes);
    was =
        wf_add(&c->state, how - LOCK - (was & other.waits), RELEASE); /* [oneshot-1] [oneshot-2] */
    WF_ASSERT((was & LOCK) && !(was & other.end));                    /* V2 */
    wf_lock_gave();
    wf_wakes_flush(&wakes);
    /* An end closes only while LOCK is free. So if the other one has closed, it had before LOCK was
     * acquired [oneshot-3]. */
    return was;
}

/* Closes an end. True: the other end was closed before, and the caller frees the channel. */
INLINE bool close_end(oneshot *c, uint64_t how, side other, uint64_t other_closed)
{
    uint64_t state = wf_load(&c->state, ACQUIRE); /* [oneshot-3] */

    while (!(state & (other.waits | LOCK | other_closed)))
        if (wf_cas(&c->state, &state, state | how, ACQ_REL)) /* [oneshot-1] [oneshot-3] */
            return false;
    if (!(state & other_closed))
        state = close_waited_for(c, how, other);
    return state & other_closed;
}

/* The wait would use the memory of the channel after its end. */
static inline void refuse_wait(const oneshot *c, const weft_wait *wait, const char *function)
{
    if (__builtin_expect(wait != NULL, 0))
        wf_sync_misuse(function, "a wait on this end is pending", "oneshot channel", c);
}

/* Closes the sender. `how` is DONE, or SENT | DONE. */
static int sender_close(oneshot *c, uint64_t how)
{
    refuse_wait(c, c->closer, how & SENT ? "weft_oneshot_send" : "weft_oneshot_sender_close");
    if (!close_end(c, how, RECEIVER(c), CLOSED))
        return 0;
    channel_free(c);
    return -EPIPE;
}

/* Closes the receiver. True: the caller frees the channel. */
WF_SELDOM static bool receiver_close(oneshot *c)
{
    return close_end(c, CLOSED, SENDER(c), DONE);
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

/* Closes the receiver. True: the caller frees the channel. Mostly the sender is closed by now. */
static inline bool receiver_end(oneshot *c, const char *function)
{
    refuse_wait(c, c->waiter, function);
    return (wf_load(&c->state, ACQUIRE) & DONE) || receiver_close(c); /* [oneshot-3] */
}

WEFT_API void weft_oneshot_receiver_close(weft_oneshot_receiver *receiver)
{
    oneshot *c = (oneshot *)receiver;

    if (c && receiver_end(c, "weft_oneshot_receiver_close"))
        channel_free(c);
}

WEFT_API int weft_oneshot_receiver_finish(weft_oneshot_receiver *receiver, void *ret_message)
{
    oneshot *c = (oneshot *)receiver;
    int      r;

    if (!receiver_end(c, "weft_oneshot_receiver_finish"))
        return WEFT_EOF;
    r = take(c, ret_message);
    channel_free(c);
    return r;
}

/* ---- waiting ---- */

/* False: what the side waits for has come, and the waker slot is empty. */
INLINE bool wait_locked(oneshot *c, side own, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker), before = {0};
    uint64_t   was = wf_lock_bit(&c->state, LOCK); /* [oneshot-2] */

    if (was & own.end)
        before = wf_waker_take(&(*own.wait)->waker_);
    else
        wf_waker_exchange(&(*own.wait)->waker_, &next);
    wf_add(&c->state, (was & (own.end | own.waits) ? 0 : own.waits) - (uint64_t)LOCK,
           ACQ_REL); /* [oneshot-2] */
    wf_lock_gave();
    wf_waker_discard(before);
    wf_waker_discard(next);
    return !(was & own.end);
}

INLINE bool wait_first(oneshot *c, side own, weft_wait *wait, const weft_waker *waker)
{
    uint64_t was;

    *own.wait = wait;
    if (!wf_waker_store_own(&wait->waker_, waker))
        wf_waker_store(&wait->waker_, waker);
    was = wf_or(&c->state, own.waits, ACQ_REL); /* [oneshot-2] */
    /* The other end is closed, or is closing and has not seen that this side waits. */
    if (was & (own.end | LOCK))
        return wait_locked(c, own, waker);
    return true;
}

INLINE void wait_end(oneshot *c, side own)
{
    weft_waker before = {0};
    uint64_t   was;

    if (wf_load(&c->state, ACQUIRE) & own.waits) { /* [oneshot-2] */
        was = wf_lock_bit(&c->state, LOCK);        /* [oneshot-2] */
        if (was & own.waits)
            before = wf_waker_take(&(*own.wait)->waker_);
        wf_add(&c->state, -(uint64_t)LOCK - (was & own.waits), ACQ_REL); /* [oneshot-2] */
        wf_lock_gave();
    }
    *own.wait = NULL;
    /* Discarding the waker may close the other end. This one still keeps the channel. */
    wf_waker_discard(before);
}

/* Waits on, or begins to wait. False: what the side waits for has come. */
INLINE bool wait_on(oneshot *c, side own, weft_wait *wait, const weft_waker *waker)
{
    return *own.wait ? wait_locked(c, own, waker) : wait_first(c, own, wait, waker);
}

/* Not inlined, because a message that is there needs none of it. */
WF_SELDOM static bool receiver_waits(oneshot *c, weft_wait *wait, const weft_waker *waker)
{
    return wait_on(c, RECEIVER(c), wait, waker);
}

WF_SELDOM static void receiver_wait_end(oneshot *c)
{
    wait_end(c, RECEIVER(c));
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
        if (receiver_waits(c, wait, cx->waker))
            return WEFT_PENDING;
        r = take(c, wait->second_);
    }
    if (c->waiter)
        receiver_wait_end(c);
    return weft_ready(future, r);
}

static weft_poll closed_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    oneshot   *c = wait->object_;
    bool       cancelled = weft_future_is_cancelled(future);

    if (!cancelled && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (c->closer && c->closer != wait)
        return weft_ready(future, cancelled ? -ECANCELED : -EBUSY);
    if (!cancelled && !(wf_load(&c->state, ACQUIRE) & CLOSED) && /* [oneshot-3] */
        wait_on(c, SENDER(c), wait, cx->waker))
        return WEFT_PENDING;
    if (c->closer)
        wait_end(c, SENDER(c));
    return weft_ready(future, cancelled ? -ECANCELED : 0);
}

static const weft_future_ops receive_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_oneshot_receive", receive_poll, wf_wait_cancel};

WEFT_API weft_future *weft_oneshot_receive(weft_wait *wait, weft_oneshot_receiver *receiver,
                                           void *ret_message)
{
    wf_wait_init(wait, &receive_ops, receiver, 0);
    wait->second_ = ret_message;
    return &wait->future;
}

static const weft_future_ops closed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                           "weft_oneshot_closed", closed_poll, wf_wait_cancel};

WEFT_API weft_future *weft_oneshot_closed(weft_wait *wait, weft_oneshot_sender *sender)
{
    return wf_wait_init(wait, &closed_ops, sender, 0);
}
