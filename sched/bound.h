/*
 * bound.h - the tasks bound to a worker that it has queued itself
 *
 * Purpose     A first-in, first-out list without a lock. Tasks that other threads queue go through
 *             the worker's mailbox, and from there to the end of this list.
 * Threads     The worker's own.
 * Invariants  R4 in worker.h.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_BOUND_H
#define WF_BOUND_H

#include "task.h"
#include "worker.h"

static inline void wf_bound_push_owner(wf_worker *w, wf_task *t)
{
    t->next = NULL;
    if (w->bound_first)
        w->bound_last->next = t;
    else
        w->bound_first = t;
    w->bound_last = t;
}

/* Takes the oldest, or NULL. */
static inline wf_task *wf_bound_pop_owner(wf_worker *w)
{
    wf_task *t = w->bound_first;

    if (t)
        w->bound_first = t->next;
    return t;
}

#endif
