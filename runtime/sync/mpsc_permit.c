/*
 * mpsc_permit.c - room in an mpsc channel that is kept for one message: see mpsc.h
 *
 * Purpose     A sender that has to make its message, or must not lose it by a cancel, asks for room
 *             first.
 * Threads     Each permit: its owner.
 * Invariants  M3, M4 and M5. The wait for permits is in the queue of senders.
 * Ordering    The lock of the channel.
 * Failure     -EPIPE when the receiver is closed.
 */
#include "inner.h"
#include "mpsc.h"

/* Writes the permits. Each of them is the channel. */
static void deliver(mpsc *c, weft_mpsc_permit **ret_permits, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        ret_permits[i] = (weft_mpsc_permit *)c;
}

WEFT_API int weft_mpsc_try_reserve_many(weft_mpsc_sender *sender, uint32_t n,
                                        weft_mpsc_permit **ret_permits)
{
    mpsc *c = (mpsc *)sender;
    int   r;

    if (c->grows || n > c->line.capacity)
        return -EINVAL;
    wf_lock(&c->lock);
    r = wf_mpsc_may_send(c);
    if (r != -EPIPE)
        r = n > 0 && (r < 0 || c->room < n) ? -EAGAIN : 0;
    for (uint32_t i = 0; r == 0 && i < n; i++)
        wf_mpsc_permit(c);
    wf_unlock(&c->lock);
    if (r == 0)
        deliver(c, ret_permits, n);
    return r;
}

WEFT_API int weft_mpsc_try_reserve(weft_mpsc_sender *sender, weft_mpsc_permit **ret_permit)
{
    return weft_mpsc_try_reserve_many(sender, 1, ret_permit);
}

/* ---- ending a permit ---- */

/* Under the lock: the permit is no sender any more. Returns whether it was the last end. */
static bool end(mpsc *c, wf_wakes *wakes)
{
    WF_ASSERT(c->n_permits > 0 && c->n_senders >= c->n_permits); /* M4 */
    c->n_permits--;
    c->n_senders--;
    if (wf_mpsc_at_end(c))
        wf_mpsc_wake_receiver(c, wakes);
    return --c->n_ends == 0;
}

WEFT_API int weft_mpsc_permit_send(weft_mpsc_permit *permit, const void *message)
{
    mpsc    *c = (mpsc *)permit;
    wf_wakes wakes = {0};
    bool     last, gone;

    wf_lock(&c->lock);
    gone = c->receiver_gone;
    last = end(c, &wakes);
    c->room++;
    if (!gone) {
        wf_mpsc_put(c, message);
        wf_mpsc_wake_receiver(c, &wakes);
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    wf_mpsc_leave(c, last);
    return gone ? -EPIPE : 0;
}

/* Under the lock: its room goes to the first sender that waits. */
static bool give_room(mpsc *c, wf_wakes *wakes)
{
    bool last = end(c, wakes);

    c->room++;
    if (c->first) {
        wf_mpsc_serve_first(c, wakes);
        if (c->line.n > 0)
            wf_mpsc_wake_receiver(c, wakes);
    }
    return last;
}

WEFT_API void weft_mpsc_permit_close(weft_mpsc_permit *permit)
{
    mpsc    *c = (mpsc *)permit;
    wf_wakes wakes = {0};
    bool     last;

    if (!c)
        return;
    wf_lock(&c->lock);
    last = give_room(c, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    wf_mpsc_leave(c, last);
}

/* ---- waiting for permits ---- */

/* Whether the wait a has begun before the wait b. */
static bool is_before(const weft_wait *a, const weft_wait *b)
{
    return (int32_t)((a->answer_ >> WF_MPSC_TICKET) - (b->answer_ >> WF_MPSC_TICKET)) < 0;
}

/* Puts a wait that was kept back to its place in the queue: M5. It comes behind one with the same
 * ticket, whose places make_first has left to that one. */
static void link_again(mpsc *c, weft_wait *wait)
{
    weft_wait *next = c->first;

    while (next && !is_before(wait, next))
        next = next->next_;
    wait->next_ = next;
    wait->prev_ = next ? next->prev_ : c->last;
    if (wait->prev_)
        wait->prev_->next_ = wait;
    else
        c->first = wait;
    if (next)
        next->prev_ = wait;
    else
        c->last = wait;
}

/* Makes the wait the first if it comes before the first one, which gives up its places then: only
 * the first of the queue has places, else two could wait for each other's. Returns whether the wait
 * is the first. */
static bool make_first(mpsc *c, const weft_wait *wait)
{
    uint32_t n;

    if (!c->first)
        return true;
    if (wait->state_ != SEND_KEPT || !is_before(wait, c->first))
        return false;
    n = (uint32_t)c->first->answer_;
    c->first->answer_ -= n;
    wf_mpsc_give_up(c, n);
    return true;
}

/* Under the lock: the first poll, or the first since the wait was kept. It takes places, and waits
 * for those that are missing. What it leaves is for the wait behind it. */
static void begin(mpsc *c, weft_wait *wait)
{
    bool first, done = wait->n_ == 0;

    if (c->receiver_closed) {
        wait->state_ = SEND_DONE;
        wait->answer_ = -EPIPE;
        return;
    }
    first = make_first(c, wait);
    while (!done && first && c->room > 0)
        done = wf_mpsc_collect(c, wait);
    if (done) {
        wait->state_ = SEND_DONE;
        wait->answer_ = 0;
        return;
    }
    if (wait->state_ == SEND_KEPT)
        link_again(c, wait);
    else
        wf_mpsc_link_sender(c, wait);
    wait->state_ = SEND_WAITING;
}

/* Under the lock: takes the wait out of the queue. Returns how many places it has. */
static uint32_t leave_queue(mpsc *c, weft_wait *wait)
{
    if (wait->state_ == SEND_WAITING) {
        wf_mpsc_unlink_sender(c, wait);
        return (uint32_t)wait->answer_;
    }
    return wait->state_ == SEND_DONE && wait->answer_ == 0 ? wait->n_ : 0;
}

/* Gives places to the senders that wait, and unlocks. */
static void give_places_unlock(mpsc *c, uint32_t n)
{
    wf_wakes wakes = {0};

    wf_mpsc_give_up(c, n);
    if (n > 0 && (wf_mpsc_at_end(c) || c->first)) /* their messages come now */
        wf_mpsc_wake_receiver(c, &wakes);
    wf_mpsc_serve_unlock(c, &wakes);
}

static weft_poll reserve_cancelled(mpsc *c, weft_wait *wait)
{
    weft_waker before;

    wf_lock(&c->lock);
    before = wf_waker_take(&wait->waker_);
    give_places_unlock(c, leave_queue(c, wait));
    wf_waker_discard(before);
    return weft_ready(&wait->future, -ECANCELED);
}

static weft_poll reserve_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    weft_waker waker;
    wf_wakes   wakes = {0};
    bool       has_budget, waits;

    if (weft_future_is_cancelled(future))
        return reserve_cancelled(c, wait);
    has_budget = weft_context_spend(cx);
    if (c->grows || wait->n_ > c->line.capacity)
        return weft_ready(future, -EINVAL);
    waker = wf_waker_prepare(cx->waker);
    wf_lock(&c->lock);
    if (wait->state_ == SEND_NEW || wait->state_ == SEND_KEPT)
        begin(c, wait);
    waits = wait->state_ == SEND_WAITING;
    if (waits)
        wf_waker_exchange(&wait->waker_, &waker);
    wf_mpsc_serve_unlock(c, &wakes);
    wf_waker_discard(waker);
    if (waits || !has_budget)
        return WEFT_PENDING;
    if (wait->answer_ == 0)
        deliver(c, wait->second_, wait->n_);
    return weft_ready(future, wait->answer_);
}

/* M5. A wait that had all of its places comes before the first one that waits now. */
static bool reserve_keep(weft_future *future)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    weft_waker before;
    uint32_t   n, ticket;

    wf_lock(&c->lock);
    before = wf_waker_take(&wait->waker_);
    ticket = (uint32_t)(wait->answer_ >> WF_MPSC_TICKET);
    if (wait->state_ == SEND_DONE)
        ticket = c->first ? (uint32_t)(c->first->answer_ >> WF_MPSC_TICKET) - 1 : c->tickets++;
    n = leave_queue(c, wait);
    if (wait->state_ == SEND_WAITING || n > 0) {
        wait->state_ = SEND_KEPT;
        wait->answer_ = (int64_t)((uint64_t)ticket << WF_MPSC_TICKET);
    }
    give_places_unlock(c, n);
    wf_waker_discard(before);
    return true;
}

#define RESERVE_OPS(name)                                                                          \
    {                                                                                              \
        .ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, name, reserve_poll, \
                wf_wait_cancel},                                                                   \
        .keep = reserve_keep                                                                       \
    }

static const wf_outer_ops reserve_ops = RESERVE_OPS("weft_mpsc_reserve");
static const wf_outer_ops reserve_many_ops = RESERVE_OPS("weft_mpsc_reserve_many");

WEFT_API weft_future *weft_mpsc_reserve(weft_wait *wait, weft_mpsc_sender *sender,
                                        weft_mpsc_permit **ret_permit)
{
    wf_wait_init(wait, &reserve_ops.ops, sender, 1);
    wait->second_ = ret_permit;
    return &wait->future;
}

WEFT_API weft_future *weft_mpsc_reserve_many(weft_wait *wait, weft_mpsc_sender *sender, uint32_t n,
                                             weft_mpsc_permit **ret_permits)
{
    wf_wait_init(wait, &reserve_many_ops.ops, sender, n);
    wait->second_ = ret_permits;
    return &wait->future;
}
