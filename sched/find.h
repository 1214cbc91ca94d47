/*
 * find.h - which task a worker takes next
 *
 * Purpose     Its own in the order of worker.h; now and then, and when there are none, what came
 *             from outside and what the driver left in the kernel; then somebody else's.
 * Threads     The worker's own, but for what it steals.
 * Invariants  Q1 what waits is taken after a bounded number of polls, wherever it is
 *             (docs/design/fairness.md).
 * Ordering    [idle-1] a worker that searches is counted; who stops searching with a task in hand
 *             wakes another if more is left. [worker-1]
 * Failure     None.
 */
#ifndef WF_FIND_H
#define WF_FIND_H

#include "worker.h"

/* The next task, or NULL: then the worker may sleep. */
struct wf_task *wf_find_task_owner(wf_worker *w);

#endif
