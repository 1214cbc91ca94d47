/*
 * twins.h - no future is two branches of one group
 *
 * Purpose     Finds a future that is two branches. It would end for one of them, and the other
 *             would wait for ever.
 * Threads     The owner of the group, which is not polled yet.
 * Invariants  Each future is marked by a flag that only a pending one has, and unmarked again. The
 *             flag is there already if the same future came before, or if it is parked.
 * Ordering    None.
 * Failure     Aborts if there is one.
 */
#ifndef WF_TWINS_H
#define WF_TWINS_H

#include <weft/combine.h>

#define WF_TWINS_MARKED (1 << 4) /* a flag of a branch, while it is looked for */

static inline bool wf_twins_is_among(const weft_future *future, const weft_branch *branch,
                                     uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (branch[i].future == future)
            return true;
    return false;
}

static inline void wf_twins_refuse(const char *name, weft_branch *branch, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        weft_future *f = branch[i].future;

        if (weft_future_is_ready(f))
            continue; /* its poll aborts */
        if ((f->result & WEFT_PARKED_) && wf_twins_is_among(f, branch, i))
            weft_misuse_(name, "a future must not be two branches of a group", f->ops->name);
        if (f->result & WEFT_PARKED_)
            continue;
        f->result |= WEFT_PARKED_;
        branch[i].flags_ |= WF_TWINS_MARKED;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (branch[i].flags_ & WF_TWINS_MARKED)
            branch[i].future->result &= ~(int64_t)WEFT_PARKED_;
        branch[i].flags_ &= ~WF_TWINS_MARKED;
    }
}

#endif
