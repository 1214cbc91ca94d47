/*
 * test_mutex_orders.c - the real mutex and its queue of waits in every order of their steps
 *
 * Each thread is an executor of its own, which polls its wait and sleeps until it is woken.
 */
#include "../sched/explore.h"

#include <ck_backoff.h>
#include <time.h>
#define ck_backoff_eb(backoff)                                                                     \
    (*(backoff) = 512) /* a thread that waits for a lock lets others go on */
#define nanosleep(time, left) explore_wait()
#include "mutex.c"
#include "waits.c"
#include "waker.c"

#define THREADS 3

static weft_mutex mutex;
static struct {
    weft_wait  wait;
    weft_waker waker;
    uint32_t   woken;
    int64_t    result;
} of[THREADS];
static int n_wakers;
static int inside; /* written by the holder only; the mutex orders it */

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

    mutex = (weft_mutex){0};
    n_wakers = inside = 0;
    for (intptr_t i = 0; i < THREADS; i++) {
        of[i].waker = (weft_waker){&vtable, (void *)i};
        of[i].woken = 0;
        of[i].result = 1;
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
    of[i].result = weft_future_result(&of[i].wait.future);
}

static void use(void)
{
    int was = wf_load(&inside, RELAXED); /* ordered by the mutex */

    wf_store(&inside, was + 1, RELAXED);
    weft_mutex_unlock(&mutex);
}

static void lock(int i)
{
    weft_mutex_lock(&of[i].wait, &mutex);
    run(i);
    use();
}

static void lock_or_give_up(int i)
{
    weft_mutex_lock(&of[i].wait, &mutex);
    if (!poll(i) && !weft_poll_is_ready(weft_future_cancel(&of[i].wait.future)))
        run(i);
    of[i].result = weft_future_result(&of[i].wait.future);
    if (of[i].result == 0)
        use();
}

/* ---- the threads ---- */

static void lock_0(void)
{
    lock(0);
}

static void lock_1(void)
{
    lock(1);
}

static void lock_2(void)
{
    lock(2);
}

static void give_up_1(void)
{
    lock_or_give_up(1);
}

static void try_1(void)
{
    of[1].result = weft_mutex_try_lock(&mutex);
    if (of[1].result == 0)
        use();
}

/* ---- the claims ---- */

static void all_had_it(void)
{
    int expected = 0;

    check_eq(n_wakers, 0);
    for (int i = 0; i < THREADS; i++)
        expected += of[i].result == 0;
    check_eq(inside, expected); /* an update is lost where two hold it at once */
    check(!mutex.waits_.first_ && mutex.state_ == FREE);
    check_eq(weft_mutex_try_lock(&mutex), 0);
}

static void explore_three(void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(3, 1, set_up, all_had_it, 3, (void (*const[])(void)){a, b, c});
}

Test(mutex_orders, two_have_it_one_after_the_other)
{
    explore(6, 2, set_up, all_had_it, 2, (void (*const[])(void)){lock_0, lock_1});
}

Test(mutex_orders, three_have_it_one_after_the_other)
{
    explore_three(lock_0, lock_1, lock_2);
}

Test(mutex_orders, one_that_gives_up_passes_it_on)
{
    explore_three(lock_0, give_up_1, lock_2);
}

Test(mutex_orders, one_that_tries_gets_it_or_not)
{
    explore_three(lock_0, try_1, lock_2);
}
