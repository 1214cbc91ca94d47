/*
 * timeout.c - futures with a time limit
 *
 * Purpose     Polls a future beside a sleep. All futures below it see the limit in their context.
 * Threads     The future's owner.
 * Invariants  The context's deadline is the earliest limit around a poll. Each timeout lowers it
 *             for its future and restores it. Each timeout still has a sleep of its own, because a
 *             kept branch may outlive the timeout that it began under.
 * Ordering    None.
 * Failure     -ENXIO without a runtime.
 */
#include "inner.h"
#include "sleep.h"

static weft_poll poll_inner(struct weft_timeout *self, weft_context *cx)
{
    int64_t   outer = cx->deadline;
    weft_poll poll;

    if (self->nap_.deadline_ < outer)
        cx->deadline = self->nap_.deadline_;
    poll = weft_future_poll_inner(self->inner_, cx);
    cx->deadline = outer;
    return poll;
}

/* The timer has fired or could not be armed. The inner future is cancelled, and its result
 * decides. */
static weft_poll limit_drain(struct weft_timeout *self, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(self->inner_);
    int64_t   result;

    if (!weft_poll_is_ready(poll))
        poll = poll_inner(self, cx);
    if (!weft_poll_is_ready(poll))
        return WEFT_PENDING;
    result = self->inner_->result;
    if (result == -ECANCELED && !weft_future_is_cancelled(&self->future))
        result = self->nap_.future.result < 0 ? self->nap_.future.result : -ETIMEDOUT;
    return weft_ready(&self->future, result);
}

static weft_poll limit_poll(weft_future *future, weft_context *cx)
{
    struct weft_timeout *self = weft_container(future, struct weft_timeout, future);

    if (weft_future_is_ready(&self->nap_.future))
        return limit_drain(self, cx);
    if (weft_future_is_cancelled(future)) {
        wf_nap_end(&self->nap_, cx);
        return limit_drain(self, cx);
    }
    if (cx->runtime && !weft_future_is_pending(&self->nap_.future))
        wf_nap_settle(&self->nap_, cx->runtime);
    if (weft_poll_is_ready(poll_inner(self, cx))) {
        wf_nap_end(&self->nap_, cx);
        return weft_ready(future, self->inner_->result);
    }
    if (!weft_poll_is_ready(weft_future_poll_inner(&self->nap_.future, cx)))
        return WEFT_PENDING;
    return limit_drain(self, cx);
}

static void limit_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the inner future */
}

static const weft_future *limit_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? weft_container(future, struct weft_timeout, future)->inner_ : NULL;
}

static const wf_outer_ops limit_ops = {
    {sizeof(struct weft_timeout), WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
     "weft_timeout", limit_poll, limit_cancel},
    limit_inner,
    false,
    NULL,
    NULL};

static weft_future *limit_init(struct weft_timeout *limit, weft_future *future)
{
    weft_future_init(&limit->future, &limit_ops.ops);
    limit->inner_ = future;
    return &limit->future;
}

WEFT_API weft_future *weft_timeout_at(struct weft_timeout *limit, weft_future *future,
                                      int64_t instant)
{
    weft_sleep_until(&limit->nap_, instant);
    return limit_init(limit, future);
}

WEFT_API weft_future *weft_timeout(struct weft_timeout *limit, weft_future *future,
                                   int64_t duration)
{
    weft_sleep(&limit->nap_, duration);
    return limit_init(limit, future);
}
