/*
 * mpsc_permit.c - room in an mpsc channel that is kept for one message: see mpsc.h
 *
 * Purpose     A sender that has to make its message, or must not lose it by a cancel, asks for room
 *             first.
 * Threads     Each permit: its owner.
 * Invariants  M3 and M4. The wait for a permit is in the queue of senders.
 * Ordering    The lock of the channel.
 * Failure     -EPIPE when the receiver is closed.
 */
#include "mpsc.h"

WEFT_API int weft_mpsc_try_reserve(weft_mpsc_sender *sender, weft_mpsc_permit **ret_permit)
{
    mpsc *c = (mpsc *)sender;
    int   r;

    if (c->grows)
        return -EINVAL;
    wf_lock(&c->lock);
    r = wf_mpsc_may_send(c);
    if (r == 0)
        wf_mpsc_permit(c);
    wf_unlock(&c->lock);
    if (r == 0)
        *ret_permit = (weft_mpsc_permit *)c;
    return r;
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

/* ---- waiting for a permit ---- */

/* Under the lock: the first poll takes a permit, or a place in the queue. */
static void begin(mpsc *c, weft_wait *wait)
{
    int r = wf_mpsc_may_send(c);

    if (r == -EAGAIN) {
        wait->state_ = SEND_WAITING;
        wf_mpsc_link_sender(c, wait);
        return;
    }
    if (r == 0)
        wf_mpsc_permit(c);
    wait->state_ = SEND_DONE;
    wait->answer_ = r;
}

/* Under the lock: a cancelled wait leaves the queue, or gives its permit back. */
static void withdraw(mpsc *c, weft_wait *wait, wf_wakes *wakes)
{
    if (wait->state_ == SEND_WAITING)
        wf_mpsc_unlink_sender(c, wait);
    else if (wait->answer_ == 0)
        (void)give_room(c, wakes); /* the sender that waits is another end */
}

/* Under the lock: the answer, or -EAGAIN while the wait is pending. */
static int64_t advance(mpsc *c, weft_wait *wait, bool cancelled, bool has_budget, wf_wakes *wakes)
{
    if (cancelled) {
        withdraw(c, wait, wakes);
        return -ECANCELED;
    }
    if (wait->state_ == SEND_NEW)
        begin(c, wait);
    return wait->state_ == SEND_DONE && has_budget ? wait->answer_ : -EAGAIN;
}

static weft_poll reserve_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    bool       cancelled = weft_future_is_cancelled(future);
    bool       has_budget = cancelled || weft_context_spend(cx);
    weft_waker waker = {0};
    wf_wakes   wakes = {0};
    int64_t    r;

    if (c->grows)
        return weft_ready(future, -EINVAL);
    if (!cancelled)
        waker = wf_waker_prepare(cx->waker);
    wf_lock(&c->lock);
    r = advance(c, wait, cancelled, has_budget, &wakes);
    /* While it waits the slot gets this poll's waker. Once it has ended the slot is emptied. */
    if (cancelled || wait->state_ == SEND_WAITING)
        wf_waker_exchange(&wait->waker_, &waker);
    wf_unlock(&c->lock);
    wf_waker_discard(waker);
    wf_wakes_flush(&wakes);
    if (r == -EAGAIN)
        return WEFT_PENDING;
    if (r == 0)
        *(weft_mpsc_permit **)wait->second_ = (weft_mpsc_permit *)c;
    return weft_ready(future, r);
}

static const weft_future_ops reserve_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_mpsc_reserve", reserve_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpsc_reserve(weft_wait *wait, weft_mpsc_sender *sender,
                                        weft_mpsc_permit **ret_permit)
{
    wf_wait_init(wait, &reserve_ops, sender, WF_MPSC_RESERVES);
    wait->second_ = ret_permit;
    return &wait->future;
}
