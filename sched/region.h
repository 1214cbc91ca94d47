/*
 * region.h - the memory that tasks are cut from
 *
 * Purpose     All tasks of a runtime can be visited without a list of them. Memory that only a
 *             burst needed goes back to the system.
 *
 *             A region has 2 MiB and is aligned to 2 MiB, so a task's address leads to its region.
 *             It is cut into pages of 64 KiB. One or more pages make a slab of slots of one size. A
 *             region belongs to one heap (slab.h).
 * Threads     The labels say which thread uses a field. new: any. visit, remind: any thread.
 *             close: the thread that ends the runtime.
 * Invariants  B1 a free slot's state word is 0, and a slot that has been carved keeps a state word
 *             for as long as its slab lives. B2 slabs begin and end, and regions come and go, under
 *             the memory's lock, so the thread that holds it may visit all slots. B4 after the
 *             runtime's end a region lives until its last slot is freed.
 * Ordering    [slab-1] [slab-2] as in slab.h. [slab-3] every thread that frees slots of an orphaned
 *             region releases to the one that frees the last.
 * Failure     Out of memory: NULL, and nothing has changed.
 */
#ifndef WF_REGION_H
#define WF_REGION_H

#include "alloc.h"
#include "order.h"
#include "slot.h"

/* In `remote`: the heap is gone. */
#define WF_ORPHAN ((struct wf_task *)1)

struct wf_heap;
struct wf_task;

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

/* What a heap may ask for. */
typedef struct wf_region_kind {
    size_t size;
    bool   huge;
} wf_region_kind;

/* Makes a region of no heap, or returns NULL. */
wf_region *wf_region_new(wf_memory *m, wf_region_kind kind);
void       wf_region_release(wf_region *r);
/* Frees n slots of a region without a heap. The thread that frees the last one frees the region. */
void wf_region_freed_orphans(wf_region *r, int64_t n);

/* The memory has the region, or has it no more. */
void wf_memory_add(wf_memory *m, wf_region *r);
void wf_memory_remove(wf_memory *m, wf_region *r);
/* Calls visit for each slot that is in use, under the memory's lock. visit must neither spawn nor
 * wake. */
void wf_memory_visit(wf_memory *m, void (*visit)(struct wf_task *t, void *arg), void *arg);
/* Returns the task if its slot is in use, and NULL if not. `address` may be any. The caller holds
 * the memory's lock, as a visit does. */
const struct wf_task *wf_memory_find_locked(const wf_memory *m, uint64_t address);
/* Calls tell for each heap that could take back slots which other threads have freed. Calls it
 * under the memory's lock, and maybe several times for a heap. */
void wf_memory_remind(wf_memory *m, void (*tell)(struct wf_heap *h));
/* The runtime ends and no thread takes slots any more. Frees the regions without used slots now;
 * the others follow when their last slot is freed. Any thread may call it once no heap has an
 * owner. */
void wf_memory_close(wf_memory *m);

static inline wf_region *wf_region_of(const struct wf_task *t)
{
    return (wf_region *)((uintptr_t)t & ~(uintptr_t)(WF_REGION_SIZE - 1));
}

/* Slot i of a slab of the region. */
static inline struct wf_task *wf_region_slot(wf_region *r, const wf_slab *s, uint32_t i)
{
    return (struct wf_task *)(void *)((char *)r + s->offset +
                                      (size_t)i * s->slot_size * WF_SLOT_STEP);
}

#endif
