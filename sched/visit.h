/*
 * visit.h - threads that use a runtime which nothing keeps there for them
 *
 * Purpose     A runtime is not freed while a visitor is inside.
 * Threads     enter, leave, try: the visitor. wait_gone: the stopping thread.
 * Invariants  S3 a thread that touches the runtime while no task, and no thread that is joined,
 *             keeps it there is a visitor, and is counted: a thread that is not the runtime's own
 *             and wakes a task, which may end, and the runtime be stopped, in mid-call; and each
 *             thread that spawns, but for a worker in the poll of a task. A blocking job may
 *             outlive its task, and a worker that wakes another executor's task may have ended its
 *             own: it is no worker meanwhile (waker.c).
 * Ordering    [visit-1] a visitor leaves by a release, and touches nothing after it: the runtime
 *             may be freed. The stopping thread sleeps on the word, in which it has said so: the
 *             visitor that leaves as the last one wakes it. To enter is a full barrier: [tasks-1].
 * Failure     None.
 */
#ifndef WF_VISIT_H
#define WF_VISIT_H

#include "executor.h"

/* The word: WF_VISITOR for each, and whether the stopping thread waits. */
enum { WF_VISITORS_AWAITED = 1, WF_VISITOR = 2 };

void wf_visit_enter(wf_executor *s);
/* The caller touches nothing of the runtime after this. */
void wf_visit_leave(wf_executor *s);
/* Enters. False, and nothing is to be left: the runtime stops. */
bool wf_visit_try(wf_executor *s);
/* Sleeps until no visitor is inside; false at the instant. */
bool wf_visit_wait_gone(wf_executor *s, int64_t until);
/* Best effort: whether a visitor is inside. */
bool wf_visit_any(const wf_executor *s);

#endif
