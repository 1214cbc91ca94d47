/*
 * handed.h - what the reactor hands over to the workers
 *
 * Purpose     Queues the tasks of a batch of events together. Tasks that any worker may run cost
 *             one lock in all. Each worker that has tasks bound to it is woken at most once.
 * Threads     The reactor's thread, or a worker that looks in its place.
 * Invariants  T1 in task.h.
 * Ordering    [idle-1]: the caller wakes a worker for the tasks that any worker may run, if that
 *             pays.
 * Failure     None.
 */
#ifndef WF_HANDED_H
#define WF_HANDED_H

#include "executor.h"

/* How many tasks were handed over for any worker (for these none has been woken), how many for the
 * worker that they are bound to, and how many workers slept and were woken for the latter. */
typedef struct wf_handed {
    uint32_t n_free, n_bound, n_woken;
} wf_handed;

/* Queues this runtime's tasks. A worker is woken at most once for the tasks bound to it. Tasks of
 * other runtimes are queued as by any wake. */
wf_handed wf_handed_queue(wf_executor *s, wf_wakes *wakes);

#endif
