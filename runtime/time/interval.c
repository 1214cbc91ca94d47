/*
 * interval.c - ticks, a period apart
 *
 * Purpose     A sleep that is restarted for each tick.
 * Threads     The interval's owner.
 * Invariants  Y3 `next_` is the first tick that has not been delivered. It advances in the poll
 *             that returns READY, so a cancelled tick is not lost.
 * Ordering    None.
 * Failure     -ENXIO without a runtime.
 */
#include "clock.h"
#include "sleep.h"

/* DELAY counts a tick as late from here on: timers are always a little late. */
#define LATE WEFT_MS(5)

/* A value of `next_`: the time at which the first tick is delivered. */
#define NOW INT64_MIN

/* Delivers the tick and sets the next one. Returns by how many periods the tick is late. The clock
 * is that of the poll's runtime, also in another executor, on a thread without a runtime. */
static int64_t interval_go_on(weft_interval *self, const weft_context *cx)
{
    int64_t now = cx->runtime ? weft_clock_now(cx->runtime) : weft_now(), late, n;

    if (self->next_ == NOW)
        self->next_ = now;
    if (__builtin_sub_overflow(now, self->next_, &late))
        late = WEFT_FOREVER; /* the difference does not fit into 64 bits */
    n = late > 0 ? late / self->period_ : 0;
    if (self->late_ == WEFT_INTERVAL_SKIP)
        self->next_ += n * self->period_;
    else if (self->late_ == WEFT_INTERVAL_DELAY && late >= LATE)
        self->next_ = now;
    self->next_ = wf_after(self->next_, self->period_);
    return n;
}

static weft_poll interval_poll(weft_future *future, weft_context *cx)
{
    weft_interval *self = weft_container(future, weft_interval, future);

    if (weft_future_is_cancelled(future)) {
        wf_nap_end(&self->nap_, cx);
        return weft_ready(future, -ECANCELED);
    }
    if (!weft_poll_is_ready(weft_future_poll_inner(&self->nap_.future, cx)))
        return WEFT_PENDING;
    return weft_ready(future, self->nap_.future.result < 0 ? self->nap_.future.result
                                                           : interval_go_on(self, cx));
}

static void interval_cancel(weft_future *future)
{
    (void)future; /* the next poll ends the sleep */
}

static const weft_future_ops interval_ops = {sizeof(weft_interval), WEFT_FUTURE_WITHDRAWS,
                                             "weft_interval_tick", interval_poll, interval_cancel};

WEFT_API void weft_interval_start_at(weft_interval *interval, int64_t instant, int64_t period,
                                     weft_interval_late late)
{
    weft_future_init(&interval->future, &interval_ops);
    weft_sleep_until(&interval->nap_, instant);
    interval->next_ = instant;
    interval->period_ = period > 0 ? period : 1;
    interval->late_ = late;
}

WEFT_API void weft_interval_start(weft_interval *interval, int64_t period, weft_interval_late late)
{
    weft_interval_start_at(interval, weft_runtime_current() ? weft_now() : NOW, period, late);
}

WEFT_API void weft_interval_about(weft_interval *interval, int64_t accuracy)
{
    weft_sleep_until_about(&interval->nap_, interval->next_, accuracy);
}

WEFT_API weft_future *weft_interval_tick(weft_interval *interval)
{
    weft_future_init(&interval->future, &interval_ops);
    weft_sleep_reset(&interval->nap_, interval->next_);
    return &interval->future;
}

WEFT_API void weft_interval_reset_at(weft_interval *interval, int64_t instant)
{
    interval->next_ = instant;
    weft_sleep_reset(&interval->nap_, instant);
}

WEFT_API void weft_interval_reset(weft_interval *interval)
{
    weft_interval_reset_at(interval, wf_after(weft_now(), interval->period_));
}
