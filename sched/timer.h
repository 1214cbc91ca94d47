/*
 * timer.h - the timers of a runtime
 *
 * Purpose     Sleeping tasks by the million: arming and cancelling cost a few nanoseconds. Each
 *             worker has a wheel. The reactor fires the timers of all wheels.
 * Threads     arm, poll, disarm, move: the future's owner. fire, jump: the reactor's thread. next,
 *             count: any.
 * Invariants  M4 once `state_` says FIRED the wheel does not touch the timer any more. M5 a timer
 *             armed by a thread that is none of the runtime's workers is counted. It counts until
 *             its owner has seen that it has fired, or disarms it. Without the count nothing would
 *             keep the wheel alive for it.
 * Ordering    The wheel's lock; [driver-1] in wheel.h. [timer-1] FIRED releases the timer to its
 *             owner. [timer-2] the owner of a counted timer does not touch the wheel after the
 *             timer's end. The wheels are freed after that.
 * Failure     None: timers are in the caller's memory.
 */
#ifndef WF_TIMER_H
#define WF_TIMER_H

#include "clock.h"
#include "driver.h"
#include "rt.h"
#include "waker.h"
#include "wheel.h"

#include <weft/time.h>

/* REFUSED: the sleep is due, but its first poll had no budget left. It is in no wheel, as if
 * UNARMED. */
enum { WF_NAP_UNARMED, WF_NAP_ARMED, WF_NAP_FIRED, WF_NAP_REFUSED };

/* How late timers fired, by the runtime's clock, counted from the end of the window that their
 * accuracy allows. */
typedef struct wf_lateness {
    uint64_t sum, max;
    uint64_t bucket[WEFT_LATE_BUCKETS];
} wf_lateness;

typedef struct wf_timers {
    weft_runtime *rt; /* constant */
    uint32_t      n_wheels;
    uint32_t      n_foreign; /* see M5 */
    wf_clock      clock;
    /* -- the reactor's thread -- */
    uint64_t    n_fired, n_wakes;
    wf_lateness late;
    /* -- each under its lock -- */
    wf_wheel wheel[];
} wf_timers;

/* Sets rt->timers, with a wheel for each worker. Returns 0 or -ENOMEM. */
int wf_timers_start(weft_runtime *rt);
/* How many sleeps of other executors are pending. */
uint32_t wf_timers_users(weft_runtime *rt);
void     wf_timers_stop(weft_runtime *rt);

/* Arms an unarmed timer, which wakes `waker` at nap->deadline_. Returns false if that instant has
 * come already. If `now` is old, a timer that is due is armed all the same and fires a little
 * later. */
bool wf_timer_arm(wf_timers *timers, struct weft_sleep *nap, int64_t now, const weft_waker *waker);
/* Returns true once the timer has fired. Otherwise it will wake `waker`. */
bool wf_timer_poll(struct weft_sleep *nap, const weft_waker *waker);
/* Takes the timer out of its wheel, unless it has fired. Then it is unarmed. */
void wf_timer_disarm(struct weft_sleep *nap);
/* Gives an armed timer another deadline. If it has fired already, it is unarmed. */
void wf_timer_move(struct weft_sleep *nap, int64_t deadline);

/* Fires the timers that are due. `now` is read from CLOCK_MONOTONIC, whatever clock the runtime
 * has. */
void wf_timers_fire(wf_timers *timers, int64_t now);
/* The instant of CLOCK_MONOTONIC at which the next timer fires, or an earlier one. WEFT_FOREVER if
 * there is no timer. */
int64_t wf_timers_next(wf_timers *timers);
/* Moves a clock that jumps to the first timer and fires it. Returns false if there is none. */
bool wf_timers_jump(wf_timers *timers);
/* Adds the timers' counters. */
void wf_timers_count(const wf_timers *timers, struct weft_runtime_counters *counters);

#endif
