/*
 * join.h - how a task's end is handed over to the task that joins it
 *
 * Purpose     The part of the state word that a task's run and its joiner share.
 * Threads     await, withdraw: the joiner, which holds the handle; one at a time. complete: the
 *             worker that polls the task (the run).
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
 *             NONE: no task waits for the end. JOINER: `joiner` is the handle, and the waker in it
 *             is to be fired. JLOCK is a lock on that waker and on the step to COMPLETE. All arrows
 *             that leave JOINER take it. The run at NONE takes it only if it finds it taken.
 *             The joiner stores its waker first, then sets JOINER without the lock. If the run
 *             holds JLOCK at that time it has not seen the joiner. So the joiner takes JLOCK after
 *             the run, and finds COMPLETE.
 * Invariants  J1 `joiner` is constant while JOINER is set. J2 while JOINER is clear, only the
 *             joiner uses the waker; while it is set, the holder of JLOCK does. J3 COMPLETE: only
 *             the joiner uses the waker again.
 * Ordering    [task-2] COMPLETE and each release of JLOCK publish to the next thread that loads the
 *             word. [task-3] see task.h. [join-1] each of two tasks sets JOINER in the other's
 *             word, then looks at its own. All four are SEQ_CST, so one of the two sees the circle.
 * Failure     None.
 */
#ifndef WF_JOIN_H
#define WF_JOIN_H

#include "task.h"

/* Whether a join waits for the task. RELAXED: for the owner of the handle, which polls the join. */
static inline bool wf_join_is_pending(const wf_task *t)
{
    return wf_load(&t->state, RELAXED) & WF_TASK_JOINER;
}

/* Returns true if the task is COMPLETE. Otherwise the waker is woken when it becomes COMPLETE. */
WEFT_NODISCARD bool wf_join_await(wf_task *t, weft_handle *handle, const weft_waker *waker);
/* The joiner does not wait for the end any more: its waker is taken out. */
void wf_join_withdraw(wf_task *t);
/* Makes a task COMPLETE that may have a joiner, and drops the run's reference. */
void wf_join_complete(wf_task *t);

#endif
