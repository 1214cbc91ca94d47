/*
 * sleep.c - sleeping
 *
 * Purpose     The future on top of the timer wheels.
 * Threads     The future's owner.
 * Invariants  Y1 A struct weft_sleep is in a wheel at most from its first poll to READY.
 * Ordering    See timer.h.
 * Failure     -ENXIO without a runtime, -ECHILD in a forked child.
 */
#include "sleep.h"

#include "executor.h"
#include "invariant.h"
#include "timer.h"

#define UNKNOWN INT64_MIN /* a value of made_: the time is not known */

/* Whether made_ may come from a clock that differs from the runtime's. */
static bool is_of_another_clock(const struct weft_sleep *nap, const weft_runtime *rt)
{
    bool used = wf_clock_is_used(&rt->timers->clock);

    if (!nap->outside_) /* made_ is of CLOCK_MONOTONIC */
        return used;
    return nap->maker_ != rt && (nap->maker_ || used);
}

void wf_nap_settle(struct weft_sleep *nap, weft_runtime *rt)
{
    int64_t now;

    if (nap->made_ == UNKNOWN || !is_of_another_clock(nap, rt))
        return;
    now = wf_clock_now(&rt->timers->clock);
    if (nap->deadline_ != WEFT_FOREVER)
        nap->deadline_ = wf_after(now, nap->deadline_ - nap->made_);
    nap->made_ = now;
    nap->outside_ = true;
    nap->maker_ = rt;
}

/* The current time, or the time when the sleep was made. Most sleeps are polled right after they
 * are made, so the clock need not be read again. */
static int64_t now_or_before(struct weft_sleep *nap, weft_runtime *rt)
{
    wf_nap_settle(nap, rt);
    return nap->made_ == UNKNOWN ? wf_clock_now(&rt->timers->clock) : nap->made_;
}

/* A sleep that has to wait costs no budget. Otherwise it would never begin beside work that uses up
 * the budget of every poll. A sleep that is already due costs budget, so that a loop of such sleeps
 * yields. If there is none left, it yields once and then completes. */
static weft_poll nap_start(struct weft_sleep *nap, weft_context *cx)
{
    weft_runtime *rt = cx->runtime;
    bool          was_refused = nap->state_ == WF_NAP_REFUSED;

    if (!rt)
        return weft_ready(&nap->future, -ENXIO);
    if (wf_executor_is_child(rt->executor))
        return weft_ready(&nap->future, -ECHILD);
    if (wf_timer_arm(rt->timers, nap, now_or_before(nap, rt), cx->waker))
        return WEFT_PENDING;
    nap->state_ = WF_NAP_UNARMED;
    if (weft_context_spend(cx) || was_refused)
        return weft_ready(&nap->future, 0);
    nap->state_ = WF_NAP_REFUSED;
    return WEFT_PENDING;
}

static bool is_armed(const struct weft_sleep *nap)
{
    uint8_t state = wf_load(&nap->state_, RELAXED); /* only the owner arms and disarms */

    return state == WF_NAP_ARMED || state == WF_NAP_FIRED;
}

/* Whether an armed sleep belongs to the parent of a forked child. A thread of the parent may have
 * held the wheel's lock at the fork. */
static bool is_the_parents(const struct weft_sleep *nap)
{
    const wf_wheel *wheel = nap->wheel_;

    return wf_executor_is_child(wheel->timers->rt->executor);
}

WF_FLATTEN static weft_poll nap_poll(weft_future *future, weft_context *cx)
{
    struct weft_sleep *nap = weft_container(future, struct weft_sleep, future);

    if (weft_future_is_cancelled(future)) {
        if (is_armed(nap)) {
            if (is_the_parents(nap))
                return weft_ready(future, -ECHILD);
            wf_timer_disarm(nap);
        }
        WF_ASSERT(!is_armed(nap)); /* Y1 */
        return weft_ready(future, -ECANCELED);
    }
    if (!is_armed(nap))
        return nap_start(nap, cx);
    if (is_the_parents(nap))
        return weft_ready(future, -ECHILD);
    if (!wf_timer_poll(nap, cx->waker))
        return WEFT_PENDING;
    nap->state_ = WF_NAP_UNARMED;
    return weft_ready(future, 0);
}

static void nap_cancel(weft_future *future)
{
    (void)future; /* the next poll takes it out of its wheel */
}

static const weft_future_ops nap_ops = {sizeof(struct weft_sleep), WEFT_FUTURE_WITHDRAWS,
                                        "weft_sleep", nap_poll, nap_cancel};

/* ---- making one ---- */

/* Calls within the library use these inline functions. Another library may interpose an exported
 * one at run time. */
static inline int64_t current_time(void)
{
    const weft_runtime *rt = wf_current_thread.rt;

    return rt ? wf_clock_now(&rt->timers->clock) : wf_now();
}

WEFT_API int64_t weft_now(void)
{
    return current_time();
}

static uint32_t ticks_of(int64_t accuracy)
{
    int64_t n = accuracy / WF_TIMER_TICK;

    return n < 0 ? 0 : n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static inline weft_future *init_until(struct weft_sleep *nap, int64_t instant, int64_t accuracy)
{
    weft_future_init(&nap->future, &nap_ops);
    nap->deadline_ = instant;
    nap->made_ = UNKNOWN;
    nap->accuracy_ = accuracy == 0 ? 0 : ticks_of(accuracy);
    nap->state_ = WF_NAP_UNARMED;
    return &nap->future;
}

static inline weft_future *init_for(struct weft_sleep *nap, int64_t duration, int64_t accuracy)
{
    weft_runtime *rt = wf_current_thread.rt;
    int64_t       now = current_time();

    init_until(nap, wf_after(now, duration), accuracy);
    nap->made_ = now;
    nap->outside_ = !rt || wf_clock_is_used(&rt->timers->clock);
    if (__builtin_expect(nap->outside_, 0))
        nap->maker_ = rt;
    return &nap->future;
}

WEFT_API weft_future *weft_sleep_until_about(struct weft_sleep *nap, int64_t instant,
                                             int64_t accuracy)
{
    return init_until(nap, instant, accuracy);
}

WEFT_API weft_future *weft_sleep_until(struct weft_sleep *nap, int64_t instant)
{
    return init_until(nap, instant, 0);
}

WEFT_API weft_future *weft_sleep_about(struct weft_sleep *nap, int64_t duration, int64_t accuracy)
{
    return init_for(nap, duration, accuracy);
}

WEFT_API weft_future *weft_sleep(struct weft_sleep *nap, int64_t duration)
{
    return init_for(nap, duration, 0);
}

WEFT_API void weft_sleep_reset(struct weft_sleep *nap, int64_t instant)
{
    if (is_armed(nap) && is_the_parents(nap))
        return; /* its next poll returns -ECHILD */
    if (is_armed(nap))
        wf_timer_move(nap, instant); /* now unarmed, if it had fired */
    if (is_armed(nap))
        return;
    if (weft_future_is_ready(&nap->future))
        weft_future_init(&nap->future, &nap_ops);
    nap->deadline_ = instant;
    nap->made_ = UNKNOWN;
}

void wf_nap_end(struct weft_sleep *nap, weft_context *cx)
{
    if (!weft_poll_is_ready(weft_future_cancel(&nap->future)))
        /* It WITHDRAWS, so it is READY now. */
        (void)!weft_poll_is_ready(weft_future_poll_inner(&nap->future, cx));
    WF_ASSERT(weft_future_is_ready(&nap->future)); /* Y1 */
}
