/*
 * slab.h - the memory of tasks
 *
 * Purpose     Taking and freeing a task costs a few nanoseconds and no lock. A heap has regions
 *             (region.h). Each worker has a heap, and all other threads share one (shared_heap.h).
 *
 *                 heap --> region: [header | slab of 128 B slots | slab of 96 B | ... free pages]
 *
 * Threads     The suffix says: owner is the heap's thread, or the thread that holds its lock.
 * Invariants  B3 a slot freed by another thread goes to its region's stack `remote`, from where the
 *             owner takes all slots at once. B5 a slab of a heap is current for its size, listed as
 *             one with room, or full. B6 a page is free or belongs to one slab; a slab ends when
 *             none of its slots is in use. B7 slots in use have been carved.
 * Ordering    [slab-1] a freed slot is released to the owner that takes it. [slab-2] n_carved is
 *             raised after the slot's state word was set to 0.
 * Failure     Out of memory: NULL, and nothing has changed.
 */
#ifndef WF_SLAB_H
#define WF_SLAB_H

#include "region.h"

#define WF_SLAB_CLASSES 192 /* slots of up to 2 GiB */

typedef struct wf_heap {
    wf_memory *memory;
    uint32_t   n_regions, n_empty;
    wf_region *regions;
    wf_slab   *current[WF_SLAB_CLASSES];
    wf_slab   *room[WF_SLAB_CLASSES]; /* slabs with free slots that are not current */
    /* Freed slots of another heap's region, on their way there. */
    wf_region      *sends_to;
    struct wf_task *sends_first, *sends_last;
    uint32_t        n_sends;
    /* See shared_heap.h. */
    bool           is_shared;
    wf_region_kind wanted;  /* the region for which a slot could not be taken */
    wf_region     *dropped; /* regions to release */
} wf_heap;

void wf_heap_init(wf_heap *h, wf_memory *memory);

/* The heap has the region, which is empty, from now on. */
void wf_heap_add_region_owner(wf_heap *h, wf_region *r);

/* Returns a slot of at least `size` bytes whose state word is 0, or NULL if out of memory. */
struct wf_task *wf_heap_take_owner(wf_heap *h, size_t size);
/* Frees a slot and sets its state word to 0. `h` is the caller's heap, or NULL if it has none. Any
 * thread may call it, also after the runtime's end. */
void wf_heap_free_any(wf_heap *h, struct wf_task *t);
/* The owner is about to say that it sleeps. Sends slots that are on their way to other heaps. */
void wf_heap_flush_owner(wf_heap *h);
/* The owner is about to sleep. Does the same, takes back what other threads have freed, and returns
 * empty regions to the system. */
void wf_heap_tidy_owner(wf_heap *h);

#endif
