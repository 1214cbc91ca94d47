/*
 * timer.h - timer wheels: one a worker
 *
 * Purpose     Sleeping tasks by the million: arming and cancelling cost a few nanoseconds.
 * Threads     arm, poll, disarm: the future's owner. fire, next: the reactor's thread.
 * Invariants  M1 never early: an instant is rounded up to a tick of 2^20 ns. M2 six levels of 64 slots;
 *             a timer sits at the level of the highest digit in which its tick differs from the
 *             wheel's, and moves down when the wheel gets there. M3 `next` is not later than the
 *             first timer.
 * Ordering    The wheel's lock; [driver-1] `next` is lowered before looking whether the reactor sleeps.
 * Failure     None: the timer is the caller's memory.
 */
#ifndef WF_TIMER_H
#define WF_TIMER_H

#include "driver.h"
#include "rt.h"
#include "waker.h"

#include <time.h>
#include <weft/time.h>

#define WF_WHEEL_LEVELS 6

typedef struct wf_wheel {
    WF_ALIGNED uint32_t lock;
    uint64_t            n;
    uint64_t            now;  /* tick up to which timers have fired */
    int64_t             next; /* instant, see M3 */
    uint64_t            occupied[WF_WHEEL_LEVELS];
    weft_nap           *slot[WF_WHEEL_LEVELS][64];
} wf_wheel;

typedef struct wf_timers {
    weft_runtime *rt; /* constant */
    uint32_t      n_wheels;
    uint64_t      n_fired; /* the reactor's */
    wf_wheel      wheel[];
} wf_timers;

/* Sets rt->timers: a wheel for each worker. 0 or -ENOMEM. */
int  wf_timers_start(weft_runtime *rt);
void wf_timers_stop(weft_runtime *rt);

/* Arms the unarmed timer for nap->deadline_; wakes `waker` then. False: the instant has come. */
bool wf_timer_arm(wf_timers *timers, weft_nap *nap, const weft_waker *waker);
/* True once it has fired; otherwise `waker` is the one to wake. */
bool wf_timer_poll(weft_nap *nap, const weft_waker *waker);
/* Takes it out, fired or not. */
void wf_timer_disarm(weft_nap *nap);

/* Fires what is due. */
void wf_timers_fire(wf_timers *timers, int64_t now);
/* The instant of the first timer or earlier; WEFT_FOREVER if there is none. */
int64_t wf_timers_next(const wf_timers *timers);

static inline int64_t wf_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

#endif
