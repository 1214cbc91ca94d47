/*
 * timer.c - timer wheels: one a worker
 *
 * Purpose     See timer.h.
 * Threads     See timer.h.
 * Invariants  See timer.h.
 * Ordering    See timer.h.
 * Failure     None.
 */
#include "timer.h"

#include "lock.h"
#include "worker.h"

#include <string.h>

#define TICK_SHIFT  20 /* 1.05 ms */
#define FIRE_BATCH  64 /* timers fired or moved in one hold of the lock */
#define LEVEL_SHIFT 6

enum { NAP_UNARMED, NAP_ARMED, NAP_FIRED };

static uint64_t tick_of(int64_t instant)
{
    if (instant <= 0)
        return 0;
    return ((uint64_t)instant + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT;
}

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
    for (uint32_t i = 0; i < n; i++)
        t->wheel[i].next = WEFT_FOREVER;
    rt->timers = t;
    return 0;
}

void wf_timers_stop(weft_runtime *rt)
{
    wf_release_aligned(&rt->config.allocator, rt->timers, timers_size(rt->timers->n_wheels));
    rt->timers = NULL;
}

/* ---- one wheel, under its lock ---- */

static void wheel_add(wf_wheel *w, weft_nap *nap)
{
    uint64_t when = tick_of(nap->deadline_);
    uint32_t level, slot, here;

    if (when < w->now)
        when = w->now; /* due since the caller looked at the clock: the slot that fires next */
    level = (63u - (uint32_t)__builtin_clzll((w->now ^ when) | 63)) / LEVEL_SHIFT;
    if (level < WF_WHEEL_LEVELS) {
        slot = when >> (level * LEVEL_SHIFT) & 63;
    } else { /* in the top level's next lap; if years ahead, the last slot to come, to be moved then */
        level = WF_WHEEL_LEVELS - 1;
        here = w->now >> (level * LEVEL_SHIFT) & 63;
        slot = when >> (level * LEVEL_SHIFT) & 63;
        if (when - w->now >= UINT64_C(1) << (WF_WHEEL_LEVELS * LEVEL_SHIFT) || slot == here)
            slot = (here - 1) & 63;
    }
    nap->slot_ = level * 64 + slot;
    nap->prev_ = NULL;
    nap->next_ = w->slot[level][slot];
    if (nap->next_)
        nap->next_->prev_ = nap;
    w->slot[level][slot] = nap;
    w->occupied[level] |= UINT64_C(1) << slot;
    w->n++;
}

static void wheel_remove(wf_wheel *w, weft_nap *nap)
{
    uint32_t level = nap->slot_ / 64, slot = nap->slot_ % 64;

    if (nap->next_)
        nap->next_->prev_ = nap->prev_;
    if (nap->prev_)
        nap->prev_->next_ = nap->next_;
    else if (!(w->slot[level][slot] = nap->next_))
        w->occupied[level] &= ~(UINT64_C(1) << slot);
    w->n--;
}

/* The first slot to come and the tick at which it begins; false if the wheel is empty. Of two that
 * begin together the higher one: while it is being moved down, it comes before what has been. */
static bool wheel_first(const wf_wheel *w, uint32_t *ret_level, uint32_t *ret_slot,
                        uint64_t *ret_tick)
{
    bool found = false;

    *ret_level = *ret_slot = 0;
    *ret_tick = 0;
    for (uint32_t level = 0; level < WF_WHEEL_LEVELS; level++) {
        uint32_t shift = level * LEVEL_SHIFT;
        uint32_t here = w->now >> shift & 63, slot;
        uint64_t from_here = w->occupied[level] >> here;
        uint64_t lap = UINT64_C(1) << (shift + LEVEL_SHIFT);
        uint64_t tick = w->now & ~(lap - 1);

        if (!w->occupied[level])
            continue;
        if (from_here) {
            slot = here + (uint32_t)__builtin_ctzll(from_here);
        } else { /* only at the top level: in the next lap */
            slot = (uint32_t)__builtin_ctzll(w->occupied[level]);
            tick += lap;
        }
        tick += (uint64_t)slot << shift;
        if (found && tick > *ret_tick)
            continue;
        *ret_level = level;
        *ret_slot = slot;
        *ret_tick = tick;
        found = true;
    }
    return found;
}

static void wheel_set_next(wf_wheel *w)
{
    uint32_t level, slot;
    uint64_t tick;
    int64_t  next = WEFT_FOREVER;

    if (wheel_first(w, &level, &slot, &tick))
        next = (int64_t)(tick << TICK_SHIFT);
    wf_store(&w->next, next, SEQ_CST); /* [driver-1] */
}

/* Fires at most a batch of the timers due; false when none is left. */
static bool wheel_fire(wf_wheel *w, uint64_t now, wf_wakes *wakes, uint64_t *n_fired)
{
    uint32_t level, slot, n = 0;
    uint64_t tick;

    while (wheel_first(w, &level, &slot, &tick) && tick <= now) {
        weft_nap *nap = w->slot[level][slot];

        if (n == FIRE_BATCH || wf_wakes_full(wakes))
            return true;
        if (tick > w->now)
            w->now = tick;
        wheel_remove(w, nap);
        if (tick_of(nap->deadline_) > w->now) {
            wheel_add(w, nap); /* further down */
        } else {
            nap->state_ = NAP_FIRED;
            wf_waker_fire(&nap->waker_, wakes);
            wf_count(n_fired, 1);
        }
        n++;
    }
    if (now > w->now)
        w->now = now;
    wheel_set_next(w);
    return false;
}

/* ---- all wheels ---- */

static wf_wheel *wheel_for_caller(wf_timers *timers)
{
    const wf_worker *worker = wf_current_thread.worker;

    return &timers->wheel[worker ? worker->index % timers->n_wheels : 0];
}

bool wf_timer_arm(wf_timers *timers, weft_nap *nap, const weft_waker *waker)
{
    wf_wheel *w = wheel_for_caller(timers);
    int64_t   now = wf_now(), before, next;

    if (now >= nap->deadline_)
        return false;
    nap->wheel_ = w;
    wf_lock(&w->lock);
    if (w->n == 0)
        w->now = (uint64_t)now >> TICK_SHIFT;
    before = w->next;
    nap->state_ = NAP_ARMED;
    nap->waker_ = (weft_waker){0};
    wf_waker_store(&nap->waker_, waker);
    wheel_add(w, nap);
    wheel_set_next(w);
    next = w->next;
    wf_unlock(&w->lock);
    if (next < before)
        wf_driver_hint(timers->rt->driver, next);
    return true;
}

bool wf_timer_poll(weft_nap *nap, const weft_waker *waker)
{
    wf_wheel *w = nap->wheel_;
    bool      fired;

    wf_lock(&w->lock);
    fired = nap->state_ == NAP_FIRED;
    if (!fired)
        wf_waker_store(&nap->waker_, waker);
    wf_unlock(&w->lock);
    return fired;
}

void wf_timer_disarm(weft_nap *nap)
{
    wf_wheel *w = nap->wheel_;

    wf_lock(&w->lock);
    if (nap->state_ == NAP_ARMED)
        wheel_remove(w, nap); /* `next` may stay early: M3 */
    wf_waker_forget(&nap->waker_);
    nap->state_ = NAP_UNARMED;
    wf_unlock(&w->lock);
}

void wf_timers_fire(wf_timers *timers, int64_t now)
{
    uint64_t tick = (uint64_t)now >> TICK_SHIFT;
    wf_wakes wakes = {0};
    bool     more;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        wf_wheel *w = &timers->wheel[i];

        if (wf_load(&w->next, RELAXED) > now) /* a timer lowered just now hints the driver */
            continue;
        do {
            wf_lock(&w->lock);
            more = wheel_fire(w, tick, &wakes, &timers->n_fired);
            wf_unlock(&w->lock);
            wf_wakes_flush(&wakes);
        } while (more);
    }
}

int64_t wf_timers_next(const wf_timers *timers)
{
    int64_t next = WEFT_FOREVER;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        int64_t n = wf_load(&timers->wheel[i].next, SEQ_CST); /* [driver-1] */

        next = n < next ? n : next;
    }
    return next;
}
