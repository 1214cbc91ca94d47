/*
 * slot.h - the sizes of the slots of slabs
 *
 * Purpose     Sizes are multiples of 32 bytes up to 16 of them, then eight sizes to each doubling.
 *             So a slot is at most an eighth larger than its task.
 * Threads     Any.
 * Invariants  Classes count from 0, in the order of sizes.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_SLOT_H
#define WF_SLOT_H

#include <stddef.h>
#include <stdint.h>

#define WF_REGION_SIZE  ((size_t)2 << 20)
#define WF_PAGE_SIZE    ((size_t)64 << 10)
#define WF_REGION_PAGES (WF_REGION_SIZE / WF_PAGE_SIZE)

#define WF_SLOT_STEP  32
#define WF_SLOT_STEPS 16 /* so many classes are multiples of the step */

/* A slab is one page for slots up to SMALL, eight pages up to MEDIUM, and one slot above that. */
#define WF_SLOT_SMALL        ((size_t)8 << 10)
#define WF_SLOT_MEDIUM       ((size_t)64 << 10)
#define WF_SLOT_MEDIUM_PAGES 8

/* The class of slots for `size` bytes; size > 0. */
static inline uint32_t wf_slot_class(size_t size)
{
    size_t   n = (size - 1) / WF_SLOT_STEP;
    uint32_t shift;

    if (__builtin_expect(n < WF_SLOT_STEPS, 1))
        return (uint32_t)n;
    shift = 60 - (uint32_t)__builtin_clzll(n); /* 3 bits below the highest one */
    return 8 * shift + (uint32_t)(n >> shift);
}

static inline size_t wf_slot_size(uint32_t class)
{
    uint32_t shift = class < WF_SLOT_STEPS ? 0 : class / 8 - 1;

    return (size_t)(class - 8 * shift + 1) * WF_SLOT_STEP << shift;
}

/* How many pages a slab of such slots has. */
static inline uint32_t wf_slot_pages(size_t slot)
{
    if (slot <= WF_SLOT_SMALL)
        return 1;
    if (slot <= WF_SLOT_MEDIUM)
        return WF_SLOT_MEDIUM_PAGES;
    return (uint32_t)((slot + WF_PAGE_SIZE - 1) / WF_PAGE_SIZE);
}

#endif
