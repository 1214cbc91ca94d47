/*
 * future_set.h - a set of futures whose slots are parts of larger structs
 *
 * Purpose     Lets weft_merge have the slots of its set in its inputs.
 * Threads     The set's owner.
 * Invariants  See future_set.c.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_FUTURE_SET_H
#define WF_FUTURE_SET_H

#include <weft/future_set.h>

/* Makes an empty set of `n` slots that are `stride` bytes apart. */
void wf_future_set_init(weft_future_set *set, weft_future_slot *first, size_t stride,
                        weft_branch *branches, uint32_t n);

#endif
