/*
 * inflight.h - the operations that the kernel has
 *
 * Purpose     A slot for each operation, so that the reactor can fail all of them when the ring is
 *             lost.
 * Threads     The reactor's.
 * Invariants  H1 a slot holds an operation's user data from its submission to its last completion.
 *             H2 in a free slot the low three bits are set. The bits above them are the next free
 *             slot.
 * Ordering    None.
 * Failure     reserve returns false if there is no memory. add cannot fail after it.
 */
#ifndef WF_INFLIGHT_H
#define WF_INFLIGHT_H

#include "alloc.h"

typedef struct wf_inflight {
    uint64_t *slots;
    uint32_t  n_slots, n_used; /* slots that are allocated; slots that have ever been used */
    uint32_t  free;            /* the number of the first free slot + 1; 0: none */
} wf_inflight;

/* Makes room for one more operation. Returns false if there is no memory. */
WEFT_NODISCARD bool wf_inflight_reserve(wf_inflight *h, const weft_allocator *alloc);
/* Adds an operation and returns its slot. The caller has reserved one. The low three bits of the
 * user data must not all be set. */
uint32_t wf_inflight_add(wf_inflight *h, uint64_t user_data);
void     wf_inflight_remove(wf_inflight *h, uint32_t slot);
/* Returns the user data in a slot below n_used, or 0 for a free slot. */
uint64_t wf_inflight_at(const wf_inflight *h, uint32_t slot);
void     wf_inflight_free(wf_inflight *h, const weft_allocator *alloc);

#endif
