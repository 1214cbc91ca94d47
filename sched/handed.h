/*
 * handed.h - what the reactor hands over to the workers
 *
 * Purpose     Queues the tasks of a batch of events together: one lock for those that any worker
 *             may run, and one wake at most for each worker that has some bound to it.
 * Threads     The reactor's, or a worker that looks in its place.
 * Invariants  T1 in task.h.
 * Ordering    [idle-1]: the caller wakes a worker for the others if that pays.
 * Failure     None.
 */
#ifndef WF_HANDED_H
#define WF_HANDED_H

#include "executor.h"

/* What was handed over: tasks for any worker, for which none has been woken; tasks that are bound
 * to one; and how many workers slept and were woken for these. */
typedef struct wf_handed {
    uint32_t n_free, n_bound, n_woken;
} wf_handed;

/* Queues this runtime's tasks, each worker's own with one wake at most, and those of other runtimes
 * as any wake does. */
wf_handed wf_handed_queue(wf_executor *s, wf_wakes *wakes);

#endif
