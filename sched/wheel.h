/*
 * wheel.h - a timer wheel
 *
 * Purpose     Keeps timers in slots of time. Adding and removing one takes a few instructions,
 *             however many there are. Firing finds the next slot by a few bit operations.
 *
 *             level 0   64 slots of a tick          the next 67 ms, a tick exactly
 *             level 1   64 slots of 64 ticks        4.3 s
 *             level 2   64 slots of 64 * 64 ticks   4.6 min
 *             ...       level 5                     2.3 years
 *
 * Threads     Any, under the wheel's lock.
 * Invariants  M1 no timer fires early: an instant is rounded up to a tick of 2^20 ns, and to the
 *             roundest tick that the timer's accuracy allows. M2 a timer is at the level of the
 *             highest digit in which its tick differs from the wheel's, and moves down when the
 *             wheel reaches its slot. A timer whose deadline was moved to a later instant stays in
 *             its slot until that comes. M3 `next` is not later than the first slot. M6 a slot is
 *             marked as occupied while a timer is in one of its lists, and a timer's link_ points
 *             to the pointer that points to it.
 * Ordering    The lock. [driver-1] a thread lowers `next` before it looks whether the reactor
 *             sleeps.
 * Failure     None: the timer is the caller's memory.
 */
#ifndef WF_WHEEL_H
#define WF_WHEEL_H

#include "order.h"
#include "waker.h"

#include <weft/time.h>

#define WF_WHEEL_LEVELS     6
#define WF_WHEEL_LANES      8 /* lists in a slot: see next_of in wheel.c */
#define WF_WHEEL_TICK_SHIFT 20
#define WF_TIMER_TICK       (INT64_C(1) << WF_WHEEL_TICK_SHIFT) /* ns */

struct wf_timers;

typedef struct wf_wheel {
    WF_ALIGNED uint32_t lock;
    struct wf_timers   *timers; /* constant */
    uint64_t            now;    /* tick up to which timers have fired */
    int64_t             next;   /* instant: M3; any thread reads it */
    uint64_t            n_armed, n_cancelled;
    uint64_t            occupied[WF_WHEEL_LEVELS];
    uint32_t            lane; /* list that the next timer goes to */
    struct weft_sleep  *slot[WF_WHEEL_LEVELS][64][WF_WHEEL_LANES];
} wf_wheel;

/* The tick at which the timer fires. */
uint64_t wf_wheel_tick_of(const struct weft_sleep *nap);
/* Adds the timer. Lowers `next` if the timer comes earlier, and returns whether it did. */
bool wf_wheel_arm_locked(wf_wheel *w, struct weft_sleep *nap);
void wf_wheel_remove_locked(wf_wheel *w, struct weft_sleep *nap);
/* Sets `next` to the beginning of the first occupied slot. */
void wf_wheel_set_next_locked(wf_wheel *w);
/* Fires at most a batch of the timers due at `now`. Returns false when none is left. */
bool wf_wheel_fire_locked(wf_wheel *w, int64_t now, wf_wakes *wakes);

/* Moves the wheel's clock to `now`, if no slot begins until then (M3). Timers that are added after
 * that start at a lower level. */
static inline void wf_wheel_advance_locked(wf_wheel *w, int64_t now)
{
    uint64_t tick = (uint64_t)now >> WF_WHEEL_TICK_SHIFT;

    if (w->next > now && w->now < tick)
        w->now = tick;
}

#endif
