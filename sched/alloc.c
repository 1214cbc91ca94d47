/*
 * alloc.c - all memory comes through the host's hooks
 *
 * Purpose     See alloc.h.
 * Threads     Any.
 * Invariants  See alloc.h.
 * Ordering    None.
 * Failure     See alloc.h.
 */
#include "alloc.h"

#include "rt.h"

#include <stdlib.h>

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    free(memory);
}

const weft_allocator wf_alloc_default = {allocate, release, NULL};

const weft_allocator *wf_alloc_current(void)
{
    const weft_runtime *rt = wf_current_thread.rt;

    return rt ? &rt->config.allocator : &wf_alloc_default;
}
