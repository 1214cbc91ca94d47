/* test_condition_orders.c - the real condition with its mutex and notify in every order of steps */
#include "channel_orders.h"

#include "mutex.c"
#define kind      notify_kind /* names of condition.c, too */
#define wait_ops  notify_wait_ops
#define wait_poll notify_wait_poll
#include "notify.c"
#undef kind
#undef wait_ops
#undef wait_poll
#include "condition.c"
#define FOREIGN_AT_ONCE 1 /* so that three waits are many */
#include "waits.c"
#include "waker.c"

static weft_condition condition;
static weft_mutex     mutex;
static int            n_items, n_taken; /* guarded by the mutex */

static void set_up(void)
{
    set_up_executors();
    condition = (weft_condition){0};
    mutex = (weft_mutex){0};
    n_items = n_taken = 0;
}

/* ---- the threads ---- */

static void lock(int i)
{
    weft_mutex_lock(&of[i].wait, &mutex);
    check_eq(run(i), 0);
}

/* Three wait before the threads begin. */
static void set_up_waiting(void)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        lock(i);
        weft_condition_wait(&of[i].wait, &condition, &mutex);
        check(!poll(i));
    }
}

static int items(void)
{
    return wf_load(&n_items, RELAXED); /* ordered by the mutex */
}

static void set_items(int n)
{
    wf_store(&n_items, n, RELAXED); /* ordered by the mutex */
}

static void take_item(int i)
{
    lock(i);
    while (items() == 0) {
        weft_condition_wait(&of[i].wait, &condition, &mutex);
        check_eq(run(i), 0);
    }
    set_items(items() - 1);
    n_taken++;
    weft_mutex_unlock(&mutex);
}

static void take_0(void)
{
    take_item(0);
}

static void take_1(void)
{
    take_item(1);
}

/* A signal that was for it is for another wait now. After its cancel, too, it has the mutex. */
static void give_up_1(void)
{
    int64_t r;

    lock(1);
    weft_condition_wait(&of[1].wait, &condition, &mutex);
    r = run_or_cancel(1);
    set_items(items());
    weft_mutex_unlock(&mutex);
    if (r == 0)
        weft_condition_signal(&condition);
    else
        check_eq(r, -ECANCELED);
}

static void put_one_and_signal(void)
{
    lock(2);
    set_items(items() + 1);
    weft_mutex_unlock(&mutex);
    weft_condition_signal(&condition);
}

static void put_two_and_broadcast(void)
{
    lock(2);
    set_items(2);
    weft_condition_broadcast(&condition);
    weft_mutex_unlock(&mutex);
}

static void put_two_and_signal_twice(void)
{
    put_one_and_signal();
    put_one_and_signal();
}

static void broadcast(void)
{
    weft_condition_broadcast(&condition);
}

static void signal_one(void)
{
    weft_condition_signal(&condition);
}

/* ---- the claims ---- */

static void none_waits(void)
{
    check_nothing_is_left();
    check(!condition.notify_.waits_.first_ && !mutex.waits_.first_);
    check_eq(weft_mutex_try_lock(&mutex), 0);
}

static void both_took_one(void)
{
    none_waits();
    check(n_items == 0 && n_taken == 2);
}

static void one_was_taken(void)
{
    none_waits();
    check(n_items == 0 && n_taken == 1);
}

/* There was a wait to signal, or none. In neither case is a signal left for a later one. */
static void all_ended_and_no_signal_is_left(void)
{
    check(!condition.notify_.waits_.first_);
    for (int i = 0; i < 3; i++) {
        check_eq(run(i), 0);
        weft_mutex_unlock(&mutex);
    }
    lock(0);
    weft_condition_wait(&of[0].wait, &condition, &mutex);
    check(!poll(0));
    check_eq(cancel(0), -ECANCELED);
    weft_mutex_unlock(&mutex);
    none_waits();
}

static void explore_three(void (*claim)(void), void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(condition_orders, a_broadcast_ends_all_waits)
{
    explore_three(both_took_one, take_0, take_1, put_two_and_broadcast);
}

Test(condition_orders, each_signal_ends_a_wait)
{
    explore_three(both_took_one, take_0, take_1, put_two_and_signal_twice);
}

Test(condition_orders, a_wait_that_is_cancelled_loses_no_signal)
{
    explore_three(one_was_taken, take_0, give_up_1, put_one_and_signal);
}

/* The third wait is answered in another hold of the lock. */
Test(condition_orders, a_signal_beside_a_broadcast_is_not_stored)
{
    explore(3, 1, set_up_waiting, all_ended_and_no_signal_is_left, 2,
            (void (*const[])(void)){broadcast, signal_one});
}
