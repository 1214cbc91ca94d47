/*
 * task_set.h - what a scope does with the task set that it is made of
 *
 * Purpose     Takes members without paying from the budget while it waits, opens and closes the
 *             set.
 * Threads     Any.
 * Invariants  See task_set.c.
 * Ordering    See task_set.c.
 * Failure     None.
 */
#ifndef WF_TASK_SET_H
#define WF_TASK_SET_H

#include <weft/task_set.h>

/* Polls a wait that weft_task_set_next has made, without budget. Returns 0 with the member,
 * WEFT_EOF, or -EAGAIN: the context's waker is woken when there is a member. */
int64_t wf_task_set_poll_next(weft_wait *wait, weft_context *cx, weft_member **ret_member);
/* Lets tasks be spawned into the set. */
void wf_task_set_open(weft_task_set *set);
/* Lets no more tasks be spawned into the set, and cancels those that run. */
void wf_task_set_shut(weft_task_set *set);

#endif
