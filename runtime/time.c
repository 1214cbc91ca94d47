/*
 * time.c - sleeping, futures with a limit in time, and such that a cancel reaches later
 *
 * Purpose     The futures over the timer wheels.
 * Threads     The future's owner.
 * Invariants  Y1 a weft_nap is in a wheel from its first poll to READY at most. Y2 a shield counts from the
 *             poll that first sees the cancel.
 * Ordering    timer.h.
 * Failure     -ENXIO without a runtime.
 */
#include "timer.h"

static weft_poll nap_poll(weft_future *future, weft_context *cx)
{
    weft_nap *nap = weft_container(future, weft_nap, future);

    if (weft_future_is_cancelled(future)) {
        if (nap->wheel_)
            wf_timer_disarm(nap);
        return weft_ready(future, -ECANCELED);
    }
    if (!nap->wheel_) {
        if (!cx->runtime)
            return weft_ready(future, -ENXIO);
        if (!weft_context_spend(cx))
            return WEFT_PENDING;
        if (!wf_timer_arm(cx->runtime->timers, nap, cx->waker))
            return weft_ready(future, 0);
        return WEFT_PENDING;
    }
    return wf_timer_poll(nap, cx->waker) ? weft_ready(future, 0) : WEFT_PENDING;
}

static void nap_cancel(weft_future *future)
{
    (void)future; /* the next poll takes it out of its wheel */
}

static const weft_future_ops nap_ops = {sizeof(weft_nap), WEFT_FUTURE_WITHDRAWS, "weft_sleep",
                                        nap_poll, nap_cancel};

static int64_t after(int64_t duration)
{
    int64_t now = wf_now();

    return duration > WEFT_FOREVER - now ? WEFT_FOREVER : now + duration;
}

WEFT_API int64_t weft_now(void)
{
    return wf_now();
}

WEFT_API weft_future *weft_sleep_until(weft_nap *nap, int64_t instant)
{
    weft_future_init(&nap->future, &nap_ops);
    nap->wheel_ = NULL;
    nap->deadline_ = instant;
    return &nap->future;
}

WEFT_API weft_future *weft_sleep(weft_nap *nap, int64_t duration)
{
    return weft_sleep_until(nap, after(duration));
}

/* ---- timeout ---- */

/* The timer has fired, or can't be had: from here on the inner future is asked to end, and its answer decides. */
static weft_poll limit_drain(weft_limit *self, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(self->inner_);
    int64_t   result;

    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll(self->inner_, cx);
    if (!weft_poll_is_ready(poll))
        return WEFT_PENDING;
    result = self->inner_->result;
    if (result == -ECANCELED && !weft_future_is_cancelled(&self->future))
        result = self->nap_.future.result < 0 ? self->nap_.future.result : -ETIMEDOUT;
    return weft_ready(&self->future, result);
}

/* The inner future has ended, or is to end: the timer is not needed any more. */
static void end_nap(weft_nap *nap, weft_context *cx)
{
    if (!weft_poll_is_ready(weft_future_cancel(&nap->future)))
        (void)!weft_poll_is_ready(weft_future_poll(&nap->future, cx)); /* it WITHDRAWS: READY now */
}

static weft_poll limit_poll(weft_future *future, weft_context *cx)
{
    weft_limit *self = weft_container(future, weft_limit, future);

    if (weft_future_is_ready(&self->nap_.future))
        return limit_drain(self, cx);
    if (weft_future_is_cancelled(future)) {
        end_nap(&self->nap_, cx);
        return limit_drain(self, cx);
    }
    if (weft_poll_is_ready(weft_future_poll(self->inner_, cx))) {
        end_nap(&self->nap_, cx);
        return weft_ready(future, self->inner_->result);
    }
    if (!weft_poll_is_ready(weft_future_poll(&self->nap_.future, cx)))
        return WEFT_PENDING;
    return limit_drain(self, cx);
}

static void limit_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the inner future */
}

static const weft_future_ops limit_ops = {sizeof(weft_limit), WEFT_FUTURE_DRAINS, "weft_timeout",
                                          limit_poll, limit_cancel};

WEFT_API weft_future *weft_timeout_at(weft_limit *limit, weft_future *future, int64_t instant)
{
    weft_future_init(&limit->future, &limit_ops);
    limit->inner_ = future;
    weft_sleep_until(&limit->nap_, instant);
    return &limit->future;
}

WEFT_API weft_future *weft_timeout(weft_limit *limit, weft_future *future, int64_t duration)
{
    return weft_timeout_at(limit, future, after(duration));
}

/* ---- shield ---- */

/* The guarded future is not told of the cancel. */
static weft_poll shield_poll_inner(weft_guard *self, weft_context *cx)
{
    uint32_t  flags = cx->flags;
    weft_poll poll;

    cx->flags &= ~(uint32_t)WEFT_CONTEXT_CANCELLED_;
    poll = weft_future_poll(self->inner_, cx);
    cx->flags = flags;
    return poll;
}

/* Patience is at an end: the guarded future is cancelled as it would have been. */
static weft_poll shield_drain(weft_guard *self, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(self->inner_);

    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll(self->inner_, cx);
    return weft_poll_is_ready(poll) ? weft_ready(&self->future, self->inner_->result)
                                    : WEFT_PENDING;
}

static weft_poll shield_poll(weft_future *future, weft_context *cx)
{
    weft_guard *self = weft_container(future, weft_guard, future);
    bool        unwinds = cx->flags & WEFT_CONTEXT_UNWINDS_;
    bool cancelled = weft_future_is_cancelled(future) || (cx->flags & WEFT_CONTEXT_CANCELLED_);

    if (cancelled && !self->counts_) {
        self->counts_ = true;
        weft_sleep(&self->nap_, self->patience_);
    }
    if (self->counts_ && weft_future_is_ready(&self->nap_.future))
        return shield_drain(self, cx);
    if (unwinds) {
        end_nap(&self->nap_, cx);
        return shield_drain(self, cx);
    }
    if (weft_poll_is_ready(shield_poll_inner(self, cx))) {
        if (self->counts_)
            end_nap(&self->nap_, cx);
        return weft_ready(future, self->inner_->result);
    }
    if (!self->counts_ || !weft_poll_is_ready(weft_future_poll(&self->nap_.future, cx)))
        return WEFT_PENDING;
    return shield_drain(self, cx);
}

static void shield_cancel(weft_future *future)
{
    (void)future; /* the next poll begins to count */
}

static const weft_future_ops shield_ops = {sizeof(weft_guard),
                                           WEFT_FUTURE_DRAINS | WEFT_FUTURE_CLEANS_UP,
                                           "weft_shield", shield_poll, shield_cancel};

WEFT_API weft_future *weft_shield(weft_guard *guard, weft_future *future, int64_t patience)
{
    weft_future_init(&guard->future, &shield_ops);
    guard->inner_ = future;
    guard->patience_ = patience;
    guard->counts_ = false;
    return &guard->future;
}
