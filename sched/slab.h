/*
 * slab.h - the memory of tasks
 *
 * Purpose     Taking and freeing a task costs a few nanoseconds and no lock. All tasks of a runtime
 *             can be visited without a list of them. Memory that only a burst needed goes back to
 *             the system.
 *
 *             A region has 2 MiB and is aligned to 2 MiB, so a task's address leads to its region.
 *             It is cut into pages of 64 KiB. One or more pages make a slab of slots of one size.
 *             A region belongs to one heap. Each worker has a heap, and all other threads share
 *             one.
 *
 *                 heap --> region: [header | slab of 128 B slots | slab of 96 B | ... free pages]
 *
 * Threads     The suffix says: owner is the heap's thread, or the thread that holds its lock.
 * Invariants  B1 a free slot's state word is 0, and a slot that has been carved keeps a state word
 *             for as long as its slab lives. B2 slabs begin and end, and regions come and go, under
 *             the memory's lock, so the thread that holds it may visit all slots. B3 a slot freed
 *             by another thread goes to its region's stack `remote`, from where the owner takes all
 *             slots at once. B4 after the runtime's end a region lives until its last slot is
 *             freed. B5 a slab of a heap is current for its size, listed as one with room, or full.
 *             B6 a page is free or belongs to one slab; a slab ends when none of its slots is in
 *             use. B7 slots in use have been carved.
 * Ordering    [slab-1] a freed slot is released to the owner that takes it. [slab-2] n_carved is
 *             raised after the slot's state word was set to 0. [slab-3] every thread that frees
 *             slots of an orphaned region releases to the one that frees the last.
 * Failure     Out of memory: NULL, and nothing has changed.
 */
#ifndef WF_SLAB_H
#define WF_SLAB_H

#include "alloc.h"
#include "order.h"

#define WF_REGION_SIZE  ((size_t)2 << 20)
#define WF_PAGE_SIZE    ((size_t)64 << 10)
#define WF_REGION_PAGES (WF_REGION_SIZE / WF_PAGE_SIZE)
#define WF_SLAB_CLASSES 192 /* slots of up to 2 GiB */

struct wf_task;
struct wf_region;

/* Slots of one size. Only the owner uses it, except for the fields that visitors read. */
typedef struct wf_slab {
    struct wf_task *free; /* linked by next */
    uint32_t        n_used;
    uint32_t        n_carved; /* slots below this index have been used once; visitors read it */
    uint32_t        capacity; /* 0: no slab begins at this page */
    uint32_t        slot_size;
    uint32_t        offset; /* of the first slot, from the region's start */
    uint8_t         n_pages, class;
    bool            listed; /* in the heap's list of slabs with room */
    struct wf_slab *next, *prev;
} wf_slab;

typedef struct wf_region {
    /* -- constant -- */
    weft_runtime   *rt;   /* see T3 in task.h */
    struct wf_heap *heap; /* NULL after the runtime's end */
    size_t          size;
    void           *raw;
    weft_allocator  alloc;
    bool            huge; /* on huge pages, if the system has some */
    /* -- under the memory's lock -- */
    struct wf_region *next, *prev; /* all regions of the runtime */
    /* -- owner -- */
    struct wf_region *heap_next;
    uint32_t          free_pages;                  /* a bit each */
    uint8_t           first_page[WF_REGION_PAGES]; /* of the slab that a page belongs to */
    wf_slab           slab[WF_REGION_PAGES];
    /* -- any thread -- */
    WF_ALIGNED struct wf_task *remote; /* slots that other threads have freed */
    int64_t                    n_left; /* slots of an orphan that are still in use */
} wf_region;

typedef struct wf_memory {
    weft_runtime *rt;
    uint32_t      lock;
    wf_region    *first;
} wf_memory;

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
} wf_heap;

void wf_heap_init(wf_heap *h, wf_memory *memory);

/* Returns a slot of at least `size` bytes whose state word is 0, or NULL if out of memory. */
struct wf_task *wf_heap_take_owner(wf_heap *h, size_t size);
/* Frees a slot and sets its state word to 0. `h` is the caller's heap, or NULL if it has none. Any
 * thread may call it, also after the runtime's end. */
void wf_heap_free_any(wf_heap *h, struct wf_task *t);
/* The owner is about to sleep. Sends slots that are on their way to other heaps, takes back what
 * other threads have freed, and returns empty regions to the system. */
void wf_heap_tidy_owner(wf_heap *h);

/* Calls visit for each slot that is in use, under the memory's lock. visit must neither spawn nor
 * wake. */
void wf_memory_visit(wf_memory *m, void (*visit)(struct wf_task *t, void *arg), void *arg);
/* Calls tell for each heap that could take back slots which other threads have freed. Calls it
 * under the memory's lock, and maybe several times for a heap. */
void wf_memory_remind(wf_memory *m, void (*tell)(wf_heap *h));
/* The runtime ends and no thread takes slots any more. Frees the regions without used slots now;
 * the others follow when their last slot is freed. Any thread may call it once no heap has an
 * owner. */
void wf_memory_close(wf_memory *m);

static inline wf_region *wf_region_of(const struct wf_task *t)
{
    return (wf_region *)((uintptr_t)t & ~(uintptr_t)(WF_REGION_SIZE - 1));
}

#endif
