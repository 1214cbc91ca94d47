/*
 * memory.c - all memory comes through the host's hooks
 *
 * Purpose     See memory.h.
 * Threads     Any.
 * Invariants  See memory.h.
 * Ordering    None.
 * Failure     See memory.h.
 */
#include "memory.h"

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

const weft_allocator wf_memory_default = {allocate, release, NULL};

const weft_allocator *wf_memory_current(void)
{
    const weft_runtime *rt = wf_current_thread.rt;

    return rt ? &rt->config.allocator : &wf_memory_default;
}
