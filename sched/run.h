/*
 * run.h - polling one task
 *
 * Purpose     From its queue to wherever it goes after the poll, panics included; and a child in
 *             place, within the poll of the task that joins it.
 * Threads     The worker's own.
 * Invariants  Runs may nest: a task that is joined in place runs within its joiner's poll.
 * Ordering    task.h.
 * Failure     A poll that panics is the task's end, nobody else's.
 */
#ifndef WF_RUN_H
#define WF_RUN_H

#include "task.h"
#include "worker.h"

/* Polls the task that has been taken from a queue, out of the budget, which is lowered. */
void wf_run_task_owner(wf_worker *w, wf_task *t, uint32_t *budget);
/* For a join of the task: polls it now if it is an unstarted child of this worker with few younger
 * ones, and before it these, out of the given budget, which is lowered. True: it has ended, and the
 * caller, who has its handle, has all of its references (wf_task_to_complete_in_place). */
bool wf_run_child_owner(wf_worker *w, wf_task *t, uint32_t *budget);

#endif
