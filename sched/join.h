/*
 * join.h - a task's end is handed over to the task that joins it
 *
 * Purpose     The part of the state word that the run of a task and its joiner share.
 * Threads     await, withdraw: the holder of the handle, one at a time. complete: the run.
 *
 *                await, with a waker             the run ends
 *          NONE --------------------> JOINER --------------------> COMPLETE
 *           ^                          |  ^   fires the waker         ^
 *           |        withdraw          |  +--+                        |
 *           +--------------------------+  await, with another waker   |
 *           |                                                         |
 *           +---------------------------------------------------------+
 *                                   the run ends
 *
 *             NONE: nothing joins. JOINER: `joiner` is the handle, and the waker in it is to be
 *             fired. JLOCK is a lock on that waker and the step to COMPLETE: all arrows that leave
 *             JOINER take it, and the run at NONE does when it finds it taken. JOINER itself is set
 *             without it, after the waker is there. So a joiner that comes while the run has JLOCK
 *             was not seen: it takes JLOCK after the run, and finds COMPLETE.
 * Invariants  J1 `joiner` is constant while JOINER is set. J2 the waker is the joiner's alone
 *             unless JOINER is set; then it is JLOCK's. J3 COMPLETE: the waker is the joiner's
 *             again.
 * Ordering    [task-2] COMPLETE, and each release of JLOCK, to the next that looks at the word.
 *             [task-3] in task.h.
 * Failure     None.
 */
#ifndef WF_JOIN_H
#define WF_JOIN_H

#include "task.h"

/* True if the task is COMPLETE; otherwise `waker` is woken when it will be. */
WEFT_NODISCARD bool wf_join_await(wf_task *t, weft_handle *handle, const weft_waker *waker);
/* Nothing waits for its end any more. */
void wf_join_withdraw(wf_task *t);
/* The step to COMPLETE of a task that may have a joiner; drops the run's reference. */
void wf_join_complete(wf_task *t);

#endif
