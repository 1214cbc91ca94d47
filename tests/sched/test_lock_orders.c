/* test_lock_orders.c - the real lock in every order of its steps: one holder, and no
 * thread sleeps on a free lock */
#include "explore.h"

#include "lock.h"

static uint32_t lock;
static int      n_inside, n_done; /* n_done is what the lock guards */

static void set_up(void)
{
    lock = 0;
    n_inside = n_done = 0;
}

static void enter(void)
{
    wf_lock(&lock);
    check_eq(++n_inside, 1);
    wf_store(&n_done, wf_load(&n_done, RELAXED) + 1, RELAXED); /* ordered by the lock */
    n_inside--;
    wf_unlock(&lock);
}

static void enter_twice(void)
{
    enter();
    enter();
}

static void three_were_in(void)
{
    check_eq(n_done, 3);
    check_eq(lock, 0);
}

Test(lock_orders, one_holder_at_a_time_and_no_sleeper_is_forgotten)
{
    explore(3, 2, set_up, three_were_in, 3, (void (*const[])(void)){enter, enter, enter});
}

Test(lock_orders, a_holder_that_comes_back_at_once_forgets_no_sleeper)
{
    explore(4, 2, set_up, three_were_in, 2, (void (*const[])(void)){enter_twice, enter});
}
