/* keep.c - see keep.h */
#include "keep.h"

#include "awaits.h"

bool wf_keep_pending(weft_future *future)
{
    const weft_future  *f = future, *inner;
    const wf_outer_ops *outer;

    while (weft_future_is_pending(f) && (inner = wf_awaits_inner(f)))
        f = inner;
    outer = wf_outer_of(f);
    return outer && outer->keep && weft_future_is_pending(f) &&
           outer->keep((weft_future *)(uintptr_t)f);
}
