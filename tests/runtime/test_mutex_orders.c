/* test_mutex_orders.c - the real mutex and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "mutex.c"
#include "waits.c"
#include "waker.c"

static weft_mutex mutex;
static int64_t    result[EXPLORE_THREADS];
static int        inside; /* written by the holder only; the mutex orders it */

static void set_up(void)
{
    set_up_executors();
    mutex = (weft_mutex){0};
    inside = 0;
    for (int i = 0; i < EXPLORE_THREADS; i++)
        result[i] = 1;
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
    result[i] = run(i);
    use();
}

static void lock_or_give_up(int i)
{
    weft_mutex_lock(&of[i].wait, &mutex);
    result[i] = run_or_give_up(i);
    if (result[i] == 0)
        use();
}

static void set_up_without_budget(void)
{
    set_up();
    spend_budgets();
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

static void keep_1(void)
{
    weft_mutex_lock(&of[1].wait, &mutex);
    result[1] = run_kept(1);
    use();
}

static void keep_1_without_budget(void)
{
    weft_mutex_lock(&of[1].wait, &mutex);
    result[1] = run_kept_without_budget(1);
    use();
}

/* As run_kept, but cancels the wait instead of polling it again. */
static void keep_and_give_up_1(void)
{
    weft_future *f = weft_mutex_lock(&of[1].wait, &mutex);

    if (poll(1)) {
        result[1] = weft_future_result(f);
        use();
        return;
    }
    check(wf_outer_of(f)->keep(f));
    await_passed();
    result[1] = cancel(1);
}

static void lock_and_tell_2(void)
{
    lock(2);
    tell_passed();
}

static void try_1(void)
{
    result[1] = weft_mutex_try_lock(&mutex);
    if (result[1] == 0)
        use();
}

/* ---- the claims ---- */

static void all_had_it(void)
{
    int expected = 0;

    check_nothing_is_left();
    for (int i = 0; i < EXPLORE_THREADS; i++)
        expected += result[i] == 0;
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

Test(mutex_orders, one_that_is_kept_is_passed_over)
{
    explore_three(lock_0, keep_1, lock_and_tell_2);
    explore(2, 1, set_up, all_had_it, 3,
            (void (*const[])(void)){lock_0, keep_and_give_up_1, lock_and_tell_2});
}

Test(mutex_orders, without_budget_it_is_left_free_or_waited_for)
{
    explore(2, 1, set_up_without_budget, all_had_it, 3,
            (void (*const[])(void)){lock_0, give_up_1, lock_2});
    explore(2, 1, set_up_without_budget, all_had_it, 3,
            (void (*const[])(void)){lock_0, lock_1, lock_2});
    explore(2, 1, set_up, all_had_it, 3,
            (void (*const[])(void)){lock_0, keep_1_without_budget, lock_and_tell_2});
}
