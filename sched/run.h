/*
 * run.h - polling one task
 *
 * Purpose     Takes a task from its queue to wherever it goes after the poll, panics included. Runs
 *             a child in place, within the poll of the task that joins it.
 * Threads     The worker's own.
 * Invariants  Runs may nest: a task that is joined in place runs within the poll of its joiner.
 * Ordering    See task.h. [tasks-2] see tasks.h.
 * Failure     A poll that panics ends its task, and no other.
 */
#ifndef WF_RUN_H
#define WF_RUN_H

#include "task.h"
#include "worker.h"

/* Polls a task that has been taken from a queue. Lowers the budget by what the poll used. */
void wf_run_task_owner(wf_worker *w, wf_task *t, uint32_t *budget);
/* For a join: polls the task now if it is an unstarted child of this worker with few younger
 * siblings. The younger ones are polled before it. Lowers the budget by what these polls used.
 * True: the task has ended, and the caller, which has its handle, has all of its references
 * (wf_task_to_complete_in_place). */
bool wf_run_child_owner(wf_worker *w, wf_task *t, uint32_t *budget);

#endif
