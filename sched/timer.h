/*
 * timer.h - the timers of a runtime
 *
 * Purpose     Sleeping tasks by the million: arming and cancelling cost a few nanoseconds. Each
 *             worker has a wheel; the reactor fires those of all.
 * Threads     arm, poll, disarm, move: the future's owner. fire, jump: the reactor's thread. next,
 *             count: any.
 * Invariants  M4 once `state_` says FIRED the wheel does not touch the timer any more. M5 a timer
 *             that a thread other than the runtime's workers has armed is counted until its owner
 *             has seen that it has fired, or disarms it: no task keeps the wheel there for it.
 * Ordering    The wheel's lock; [driver-1] in wheel.h. [timer-1] FIRED releases the timer to its
 *             owner. [timer-2] the owner of a counted timer touches the wheel no more behind its
 *             end; the wheels are freed after that.
 * Failure     None: the timer is the caller's memory.
 */
#ifndef WF_TIMER_H
#define WF_TIMER_H

#include "clock.h"
#include "driver.h"
#include "rt.h"
#include "waker.h"
#include "wheel.h"

#include <weft/time.h>

/* REFUSED: it is due, and its first poll had no budget. In no wheel, as if UNARMED. */
enum { WF_NAP_UNARMED, WF_NAP_ARMED, WF_NAP_FIRED, WF_NAP_REFUSED };

/* How late timers fired: of this runtime's clock, and behind what their accuracy allows. */
typedef struct wf_lateness {
    uint64_t sum, max;
    uint64_t bucket[WEFT_LATE_BUCKETS];
} wf_lateness;

typedef struct wf_timers {
    weft_runtime *rt; /* constant */
    uint32_t      n_wheels;
    uint32_t      n_foreign; /* see M5 */
    wf_clock      clock;
    uint64_t      n_fired, n_wakes; /* the reactor's, as is the next */
    wf_lateness   late;
    wf_wheel      wheel[];
} wf_timers;

/* Sets rt->timers: a wheel for each worker. 0 or -ENOMEM. */
int wf_timers_start(weft_runtime *rt);
/* Waits until other executors have no sleep under way; false at the instant. */
bool wf_timers_wait_unused(wf_timers *timers, int64_t until);
void wf_timers_stop(weft_runtime *rt);

/* Arms the unarmed timer for nap->deadline_; wakes `waker` then. False: the instant has come. `now`
 * may be old: then a timer that is due fires a little later instead. */
bool wf_timer_arm(wf_timers *timers, struct weft_sleep *nap, int64_t now, const weft_waker *waker);
/* True once it has fired; otherwise `waker` is the one to wake. */
bool wf_timer_poll(struct weft_sleep *nap, const weft_waker *waker);
/* Takes it out, fired or not: it is unarmed. */
void wf_timer_disarm(struct weft_sleep *nap);
/* Another deadline for the armed timer. If it has fired, it is unarmed. */
void wf_timer_move(struct weft_sleep *nap, int64_t deadline);

/* Fires what is due. `now` is CLOCK_MONOTONIC's, whatever clock the runtime has. */
void wf_timers_fire(wf_timers *timers, int64_t now);
/* The instant of CLOCK_MONOTONIC at which to fire, or earlier; WEFT_FOREVER if there is none. */
int64_t wf_timers_next(wf_timers *timers);
/* Of a clock that jumps: to the first timer, and fires it. False: there is none. */
bool wf_timers_jump(wf_timers *timers);
/* Adds what the counters say. */
void wf_timers_count(const wf_timers *timers, struct weft_runtime_counters *counters);

#endif
