/* inflight.c - see inflight.h */
#include "inflight.h"

#include "invariant.h"

#include <string.h>

#define FIRST 64
#define FREE  7 /* H2 */

bool wf_inflight_reserve(wf_inflight *h, const weft_allocator *alloc)
{
    uint32_t    n = h->n_slots > 0 ? 2 * h->n_slots : FIRST;
    wf_inflight more = {.n_slots = n, .n_used = h->n_used};

    if (h->free > 0 || h->n_used < h->n_slots)
        return true;
    more.slots = wf_alloc(alloc, n * sizeof *more.slots);
    if (!more.slots)
        return false;
    if (h->n_used > 0)
        memcpy(more.slots, h->slots, h->n_used * sizeof *h->slots);
    wf_inflight_free(h, alloc);
    *h = more;
    return true;
}

uint32_t wf_inflight_add(wf_inflight *h, uint64_t user_data)
{
    uint32_t slot = h->n_used;

    WF_ASSERT((user_data & FREE) != FREE && (h->free > 0 || slot < h->n_slots)); /* H2 */
    if (h->free > 0) {
        slot = h->free - 1;
        WF_ASSERT(slot < h->n_used && (h->slots[slot] & FREE) == FREE); /* H2 */
        h->free = (uint32_t)(h->slots[slot] >> 3);
    } else {
        h->n_used++;
    }
    h->slots[slot] = user_data;
    return slot;
}

void wf_inflight_remove(wf_inflight *h, uint32_t slot)
{
    WF_ASSERT(slot < h->n_used && (h->slots[slot] & FREE) != FREE); /* H1 */
    h->slots[slot] = (uint64_t)h->free << 3 | FREE;
    h->free = slot + 1;
}

uint64_t wf_inflight_at(const wf_inflight *h, uint32_t slot)
{
    uint64_t data = h->slots[slot];

    return (data & FREE) == FREE ? 0 : data;
}

void wf_inflight_free(wf_inflight *h, const weft_allocator *alloc)
{
    if (h->slots)
        wf_release(alloc, h->slots, h->n_slots * sizeof *h->slots);
    *h = (wf_inflight){0};
}
