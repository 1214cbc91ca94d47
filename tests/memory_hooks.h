/* memory_hooks.h - an allocator that counts a runtime's memory and fails on request */
#ifndef MEMORY_HOOKS_H
#define MEMORY_HOOKS_H

#include <stdlib.h>
#include <weft.h>

/* Counts live bytes. Allocation number `fail_at` fails, counted from 1; with 0 none fails. */
struct memory {
    int64_t live, n, fail_at;
};

static inline void *memory_allocate(void *arg, size_t size)
{
    struct memory *m = arg;

    if (__atomic_add_fetch(&m->n, 1, __ATOMIC_ACQ_REL) ==
        __atomic_load_n(&m->fail_at, __ATOMIC_ACQUIRE))
        return NULL;
    __atomic_add_fetch(&m->live, (int64_t)size, __ATOMIC_ACQ_REL);
    return malloc(size);
}

static inline void memory_release(void *arg, void *block, size_t size)
{
    __atomic_sub_fetch(&((struct memory *)arg)->live, (int64_t)size, __ATOMIC_ACQ_REL);
    free(block);
}

static inline weft_allocator memory_hooks(struct memory *m)
{
    *m = (struct memory){0};
    return (weft_allocator){memory_allocate, memory_release, m};
}

#endif
