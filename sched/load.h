/*
 * load.h - how much there is to do, and whether it is worth a wake
 *
 * Purpose     Waking a worker costs microseconds, on both sides. This file keeps the numbers by
 *             which guess.h decides: how long polls take, whether some have been long lately, and
 *             how much must wait before a sleeping worker is woken for it.
 * Threads     The suffix says: owner is the worker's own thread. All other functions: any thread.
 * Invariants  None: all values are estimates. If they leave work waiting for too long, the monitor
 *             notices it.
 * Ordering    None: a thread may read old values.
 * Failure     None.
 */
#ifndef WF_LOAD_H
#define WF_LOAD_H

#include "guess.h"
#include "order.h"

#define WF_LOAD_MEASURE_EVERY 256 /* polls between looks at the clock while busy */

struct wf_executor;
struct wf_worker;

/* Estimates for an executor, written by any thread of the runtime. */
typedef struct wf_load_stats {
    uint32_t poll_ns;         /* mean length of a poll */
    uint32_t wake_backoff;    /* a push wakes a worker at 2^wake_backoff tasks */
    int64_t  long_poll_at;    /* when a poll was last seen to be long; 0: never */
    int64_t  suspected_since; /* when the first suspicion of the present series came */
    uint32_t n_suspected;     /* suspicions in that series */
} wf_load_stats;

void wf_load_init(wf_load_stats *l);

/* Updates the mean length of a poll: an average over the last few dozen stretches of work, of which
 * the worker ends one now. Returns the time. */
int64_t wf_load_measure_owner(struct wf_worker *w);
/* The worker goes to sleep. Raises or resets the back-off, by whether it was worth waking. */
void wf_load_adjust_backoff_owner(struct wf_worker *w, int64_t now);
/* Whether to wake another worker for the tasks that wait in this one's queues. */
bool wf_load_is_worth_a_thief_owner(struct wf_worker *w);
/* Whether the tasks in all queues would take the workers longer than waking one more takes. */
bool wf_load_wants_help(const struct wf_executor *s);

/* Notes that a poll lasts long. */
static inline void wf_load_note_long_poll(wf_load_stats *l, int64_t now)
{
    wf_store(&l->long_poll_at, now, RELAXED); /* an estimate */
}

/* Whether no poll has been long lately. Then events may wait for the end of the polls that run. */
static inline bool wf_load_no_long_polls(const wf_load_stats *l, int64_t now)
{
    return !wf_guess_polls_are_long(wf_load(&l->long_poll_at, RELAXED) /* an estimate */, now);
}

#endif
