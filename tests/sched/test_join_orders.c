/* test_join_orders.c - joins of a task, in every order with its end */
#include "task_orders.h"

static void join_once(void)
{
    join_with(&joiner[0]);
}

/* Another task polls the join, with another waker. */
static void join_twice(void)
{
    if (!join_with(&joiner[0]))
        join_with(&joiner[1]);
}

static void join_unjoin_join(void)
{
    if (join_with(&joiner[0]))
        return;
    unjoin();
    handle.waker_.vtable = NULL; /* as weft_join does */
    join_with(&joiner[1]);
}

static void told_or_woken(void)
{
    check(told || woken);
    check_eq(n_wakers, 0);
    check(wf_task_is_complete(task));
    check_eq(n_freed, 0);
    wf_task_unref_handle(task);
    check_eq(n_freed, 1);
}

static void told_or_woken_once(void)
{
    check(!told != !woken);
    told_or_woken();
}

/* If the first waker was woken, the second join must have got the result at once. */
static void the_last_was_told_or_woken(void)
{
    check(told || woken == &joiner[1]);
    told_or_woken();
}

Test(join_orders, a_joiner_is_either_told_at_once_or_woken)
{
    explore(6, 2, set_up_taken, told_or_woken_once, 2,
            (void (*const[])(void)){complete, join_once});
}

Test(join_orders, a_joiner_that_is_polled_again_is_told_or_its_new_waker_is_woken)
{
    explore(6, 2, set_up_taken, the_last_was_told_or_woken, 2,
            (void (*const[])(void)){complete, join_twice});
}

Test(join_orders, a_joiner_that_gave_up_and_joins_again_is_told_or_woken)
{
    explore(5, 2, set_up_taken, the_last_was_told_or_woken, 2,
            (void (*const[])(void)){complete, join_unjoin_join});
}

Test(join_orders, a_join_that_is_given_up_keeps_no_waker_and_the_last_frees_the_task)
{
    explore(6, 2, set_up_taken, freed_once, 2, (void (*const[])(void)){complete, join_and_leave});
}
