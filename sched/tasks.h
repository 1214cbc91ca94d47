/*
 * tasks.h - all tasks of a runtime
 *
 * Purpose     Counts them, cancels them, and waits until none is alive.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 a task counts as spawned before it is queued, and as ended before it is COMPLETE.
 * Ordering    [tasks-1] the stopping thread sets `closing`, then visits all tasks; a spawner looks
 *             at `closing` behind its spawn. A spawner that is no worker is a visitor, which is a
 *             full barrier, and is waited for: one of the two sees the other. A worker queues
 *             children without a barrier ([worker-3]), so both may miss; the stopping thread visits
 *             once more 10 ms later, when such a store has left its core since long. [tasks-2] the
 *             stopping thread reads the mask of sleepers, then counts; a worker that runs dry
 *             enters the mask, then looks at `closing` and wakes the stopping thread.
 * Failure     None.
 */
#ifndef WF_TASKS_H
#define WF_TASKS_H

#include "executor.h"

/* Refuses new tasks, cancels all. Any number of times. */
void wf_tasks_close(wf_executor *s);
/* Cancels all that are alive. */
void wf_tasks_cancel_all(wf_executor *s);
/* Not less than how many are alive; exact when none is spawned or ends meanwhile. */
uint64_t wf_tasks_alive(wf_executor *s);
/* For the stopping thread: whether none is alive, and no visitor can spawn one any more; it waits
 * for visitors a little beyond the instant. */
bool wf_tasks_are_gone(wf_executor *s, int64_t until);
/* The same, but waits until it is so; false at the instant. */
bool wf_tasks_wait_gone(wf_executor *s, int64_t until);
/* A worker has run dry and is in the mask of sleepers. */
void wf_tasks_ran_dry(wf_executor *s);
/* All is quiet: gives back what memory the tasks that have ended since do not need any more. */
void wf_tasks_tidy(wf_executor *s);

#endif
