/* test_barrier_orders.c - the real barrier and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "barrier.c"
#define FOREIGN_AT_ONCE 1 /* so that three waits are many */
#include "waits.c"
#include "waker.c"

static weft_barrier barrier;
static int          arrived[EXPLORE_THREADS]; /* the round, written by a thread before it waits */
static int          n_leaders, n_passed;

static void set_up_for(uint32_t n)
{
    set_up_executors();
    weft_barrier_init(&barrier, n);
    memset(arrived, 0, sizeof arrived);
    n_leaders = n_passed = 0;
}

static void set_up_two(void)
{
    set_up_for(2);
}

static void set_up_three(void)
{
    set_up_for(3);
}

/* All but the leader wait before the threads begin. */
static void set_up_waiting(void)
{
    set_up_for(4);
    for (int i = 0; i < 3; i++) {
        weft_barrier_wait(&of[i].wait, &barrier);
        check(!poll(i));
    }
}

/* ---- the threads ---- */

static void arrive(int i, int round)
{
    wf_store(&arrived[i], round, RELAXED); /* ordered by the barrier */
    weft_barrier_wait(&of[i].wait, &barrier);
}

static void note(int64_t r)
{
    check(r == 0 || r == 1);
    n_leaders += r == 1;
    n_passed++;
}

/* Passes with all others, in each round. */
static void pass(int i, int round)
{
    arrive(i, round);
    note(run(i));
    for (int j = 0; j < explorer.n; j++)
        check_cmp(wf_load(&arrived[j], RELAXED), >=, round); /* ordered by the barrier */
}

static void pass_0(void)
{
    pass(0, 1);
}

static void pass_1(void)
{
    pass(1, 1);
}

static void pass_2(void)
{
    pass(2, 1);
}

static void pass_twice_0(void)
{
    pass(0, 1);
    pass(0, 2);
}

static void pass_twice_1(void)
{
    pass(1, 1);
    pass(1, 2);
}

/* Comes again until it has passed. */
static void give_up_and_pass_1(void)
{
    int64_t r;

    arrive(1, 1);
    r = run_or_cancel(1);
    if (r == -ECANCELED)
        pass_1();
    else
        note(r);
}

static void lead(void)
{
    weft_barrier_wait(&of[3].wait, &barrier);
    note(run(3));
}

/* Comes again if it had not passed. */
static void give_up_2(void)
{
    int64_t r = run_or_cancel(2);

    if (r == -ECANCELED) {
        weft_barrier_wait(&of[2].wait, &barrier);
        r = run(2);
    }
    note(r);
}

/* ---- the claims ---- */

static void all_passed(int rounds)
{
    check_nothing_is_left();
    check(!barrier.waits_.first_ && barrier.arrived_ == 0);
    check_eq(n_leaders, rounds);
    check_eq(n_passed, rounds * (int)barrier.n_);
}

static void all_passed_once(void)
{
    all_passed(1);
}

static void both_passed_twice(void)
{
    all_passed(2);
}

static void all_passed_the_leader(void)
{
    for (int i = 0; i < 2; i++)
        note(run(i));
    all_passed_once();
}

Test(barrier_orders, all_pass_together_and_one_leads)
{
    explore(2, 1, set_up_three, all_passed_once, 3,
            (void (*const[])(void)){pass_0, pass_1, pass_2});
}

Test(barrier_orders, a_round_begins_while_waits_of_the_last_one_end)
{
    explore(3, 1, set_up_two, both_passed_twice, 2,
            (void (*const[])(void)){pass_twice_0, pass_twice_1});
}

Test(barrier_orders, one_that_gives_up_is_not_counted)
{
    explore(4, 1, set_up_two, all_passed_once, 2,
            (void (*const[])(void)){pass_0, give_up_and_pass_1});
}

/* The third wait is answered in another hold of the lock. */
Test(barrier_orders, one_that_gives_up_too_late_has_passed)
{
    explore(4, 1, set_up_waiting, all_passed_the_leader, 2,
            (void (*const[])(void)){lead, give_up_2});
}
