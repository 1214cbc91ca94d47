/*
 * inner.h - what weft asks of a future that is made of others, or that may be granted something
 *
 * Purpose     A dump says what a task really waits for: the read within a timeout, the branches of
 *             a select. Of a lock it names the owner. A select tells the waits of a branch that it
 *             leaves pending (keep.h).
 * Threads     The thread that keeps the future's task from being polled meanwhile.
 * Invariants  A future has the flag WEFT_FUTURE_SHOWS_ exactly if its ops are a wf_outer_ops. These
 *             have at least one of `inner`, `find_holder` and `keep`.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_INNER_H
#define WF_INNER_H

#include <weft/future.h>

/* The object that a future waits for, and the owner that must let go of it: owner.h. */
typedef struct wf_held_by {
    const void *object; /* NULL: the future waits for the end of the owner, a task */
    uint64_t    owner;  /* 0: none that is known */
} wf_held_by;

/* The ops of a future that is made of others, or that waits for what one task holds. */
typedef struct wf_outer_ops {
    weft_future_ops ops;
    /* Returns the i-th of the futures that it waits for now, and NULL behind the last. NULL: it is
     * not made of others. */
    const weft_future *(*inner)(const weft_future *future, uint32_t i);
    bool is_group; /* it waits for several */
    /* Returns true and what the pending future waits for, if that has an owner. May be NULL. */
    bool (*find_holder)(const weft_future *future, wf_held_by *ret);
    /* Its task stops polling the pending future for now, and will poll it again: keep.h. Returns
     * whether the future, or one that it is made of, is to be polled then even if it has not been
     * woken. May be NULL: it is granted nothing that others need. */
    bool (*keep)(weft_future *future);
} wf_outer_ops;

/* Returns the ops of such a future, and NULL for any other future. */
static inline const wf_outer_ops *wf_outer_of(const weft_future *future)
{
    return future->ops->flags & WEFT_FUTURE_SHOWS_ ? weft_container(future->ops, wf_outer_ops, ops)
                                                   : NULL;
}

#endif
