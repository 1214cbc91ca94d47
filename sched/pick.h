/*
 * pick.h - which task a worker takes next
 *
 * Purpose     The order in which a worker takes tasks (docs/design/fairness.md):
 *              - its own tasks, in the order that worker.h gives;
 *              - now and then, and when it has none, tasks from the injection queue and tasks whose
 *                events the reactor has left in the kernel;
 *              - last, tasks that it can steal from other workers.
 * Threads     The worker's own, except for what it steals.
 * Invariants  Q1 a task that waits is taken after a bounded number of polls, whichever queue it is
 *             in.
 * Ordering    [idle-1] a worker that searches is counted. When it stops searching with a task in
 *             hand, it wakes another worker if more work is left. [worker-1]
 * Failure     None.
 */
#ifndef WF_PICK_H
#define WF_PICK_H

#include "worker.h"

/* Returns the next task. NULL: there is none, and the worker may sleep. */
struct wf_task *wf_pick_task_owner(wf_worker *w);
/* A task has spent the budget of its poll. Takes the ready sockets, unless this worker has done so
 * just before. */
void wf_pick_budget_spent_owner(wf_worker *w);

#endif
