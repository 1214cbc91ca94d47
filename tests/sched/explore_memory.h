/*
 * explore_memory.h - the memory of the explorer's threads: all writes, and which of them are seen
 *
 * Each place (the address of an atomic) keeps the writes of the schedule in their order. Memory
 * itself has the newest one, for plain accesses. A thread has a view: for each place the oldest
 * write that it may still read. Reading or writing a place moves the thread's view of that place,
 * and of no other. A RELEASE write carries the view of its thread. An ACQUIRE read of that write
 * adds what it carries to the view of the reader. A RELAXED read does not, so later reads may still
 * see what was there before. docs/design/models.md says which orders of C11 this has.
 */
#ifndef EXPLORE_MEMORY_H
#define EXPLORE_MEMORY_H

#include "explore_schedule.h"

#define EXPLORE_THREADS 4
#define EXPLORE_PLACES  256
#define EXPLORE_BLOCK   8
#define EXPLORE_HASH    1024
#define EXPLORE_WRITES  (EXPLORE_STEPS + EXPLORE_PLACES)
#define EXPLORE_GAP     4096 /* between positions: room for writes that come before older ones */

struct explore_view {
    int     n;                    /* a multiple of EXPLORE_BLOCK: a compiler joins blocks quickly */
    int32_t seen[EXPLORE_PLACES]; /* a position, or 0 */
};

struct explore_write {
    struct explore_write      *older;
    int32_t                    position;
    bool                       rmw; /* no write comes between it and the older one */
    int                        thread;
    uint64_t                   value;
    struct explore_view       *carries; /* or NULL */
    const struct explore_site *site;
};

struct explore_place {
    char                 *at;
    size_t                size;
    int32_t               least; /* older writes are seen by no thread any more */
    struct explore_write *newest;
};

static struct explore_memory {
    int                  n_places, n_writes, n_views;
    struct explore_place place[EXPLORE_PLACES];
    struct explore_write write[EXPLORE_WRITES];
    struct explore_view  view[EXPLORE_WRITES];
    struct explore_view  thread[EXPLORE_THREADS];
    /* What the threads had seen at their SEQ_CST writes and futex calls. `behind` is what this view
     * was at the thread's latest SEQ_CST write, and `early` at its latest SEQ_CST access or
     * ACQUIRE. A SEQ_CST read may be done as early if only RELAXED reads came between. */
    struct explore_view seq_cst, behind[EXPLORE_THREADS], early[EXPLORE_THREADS];
    bool                may_be_early[EXPLORE_THREADS];
    uint64_t            n_schedules;
    struct {
        uint64_t schedule; /* in which the entry was made */
        int      place;
    } hash[EXPLORE_HASH];
} explorer_memory;

static bool explore_acquires(int order)
{
    return order == __ATOMIC_ACQUIRE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

static bool explore_releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* ---- places ---- */

static uint64_t explore_content(const void *at, size_t size)
{
    uint64_t value = 0;

    if (size == sizeof value) /* a compiler makes one load of it */
        memcpy(&value, at, sizeof value);
    else
        memcpy(&value, at, size);
    return value;
}

static struct explore_write *explore_add_write(struct explore_place *p, uint64_t value)
{
    struct explore_write *w = &explorer_memory.write[explorer_memory.n_writes++];

    check(explorer_memory.n_writes < EXPLORE_WRITES);
    *w = (struct explore_write){.older = p->newest, .value = value};
    w->position = (p->newest ? p->newest->position : 0) + EXPLORE_GAP;
    return p->newest = w;
}

static struct explore_place *explore_find(char *at)
{
    struct explore_memory *m = &explorer_memory;
    size_t                 h = ((uintptr_t)at >> 2) * 2654435761u;

    for (;; h++) {
        h %= EXPLORE_HASH;
        if (m->hash[h].schedule != m->n_schedules)
            break;
        if (m->place[m->hash[h].place].at == at)
            return &m->place[m->hash[h].place];
    }
    m->hash[h].schedule = m->n_schedules;
    m->hash[h].place = m->n_places++;
    check(m->n_places < EXPLORE_PLACES);
    m->place[m->hash[h].place] = (struct explore_place){.at = at};
    return &m->place[m->hash[h].place];
}

/* The place with this address. If a plain access has written there, all threads see what it
 * wrote: memory that begins a new life is initialised so, before its address is published. */
static struct explore_place *explore_place(const void *at, size_t size)
{
    struct explore_place *p = explore_find((char *)at);
    uint64_t              value = explore_content(at, size);

    check(size <= sizeof value);
    if (!p->newest || p->size != size || p->newest->value != value)
        p->least = explore_add_write(p, value)->position;
    p->size = size;
    return p;
}

/* ---- views ---- */

/* Makes room for n places. */
static void explore_widen(struct explore_view *view, int n)
{
    while (view->n < n) {
        memset(&view->seen[view->n], 0, EXPLORE_BLOCK * sizeof view->seen[0]);
        view->n += EXPLORE_BLOCK;
    }
}

static int32_t *explore_seen(struct explore_view *view, const struct explore_place *p)
{
    int at = (int)(p - explorer_memory.place);

    explore_widen(view, at + 1);
    return &view->seen[at];
}

static void explore_raise(int32_t *seen, int32_t position)
{
    if (*seen < position)
        *seen = position;
}

static void explore_join_view(struct explore_view *restrict to,
                              const struct explore_view *restrict from)
{
    explore_widen(to, from->n);
    for (int at = 0; at < from->n; at += EXPLORE_BLOCK)
        for (int i = at; i < at + EXPLORE_BLOCK; i++)
            to->seen[i] = to->seen[i] < from->seen[i] ? from->seen[i] : to->seen[i];
}

static void explore_copy(struct explore_view *to, const struct explore_view *from)
{
    to->n = from->n;
    memcpy(to->seen, from->seen, (size_t)from->n * sizeof from->seen[0]);
}

static struct explore_view *explore_copy_view(const struct explore_view *from)
{
    struct explore_view *v = &explorer_memory.view[explorer_memory.n_views++];

    check(explorer_memory.n_views < EXPLORE_WRITES);
    explore_copy(v, from);
    return v;
}

/* The oldest write there that the thread may read, or put a new write behind. `others` is NULL, or
 * what the thread has to see besides. */
static int32_t explore_least(int thread, const struct explore_place *p, struct explore_view *others)
{
    int32_t least = p->least;

    explore_raise(&least, *explore_seen(&explorer_memory.thread[thread], p));
    if (others)
        explore_raise(&least, *explore_seen(others, p));
    return least;
}

/* The thread has read or written there. */
static void explore_see(int thread, const struct explore_place *p, int32_t position, int order)
{
    explore_raise(explore_seen(&explorer_memory.thread[thread], p), position);
    if (order == __ATOMIC_SEQ_CST)
        explore_raise(explore_seen(&explorer_memory.seq_cst, p), position);
}

/* No later read of the thread is done before what it has just done. */
static void explore_order(int thread)
{
    explore_copy(&explorer_memory.early[thread], &explorer_memory.seq_cst);
    explorer_memory.may_be_early[thread] = false;
}

/* A SEQ_CST write: the others' SEQ_CST reads see what was before it. */
static void explore_push(int thread)
{
    struct explore_memory *m = &explorer_memory;

    explore_join_view(&m->seq_cst, &m->thread[thread]);
    explore_copy(&m->behind[thread], &m->seq_cst);
    explore_order(thread);
}

/* A SEQ_CST read. */
static void explore_pull(int thread, const struct explore_view *others)
{
    explore_join_view(&explorer_memory.thread[thread], others);
}

/* A read-modify-write that acquires is not done before an older SEQ_CST write. */
static void explore_stay_behind(int thread)
{
    explore_join_view(&explorer_memory.thread[thread], &explorer_memory.behind[thread]);
}

/* A read of this thread has got what `w` wrote. */
static void explore_acquire(int thread, const struct explore_write *w)
{
    if (w->carries)
        explore_join_view(&explorer_memory.thread[thread], w->carries);
    explore_order(thread);
}

/* Time has passed: every thread sees the newest writes. */
static void explore_all_is_seen(void)
{
    for (int i = 0; i < explorer_memory.n_places; i++)
        if (explorer_memory.place[i].newest)
            explorer_memory.place[i].least = explorer_memory.place[i].newest->position;
}

static void explore_forget_memory(void)
{
    explorer_memory.n_places = explorer_memory.n_writes = explorer_memory.n_views = 0;
    explorer_memory.seq_cst.n = 0;
    memset(explorer_memory.may_be_early, 0, sizeof explorer_memory.may_be_early);
    for (int i = 0; i < EXPLORE_THREADS; i++)
        explorer_memory.thread[i].n = explorer_memory.behind[i].n = explorer_memory.early[i].n = 0;
    explorer_memory.n_schedules++;
}

/* ---- accesses ---- */

/* Some writes of a place, the newest first, and for each older one the write that is passed over
 * with it. Three do: of the older writes the newest and the oldest, which are the least and the
 * most late. */
struct explore_options {
    struct explore_write *write[3], *passed[3];
    int                   n;
};

static void explore_add_option(struct explore_options *o, struct explore_write *passed)
{
    int at = o->n < 3 ? o->n++ : 2;

    o->write[at] = passed->older;
    o->passed[at] = passed;
}

static struct explore_write *explore_choose_write(const struct explore_options *o, const char *mark)
{
    int c = explore_choose(o->n);

    if (c > 0) {
        explorer_schedule.late--;
        explore_record(o->passed[c]->thread, mark, o->passed[c]->site);
    }
    return o->write[c];
}

/* Chooses which write is read: the newest one, or an older one with another value than
 * `unless`. */
static struct explore_write *explore_choose_read(const struct explore_place *p, int32_t least,
                                                 const uint64_t *unless)
{
    struct explore_options o = {.write = {p->newest}, .n = 1};

    for (struct explore_write *w = p->newest; explorer_schedule.late > 0 && w->position > least;
         w = w->older)
        if (!unless || w->older->value != *unless)
            explore_add_option(&o, w);
    return explore_choose_write(&o, "~");
}

/* What the thread has to see besides for a read with this order, or NULL. */
static struct explore_view *explore_others(int thread, int order)
{
    struct explore_memory *m = &explorer_memory;

    if (order != __ATOMIC_SEQ_CST)
        return NULL;
    return m->may_be_early[thread] ? &m->early[thread] : &m->seq_cst;
}

static void explore_have_read(int thread, const struct explore_place *p,
                              const struct explore_write *w, int order)
{
    struct explore_memory *m = &explorer_memory;

    if (order == __ATOMIC_SEQ_CST)
        explore_pull(thread, w == p->newest ? &m->seq_cst : explore_others(thread, order));
    explore_see(thread, p, w->position, order);
    if (explore_acquires(order))
        explore_acquire(thread, w);
    else
        m->may_be_early[thread] = true;
}

static uint64_t explore_read(int thread, const struct explore_place *p, int order)
{
    int32_t                     least = explore_least(thread, p, explore_others(thread, order));
    const struct explore_write *w = explore_choose_read(p, least, NULL);

    explore_have_read(thread, p, w, order);
    return w->value;
}

/* Chooses behind which write a new one comes: the newest, or an older one that the thread has not
 * read past. */
static struct explore_write *explore_choose_older(const struct explore_place *p, int32_t least)
{
    struct explore_options o = {.write = {p->newest}, .n = 1};

    for (struct explore_write *w = p->newest; explorer_schedule.late > 0 && w->position > least;
         w = w->older)
        if (!w->rmw)
            explore_add_option(&o, w);
    return explore_choose_write(&o, "<");
}

/* Puts a write directly behind `older`. */
static struct explore_write *explore_insert(struct explore_place *p, struct explore_write *older,
                                            uint64_t value)
{
    struct explore_write *newest = p->newest, *w, *next;

    w = explore_add_write(p, explore_content(&value, p->size)); /* without what overflowed */
    if (older == newest) {
        memcpy(p->at, &value, p->size);
        return w;
    }
    p->newest = newest;
    for (next = newest; next->older != older; next = next->older)
        ;
    next->older = w;
    w->older = older;
    w->position = older->position + (next->position - older->position) / 2;
    check(w->position > older->position);
    return w;
}

static void explore_written(int thread, struct explore_place *p, struct explore_write *w, int order,
                            const struct explore_site *site)
{
    w->thread = thread;
    w->site = site;
    explore_see(thread, p, w->position, order);
    if (explore_releases(order))
        w->carries = explore_copy_view(&explorer_memory.thread[thread]);
    if (order == __ATOMIC_SEQ_CST)
        explore_push(thread);
}

static void explore_write(int thread, struct explore_place *p, uint64_t value, int order,
                          const struct explore_site *site)
{
    struct explore_view  *others = order == __ATOMIC_SEQ_CST ? &explorer_memory.seq_cst : NULL;
    int32_t               least = explore_least(thread, p, others);
    struct explore_write *older = explore_choose_older(p, least);

    explore_written(thread, p, explore_insert(p, older, value), order, site);
}

/* A read-modify-write replaces the newest value, and carries on what that write carries. */
static void explore_replace(int thread, struct explore_place *p, uint64_t value, int order,
                            const struct explore_site *site)
{
    struct explore_write *older = p->newest, *w = explore_insert(p, older, value);

    w->rmw = true;
    if (explore_acquires(order)) {
        explore_stay_behind(thread);
        explore_acquire(thread, older);
    }
    explore_written(thread, p, w, order, site);
    if (w->carries && older->carries)
        explore_join_view(w->carries, older->carries);
    else if (older->carries)
        w->carries = older->carries;
}

/* A compare-and-swap that fails is a read with ACQUIRE. Returns what it found. */
static uint64_t explore_compare(int thread, struct explore_place *p, uint64_t expected,
                                uint64_t value, int order, const struct explore_site *site)
{
    int32_t                     least = explore_least(thread, p, &explorer_memory.behind[thread]);
    const struct explore_write *w = explore_choose_read(p, least, &expected);

    if (w->value == expected) {
        explore_replace(thread, p, value, order, site);
    } else {
        explore_stay_behind(thread);
        explore_have_read(thread, p, w, __ATOMIC_ACQUIRE);
    }
    return w->value;
}

#endif
