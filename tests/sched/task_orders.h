/*
 * task_orders.h - the real state word of a task under the explorer, and a join of it
 *
 * The test has its own queue of one slot, since a task is in at most one queue, and its own heap.
 */
#ifndef TASK_ORDERS_H
#define TASK_ORDERS_H

#include "explore.h"

#include <ck_backoff.h>
#define ck_backoff_eb(backoff)                                                                     \
    (*(backoff) = WF_LOCK_LAST) /* a thread that waits for JLOCK yields */
#define nanosleep(time, left) explore_wait()
#include "join.c"
#include "task.c"
#include "waker.c"

static wf_task    *task;
static wf_heap    *heap; /* NULL: a freed slot stays free; else the next task gets it */
static weft_handle handle;
static int64_t     n_queued, n_freed; /* how often the task is queued, and was freed */
static int         data[2], seen[2];  /* what wakers wrote and polls read */
static int         n_polls, n_taken;  /* polls, counted by modelled writes and by plain ones */
static int         n_yields;          /* polls that are to yield */
static bool        cancelled;
static int         dropped; /* written before a reference goes, where free_sees it */
static bool        free_sees;
static int         result;       /* what the task left, beside what it returned */
static int         n_cloned;     /* written by the joiner as its waker is cloned */
static const void *told, *woken; /* the join that got the result at once; the join that was woken */
static bool        there, visited; /* visitors can cancel the task; a visitor has done so */
static int         n_wakers;       /* clones of the joiner's waker that are out */

void wf_dispatch_queue(wf_task *t)
{
    check(t == task);
    check_eq(wf_add(&n_queued, 1, RELEASE), 0); /* T1; every queue releases */
}

void wf_dispatch_queue_chain(wf_task *t)
{
    check(!t->next);
    wf_dispatch_queue(t);
}

static inline bool take(void)
{
    int64_t one = 1;

    return wf_cas(&n_queued, &one, 0, ACQ_REL); /* every queue acquires */
}

/* In place of slab.c. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    static _Alignas(wf_task) char slot[256];

    check_cmp(size, <=, sizeof slot);
    return h ? (void *)slot : explore_allocate(NULL, size);
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    check(t == task);
    if (free_sees)
        check_eq(wf_load(&dropped, RELAXED), 1); /* [task-3] */
    wf_store(&t->state, 0, RELEASE);
    n_freed++;
    if (!h)
        explore_release(NULL, t, offsetof(wf_task, frame) + t->frame.future.ops->size);
}

struct nothing {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(7);
}

static inline void new_task(bool with_handle)
{
    wf_task_origin from = {weft_ops_nothing(), "", 0, offsetof(struct nothing, in), 0, "\0here"};

    task = wf_task_new_owner(heap, &from, with_handle);
}

static inline void set_up_for(wf_heap *h)
{
    wf_current_thread.heap = heap = h;
    new_task(true);
    handle = (weft_handle){.task_ = task};
    n_queued = 1;
    n_freed = 0;
    memset(data, 0, sizeof data);
    memset(seen, 0, sizeof seen);
    result = n_polls = n_taken = n_yields = n_cloned = dropped = 0;
    cancelled = free_sees = there = visited = false;
    told = woken = NULL;
    n_wakers = 0;
}

static inline void set_up(void)
{
    set_up_for(NULL);
}

/* Taken from its queue. */
static inline void poll_task(void)
{
    cancelled |= (wf_task_to_running(task) & WF_TASK_CANCEL) != 0;
    wf_store(&n_polls, wf_load(&n_polls, RELAXED) + 1, RELAXED); /* one polls at a time */
    n_taken++;
    for (int i = 0; i < 2; i++)
        seen[i] = wf_load(&data[i], RELAXED); /* ordered by the wake */
    if (n_yields > 0) {
        n_yields--;
        wf_dispatch_queue(task); /* RUNNING as it is */
    } else if (wf_task_to_idle(task) == WF_TASK_IDLE_REQUEUE) {
        wf_dispatch_queue(task);
    }
}

/* ---- a join ---- */

static const weft_waker_vtable joiner_vtable;
static const weft_waker        joiner[2] = {{&joiner_vtable, (void *)&joiner[0]},
                                            {&joiner_vtable, (void *)&joiner[1]}};

static inline weft_waker joiner_clone(void *which)
{
    n_wakers++;
    wf_store(&n_cloned, n_cloned + 1, RELAXED); /* ordered by JOINER or JLOCK */
    return (weft_waker){&joiner_vtable, which};
}

static inline void joiner_drop(void *which)
{
    (void)which;
    n_wakers--;
}

static inline void joiner_wake(void *which)
{
    check_cmp(wf_load(&n_cloned, RELAXED), >=, which == &joiner[1] ? 2 : 1);
    check_eq(wf_load(&result, RELAXED), 7);
    check(!woken);
    woken = which;
    joiner_drop(which);
}

static const weft_waker_vtable joiner_vtable = {joiner_clone, joiner_wake, joiner_wake, joiner_drop,
                                                NULL};

static inline void set_up_taken(void)
{
    set_up();
    n_queued = 0;
}

/* The last steps of a worker that has polled the task to READY. */
static inline void poll_to_ready(void)
{
    check(wf_task_to_running(task) & WF_TASK_RUNNING);
    (void)weft_ready(&task->frame.future, 7);
    wf_store(&result, 7, RELAXED); /* ordered by COMPLETE */
}

static inline void complete(void)
{
    poll_to_ready();
    wf_task_to_complete(task);
}

static inline bool join_with(const weft_waker *waker)
{
    if (wf_join_await(task, &handle, waker))
        told = waker;
    for (int i = 0; i < 2; i++)
        if (told || wf_task_is_complete(task))
            check(task->frame.future.result == 7 && wf_load(&result, RELAXED) == 7);
    return told;
}

/* Between two joins the handle may move. */
static inline void unjoin(void)
{
    wf_join_withdraw(task);
    check(!handle.waker_.vtable);
    memset(&handle, 0xdd, sizeof handle);
}

/* A cancelled join, and then the handle is dropped. */
static inline void join_and_leave(void)
{
    if (!wf_join_await(task, &handle, &joiner[0]))
        unjoin();
    wf_task_unref_handle(task);
}

static inline void freed_once(void)
{
    check_eq(n_wakers, 0);
    check_eq(n_queued, 0);
    check_eq(n_freed, 1);
}

#endif
