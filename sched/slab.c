/* slab.c - see slab.h */
#include "slab.h"

#include "invariant.h"
#include "lock.h"
#include "memcheck.h"
#include "rt.h"
#include "slot.h"
#include "task.h"

#include <string.h>

#define SENDS_MOST 32
#define FIRST_SLOT ((sizeof(wf_region) + WF_CACHE_LINE - 1) & ~(size_t)(WF_CACHE_LINE - 1))

/* Whether memcheck or ASan watches the process. It is the same for all heaps, and constant once the
 * first heap exists. */
static bool is_watched;

void wf_heap_init(wf_heap *h, wf_memory *memory)
{
    *h = (wf_heap){.memory = memory};
    wf_store(&is_watched, wf_memcheck_watches(h), RELAXED); /* constant */
}

/* ---- regions ---- */

static bool is_full(const wf_slab *s)
{
    return !s->free && s->n_carved == s->capacity;
}

static bool is_empty(const wf_region *r)
{
    return r->free_pages == UINT32_MAX;
}

void wf_heap_add_region_owner(wf_heap *h, wf_region *r)
{
    WF_ASSERT(is_empty(r));
    r->heap = h;
    r->heap_next = h->regions;
    h->regions = r;
    h->n_regions++;
    h->n_empty++;
    wf_memory_add(h->memory, r);
}

/* A new region for the heap, or NULL. A shared heap only notes what it wants: B8. */
static wf_region *get_region(wf_heap *h, size_t size, bool huge)
{
    wf_region_kind kind = {size, huge};
    wf_region     *r = h->is_shared ? NULL : wf_region_new(h->memory, kind);

    h->wanted = kind;
    if (r)
        wf_heap_add_region_owner(h, r);
    return r;
}

/* Returns an empty region to the system. The regions of a shared heap follow after its lock: B8. */
static void region_drop(wf_heap *h, wf_region *r)
{
    wf_region **at = &h->regions;

    WF_ASSERT(is_empty(r) && r->heap == h);
    while (*at != r)
        at = &(*at)->heap_next;
    *at = r->heap_next;
    h->n_regions--;
    h->n_empty--;
    wf_memory_remove(h->memory, r);
    if (h->is_shared) {
        r->heap_next = h->dropped;
        h->dropped = r;
    } else {
        wf_region_release(r);
    }
}

/* ---- slabs ---- */

static void room_add(wf_heap *h, wf_slab *s)
{
    WF_ASSERT(!s->listed && s != h->current[s->class]); /* B5 */
    s->listed = true;
    s->prev = NULL;
    s->next = h->room[s->class];
    if (s->next)
        s->next->prev = s;
    h->room[s->class] = s;
}

static void room_remove(wf_heap *h, wf_slab *s)
{
    WF_ASSERT(s->listed && (s->prev ? s->prev->next == s : h->room[s->class] == s)); /* B5 */
    s->listed = false;
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        h->room[s->class] = s->next;
}

/* Returns the first of n free pages in a row, or -1. Page 0 is shorter than the others, since the
 * header is in front of it, so it is only for slabs of one page. */
static int find_pages(const wf_region *r, uint32_t n)
{
    uint64_t run = n == 1 ? r->free_pages : r->free_pages & ~UINT32_C(1);

    for (uint32_t i = 1; i < n; i++)
        run &= run >> 1;
    return run ? __builtin_ctzll(run) : -1;
}

static uint32_t page_bits(uint32_t page, uint32_t n)
{
    return (uint32_t)(((UINT64_C(1) << n) - 1) << page);
}

static wf_slab *slab_begin(wf_heap *h, wf_region *r, uint32_t page, uint32_t class, uint32_t n)
{
    wf_slab *s = &r->slab[page];
    size_t   slot = wf_slot_size(class), begin = page ? page * WF_PAGE_SIZE : FIRST_SLOT;
    size_t   end = n == WF_REGION_PAGES ? r->size : (page + n) * WF_PAGE_SIZE;

    WF_ASSERT((r->free_pages & page_bits(page, n)) == page_bits(page, n)); /* B6 */
    h->n_empty -= is_empty(r);
    wf_lock(&h->memory->lock);
    r->free_pages &= ~page_bits(page, n);
    for (uint32_t i = 0; i < n; i++)
        r->first_page[page + i] = (uint8_t)page;
    *s = (wf_slab){.capacity = (uint32_t)((end - begin) / slot),
                   .slot_size = (uint32_t)(slot / WF_SLOT_STEP),
                   .offset = (uint32_t)begin,
                   .n_pages = (uint8_t)n,
                   .class = (uint8_t) class};
    wf_unlock(&h->memory->lock);
    /* Slots of another size may have left parts of the pages marked as unused. */
    wf_memcheck_use((char *)r + begin, end - begin);
    return s;
}

static void slab_end(wf_heap *h, wf_region *r, wf_slab *s)
{
    WF_ASSERT(s->n_used == 0 && s != h->current[s->class]); /* B6 */
    if (s->listed)
        room_remove(h, s);
    wf_lock(&h->memory->lock);
    s->capacity = s->n_carved = 0;
    r->free_pages |= page_bits((uint32_t)(s - r->slab), s->n_pages);
    wf_unlock(&h->memory->lock);
    h->n_empty += is_empty(r);
    /* One empty region stays, so that a load at the edge of a region does not map and unmap it. */
    if (is_empty(r) && (h->n_empty > 1 || r->size > WF_REGION_SIZE))
        region_drop(h, r);
}

/* A region for one slot that does not fit into an ordinary region. One that is empty is spare: it
 * was made for a shared heap a moment ago. */
static wf_slab *slab_alone(wf_heap *h, uint32_t class)
{
    size_t     pages = (FIRST_SLOT + wf_slot_size(class) + WF_PAGE_SIZE - 1) / WF_PAGE_SIZE;
    size_t     size = pages * WF_PAGE_SIZE;
    wf_region *r = h->regions;

    while (r && (r->size != size || !is_empty(r)))
        r = r->heap_next;
    if (!r)
        r = get_region(h, size, false);
    return r ? slab_begin(h, r, 0, class, WF_REGION_PAGES) : NULL;
}

/* Huge pages are for small slots only. A waiting task with a buffer of 16 KiB has mostly touched
 * only a part of it, and must not keep the rest in memory. */
static wf_slab *slab_new(wf_heap *h, uint32_t class)
{
    uint32_t   n = wf_slot_pages(wf_slot_size(class));
    wf_region *r;
    int        page;

    if (n >= WF_REGION_PAGES)
        return slab_alone(h, class);
    for (r = h->regions; r; r = r->heap_next)
        if (r->size == WF_REGION_SIZE && (n == 1 || !r->huge) && (page = find_pages(r, n)) >= 0)
            return slab_begin(h, r, (uint32_t)page, class, n);
    r = get_region(h, WF_REGION_SIZE, n == 1 && h->n_regions > 0);
    return r ? slab_begin(h, r, n == 1 ? 0 : 1, class, n) : NULL;
}

static wf_slab *slab_of(wf_region *r, const wf_task *t)
{
    size_t page = ((uintptr_t)t - (uintptr_t)r) / WF_PAGE_SIZE;

    return &r->slab[r->first_page[page < WF_REGION_PAGES ? page : 0]];
}

/* ---- slots ---- */

static wf_task *pop(wf_slab *s)
{
    wf_task *t = s->free;

    WF_ASSERT(wf_peek(&t->state) == 0 && s->n_used < s->capacity); /* B1 */
    s->free = t->next;
    s->n_used++;
    return t;
}

static wf_task *carve(wf_slab *s)
{
    wf_region *r = (wf_region *)((uintptr_t)s & ~(uintptr_t)(WF_REGION_SIZE - 1));
    wf_task   *t = wf_region_slot(r, s, s->n_carved);

    wf_store(&t->state, 0, RELAXED);                  /* published by n_carved */
    wf_store(&s->n_carved, s->n_carved + 1, RELEASE); /* [slab-2] */
    s->n_used++;
    return t;
}

static wf_task *take_from(wf_slab *s)
{
    if (!s || is_full(s))
        return NULL;
    return s->free ? pop(s) : carve(s);
}

/* Keeps B5 and B6 after a slot was freed in a slab that is not current for its class. */
static void free_aside(wf_heap *h, wf_region *r, wf_slab *s, bool was_full)
{
    if (s->n_used == 0)
        slab_end(h, r, s);
    else if (was_full)
        room_add(h, s);
}

static void free_owner(wf_heap *h, wf_region *r, wf_task *t)
{
    wf_slab *s = slab_of(r, t);
    bool     current = s == h->current[s->class], was_full = !current && is_full(s);

    WF_ASSERT(s->n_used > 0 && s->n_used <= s->n_carved); /* B7 */
    t->next = s->free;
    s->free = t;
    s->n_used--;
    if (__builtin_expect(!current, 0)) {
        free_aside(h, r, s, was_full);
    } else if (__builtin_expect(s->n_used == 0 && s->n_pages > 1, 0)) {
        /* An empty slab of one page stays current, for the next task. A larger one goes. */
        h->current[s->class] = NULL;
        slab_end(h, r, s);
    }
}

/* Takes back the slots that other threads have freed. */
static void collect(wf_heap *h)
{
    wf_region *after;

    for (wf_region *r = h->regions; r; r = after) {
        wf_task *t, *next;

        /* Freeing may drop the region. The load saves a read-modify-write of a shared cache line
         * where nothing was freed. One swap takes the whole stack, so there is no ABA problem. */
        after = r->heap_next;
        if (!wf_load(&r->remote, RELAXED)) /* the swap looks again */
            continue;
        for (t = wf_swap(&r->remote, NULL, ACQUIRE); t; t = next) { /* [slab-1] */
            next = t->next;
            free_owner(h, r, t);
        }
    }
}

WF_SELDOM static wf_task *take_slow(wf_heap *h, uint32_t class)
{
    wf_task *t = take_from(h->current[class]);
    wf_slab *s;

    if (t)
        return t;
    /* The slab is full, and no list has it. The thread that frees one of its slots lists it. */
    h->current[class] = NULL;
    collect(h);
    s = h->room[class];
    if (s)
        room_remove(h, s);
    else if (!(s = slab_new(h, class)))
        return NULL;
    h->current[class] = s;
    return take_from(s);
}

WF_SELDOM static wf_task *take_seldom(wf_heap *h, size_t size)
{
    uint32_t class = wf_slot_class(size);
    wf_task *t = class < WF_SLAB_CLASSES ? take_slow(h, class) : NULL;

    if (t && wf_load(&is_watched, RELAXED)) /* constant */
        wf_memcheck_use(&t->frame, size - offsetof(wf_task, frame));
    return t;
}

/* The fast path: a small slot is wanted, and the slab that is current for its size has a free
 * one. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    size_t   n = (size - 1) / WF_SLOT_STEP;
    wf_slab *s = __builtin_expect(n < WF_SLOT_STEPS, 1) ? h->current[n] : NULL;

    if (__builtin_expect(s && s->free && !wf_load(&is_watched, RELAXED), 1)) /* constant */
        return pop(s);
    return take_seldom(h, size);
}

/* ---- slots of other heaps ---- */

static void give_back(wf_region *r, wf_task *first, wf_task *last, uint32_t n)
{
    wf_task *before = wf_load(&r->remote, RELAXED); /* the CAS checks it */

    do {
        if (before == WF_ORPHAN) {
            wf_region_freed_orphans(r, n);
            return;
        }
        last->next = before;
    } while (!wf_cas(&r->remote, &before, first, RELEASE)); /* [slab-1] */
}

void wf_heap_flush_owner(wf_heap *h)
{
    if (h->n_sends == 0)
        return;
    give_back(h->sends_to, h->sends_first, h->sends_last, h->n_sends);
    h->n_sends = 0;
}

void wf_heap_tidy_owner(wf_heap *h)
{
    wf_heap_flush_owner(h);
    collect(h);
}

/* Gathers slots of one foreign region, to send many of them by one compare-and-swap. */
static void send_later(wf_heap *h, wf_region *r, wf_task *t)
{
    if (h->n_sends > 0 && (h->sends_to != r || h->n_sends == SENDS_MOST))
        wf_heap_flush_owner(h);
    if (h->n_sends++ == 0) {
        h->sends_to = r;
        h->sends_last = t;
    } else {
        t->next = h->sends_first;
    }
    h->sends_first = t;
}

WF_SELDOM static void free_seldom(wf_heap *h, wf_region *r, wf_task *t)
{
    if (wf_load(&is_watched, RELAXED)) /* constant */
        wf_memcheck_unuse(&t->frame, t->frame.future.ops->size);
    wf_store(&t->state, 0, RELEASE); /* [slab-1] */
    if (!h)
        give_back(r, t, t, 1);
    else if (wf_load(&r->heap, RELAXED) == h) /* h's owner set it, so the answer is never stale */
        free_owner(h, r, t);
    else
        send_later(h, r, t);
}

/* The fast path: the slot belongs to the caller's own heap, to a small slab that is current. A slab
 * is current most of the time, see wf_heap_take_owner. */
void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    wf_region *r = wf_region_of(t);
    wf_slab   *s = &r->slab[r->first_page[(uintptr_t)t / WF_PAGE_SIZE % WF_REGION_PAGES]];

    if (__builtin_expect(!h || wf_load(&r->heap, RELAXED) != h || /* h's owner set it */
                             h->current[s->class] != s || s->n_pages > 1 ||
                             wf_load(&is_watched, RELAXED), /* constant */
                         0)) {
        free_seldom(h, r, t);
        return;
    }
    WF_ASSERT(s->n_used > 0 && s->n_used <= s->n_carved); /* B7 */
    wf_store(&t->state, 0, RELEASE);                      /* [slab-1] to visitors */
    t->next = s->free;
    s->free = t;
    s->n_used--;
}
