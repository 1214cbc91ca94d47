/*
 * shared_heap.h - the heap of the threads that are no workers
 *
 * Purpose     Foreign threads take the slots of the tasks that they spawn from one heap. Its lock
 *             is held only while slots are taken. Regions are allocated and released without it,
 *             so the host's allocator is never called under a lock.
 * Threads     Any.
 * Invariants  B8 a region that the heap needs is made by the thread that needs it, after it has let
 *             go of the lock. If another thread has freed a slot meanwhile, the region is spare.
 * Ordering    The lock's.
 * Failure     Out of memory: NULL, and nothing has changed.
 */
#ifndef WF_SHARED_HEAP_H
#define WF_SHARED_HEAP_H

#include "slab.h"

typedef struct wf_shared_heap {
    uint32_t lock;
    wf_heap  heap;
} wf_shared_heap;

void wf_shared_heap_init(wf_shared_heap *s, wf_memory *memory);
/* As wf_heap_take_owner and wf_heap_tidy_owner. */
struct wf_task *wf_shared_heap_take_any(wf_shared_heap *s, size_t size);
void            wf_shared_heap_tidy_any(wf_shared_heap *s);

#endif
