/* alloc.c - see alloc.h */
#include "alloc.h"

#include "memcheck.h"
#include "rt.h"

#include <stdlib.h>
#include <sys/mman.h>

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

/* Maps more than enough, then unmaps what is outside of the aligned block on both sides. */
static void *map(size_t size, size_t align, bool huge)
{
    char  *p = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t before;

    if (p == MAP_FAILED)
        return NULL;
    before = -(uintptr_t)p % align;
    if (before > 0)
        munmap(p, before);
    if (before < align)
        munmap(p + before + size, align - before);
    if (huge)
        madvise(p + before, size, MADV_HUGEPAGE); /* best effort */
    return p + before;
}

/* Under ASan every block comes from malloc, so that leaks are found. */
static bool from_kernel(const weft_allocator *a)
{
#ifdef WF_ASAN_
    (void)a;
    return false;
#else
    return a->allocate == allocate;
#endif
}

void *wf_alloc_block(const weft_allocator *a, size_t size, size_t align, bool huge, void **ret_raw)
{
    char *raw;

    wf_lock_none_held("the allocator");
    if (from_kernel(a))
        return *ret_raw = map(size, align, huge);
    raw = a->allocate(a->arg, size + align);
    if (!raw)
        return NULL;
    *ret_raw = raw;
    return raw + -(uintptr_t)raw % align;
}

void wf_release_block(const weft_allocator *a, void *raw, size_t size, size_t align)
{
    wf_lock_none_held("the allocator");
    if (from_kernel(a))
        munmap(raw, size);
    else
        a->release(a->arg, raw, size + align);
}

const weft_allocator *wf_alloc_current(void)
{
    const weft_runtime *rt = wf_current_thread.rt;

    return rt ? &rt->config.allocator : &wf_alloc_default;
}
