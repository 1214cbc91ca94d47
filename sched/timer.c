/* timer.c - see timer.h */
#include "timer.h"

#include "invariant.h"
#include "lock.h"
#include "worker.h"

#include <string.h>

#define JUMP_LOOK WEFT_US(50) /* time between looks whether a clock may jump */

static size_t timers_size(uint32_t n)
{
    return sizeof(wf_timers) + n * sizeof(wf_wheel);
}

int wf_timers_start(weft_runtime *rt)
{
    uint32_t   n = (uint32_t)rt->config.workers;
    wf_timers *t = wf_alloc_aligned(&rt->config.allocator, timers_size(n));

    if (!t)
        return -ENOMEM;
    memset(t, 0, timers_size(n));
    t->rt = rt;
    t->n_wheels = n;
    wf_clock_init(&t->clock);
    for (uint32_t i = 0; i < n; i++) {
        t->wheel[i].timers = t;
        t->wheel[i].next = WEFT_FOREVER;
    }
    rt->timers = t;
    return 0;
}

uint32_t wf_timers_users(weft_runtime *rt)
{
    return wf_load(&rt->timers->n_foreign, ACQUIRE); /* [timer-2] */
}

void wf_timers_stop(weft_runtime *rt)
{
    wf_release_aligned(&rt->config.allocator, rt->timers, timers_size(rt->timers->n_wheels));
    rt->timers = NULL;
}

/* ---- one timer ---- */

static wf_wheel *wheel_for_caller(wf_timers *timers)
{
    const wf_worker *worker = wf_current_thread.worker;

    return &timers->wheel[worker ? worker->index % timers->n_wheels : 0];
}

static void begins(wf_timers *timers, struct weft_sleep *nap)
{
    nap->foreign_ = !wf_current_thread.worker || wf_current_thread.rt != timers->rt;
    if (__builtin_expect(nap->foreign_, 0))
        wf_add(&timers->n_foreign, 1, RELAXED); /* the caller keeps the runtime alive */
}

static void leaves(wf_timers *timers)
{
    uint32_t before = wf_sub(&timers->n_foreign, 1, RELEASE); /* [timer-2] */

    WF_ASSERT(before > 0); /* M5 */
}

/* The owner touches the wheel here for the last time. */
static void ends(wf_wheel *w, const struct weft_sleep *nap)
{
    if (__builtin_expect(nap->foreign_, 0))
        leaves(w->timers);
}

/* The instant of CLOCK_MONOTONIC at which the reactor must look at a timer that is due at
 * `next`. */
static int64_t look_at(wf_timers *timers, int64_t next)
{
    const wf_clock *c = &timers->clock;
    int64_t         stopped_at;

    if (!wf_clock_is_used(c) || next == WEFT_FOREVER)
        return next;
    stopped_at = wf_load(&c->stopped_at, ACQUIRE); /* [clock-1] */
    if (stopped_at == WF_CLOCK_RUNS)
        return wf_after(next, -wf_load(&c->offset, RELAXED)); /* acquired with stopped_at */
    if (next <= stopped_at)
        return 0;
    return wf_clock_jumps(c) ? wf_now() + JUMP_LOOK : WEFT_FOREVER;
}

static void hint(wf_wheel *w)
{
    wf_timers *timers = w->timers;

    wf_driver_hint(timers->rt->driver,
                   look_at(timers, wf_load(&w->next, RELAXED))); /* may be early: M3 */
}

bool wf_timer_arm(wf_timers *timers, struct weft_sleep *nap, int64_t now, const weft_waker *waker)
{
    wf_wheel *w = wheel_for_caller(timers);
    bool      sooner;

    if (now >= nap->deadline_)
        return false;
    begins(timers, nap);
    nap->wheel_ = w;
    nap->state_ = WF_NAP_ARMED;
    nap->waker_ = (weft_waker){0};
    wf_waker_store(&nap->waker_, waker);
    wf_lock(&w->lock);
    wf_wheel_advance_locked(w, now);
    sooner = wf_wheel_arm_locked(w, nap);
    wf_count(&w->n_armed, 1);
    wf_unlock(&w->lock);
    if (sooner)
        hint(w);
    return true;
}

/* The slot has or gets another executor's waker, which must not be cloned or dropped under the
 * lock. */
WF_SELDOM static bool poll_foreign(wf_wheel *w, struct weft_sleep *nap, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    bool       fired;

    wf_lock(&w->lock);
    fired = nap->state_ == WF_NAP_FIRED;
    if (!fired)
        wf_waker_exchange(&nap->waker_, &next);
    wf_unlock(&w->lock);
    wf_waker_discard(next);
    return fired;
}

bool wf_timer_poll(struct weft_sleep *nap, const weft_waker *waker)
{
    wf_wheel *w = nap->wheel_;
    bool      fired = wf_load(&nap->state_, ACQUIRE) == WF_NAP_FIRED; /* [timer-1] */
    bool      stored;

    if (!fired) {
        wf_lock(&w->lock);
        fired = nap->state_ == WF_NAP_FIRED;
        stored = fired || wf_waker_store_own(&nap->waker_, waker);
        wf_unlock(&w->lock);
        if (!stored)
            fired = poll_foreign(w, nap, waker);
    }
    if (fired)
        ends(w, nap);
    return fired;
}

void wf_timer_disarm(struct weft_sleep *nap)
{
    wf_wheel *w = nap->wheel_;

    if (wf_load(&nap->state_, ACQUIRE) == WF_NAP_ARMED) { /* [timer-1] */
        wf_lock(&w->lock);
        if (nap->state_ == WF_NAP_ARMED) {
            wf_wheel_remove_locked(w, nap); /* `next` may stay early: M3 */
            wf_count(&w->n_cancelled, 1);
        }
        wf_unlock(&w->lock);
        wf_waker_forget(&nap->waker_); /* fired: it is empty */
    }
    ends(w, nap);
    nap->state_ = WF_NAP_UNARMED;
}

void wf_timer_move(struct weft_sleep *nap, int64_t deadline)
{
    wf_wheel *w = nap->wheel_;
    bool      sooner = false, fired;
    uint64_t  before;

    wf_lock(&w->lock);
    before = wf_wheel_tick_of(nap);
    /* A negative deadline would make the lateness overflow. */
    nap->deadline_ = deadline > 0 ? deadline : 0;
    fired = nap->state_ == WF_NAP_FIRED;
    if (fired) {
        nap->state_ = WF_NAP_UNARMED;
    } else if (wf_wheel_tick_of(nap) < before) { /* later: moved when its slot comes */
        wf_wheel_remove_locked(w, nap);
        sooner = wf_wheel_arm_locked(w, nap);
    }
    wf_unlock(&w->lock);
    if (sooner)
        hint(w);
    if (fired)
        ends(w, nap);
}

/* ---- all of them ---- */

/* Fires all timers that are due at the instant, on the runtime's clock. */
static void fire_until(wf_timers *timers, int64_t now)
{
    uint64_t n_fired = timers->n_fired;
    wf_wakes wakes = {0};
    bool     more;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        wf_wheel *w = &timers->wheel[i];
        int64_t   at = now;

        if (wf_load(&w->next, RELAXED) > now) /* a thread that lowers it now calls wf_driver_hint */
            continue;
        do {
            wf_lock(&w->lock);
            more = wf_wheel_fire_locked(w, at, &wakes);
            wf_unlock(&w->lock);
            wf_wakes_flush(&wakes);
            /* Firing a batch takes time. With a new reading of the clock, lateness is counted right
             * and timers that have become due meanwhile fire, too. */
            if (more && !wf_clock_is_used(&timers->clock)) {
                at = wf_now();
                at = at > now ? at : now;
            }
        } while (more);
    }
    wf_count(&timers->n_wakes, timers->n_fired > n_fired);
}

/* The earliest `next` of all wheels. */
static int64_t first_next(const wf_timers *timers)
{
    int64_t next = WEFT_FOREVER;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        int64_t n = wf_load(&timers->wheel[i].next, SEQ_CST); /* [driver-1] */

        next = n < next ? n : next;
    }
    return next;
}

/* Fires timers in the order of their ticks, across all wheels. A clock that was moved by hand may
 * have skipped many ticks at once. */
static void fire_in_order(wf_timers *timers)
{
    int64_t now = wf_clock_now(&timers->clock), next;

    while ((next = first_next(timers)) <= now)
        fire_until(timers, next);
}

void wf_timers_fire(wf_timers *timers, int64_t now)
{
    if (wf_clock_is_used(&timers->clock))
        fire_in_order(timers);
    else
        fire_until(timers, now);
}

int64_t wf_timers_next(wf_timers *timers)
{
    return look_at(timers, first_next(timers));
}

bool wf_timers_jump(wf_timers *timers)
{
    uint64_t n_fired = timers->n_fired;

    while (timers->n_fired == n_fired) {
        int64_t next;

        /* Cancelling leaves `next` too early, and the clock must not stop there. */
        for (uint32_t i = 0; i < timers->n_wheels; i++) {
            wf_lock(&timers->wheel[i].lock);
            wf_wheel_set_next_locked(&timers->wheel[i]);
            wf_unlock(&timers->wheel[i].lock);
        }
        next = first_next(timers);
        if (next == WEFT_FOREVER || !wf_clock_jump(&timers->clock, next))
            return false;
        fire_in_order(timers);
    }
    return true;
}

void wf_timers_count(const wf_timers *timers, struct weft_runtime_counters *counters)
{
    for (uint32_t i = 0; i < timers->n_wheels; i++) { /* counters: see wf_count */
        counters->timers_armed += wf_load(&timers->wheel[i].n_armed, RELAXED);
        counters->timers_cancelled += wf_load(&timers->wheel[i].n_cancelled, RELAXED);
    }
    counters->timers_fired = wf_load(&timers->n_fired, RELAXED);
    counters->timer_wakes = wf_load(&timers->n_wakes, RELAXED);
    counters->timers_late_ns = wf_load(&timers->late.sum, RELAXED);
    counters->timers_late_max_ns = wf_load(&timers->late.max, RELAXED);
    for (uint32_t i = 0; i < WEFT_LATE_BUCKETS; i++)
        counters->timers_late[i] = wf_load(&timers->late.bucket[i], RELAXED);
}
