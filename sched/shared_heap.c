/* shared_heap.c - see shared_heap.h */
#include "shared_heap.h"

#include "lock.h"

void wf_shared_heap_init(wf_shared_heap *s, wf_memory *memory)
{
    s->lock = 0;
    wf_heap_init(&s->heap, memory);
    s->heap.is_shared = true;
}

/* Unlocks, then releases the regions that have become empty under the lock. */
static void unlock(wf_shared_heap *s)
{
    wf_region *next, *r = s->heap.dropped;

    s->heap.dropped = NULL;
    wf_unlock(&s->lock);
    for (; r; r = next) {
        next = r->heap_next;
        wf_region_release(r);
    }
}

struct wf_task *wf_shared_heap_take_any(wf_shared_heap *s, size_t size)
{
    wf_region      *spare = NULL;
    wf_region_kind  wanted;
    struct wf_task *t;

    for (;;) {
        wf_lock(&s->lock);
        if (spare)
            wf_heap_add_region_owner(&s->heap, spare);
        s->heap.wanted = (wf_region_kind){0};
        t = wf_heap_take_owner(&s->heap, size);
        wanted = s->heap.wanted;
        unlock(s);
        if (t || wanted.size == 0 || !(spare = wf_region_new(s->heap.memory, wanted)))
            return t;
    }
}

void wf_shared_heap_tidy_any(wf_shared_heap *s)
{
    wf_lock(&s->lock);
    wf_heap_tidy_owner(&s->heap);
    unlock(s);
}
