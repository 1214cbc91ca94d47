/*
 * mpsc.c - a bounded channel with many senders and one receiver
 *
 * Purpose     Messages in order, with back-pressure: a sender waits while the channel is full.
 * Threads     Each end: its owners.
 * Invariants  M1 Senders wait only while the buffer is full. They are served in the order in which
 *             they began to wait. When the receiver takes a message, it moves the first waiting
 *             sender's message into the buffer. So no permit is reserved for a sender that may
 *             never use it.
 *             M2 The last end to close frees the channel.
 * Ordering    The lock.
 * Failure     -EPIPE when the receiver is closed, WEFT_EOF when all senders are closed.
 */
#include "alloc.h"
#include "copy.h"
#include "lock.h"
#include "rt.h"
#include "waker.h"

#include <string.h>
#include <weft/channel.h>

#define BUFFER_MOST ((size_t)1 << 40)

typedef struct mpsc {
    uint32_t lock;
    /* -- under the lock -- */
    bool   receiver_closed; /* sends fail */
    size_t n_senders;
    size_t n_ends; /* senders and the receiver: the last to leave frees */
    /* -- constant -- */
    size_t size, capacity;
    /* -- under the lock -- */
    size_t     head, n; /* the oldest message, and how many there are */
    weft_wait *receiver;
    weft_wait *first, *last; /* senders waiting */
    /* -- constant -- */
    weft_allocator alloc;
    /* -- under the lock -- */
    _Alignas(16) char buffer[];
} mpsc;

enum { SEND_NEW, SEND_WAITING, SEND_DONE };

static void channel_free(mpsc *c)
{
    weft_allocator alloc = c->alloc;

    wf_release(&alloc, c, sizeof *c + c->size * c->capacity);
}

WEFT_API int weft_mpsc_open(size_t size, size_t capacity, weft_mpsc_sender **ret_sender,
                            weft_mpsc_receiver **ret_receiver)
{
    const weft_allocator *alloc = wf_alloc_current();
    size_t                bytes;
    mpsc                 *c;

    if (capacity == 0 || __builtin_mul_overflow(size, capacity, &bytes) || bytes > BUFFER_MOST)
        return -EINVAL;
    c = wf_alloc(alloc, sizeof *c + bytes);
    if (!c)
        return -ENOMEM;
    *c = (mpsc){.n_senders = 1, .n_ends = 2, .size = size, .capacity = capacity, .alloc = *alloc};
    *ret_sender = (weft_mpsc_sender *)c;
    *ret_receiver = (weft_mpsc_receiver *)c;
    return 0;
}

/* ---- under the lock ---- */

/* Maps a place to the ring. It must be less than twice the capacity. A division would take
 * longer. */
static size_t wrap(const mpsc *c, size_t place)
{
    return place < c->capacity ? place : place - c->capacity;
}

static void put(mpsc *c, const void *message)
{
    wf_copy(c->buffer + wrap(c, c->head + c->n) * c->size, message, c->size);
    c->n++;
}

static void unlink_sender(mpsc *c, weft_wait *wait)
{
    if (wait->next_)
        wait->next_->prev_ = wait->prev_;
    else
        c->last = wait->prev_;
    if (wait->prev_)
        wait->prev_->next_ = wait->next_;
    else
        c->first = wait->next_;
}

static void link_sender(mpsc *c, weft_wait *wait)
{
    wait->next_ = NULL;
    wait->prev_ = c->last;
    if (c->last)
        c->last->next_ = wait;
    else
        c->first = wait;
    c->last = wait;
}

/* Takes the first waiting sender off the queue and gives it its answer. */
static void settle_sender(mpsc *c, int64_t answer, wf_wakes *wakes)
{
    weft_wait *wait = c->first;

    unlink_sender(c, wait);
    wf_store(&wait->state_, SEND_DONE, RELAXED); /* under the lock; send_poll reads it without */
    wait->answer_ = answer;
    wf_waker_fire(&wait->waker_, wakes);
}

static int try_send(mpsc *c, const void *message, wf_wakes *wakes)
{
    if (c->receiver_closed)
        return -EPIPE;
    if (c->n == c->capacity || c->first)
        return -EAGAIN;
    put(c, message);
    if (c->receiver)
        wf_waker_fire(&c->receiver->waker_, wakes);
    return 0;
}

static int try_receive(mpsc *c, void *ret_message, wf_wakes *wakes)
{
    if (c->n == 0)
        return c->n_senders == 0 ? WEFT_EOF : -EAGAIN;
    wf_copy(ret_message, c->buffer + c->head * c->size, c->size);
    c->head = wrap(c, c->head + 1);
    c->n--;
    if (c->first) {
        put(c, c->first->second_);
        settle_sender(c, 0, wakes);
    }
    return 0;
}

/* ---- senders ---- */

WEFT_API weft_mpsc_sender *weft_mpsc_sender_clone(weft_mpsc_sender *sender)
{
    mpsc *c = (mpsc *)sender;

    wf_lock(&c->lock);
    c->n_senders++;
    c->n_ends++;
    wf_unlock(&c->lock);
    return sender;
}

WEFT_API void weft_mpsc_sender_close(weft_mpsc_sender *sender)
{
    mpsc    *c = (mpsc *)sender;
    wf_wakes wakes = {0};
    bool     last;

    if (!c)
        return;
    wf_lock(&c->lock);
    c->n_senders--;
    if (c->n_senders == 0 && c->receiver)
        wf_waker_fire(&c->receiver->waker_, &wakes);
    last = --c->n_ends == 0;
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (last)
        channel_free(c);
}

WEFT_API int weft_mpsc_try_send(weft_mpsc_sender *sender, const void *message)
{
    mpsc    *c = (mpsc *)sender;
    wf_wakes wakes = {0};
    int      r;

    wf_lock(&c->lock);
    r = try_send(c, message, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return r;
}

/* Under the lock: the send's answer, or -EAGAIN while it waits. */
static int64_t advance_send(mpsc *c, weft_wait *wait, wf_wakes *wakes)
{
    int64_t r;

    if (wait->state_ == SEND_DONE)
        return wait->answer_;
    if (weft_future_is_cancelled(&wait->future)) {
        if (wait->state_ == SEND_WAITING)
            unlink_sender(c, wait);
        return -ECANCELED;
    }
    if (wait->state_ == SEND_NEW) {
        r = try_send(c, wait->second_, wakes);
        if (r != -EAGAIN)
            return r;
        wait->state_ = SEND_WAITING;
        link_sender(c, wait);
    }
    return -EAGAIN;
}

/* No other thread uses the waker slot any more. It is empty unless the send was withdrawn. */
static weft_poll send_end(weft_wait *wait, int64_t r)
{
    if (__builtin_expect(r == -ECANCELED, 0))
        wf_waker_forget(&wait->waker_);
    return weft_ready(&wait->future, r);
}

/* The send waits, and the waker that is stored or replaced belongs to another executor. */
WF_SELDOM static weft_poll send_foreign(mpsc *c, weft_wait *wait, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    bool       done;

    wf_lock(&c->lock);
    done = wait->state_ == SEND_DONE;
    if (!done)
        wf_waker_exchange(&wait->waker_, &next);
    wf_unlock(&c->lock);
    wf_waker_discard(next);
    return done ? weft_ready(&wait->future, wait->answer_) : WEFT_PENDING;
}

WF_FLATTEN static weft_poll send_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    wf_wakes   wakes = {0};
    bool       stored;
    int64_t    r;

    /* Only this future's polls leave SEND_NEW. */
    if (wf_load(&wait->state_, RELAXED) == SEND_NEW && !weft_future_is_cancelled(future) &&
        !weft_context_spend(cx))
        return WEFT_PENDING;
    wf_lock(&c->lock);
    r = advance_send(c, wait, &wakes);
    if (r == -EAGAIN) {
        stored = wf_waker_store_own(&wait->waker_, cx->waker);
        wf_unlock(&c->lock);
        return stored ? WEFT_PENDING : send_foreign(c, wait, cx->waker);
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return send_end(wait, r);
}

static void withdraw(weft_future *future)
{
    (void)future; /* the next poll does it */
}

static const weft_future_ops send_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS, "weft_mpsc_send",
                                         send_poll, withdraw};

WEFT_API weft_future *weft_mpsc_send(weft_wait *wait, weft_mpsc_sender *sender, const void *message)
{
    *wait =
        (weft_wait){.object_ = sender, .second_ = (void *)(uintptr_t)message, .state_ = SEND_NEW};
    weft_future_init(&wait->future, &send_ops);
    return &wait->future;
}

/* ---- the receiver ---- */

WEFT_API int weft_mpsc_try_receive(weft_mpsc_receiver *receiver, void *ret_message)
{
    mpsc    *c = (mpsc *)receiver;
    wf_wakes wakes = {0};
    int      r;

    wf_lock(&c->lock);
    r = try_receive(c, ret_message, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return r;
}

WEFT_API void weft_mpsc_receiver_close(weft_mpsc_receiver *receiver)
{
    mpsc    *c = (mpsc *)receiver;
    wf_wakes wakes = {0};
    bool     last;

    if (!c)
        return;
    wf_lock(&c->lock);
    c->receiver_closed = true;
    while (c->first) {
        settle_sender(c, -EPIPE, &wakes);
        if (wf_wakes_full(&wakes)) {
            wf_unlock(&c->lock);
            wf_wakes_flush(&wakes);
            wf_lock(&c->lock);
        }
    }
    /* Counted in the last hold of the lock: a sender that was woken may close in between. */
    last = --c->n_ends == 0;
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (last)
        channel_free(c);
}

/* Under the lock. *ret_waited: whether the future had waited and no longer does. */
static int advance_receive(mpsc *c, weft_wait *wait, bool *ret_waited, wf_wakes *wakes)
{
    int r;

    if (weft_future_is_cancelled(&wait->future))
        r = -ECANCELED;
    else if (c->receiver && c->receiver != wait)
        r = -EBUSY;
    else
        r = try_receive(c, wait->second_, wakes);
    *ret_waited = r != -EAGAIN && c->receiver == wait;
    if (r == -EAGAIN)
        c->receiver = wait;
    else if (*ret_waited)
        c->receiver = NULL;
    return r;
}

/* If the future had waited, no other thread uses its waker slot any more. */
static weft_poll receive_end(weft_wait *wait, int r, bool waited)
{
    if (waited)
        wf_waker_forget(&wait->waker_);
    return weft_ready(&wait->future, r);
}

/* The receive waits, and the waker that is stored or replaced belongs to another executor. */
WF_SELDOM static weft_poll receive_foreign(mpsc *c, weft_wait *wait, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    wf_wakes   wakes = {0};
    bool       waited;
    int        r;

    wf_lock(&c->lock);
    r = advance_receive(c, wait, &waited, &wakes);
    if (r == -EAGAIN)
        wf_waker_exchange(&wait->waker_, &next);
    wf_unlock(&c->lock);
    wf_waker_discard(next);
    wf_wakes_flush(&wakes);
    return r == -EAGAIN ? WEFT_PENDING : receive_end(wait, r, waited);
}

WF_FLATTEN static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    wf_wakes   wakes = {0};
    bool       stored, waited;
    int        r;

    if (!weft_future_is_cancelled(future) && !weft_context_spend(cx))
        return WEFT_PENDING;
    wf_lock(&c->lock);
    r = advance_receive(c, wait, &waited, &wakes);
    if (r == -EAGAIN) {
        stored = wf_waker_store_own(&wait->waker_, cx->waker);
        wf_unlock(&c->lock);
        return stored ? WEFT_PENDING : receive_foreign(c, wait, cx->waker);
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return receive_end(wait, r, waited);
}

static const weft_future_ops receive_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_mpsc_receive", receive_poll, withdraw};

WEFT_API weft_future *weft_mpsc_receive(weft_wait *wait, weft_mpsc_receiver *receiver,
                                        void *ret_message)
{
    *wait = (weft_wait){.object_ = receiver, .second_ = ret_message};
    weft_future_init(&wait->future, &receive_ops);
    return &wait->future;
}
