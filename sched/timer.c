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

#define TICK_SHIFT  20 /* WF_TIMER_TICK */
#define FIRE_BATCH  64 /* timers fired or moved in one hold of the lock */
#define LEVEL_SHIFT 6
#define JUMP_LOOK   WEFT_US(50) /* between looks whether a clock may jump */

/* The tick at which the timer fires: of those that its accuracy allows the roundest, so that timers
 * whose windows overlap fire together. */
static uint64_t tick_of(const weft_nap *nap)
{
    uint64_t first = 1, last;

    if (nap->deadline_ > 0)
        first = ((uint64_t)nap->deadline_ + (1u << TICK_SHIFT) - 1) >> TICK_SHIFT;
    if (nap->accuracy_ == 0)
        return first;
    last = first + nap->accuracy_;
    return last & ~UINT64_C(0) << (63 - __builtin_clzll((first - 1) ^ last));
}

/* When a slot begins. The last tick is behind WEFT_FOREVER, which never comes. */
static int64_t instant_of(uint64_t tick)
{
    return tick > (uint64_t)WEFT_FOREVER >> TICK_SHIFT ? WEFT_FOREVER
                                                       : (int64_t)(tick << TICK_SHIFT);
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
    wf_clock_init(&t->clock);
    for (uint32_t i = 0; i < n; i++) {
        t->wheel[i].timers = t;
        t->wheel[i].next = WEFT_FOREVER;
    }
    rt->timers = t;
    return 0;
}

bool wf_timers_wait_unused(wf_timers *timers, int64_t until)
{
    uint32_t n;

    while ((n = wf_load(&timers->n_foreign, ACQUIRE)) > 0) { /* [timer-2] */
        int64_t now = wf_now(), next = now + WEFT_MS(1);     /* no wake comes: it is rare */

        if (now >= until) {
            wf_log(&timers->rt->config, WEFT_LOG_WARNING,
                   "stop: sleeps of other executors are under way: %u; cancel them, and poll them "
                   "to their end",
                   n);
            return false;
        }
        wf_futex_wait(&timers->n_foreign, n, next < until ? next : until);
    }
    return true;
}

void wf_timers_stop(weft_runtime *rt)
{
    wf_release_aligned(&rt->config.allocator, rt->timers, timers_size(rt->timers->n_wheels));
    rt->timers = NULL;
}

/* ---- one wheel, under its lock ---- */

/* Returns the tick at which its slot begins. */
static uint64_t wheel_add(wf_wheel *w, weft_nap *nap)
{
    uint64_t   when = tick_of(nap);
    uint32_t   level, shift, slot, here;
    weft_nap **list;

    if (when < w->now)
        when = w->now; /* due since the caller looked at the clock: the slot that fires next */
    level = (63u - (uint32_t)__builtin_clzll((w->now ^ when) | 63)) / LEVEL_SHIFT;
    if (level >= WF_WHEEL_LEVELS) { /* the top level's next lap; or, years ahead, its last slot */
        level = WF_WHEEL_LEVELS - 1;
        here = w->now >> (level * LEVEL_SHIFT) & 63;
        slot = when >> (level * LEVEL_SHIFT) & 63;
        if (when - w->now >= UINT64_C(1) << (WF_WHEEL_LEVELS * LEVEL_SHIFT) || slot == here)
            when = w->now + (UINT64_C(63) << (level * LEVEL_SHIFT));
    }
    shift = level * LEVEL_SHIFT;
    slot = when >> shift & 63;
    list = &w->slot[level][slot][w->lane++ % WF_WHEEL_LANES];
    nap->link_ = list;
    nap->next_ = *list;
    if (nap->next_)
        nap->next_->link_ = &nap->next_;
    *list = nap;
    w->occupied[level] |= UINT64_C(1) << slot;
    return when >> shift << shift;
}

static bool is_empty(weft_nap *const lanes[WF_WHEEL_LANES])
{
    for (uint32_t i = 0; i < WF_WHEEL_LANES; i++)
        if (lanes[i])
            return false;
    return true;
}

static void wheel_remove(wf_wheel *w, weft_nap *nap)
{
    size_t at = ((uintptr_t)nap->link_ - (uintptr_t)w->slot) / sizeof w->slot[0][0];

    *nap->link_ = nap->next_;
    if (nap->next_)
        nap->next_->link_ = nap->link_;
    else if (at < (size_t)WF_WHEEL_LEVELS * 64 && is_empty(w->slot[at / 64][at % 64]))
        w->occupied[at / 64] &= ~(UINT64_C(1) << at % 64); /* it was the only one */
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
        next = instant_of(tick);
    wf_store(&w->next, next, SEQ_CST); /* [driver-1] */
}

/* Adds it and lowers `next`; true if it did. */
static bool wheel_arm(wf_wheel *w, weft_nap *nap)
{
    int64_t next = instant_of(wheel_add(w, nap));

    if (next >= w->next)
        return false;
    wf_store(&w->next, next, SEQ_CST); /* [driver-1] */
    return true;
}

static void count_late(wf_timers *t, const weft_nap *nap, int64_t now)
{
    int64_t  late = now - nap->deadline_ - ((int64_t)nap->accuracy_ << TICK_SHIFT);
    uint64_t n = late > 0 ? (uint64_t)late : 0;
    uint32_t i = 63u - (uint32_t)__builtin_clzll(n >> 15 | 1);

    wf_count(&t->n_fired, 1);
    wf_count(&t->late.sum, n);
    wf_count(&t->late.bucket[i < WEFT_LATE_BUCKETS ? i : WEFT_LATE_BUCKETS - 1], 1);
    if (n > t->late.max)
        wf_store(&t->late.max, n, RELAXED); /* a counter */
}

static void fire_one(wf_wheel *w, weft_nap *nap, int64_t now, wf_wakes *wakes)
{
    count_late(w->timers, nap, now);
    wf_waker_fire(&nap->waker_, wakes);
    wf_store(&nap->state_, WF_NAP_FIRED, RELEASE); /* [timer-1] M4: the last touch */
}

/* The slot's next timer. Timers and their tasks come from memory, as a rule, and a list tells where
 * the next one is only when this one has come; so there are LANES of them, taken in turn, and what
 * comes after this one in its lane is on its way while the others have theirs. */
static weft_nap *next_of(weft_nap *const lanes[WF_WHEEL_LANES], uint32_t *lane, bool to_fire)
{
    weft_nap *nap, *soon;

    do
        nap = lanes[ *lane = (*lane + 1) % WF_WHEEL_LANES];
    while (!nap);
    if (nap->next_) {
        __builtin_prefetch(&nap->next_->waker_, 1);
        __builtin_prefetch(&nap->next_->state_, 1);
    }
    soon = lanes[(*lane + WF_WHEEL_LANES / 2) % WF_WHEEL_LANES];
    if (to_fire && soon)
        __builtin_prefetch(soon->waker_.data, 1);
    return nap;
}

/* Fires at most a batch of the timers due at `now`; false when none is left. */
static bool wheel_fire(wf_wheel *w, int64_t now, wf_wakes *wakes)
{
    uint64_t tick, now_tick = (uint64_t)now >> TICK_SHIFT;
    uint32_t level, slot, lane = 0, n = 0;

    while (wheel_first(w, &level, &slot, &tick) && tick <= now_tick) {
        if (tick > w->now)
            w->now = tick;
        for (; w->occupied[level] >> slot & 1; n++) {
            weft_nap *nap;

            if (n == FIRE_BATCH || wf_wakes_full(wakes))
                return true;
            nap = next_of(w->slot[level][slot], &lane, level == 0);
            wheel_remove(w, nap);
            if (tick_of(nap) > w->now)
                wheel_add(w, nap); /* further down */
            else
                fire_one(w, nap, now, wakes);
        }
    }
    if (now_tick > w->now)
        w->now = now_tick;
    wheel_set_next(w);
    return false;
}

/* ---- all wheels ---- */

static wf_wheel *wheel_for_caller(wf_timers *timers)
{
    const wf_worker *worker = wf_current_thread.worker;

    return &timers->wheel[worker ? worker->index % timers->n_wheels : 0];
}

static void begins(wf_timers *timers, weft_nap *nap)
{
    nap->foreign_ = !wf_current_thread.worker || wf_current_thread.rt != timers->rt;
    if (__builtin_expect(nap->foreign_, 0))
        wf_add(&timers->n_foreign, 1, RELAXED); /* the caller knows that the runtime is there */
}

/* The owner's last touch of the wheel. */
static void ends(wf_wheel *w, const weft_nap *nap)
{
    if (__builtin_expect(nap->foreign_, 0))
        wf_sub(&w->timers->n_foreign, 1, RELEASE); /* [timer-2] */
}

/* The instant of CLOCK_MONOTONIC at which the reactor must look at a timer for `next`. */
static int64_t look_at(wf_timers *timers, int64_t next)
{
    const wf_clock *c = &timers->clock;
    int64_t         stopped_at;

    if (!wf_clock_is_used(c) || next == WEFT_FOREVER)
        return next;
    stopped_at = wf_load(&c->stopped_at, ACQUIRE); /* [clock-1] */
    if (stopped_at == WF_CLOCK_RUNS)
        return wf_after(next, -wf_load(&c->offset, RELAXED)); /* acquired with the load above */
    if (next <= stopped_at)
        return 0;
    return wf_clock_jumps(c) ? wf_now() + JUMP_LOOK : WEFT_FOREVER;
}

static void hint(wf_wheel *w)
{
    wf_timers *timers = w->timers;

    wf_driver_hint(timers->rt->driver,
                   look_at(timers, wf_load(&w->next, RELAXED))); /* or earlier */
}

bool wf_timer_arm(wf_timers *timers, weft_nap *nap, int64_t now, const weft_waker *waker)
{
    wf_wheel *w = wheel_for_caller(timers);
    uint64_t  tick = (uint64_t)now >> TICK_SHIFT;
    bool      sooner;

    if (now >= nap->deadline_)
        return false;
    begins(timers, nap);
    nap->wheel_ = w;
    nap->state_ = WF_NAP_ARMED;
    nap->waker_ = (weft_waker){0};
    wf_waker_store(&nap->waker_, waker);
    wf_lock(&w->lock);
    if (w->next > now && w->now < tick)
        w->now = tick; /* no slot begins until then: M3 */
    sooner = wheel_arm(w, nap);
    wf_count(&w->n_armed, 1);
    wf_unlock(&w->lock);
    if (sooner)
        hint(w);
    return true;
}

/* Another executor's waker comes or goes. */
WF_SELDOM static bool poll_foreign(wf_wheel *w, weft_nap *nap, const weft_waker *waker)
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

bool wf_timer_poll(weft_nap *nap, const weft_waker *waker)
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

void wf_timer_disarm(weft_nap *nap)
{
    wf_wheel *w = nap->wheel_;

    if (wf_load(&nap->state_, ACQUIRE) == WF_NAP_ARMED) { /* [timer-1] */
        wf_lock(&w->lock);
        if (nap->state_ == WF_NAP_ARMED) {
            wheel_remove(w, nap); /* `next` may stay early: M3 */
            wf_count(&w->n_cancelled, 1);
        }
        wf_unlock(&w->lock);
        wf_waker_forget(&nap->waker_); /* fired: it is empty */
    }
    ends(w, nap);
    nap->state_ = WF_NAP_UNARMED;
}

void wf_timer_move(weft_nap *nap, int64_t deadline)
{
    wf_wheel *w = nap->wheel_;
    bool      sooner = false, fired;
    uint64_t  before;

    wf_lock(&w->lock);
    before = tick_of(nap);
    nap->deadline_ = deadline > 0 ? deadline : 0; /* so that lateness does not overflow */
    fired = nap->state_ == WF_NAP_FIRED;
    if (fired) {
        nap->state_ = WF_NAP_UNARMED;
    } else if (tick_of(nap) < before) { /* else it stays, and goes on when its slot comes */
        wheel_remove(w, nap);
        sooner = wheel_arm(w, nap);
    }
    wf_unlock(&w->lock);
    if (sooner)
        hint(w);
    if (fired)
        ends(w, nap);
}

/* All that is due at the instant of the runtime's clock. */
static void fire_until(wf_timers *timers, int64_t now)
{
    uint64_t n_fired = timers->n_fired;
    wf_wakes wakes = {0};
    bool     more;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        wf_wheel *w = &timers->wheel[i];
        int64_t   at = now;

        if (wf_load(&w->next, RELAXED) > now) /* a timer lowered just now hints the driver */
            continue;
        do {
            wf_lock(&w->lock);
            more = wheel_fire(w, at, &wakes);
            wf_unlock(&w->lock);
            wf_wakes_flush(&wakes);
            if (more && !wf_clock_is_used(&timers->clock)) { /* time has passed */
                at = wf_now();
                at = at > now ? at : now;
            }
        } while (more);
    }
    wf_count(&timers->n_wakes, timers->n_fired > n_fired);
}

/* Of all wheels. */
static int64_t first_next(const wf_timers *timers)
{
    int64_t next = WEFT_FOREVER;

    for (uint32_t i = 0; i < timers->n_wheels; i++) {
        int64_t n = wf_load(&timers->wheel[i].next, SEQ_CST); /* [driver-1] */

        next = n < next ? n : next;
    }
    return next;
}

/* A clock that was moved by hand may have skipped much: in the order of the ticks, whatever the
 * wheel. */
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

        for (uint32_t i = 0; i < timers->n_wheels; i++) { /* cancelled ones don't move a clock */
            wf_lock(&timers->wheel[i].lock);
            wheel_set_next(&timers->wheel[i]);
            wf_unlock(&timers->wheel[i].lock);
        }
        next = first_next(timers);
        if (next == WEFT_FOREVER || !wf_clock_jump(&timers->clock, next))
            return false;
        fire_in_order(timers);
    }
    return true;
}

void wf_timers_count(const wf_timers *timers, weft_counters *counters)
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
