/*
 * stackful.h - the frame of a function that has a stack of its own
 *
 * Purpose     The kept branches of a fiber are local variables of its functions. No offset in its
 *             frame reaches them, so such a frame has a pointer to the first of them.
 * Threads     The future's owner.
 * Invariants  A frame is of this type exactly if its ops have the flag WEFT_FUTURE_STACKFUL_. Its
 *             `parked_` is 1 while the list has branches, else 0.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_STACKFUL_H
#define WF_STACKFUL_H

#include <weft/async.h>

typedef struct wf_stackful {
    weft_frame   frame;
    weft_future *parked; /* valid while frame.parked_ is set; the last one points back to frame */
} wf_stackful;

/* Returns the frame as such a one, or NULL. */
static inline wf_stackful *wf_stackful_of(weft_frame *frame)
{
    return frame->future.ops->flags & WEFT_FUTURE_STACKFUL_ ? (wf_stackful *)(void *)frame : NULL;
}

#endif
