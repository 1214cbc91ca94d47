/*
 * inflight.h - the requests that the kernel has
 *
 * Purpose     A slot for each, so that all of them can be failed when the ring is of no use any
 *             more.
 * Threads     The reactor's.
 * Invariants  H1 a slot holds a request's user data from its submission to its last completion.
 * Ordering    None.
 * Failure     reserve says that there is no memory; add takes what was reserved.
 */
#ifndef WF_INFLIGHT_H
#define WF_INFLIGHT_H

#include "alloc.h"

typedef struct wf_inflight {
    uint64_t *slots;
    uint32_t  n_slots, n_used; /* slots that there are, and that have been used at some time */
    uint32_t  free;            /* the number of a free one + 1; that one holds the next */
} wf_inflight;

/* Makes room for one more; false: no memory. */
WEFT_NODISCARD bool wf_inflight_reserve(wf_inflight *h, const weft_allocator *alloc);
/* The slot it is in, one that was reserved. The user data's low three bits are not all set. */
uint32_t wf_inflight_add(wf_inflight *h, uint64_t user_data);
void     wf_inflight_remove(wf_inflight *h, uint32_t slot);
/* What is in the slot, one below n_used; 0: nothing. */
uint64_t wf_inflight_at(const wf_inflight *h, uint32_t slot);
void     wf_inflight_free(wf_inflight *h, const weft_allocator *alloc);

#endif
