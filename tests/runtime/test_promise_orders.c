/* test_promise_orders.c - the real promise and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "promise.c"
#include "waits.c"
#include "waker.c"

#define NOTHING 100 /* no result of these tests */

static weft_promise promise;
static int          value; /* written by a thread before it completes the promise */
static int64_t      result[EXPLORE_THREADS];

static void set_up(void)
{
    set_up_executors();
    promise = (weft_promise){0};
    value = 0;
    for (int i = 0; i < EXPLORE_THREADS; i++)
        result[i] = NOTHING;
}

/* What was written before the promise was completed is seen. */
static void note(int i, int64_t n)
{
    result[i] = n;
    if (n == 7)
        check_eq(wf_load(&value, RELAXED), 7); /* ordered by the promise */
}

static void wait(int i)
{
    weft_promise_get(&of[i].wait, &promise);
    note(i, run(i));
}

/* ---- the threads ---- */

static void complete_0(void)
{
    wf_store(&value, 7, RELAXED); /* ordered by the promise */
    result[0] = weft_promise_complete(&promise, 7);
}

static void complete_1(void)
{
    result[1] = weft_promise_complete(&promise, 8);
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
    note(1, run_or_cancel(1));
}

static void look_1(void)
{
    int64_t n = NOTHING;

    if (weft_promise_try_get(&promise, &n) == 0)
        note(1, n);
    else
        check_eq(n, NOTHING);
}

/* ---- the claims ---- */

static void it_is_complete(void)
{
    check_nothing_is_left();
    check(promise.complete_ && !promise.waits_.first_ && !promise.waits_.last_);
}

static void one_had_it(void)
{
    it_is_complete();
    check_eq(result[0], 0);
    check(result[1] == 7 || result[1] == -ECANCELED || result[1] == NOTHING);
    check(result[2] == 7 || result[2] == NOTHING);
}

static void all_had_it(void)
{
    one_had_it();
    check(result[1] == 7 && result[2] == 7);
}

static void one_completed_it(void)
{
    it_is_complete();
    check((result[0] == 0 && result[1] == -EALREADY && result[2] == 7) ||
          (result[0] == -EALREADY && result[1] == 0 && result[2] == 8));
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
