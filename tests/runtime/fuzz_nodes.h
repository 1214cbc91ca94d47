/*
 * fuzz_nodes.h - the parts of the fuzzer of futures: random numbers, memory, tasks, leaves
 *
 * Everything happens on one thread, in an order that the seed decides. Tasks, wakers and groups are
 * the real ones (branch.c, combine.c, task.c and waker.c are part of the test). The test itself is
 * the executor, the heap and the reactor. It fills freed memory with a pattern, which must be
 * unchanged at the end. With ASan it frees the memory instead.
 */
#ifndef FUZZ_NODES_H
#define FUZZ_NODES_H

#include "../helpers.h"

#include "branch.c"
#include "combine.c"
#include "join.c"
#include "task.c"
#include "timer.h"
#include "waker.c"

#include <unistd.h>

#define PATTERN  0x5a
#define LEAVES   4096
#define TASKS    64
#define HOUR     WEFT_S(3600)
#define REFUSALS 600 /* polls in a row that found no budget: more is starving */

static struct fuzz {
    uint64_t seed, random;
    bool     finishing;   /* every leaf is ready, and time flies */
    bool     starves;     /* busy leaves end late */
    bool     has_orphans; /* there were some: such a future waits for an owner, however woken */

    struct leaf *leaf[LEAVES]; /* polled and not READY */
    int          n_leaves;
    wf_task     *queue[TASKS];
    int          n_queued, n_tasks;
    weft_waker   left[TASKS]; /* clones that outlive their futures */
    int          n_left;
    struct node *orphan[TASKS]; /* pending, without an owner */
    int          n_orphans;
    uint32_t     spent; /* operations of this poll */
    uint64_t     turn;  /* polls of tasks so far */
    int64_t      hour, base;
    void        *freed; /* a list; not with ASan */
} fuzz;

/* ---- failing ---- */

static void say_seed(void)
{
    char text[80];
    int  n =
        snprintf(text, sizeof text, "replay with FUZZ_SEED=%llu\n", (unsigned long long)fuzz.seed);

    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return;
}

#define expect(condition, what)                                                                    \
    ((condition) ? (void)0                                                                         \
                 : (say_seed(), test_fail(__FILE__, __LINE__, "%s: %s", (what), #condition)))

/* ---- chance ---- */

static uint32_t dice(uint32_t n)
{
    fuzz.random ^= fuzz.random << 13;
    fuzz.random ^= fuzz.random >> 7;
    fuzz.random ^= fuzz.random << 17;
    return (uint32_t)((fuzz.random * 0x2545f4914f6cdd1d) >> 33) % n;
}

/* ---- memory ---- */

struct block {
    struct block *next;
    size_t        size;
};

static void *take(size_t size)
{
    struct block *b = malloc(sizeof *b + size);

    b->size = size;
    memset(b + 1, 0xa5, size);
    return b + 1;
}

static void give(void *memory)
{
    struct block *b = (struct block *)memory - 1;

    if (TEST_ASAN) {
        free(b);
        return;
    }
    memset(memory, PATTERN, b->size);
    b->next = fuzz.freed;
    fuzz.freed = b;
}

static void nothing_touched_what_was_freed(void)
{
    for (struct block *b = fuzz.freed, *next; b; b = next) {
        const unsigned char *byte = (unsigned char *)(b + 1);

        for (size_t i = 0; i < b->size; i++)
            expect(byte[i] == PATTERN, "memory was written to after it was free");
        next = b->next;
        free(b);
    }
    fuzz.freed = NULL;
}

/* Replaces slab.c. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    wf_task *t = take(size);

    (void)h;
    t->state = 0;
    fuzz.n_tasks++;
    return t;
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    (void)h;
    fuzz.n_tasks--;
    give(t);
}

/* Replaces dispatch.c. */
void wf_dispatch_queue(wf_task *t)
{
    expect(t->state & WF_TASK_REFS_MASK && !(t->state & WF_TASK_COMPLETE),
           "a task that ended is queued");
    for (int i = 0; i < fuzz.n_queued; i++)
        expect(fuzz.queue[i] != t, "a task is queued twice");
    fuzz.queue[fuzz.n_queued++] = t;
}

void wf_dispatch_queue_chain(wf_task *t)
{
    for (wf_task *next; t; t = next) {
        next = t->next;
        wf_dispatch_queue(t);
    }
}

/* ---- leaves ---- */

struct leaf {
    weft_future future;
    weft_waker  waker;
    int64_t     value, when_cancelled;
    bool        fired, clones, lingers, spends, busy, leaves_waker;
    int         refusals, n_cancels, n_polls;
    uint64_t    fired_at; /* the turn in which it was woken */
    uint64_t    cancelled_at;
};

static void leaf_forget(struct leaf *l)
{
    if (!l->clones) {
        wf_waker_forget(&l->waker);
    } else if (l->waker.vtable) {
        if (l->leaves_waker && fuzz.n_left < TASKS)
            fuzz.left[fuzz.n_left++] = l->waker;
        else
            weft_waker_drop(l->waker);
    }
    l->waker.vtable = NULL;
}

static weft_poll leaf_end(struct leaf *l, int64_t result)
{
    leaf_forget(l);
    for (int i = 0; i < fuzz.n_leaves; i++)
        if (fuzz.leaf[i] == l)
            fuzz.leaf[i] = fuzz.leaf[--fuzz.n_leaves];
    return weft_ready(&l->future, result);
}

static bool leaf_spend(struct leaf *l, weft_context *cx)
{
    bool had = cx->budget > 0;

    if (weft_context_spend(cx))
        fuzz.spent++;
    l->refusals = had ? 0 : l->refusals + 1;
    expect(l->refusals <= REFUSALS, "a leaf starves: each poll finds the budget gone");
    return had;
}

static void leaf_wait(struct leaf *l, weft_context *cx)
{
    if (!l->clones) {
        wf_waker_store(&l->waker, cx->waker);
    } else if (!l->waker.vtable || !weft_waker_will_wake(&l->waker, cx->waker)) {
        leaf_forget(l);
        l->waker = weft_waker_clone(cx->waker);
    }
}

static weft_poll leaf_poll(weft_future *future, weft_context *cx)
{
    struct leaf *l = weft_container(future, struct leaf, future);
    bool         cancelled = weft_future_is_cancelled(future);

    if (l->n_polls++ == 0)
        fuzz.leaf[fuzz.n_leaves++] = l;
    expect(fuzz.n_leaves < LEAVES, "too many leaves");
    if (l->fired_at > 0 && !l->busy && !fuzz.has_orphans)
        expect(fuzz.turn - l->fired_at < 2 * REFUSALS,
               "a leaf starves: it was woken and not polled");
    l->fired_at = 0;
    if (l->cancelled_at > 0)
        expect(l->cancelled_at == fuzz.turn, "what is cancelled is polled at once");
    l->cancelled_at = 0;
    if (cancelled && !l->lingers)
        return leaf_end(l, l->when_cancelled);
    l->fired |= l->busy &&
                fuzz.finishing; /* it wakes itself all the time: nothing waits for an idle moment */
    if (l->busy && !(l->fired && (!fuzz.starves || l->n_polls > 3 * REFUSALS))) {
        while (leaf_spend(l, cx))
            ;
        return WEFT_PENDING;
    }
    if (l->spends && !cancelled && !leaf_spend(l, cx))
        return WEFT_PENDING;
    if (l->fired)
        return leaf_end(l, cancelled ? l->when_cancelled : l->value);
    leaf_wait(l, cx);
    return WEFT_PENDING;
}

static void leaf_cancel(weft_future *future)
{
    struct leaf *l = weft_container(future, struct leaf, future);

    expect(l->n_cancels++ == 0, "cancelled twice");
    l->cancelled_at = fuzz.turn;
}

/* Without a cancel function no waker is kept: such a leaf wakes itself. */
static weft_poll selfish_poll(weft_future *future, weft_context *cx)
{
    struct leaf *l = weft_container(future, struct leaf, future);

    if (l->n_polls++ == 3)
        return weft_ready(future, l->value);
    weft_waker_wake_by_ref(cx->waker);
    return WEFT_PENDING;
}

static const weft_future_ops leaf_ops = {sizeof(struct leaf), WEFT_FUTURE_DRAINS, "leaf", leaf_poll,
                                         leaf_cancel};
static const weft_future_ops selfish_ops = {sizeof(struct leaf), 0, "selfish", selfish_poll, NULL};

static void fire(struct leaf *l, bool ready)
{
    wf_wakes   wakes = {0};
    weft_waker waker = l->waker;

    l->fired |= ready;
    if (l->waker.vtable && l->fired_at == 0)
        l->fired_at = fuzz.turn + 1;
    if (!l->clones) {
        wf_waker_fire(&l->waker, &wakes);
        wf_wakes_flush(&wakes);
    } else if (waker.vtable) {
        l->waker.vtable = NULL;
        weft_waker_wake(waker);
    }
}

static int64_t some_result(void)
{
    return dice(3) == 0 ? -EIO - (int64_t)dice(3) : (int64_t)dice(100);
}

static weft_future *leaf_make(struct leaf *l)
{
    *l = (struct leaf){.value = some_result(),
                       .when_cancelled = dice(4) ? -ECANCELED : some_result(),
                       .fired = dice(4) == 0,
                       .clones = dice(3) == 0,
                       .lingers = dice(4) == 0,
                       .spends = dice(2) == 0,
                       .busy = dice(fuzz.starves ? 4 : 12) == 0,
                       .leaves_waker = dice(4) == 0};
    l->lingers &= !l->busy;
    weft_future_init(&l->future, dice(8) ? &leaf_ops : &selfish_ops);
    return &l->future;
}

#endif
