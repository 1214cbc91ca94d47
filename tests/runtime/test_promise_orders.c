/*
 * test_promise_orders.c - the real promise and its queue of waits in every order of their steps
 *
 * Each thread is an executor of its own, which polls its wait and sleeps until it is woken.
 */
#include "../sched/explore.h"

#include <ck_backoff.h>
#include <time.h>
#define ck_backoff_eb(backoff)                                                                     \
    (*(backoff) = 512) /* a thread that waits for a lock lets others go on */
#define nanosleep(time, left) explore_wait()
#include "promise.c"
#include "waits.c"
#include "waker.c"

#define THREADS 3
#define NOTHING 100 /* no result of these tests */

static weft_promise promise;
static int          value; /* written by a thread before it completes the promise */
static struct {
    weft_wait  wait;
    weft_waker waker;
    uint32_t   woken;
    int64_t    result;
} of[THREADS];
static int n_wakers;

static weft_waker waker_clone(void *data)
{
    n_wakers++;
    return of[(intptr_t)data].waker;
}

static void waker_drop(void *data)
{
    (void)data;
    n_wakers--;
}

static void waker_wake_by_ref(void *data)
{
    wf_store(&of[(intptr_t)data].woken, 1, SEQ_CST);
    wf_futex_wake(&of[(intptr_t)data].woken, 1);
}

static void waker_wake(void *data)
{
    waker_wake_by_ref(data);
    waker_drop(data);
}

static void set_up(void)
{
    static const weft_waker_vtable vtable = {waker_clone, waker_wake, waker_wake_by_ref, waker_drop,
                                             NULL};

    promise = (weft_promise){0};
    n_wakers = value = 0;
    for (intptr_t i = 0; i < THREADS; i++) {
        of[i].waker = (weft_waker){&vtable, (void *)i};
        of[i].woken = 0;
        of[i].result = NOTHING;
    }
}

static bool poll(int i)
{
    weft_context cx;

    weft_context_init(&cx, &of[i].waker, NULL);
    return weft_poll_is_ready(weft_future_poll(&of[i].wait.future, &cx));
}

static void run(int i)
{
    while (!poll(i))
        while (wf_swap(&of[i].woken, 0, SEQ_CST) == 0)
            wf_futex_wait(&of[i].woken, 0, INT64_MAX);
}

/* What was written before the promise was completed is seen. */
static void note(int i, int64_t result)
{
    of[i].result = result;
    if (result == 7)
        check_eq(wf_load(&value, RELAXED), 7); /* ordered by the promise */
}

static void wait(int i)
{
    weft_promise_get(&of[i].wait, &promise);
    run(i);
    note(i, weft_future_result(&of[i].wait.future));
}

/* ---- the threads ---- */

static void complete_0(void)
{
    wf_store(&value, 7, RELAXED); /* ordered by the promise */
    of[0].result = weft_promise_complete(&promise, 7);
}

static void complete_1(void)
{
    of[1].result = weft_promise_complete(&promise, 8);
}

static void wait_1(void)
{
    wait(1);
}

static void wait_2(void)
{
    wait(2);
}

static void give_up_1(void)
{
    weft_promise_get(&of[1].wait, &promise);
    if (!poll(1) && !weft_poll_is_ready(weft_future_cancel(&of[1].wait.future)))
        run(1);
    note(1, weft_future_result(&of[1].wait.future));
}

static void look_1(void)
{
    int64_t result = NOTHING;

    if (weft_promise_try_get(&promise, &result) == 0)
        note(1, result);
    else
        check_eq(result, NOTHING);
}

/* ---- the claims ---- */

static void nothing_is_left(void)
{
    check_eq(n_wakers, 0);
    check(promise.complete_ && !promise.waits_.first_ && !promise.waits_.last_);
}

static void one_had_it(void)
{
    nothing_is_left();
    check_eq(of[0].result, 0);
    check(of[1].result == 7 || of[1].result == -ECANCELED || of[1].result == NOTHING);
    check(of[2].result == 7 || of[2].result == NOTHING);
}

static void all_had_it(void)
{
    one_had_it();
    check(of[1].result == 7 && of[2].result == 7);
}

static void one_completed_it(void)
{
    nothing_is_left();
    check((of[0].result == 0 && of[1].result == -EALREADY && of[2].result == 7) ||
          (of[0].result == -EALREADY && of[1].result == 0 && of[2].result == 8));
}

Test(promise_orders, two_waits_get_the_result)
{
    explore(3, 1, set_up, all_had_it, 3, (void (*const[])(void)){complete_0, wait_1, wait_2});
}

Test(promise_orders, a_wait_that_gives_up_leaves_the_other)
{
    explore(3, 1, set_up, one_had_it, 3, (void (*const[])(void)){complete_0, give_up_1, wait_2});
}

Test(promise_orders, a_look_sees_all_or_nothing)
{
    explore(6, 2, set_up, one_had_it, 2, (void (*const[])(void)){complete_0, look_1});
}

Test(promise_orders, one_of_two_completes_it)
{
    explore(3, 1, set_up, one_completed_it, 3,
            (void (*const[])(void)){complete_0, complete_1, wait_2});
}
