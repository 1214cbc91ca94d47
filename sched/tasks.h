/*
 * tasks.h - all tasks of a runtime
 *
 * Purpose     Counts them, cancels them, and waits until none is alive.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 a task counts as spawned before it is queued, and as ended before it is COMPLETE.
 * Ordering    [tasks-1] the stopping thread sets `closing`, then visits all tasks. A spawner looks
 *             at `closing` after its spawn. A spawner that is no worker is a visitor: entering is a
 *             full barrier, and the stopping thread waits for visitors. So one of the two sees the
 *             other. A worker queues children without a barrier ([worker-3]), so both may miss the
 *             other. Therefore the stopping thread visits once more 10 ms later, when such a store
 *             has long left its core. [tasks-2] the stopping thread reads the mask of sleepers,
 *             then counts. A worker that runs dry enters the mask, then looks at `closing` and
 *             wakes the stopping thread.
 * Failure     None.
 */
#ifndef WF_TASKS_H
#define WF_TASKS_H

#include "executor.h"

/* Refuses new tasks from now on and cancels all tasks. May be called again. */
void wf_tasks_close(wf_executor *s);
/* Cancels all tasks that are alive. */
void wf_tasks_cancel_all(wf_executor *s);
/* How many tasks are alive. The answer is exact if none is spawned or ends meanwhile; otherwise it
 * may be too high, but never too low. */
uint64_t wf_tasks_alive(wf_executor *s);
/* For the stopping thread: whether no task is alive and no visitor can spawn one any more. It waits
 * for visitors a little longer than the instant. */
bool wf_tasks_are_gone(wf_executor *s, int64_t until);
/* Waits until wf_tasks_are_gone. Returns false if the instant comes first. */
bool wf_tasks_wait_gone(wf_executor *s, int64_t until);
/* Called by a worker that has run dry and is in the mask of sleepers. */
void wf_tasks_ran_dry(wf_executor *s);
/* Called when all workers sleep. Returns memory that ended tasks have left to the system. */
void wf_tasks_tidy(wf_executor *s);

#endif
