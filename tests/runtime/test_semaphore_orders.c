/* test_semaphore_orders.c - the real semaphore and its waits in every order of their steps */
#include "channel_orders.h"

#include "semaphore.c"
#include "waits.c"
#include "waker.c"

static weft_semaphore semaphore;
static int64_t        result[EXPLORE_THREADS];
static int            guarded; /* written by the holder of the only permit */

static void set_up(uint32_t permits)
{
    set_up_executors();
    weft_semaphore_init(&semaphore, permits);
    guarded = 0;
    for (int i = 0; i < EXPLORE_THREADS; i++)
        result[i] = 1;
}

static void set_up_one(void)
{
    set_up(1);
}

static void set_up_none(void)
{
    set_up(0);
}

static void set_up_one_without_budget(void)
{
    set_up_one();
    spend_budgets();
}

/* ---- the threads ---- */

/* Has the only permit: counts, and gives it back. */
static void use(void)
{
    int was = wf_load(&guarded, RELAXED); /* ordered by the semaphore */

    wf_store(&guarded, was + 1, RELAXED);
    weft_semaphore_release(&semaphore, 1);
}

static void use_as(int i)
{
    weft_semaphore_acquire(&of[i].wait, &semaphore, 1);
    result[i] = run(i);
    if (result[i] == 0)
        use();
}

static void use_0(void)
{
    use_as(0);
}

static void use_1(void)
{
    use_as(1);
}

static void use_2(void)
{
    use_as(2);
}

static void give_up_1(void)
{
    weft_semaphore_acquire(&of[1].wait, &semaphore, 1);
    result[1] = run_or_give_up(1);
    if (result[1] == 0)
        use();
}

static void keep_1(void)
{
    weft_semaphore_acquire(&of[1].wait, &semaphore, 1);
    result[1] = run_kept(1);
    use();
}

static void keep_1_without_budget(void)
{
    weft_semaphore_acquire(&of[1].wait, &semaphore, 1);
    result[1] = run_kept_without_budget(1);
    use();
}

static void use_and_tell_2(void)
{
    use_as(2);
    tell_passed();
}

static void try_1(void)
{
    result[1] = weft_semaphore_try_acquire(&semaphore, 1);
    if (result[1] == 0)
        use();
}

/* Polls again before it is woken. When its wait has ended, it may free the semaphore. */
static void wait_impatiently_0(void)
{
    weft_semaphore_acquire(&of[0].wait, &semaphore, 1);
    result[0] = poll(0) || poll(0) ? weft_future_result(&of[0].wait.future) : run(0);
    check_eq(wf_peek(&semaphore.waits_.lock_), 0);
    check_eq(wf_load(&guarded, RELAXED), 1); /* ordered by the semaphore */
}

static void count_and_release_1(void)
{
    wf_store(&guarded, 1, RELAXED);
    weft_semaphore_release(&semaphore, 1);
}

/* Wants more than there are at first. */
static void take_two_0(void)
{
    weft_semaphore_acquire(&of[0].wait, &semaphore, 2);
    result[0] = run(0);
}

static void release_1(void)
{
    weft_semaphore_release(&semaphore, 1);
}

static void release_2(void)
{
    weft_semaphore_release(&semaphore, 1);
}

static void close_2(void)
{
    weft_semaphore_close(&semaphore);
}

/* ---- the claims ---- */

static void none_waits(void)
{
    check_nothing_is_left();
    check(!semaphore.waits_.first_);
}

/* An update is lost where two have the only permit at once. */
static void all_had_it(void)
{
    int expected = 0;

    none_waits();
    for (int i = 0; i < EXPLORE_THREADS; i++)
        expected += result[i] == 0;
    check_eq(guarded, expected);
    check_eq(weft_semaphore_available(&semaphore), 1);
}

static void all_were_taken(void)
{
    none_waits();
    check_eq(result[0], 0);
    check_eq(weft_semaphore_available(&semaphore), 0);
}

static void each_was_told(void)
{
    all_had_it();
    check(result[0] == 0 || result[0] == -EPIPE);
    check(result[1] == 0 || result[1] == -EPIPE);
    check_eq(weft_semaphore_try_acquire(&semaphore, 1), -EPIPE);
}

static void explore_three(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                          void (*b)(void), void (*c)(void))
{
    explore(3, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(semaphore_orders, two_have_the_permit_one_after_the_other)
{
    explore(6, 2, set_up_one, all_had_it, 2, (void (*const[])(void)){use_0, use_1});
}

Test(semaphore_orders, three_have_the_permit_one_after_the_other)
{
    explore_three(set_up_one, all_had_it, use_0, use_1, use_2);
}

Test(semaphore_orders, a_wait_that_gives_up_passes_the_permit_on)
{
    explore_three(set_up_one, all_had_it, use_0, give_up_1, use_2);
}

Test(semaphore_orders, a_thread_that_tries_gets_the_permit_or_not)
{
    explore_three(set_up_one, all_had_it, use_0, try_1, use_2);
}

Test(semaphore_orders, two_releases_end_a_wait_for_two_permits)
{
    explore_three(set_up_none, all_were_taken, take_two_0, release_1, release_2);
}

Test(semaphore_orders, a_wait_that_has_ended_leaves_the_semaphore_to_its_owner)
{
    explore(3, 2, set_up_none, all_were_taken, 2,
            (void (*const[])(void)){wait_impatiently_0, count_and_release_1});
}

Test(semaphore_orders, a_close_ends_the_waits)
{
    explore_three(set_up_one, each_was_told, use_0, use_1, close_2);
}

Test(semaphore_orders, a_wait_that_is_kept_is_passed_over)
{
    explore_three(set_up_one, all_had_it, use_0, keep_1, use_and_tell_2);
}

Test(semaphore_orders, without_budget_a_permit_is_left_or_waited_for)
{
    explore(2, 1, set_up_one_without_budget, all_had_it, 3,
            (void (*const[])(void)){use_0, give_up_1, use_2});
    explore(2, 1, set_up_one, all_had_it, 3,
            (void (*const[])(void)){use_0, keep_1_without_budget, use_and_tell_2});
}
