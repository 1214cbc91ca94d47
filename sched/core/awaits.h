/*
 * awaits.h - what a task awaits
 *
 * Purpose     The way from a task to what it really waits for: through the functions that it calls,
 *             through timeouts and the like.
 * Threads     The thread that polls the task, or keeps it from being polled meanwhile.
 * Invariants  None.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_AWAITS_H
#define WF_AWAITS_H

#include "inner.h"

#include <weft/async.h>

/* Whether the future is an async function. */
static inline bool wf_awaits_is_frame(const weft_future *f)
{
    return f->ops->cancel == weft_frame_cancel_;
}

/* Returns what an async function awaits, or what a timeout or the like polls, else NULL. */
static inline const weft_future *wf_awaits_inner(const weft_future *f)
{
    const wf_outer_ops *outer = wf_outer_of(f);
    const weft_future  *inner;

    if (wf_awaits_is_frame(f))
        return ((const weft_frame *)(const void *)f)->awaiting_;
    inner = outer && outer->inner && !outer->is_group ? outer->inner(f, 0) : NULL;
    return inner && weft_future_is_pending(inner) ? inner : NULL;
}

/* Returns the ops of a group, or NULL if the future is none. */
static inline const wf_outer_ops *wf_awaits_group(const weft_future *f)
{
    const wf_outer_ops *outer = wf_outer_of(f);

    return outer && outer->is_group ? outer : NULL;
}

/* Returns true, and what the future waits for, if that has an owner. */
static inline bool wf_awaits_find_holder(const weft_future *f, wf_held_by *ret)
{
    const wf_outer_ops *outer = wf_outer_of(f);

    return outer && outer->find_holder && weft_future_is_pending(f) && outer->find_holder(f, ret);
}

#endif
