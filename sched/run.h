/*
 * run.h - polling one task
 *
 * Purpose     From its queue to wherever it goes after the poll, panics included.
 * Threads     The worker's own.
 * Invariants  Runs may nest: a task that is joined in place runs within its joiner's poll.
 * Ordering    task.h.
 * Failure     A poll that panics is the task's end, nobody else's.
 */
#ifndef WF_RUN_H
#define WF_RUN_H

#include "task.h"
#include "worker.h"

/* Polls the task that has been taken from a queue, out of the budget, which is lowered. True if it
 * has ended: the caller makes it COMPLETE. */
bool wf_run_poll_owner(wf_worker *w, wf_task *t, uint32_t *budget);
/* The same, and makes it COMPLETE. */
void wf_run_task_owner(wf_worker *w, wf_task *t, uint32_t *budget);
#endif
