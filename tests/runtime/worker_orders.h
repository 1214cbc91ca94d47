/*
 * worker_orders.h - what explored tests of structures of tasks share: threads that poll the tasks
 *
 * The state words, joins and ends of the tasks are real. Queues and memory are the test's own.
 */
#ifndef WORKER_ORDERS_H
#define WORKER_ORDERS_H

#include "channel_orders.h"

#include <weft/fiber.h>

#include "join.c"
#include "task.c"
#include "waits.c"
#include "waker.c"

#define TASKS 2

static wf_task *task[TASKS]; /* in the order in which they were spawned */
static int      n_tasks, n_freed;
static int64_t  queued[TASKS];
static int64_t  result[TASKS];
static bool     stays[TASKS];          /* the task ends only when it is cancelled */
static void (*last_step[TASKS])(void); /* of the task before it ends, or NULL */
static int      done[TASKS];           /* written by the task before it ends */
static int      closed;                /* no task may be spawned any more */
static bool     ended[TASKS];          /* its worker need not look for it any more */
static uint32_t n_events;              /* for the workers that sleep */

/* ---- in place of the scheduler ---- */

static inline void call_workers(void)
{
    wf_add(&n_events, 1, SEQ_CST);
    wf_futex_wake(&n_events, INT_MAX);
}

void wf_dispatch_queue(wf_task *t)
{
    check_eq(wf_add(&queued[t == task[1]], 1, RELEASE), 0); /* every queue releases */
    call_workers();
}

/* The task will not be spawned. */
static inline void do_without(int i)
{
    ended[i] = true;
    call_workers();
}

void wf_dispatch_queue_chain(wf_task *t)
{
    for (wf_task *next; t; t = next) {
        next = t->next;
        wf_dispatch_queue(t);
    }
}

wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    (void)h;
    return explore_allocate(NULL, size);
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    (void)h;
    n_freed++;
    explore_release(NULL, t, offsetof(wf_task, frame) + t->frame.future.ops->size);
}

int weft_spawn_here_(weft_handle *ret_handle, const weft_future_ops *ops, uint32_t at,
                     const void *args, size_t size, const char *site)
{
    wf_task_origin from = {ops, args, size, at, 0, site};
    wf_task       *t = wf_task_new_owner(NULL, &from, true);

    check(!closed && n_tasks < TASKS);
    *ret_handle = (weft_handle){.task_ = t};
    task[n_tasks++] = t;
    wf_dispatch_queue(t);
    return 0;
}

int weft_spawn_(weft_runtime *runtime, weft_handle *ret_handle, int64_t pin,
                const weft_future_ops *ops, uint32_t at, const void *args, size_t size,
                const char *site)
{
    (void)runtime;
    (void)pin;
    return weft_spawn_here_(ret_handle, ops, at, args, size, site);
}

int weft_fiber_spawn_(weft_runtime *runtime, weft_handle *ret_handle,
                      const weft_fiber_options *options, weft_fiber_function *function,
                      void *argument, const char *site)
{
    (void)runtime, (void)ret_handle, (void)options, (void)function, (void)argument, (void)site;
    return -ENOSYS; /* a fiber is a task to a set: only async functions are explored */
}

/* The workers poll it themselves. */
struct nothing {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(0);
}

static inline void set_up_tasks(void)
{
    set_up_executors();
    n_tasks = n_freed = closed = 0;
    n_events = 0;
    for (int i = 0; i < TASKS; i++) {
        task[i] = NULL;
        last_step[i] = NULL;
        queued[i] = done[i] = 0;
        stays[i] = ended[i] = false;
        result[i] = 7 + i;
    }
}

/* ---- workers ---- */

static inline bool poll_task(int i)
{
    int64_t  one = 1;
    uint64_t state;

    if (!wf_cas(&queued[i], &one, 0, ACQ_REL)) /* every queue acquires */
        return false;
    state = wf_task_to_running(task[i]);
    if (stays[i] && !(state & WF_TASK_CANCEL)) {
        if (wf_task_to_idle(task[i]) == WF_TASK_IDLE_REQUEUE)
            wf_dispatch_queue(task[i]);
        return true;
    }
    if (last_step[i])
        last_step[i]();
    (void)weft_ready(&task[i]->frame.future, stays[i] ? -ECANCELED : result[i]);
    wf_store(&done[i], 1, RELAXED); /* ordered by the end */
    wf_task_to_complete(task[i]);
    ended[i] = true;
    return true;
}

/* Polls the tasks each time they are queued, until they have ended. */
static inline void work_on(int first, int end)
{
    int n_left = end - first;

    while (n_left > 0) {
        uint32_t seen = wf_load(&n_events, SEQ_CST);
        bool     any = false;

        n_left = 0;
        for (int i = first; i < end; i++) {
            any |= poll_task(i);
            n_left += !ended[i];
        }
        if (!any && n_left > 0)
            wf_futex_wait(&n_events, seen, INT64_MAX);
    }
}

static inline void work_on_first(void)
{
    work_on(0, 1);
}

static inline void work_on_second(void)
{
    work_on(1, 2);
}

static inline void work_on_both(void)
{
    work_on(0, TASKS);
}

/* What the tasks did is seen by a thread that knows of their ends. */
static inline void check_tasks_are_done(void)
{
    for (int i = 0; i < n_tasks; i++)
        check_eq(wf_load(&done[i], RELAXED), 1); /* ordered by the ends and by the lock */
}

static inline void check_tasks_are_freed(void)
{
    check_nothing_is_left();
    check_eq(n_freed, n_tasks);
}

#endif
