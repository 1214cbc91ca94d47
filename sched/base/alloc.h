/*
 * alloc.h - memory, by the host's hooks
 *
 * Purpose     Allocates and releases memory, and decides whose hooks to use.
 * Threads     Any.
 * Invariants  Memory is released by the hooks that allocated it, with its size.
 * Ordering    None.
 * Failure     NULL when out of memory.
 */
#ifndef WF_ALLOC_H
#define WF_ALLOC_H

#include "order.h"

#include "lock.h"

#include <weft/runtime.h>

/* malloc and free. */
extern const weft_allocator wf_alloc_default;

/* The hooks of the runtime that the calling thread belongs to, or the default ones. */
const weft_allocator *wf_alloc_current(void);

static inline void *wf_alloc(const weft_allocator *a, size_t size)
{
    wf_lock_none_held("the allocator");
    return a->allocate(a->arg, size);
}

static inline void wf_release(const weft_allocator *a, void *memory, size_t size)
{
    wf_lock_none_held("the allocator");
    a->release(a->arg, memory, size);
}

/* Allocates a large block, whose content is undefined. `align` is a power of two and at least a
 * page. The default hooks map it from the kernel, on huge pages if asked for and available.
 * *ret_raw is what to release. */
void *wf_alloc_block(const weft_allocator *a, size_t size, size_t align, bool huge, void **ret_raw);
void  wf_release_block(const weft_allocator *a, void *raw, size_t size, size_t align);

/* Allocates a struct that has members on cache lines of their own. */
static inline void *wf_alloc_aligned(const weft_allocator *a, size_t size)
{
    char  *raw = wf_alloc(a, size + WF_CACHE_LINE);
    size_t shift = WF_CACHE_LINE - (uintptr_t)raw % WF_CACHE_LINE;

    if (!raw)
        return NULL;
    raw[shift - 1] = (char)shift;
    return raw + shift;
}

static inline void wf_release_aligned(const weft_allocator *a, void *memory, size_t size)
{
    char *aligned = memory;

    wf_release(a, aligned - aligned[-1], size + WF_CACHE_LINE);
}

#endif
