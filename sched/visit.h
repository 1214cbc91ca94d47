/*
 * visit.h - threads that use a runtime that might end meanwhile
 *
 * Purpose     A runtime is not freed while a visitor is inside.
 * Threads     enter, leave, try: the visitor. wait_gone: the stopping thread.
 * Invariants  S3 a visitor is a thread that uses the runtime while neither a task nor a thread that
 *             will be joined keeps the runtime alive. Visitors are counted. A foreign thread that
 *             wakes a task is one: the task may end, and the runtime may be stopped, in the middle
 *             of the call. Each thread that spawns is one, except for a worker in the poll of a
 *             task. That includes pool threads, since a blocking job may outlive its task. It also
 *             includes a worker that wakes another executor's task, since its own task may have
 *             ended: it counts as no worker meanwhile (waker.c).
 * Ordering    [visit-1] a visitor leaves by a release and uses nothing of the runtime after it,
 *             because the runtime may be freed. The stopping thread marks the word and sleeps on
 *             it. The last visitor that leaves sees the mark and wakes it. Entering is a full
 *             barrier: [tasks-1].
 * Failure     None.
 */
#ifndef WF_VISIT_H
#define WF_VISIT_H

#include "executor.h"

/* The word: WF_VISITOR for each visitor, and a mark while the stopping thread waits. */
enum { WF_VISITORS_AWAITED = 1, WF_VISITOR = 2 };

void wf_visit_enter(wf_executor *s);
/* Leaves. The caller uses nothing of the runtime after this. */
void wf_visit_leave(wf_executor *s);
/* Enters, and returns true. If the runtime is stopping, returns false without having entered. */
bool wf_visit_try(wf_executor *s);
/* Sleeps until no visitor is inside. Returns false if the instant comes first. */
bool wf_visit_wait_gone(wf_executor *s, int64_t until);
/* Whether a visitor is inside; best effort. */
bool wf_visit_any(const wf_executor *s);

#endif
