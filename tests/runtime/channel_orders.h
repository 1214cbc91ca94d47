/*
 * channel_orders.h - what explored tests of channels and other things to wait for share
 *
 * Each thread of the explorer is an executor of its own, which polls its wait and sleeps until it
 * is woken. The memory of the channel is counted, and no thread may touch it once it was released.
 * It is released only after each thread has begun to close its last end.
 * The file under test is included after this one.
 */
#ifndef CHANNEL_ORDERS_H
#define CHANNEL_ORDERS_H

#include "../sched/explore.h"

#include <ck_backoff.h>
#include <time.h>
#define ck_backoff_eb(backoff)                                                                     \
    (*(backoff) = WF_LOCK_LAST) /* a thread that waits for a lock lets others go on */
#define nanosleep(time, left) explore_wait()
#include "inner.h"
#include "rt.h"

static struct memory memory;
static weft_runtime  rt;
static int           n_wakers;
static const void   *channel;               /* its memory */
static int           left[EXPLORE_THREADS]; /* set by each thread before it closes its last end */
static uint32_t      passed;                /* another thread has passed a kept wait */
static struct {
    weft_wait  wait;
    weft_waker waker;
    uint32_t   woken;
    bool       spent; /* the next poll has no budget */
} of[EXPLORE_THREADS];

static inline weft_waker of_clone(void *data)
{
    n_wakers++;
    return of[(intptr_t)data].waker;
}

static inline void of_drop(void *data)
{
    (void)data;
    n_wakers--;
}

static inline void of_wake_by_ref(void *data)
{
    wf_store(&of[(intptr_t)data].woken, 1, SEQ_CST);
    wf_futex_wake(&of[(intptr_t)data].woken, 1);
}

static inline void of_wake(void *data)
{
    of_wake_by_ref(data);
    of_drop(data);
}

static inline void *of_allocate(void *arg, size_t size)
{
    return memory_allocate(arg, size);
}

static inline void leave_as(int i)
{
    wf_store(&left[i], 1, RELAXED); /* ordered by the end that is closed next */
}

static inline void of_release(void *arg, void *block, size_t size)
{
    if (block == channel)
        for (int i = 0; i < explorer.n; i++)
            check_eq(wf_load(&left[i], RELAXED), 1);
    memory.live -= (int64_t)size;
    explore_release(arg, block, size);
}

static inline void set_up_executors(void)
{
    static const weft_waker_vtable vtable = {of_clone, of_wake, of_wake_by_ref, of_drop, NULL};

    memory = (struct memory){0};
    rt.config.allocator = (weft_allocator){of_allocate, of_release, &memory};
    wf_current_thread.rt = &rt;
    n_wakers = 0;
    channel = NULL;
    passed = 0;
    memset(left, 0, sizeof left);
    for (intptr_t i = 0; i < EXPLORE_THREADS; i++) {
        of[i].waker = (weft_waker){&vtable, (void *)i};
        of[i].woken = 0;
        of[i].spent = false;
    }
}

/* The first poll of each thread has no budget. */
static inline void spend_budgets(void)
{
    for (int i = 0; i < EXPLORE_THREADS; i++)
        of[i].spent = true;
}

static inline bool poll_future(int i, weft_future *future)
{
    weft_context cx;

    weft_context_init(&cx, &of[i].waker, &rt);
    if (of[i].spent)
        cx.budget = 0;
    of[i].spent = false;
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

/* Thread i runs the future to its end. */
static inline int64_t run_future(int i, weft_future *future)
{
    while (!poll_future(i, future))
        while (wf_swap(&of[i].woken, 0, SEQ_CST) == 0)
            wf_futex_wait(&of[i].woken, 0, INT64_MAX);
    return weft_future_result(future);
}

static inline bool poll(int i)
{
    return poll_future(i, &of[i].wait.future);
}

/* Runs the wait of thread i to its end. */
static inline int64_t run(int i)
{
    return run_future(i, &of[i].wait.future);
}

/* Cancels the wait of thread i, which is pending, and runs it to its end. */
static inline int64_t cancel(int i)
{
    if (!weft_poll_is_ready(weft_future_cancel(&of[i].wait.future)))
        run(i);
    return weft_future_result(&of[i].wait.future);
}

/* Polls the wait of thread i once, and cancels it. */
static inline int64_t run_or_cancel(int i)
{
    return poll(i) ? weft_future_result(&of[i].wait.future) : cancel(i);
}

/* The same. A wait that was cancelled has taken nothing. */
static inline int64_t run_or_give_up(int i)
{
    if (poll(i))
        return weft_future_result(&of[i].wait.future);
    check_eq(cancel(i), -ECANCELED);
    return -ECANCELED;
}

static inline void tell_passed(void)
{
    wf_store(&passed, 1, SEQ_CST);
    wf_futex_wake(&passed, INT32_MAX);
}

static inline void await_passed(void)
{
    while (wf_load(&passed, SEQ_CST) == 0)
        wf_futex_wait(&passed, 0, INT64_MAX);
}

/* Polls the wait of thread i once, and keeps it. Once another thread has had its turn, polls it to
 * its end. Two sleep for ever if the kept wait has what the other one waits for. */
static inline int64_t run_kept(int i)
{
    weft_future *f = &of[i].wait.future;

    if (poll(i))
        return weft_future_result(f);
    check(wf_outer_of(f)->keep(f));
    await_passed();
    return run(i);
}

/* The same, and the first of these polls has no budget. */
static inline int64_t run_kept_without_budget(int i)
{
    weft_future *f = &of[i].wait.future;

    if (poll(i))
        return weft_future_result(f);
    check(wf_outer_of(f)->keep(f));
    await_passed();
    of[i].spent = true;
    return run(i);
}

/* All threads have ended, no waker is kept, and the channel was released. */
static inline void check_nothing_is_left(void)
{
    for (int i = 0; i < explorer.n; i++)
        check(explorer.thread[i].ended);
    check_eq(n_wakers, 0);
    check_eq(memory.live, 0);
}

#endif
