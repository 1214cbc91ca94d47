/*
 * pick.h - which task a worker takes next
 *
 * Purpose     The order in which a worker takes tasks (docs/design/fairness.md):
 *              - its own, as worker.h says;
 *              - now and then, and when it has none, what came from outside and what the driver has
 *                left in the kernel;
 *              - last, what it can steal from other workers.
 * Threads     The worker's own, but for what it steals.
 * Invariants  Q1 what waits is taken after a bounded number of polls, wherever it is.
 * Ordering    [idle-1] a worker that searches is counted. When it stops searching with a task in
 *             hand it wakes another worker if more is left. [worker-1]
 * Failure     None.
 */
#ifndef WF_PICK_H
#define WF_PICK_H

#include "worker.h"

/* The next task, or NULL: then the worker may sleep. */
struct wf_task *wf_pick_task_owner(wf_worker *w);

#endif
