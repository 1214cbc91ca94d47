/* region.c - see region.h */
#include "region.h"

#include "lock.h"
#include "memcheck.h"
#include "rt.h"
#include "task.h"

#include <string.h>

void wf_region_release(wf_region *r)
{
    weft_allocator alloc = r->alloc;
    void          *raw = r->raw;
    size_t         size = r->size;

    wf_memcheck_use((void *)r, size);
    wf_release_block(&alloc, raw, size, WF_REGION_SIZE);
}

wf_region *wf_region_new(wf_memory *m, wf_region_kind kind)
{
    const weft_allocator *alloc = &m->rt->config.allocator;
    void                 *raw;
    wf_region            *r = wf_alloc_block(alloc, kind.size, WF_REGION_SIZE, kind.huge, &raw);

    if (!r)
        return NULL;
    memset(r, 0, sizeof *r);
    r->huge = kind.huge;
    r->rt = m->rt;
    r->size = kind.size;
    r->raw = raw;
    r->alloc = *alloc;
    r->free_pages = UINT32_MAX;
    return r;
}

void wf_region_freed_orphans(wf_region *r, int64_t n)
{
    if (wf_sub(&r->n_left, n, ACQ_REL) == n) /* [slab-3] */
        wf_region_release(r);
}

/* ---- all regions of a runtime ---- */

void wf_memory_add(wf_memory *m, wf_region *r)
{
    wf_lock(&m->lock);
    r->next = m->first;
    if (m->first)
        m->first->prev = r;
    m->first = r;
    wf_unlock(&m->lock);
}

void wf_memory_remove(wf_memory *m, wf_region *r)
{
    wf_lock(&m->lock);
    if (r->next)
        r->next->prev = r->prev;
    if (r->prev)
        r->prev->next = r->next;
    else
        m->first = r->next;
    wf_unlock(&m->lock);
}

static void visit_slab(wf_region *r, const wf_slab *s, void (*visit)(wf_task *t, void *arg),
                       void *arg)
{
    uint32_t n = wf_load(&s->n_carved, ACQUIRE); /* [slab-2] */

    for (uint32_t i = 0; i < n; i++) {
        wf_task *t = wf_region_slot(r, s, i);

        /* A state other than 0 was stored after the task's fields were written. */
        if (wf_load(&t->state, ACQUIRE) != 0) /* [task-1] */
            visit(t, arg);
    }
}

void wf_memory_visit(wf_memory *m, void (*visit)(wf_task *t, void *arg), void *arg)
{
    wf_lock(&m->lock);
    for (wf_region *r = m->first; r; r = r->next)
        for (uint32_t page = 0; page < WF_REGION_PAGES; page++)
            visit_slab(r, &r->slab[page], visit, arg);
    wf_unlock(&m->lock);
}

const wf_task *wf_memory_find_locked(const wf_memory *m, uint64_t address)
{
    const wf_region *r = m->first;
    const wf_task   *t = (const wf_task *)(uintptr_t)address;
    const wf_slab   *s;
    size_t           at, page;

    while (r && (address < (uintptr_t)r || address >= (uintptr_t)r + r->size))
        r = r->next;
    if (!r)
        return NULL;
    at = (size_t)(address - (uintptr_t)r);
    page = at / WF_PAGE_SIZE;
    s = &r->slab[r->first_page[page < WF_REGION_PAGES ? page : 0]];
    if (s->capacity == 0 || at < s->offset)
        return NULL;
    at -= s->offset;
    if (at % (s->slot_size * WF_SLOT_STEP) != 0 ||
        at / (s->slot_size * WF_SLOT_STEP) >= wf_load(&s->n_carved, ACQUIRE)) /* [slab-2] */
        return NULL;
    return wf_load(&t->state, ACQUIRE) != 0 ? t : NULL; /* [task-1] */
}

void wf_memory_remind(wf_memory *m, void (*tell)(wf_heap *h))
{
    wf_lock(&m->lock);
    for (wf_region *r = m->first; r; r = r->next)
        if (wf_load(&r->remote, RELAXED)) /* the owner's swap looks again */
            tell(r->heap);
    wf_unlock(&m->lock);
}

/* How many slots of the region are in use, without those in the chain, which are free. */
static int64_t count_used(const wf_region *r, const wf_task *chain)
{
    int64_t n = 0;

    for (uint32_t page = 0; page < WF_REGION_PAGES; page++)
        n += r->slab[page].n_used;
    for (; chain; chain = chain->next)
        n--;
    return n;
}

void wf_memory_close(wf_memory *m)
{
    for (wf_region *r = m->first, *next; r; r = next) {
        int64_t n;

        next = r->next;
        wf_store(&r->heap, NULL, RELAXED); /* no owner is left to race with */
        n = count_used(r, wf_swap(&r->remote, WF_ORPHAN, ACQ_REL)); /* [slab-1] */
        /* Threads that have freed slots since the swap have subtracted them already, so n_left may
         * be negative here. The thread whose step makes it 0 frees the region. */
        if (wf_add(&r->n_left, n, ACQ_REL) + n == 0) /* [slab-3] */
            wf_region_release(r);
    }
    m->first = NULL;
}
