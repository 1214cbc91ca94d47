/*
 * test_tracker_orders.c - the real tracker in every order of its steps
 *
 * The thread whose wait has ended gives the memory of the tracker back at once.
 */
#include "channel_orders.h"

#define FOREIGN_AT_ONCE 1 /* so that three waits are many */
#include "waits.c"
#include "waker.c"

#include "tracker.c"

static weft_tracker tracker;
static int          work[EXPLORE_THREADS]; /* written by a task before it leaves */

/* Thread 1 and thread 2 have one task each. */
static void set_up(void)
{
    set_up_executors();
    tracker = (weft_tracker){0};
    memset(work, 0, sizeof work);
    weft_tracker_enter(&tracker);
    weft_tracker_enter(&tracker);
}

static void set_up_closed(void)
{
    set_up();
    weft_tracker_close(&tracker);
}

/* ---- the threads ---- */

static void leave_as_task(int i)
{
    wf_store(&work[i], 1, RELAXED); /* ordered by the leave */
    weft_tracker_leave(&tracker);
}

static void leave_1(void)
{
    leave_as_task(1);
}

static void leave_2(void)
{
    leave_as_task(2);
}

static void leave_both(void)
{
    leave_1();
    leave_2();
}

/* A task brings another one, and leaves before it. */
static void enter_and_leave_1(void)
{
    weft_tracker_enter(&tracker);
    weft_tracker_leave(&tracker);
    leave_1();
}

static void wait_and_free_0(void)
{
    weft_tracker_wait(&of[0].wait, &tracker);
    check_eq(run(0), 0);
    check(wf_load(&work[1], RELAXED) && wf_load(&work[2], RELAXED)); /* ordered by the lock */
    explore_release_static(memset(&tracker, 0xdd, sizeof tracker), sizeof tracker);
}

static void close_wait_and_free_0(void)
{
    weft_tracker_close(&tracker);
    wait_and_free_0();
}

static void close_1(void)
{
    weft_tracker_close(&tracker);
}

static void give_up_0(void)
{
    weft_tracker_wait(&of[0].wait, &tracker);
    (void)run_or_give_up(0);
}

/* ---- the claims ---- */

static void none_waits(void)
{
    check_nothing_is_left();
    check(!tracker.waits_.first_ && weft_tracker_count(&tracker) == 0);
}

static void explore_three(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                          void (*b)(void), void (*c)(void))
{
    explore(3, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(tracker_orders, a_wait_ends_after_the_last_task_and_then_the_tracker_may_go)
{
    explore_three(set_up_closed, check_nothing_is_left, wait_and_free_0, leave_1, leave_2);
}

Test(tracker_orders, the_close_comes_before_or_after_the_last_task)
{
    explore_three(set_up, check_nothing_is_left, close_wait_and_free_0, leave_1, leave_2);
}

Test(tracker_orders, a_task_that_comes_with_another_is_waited_for)
{
    explore_three(set_up_closed, check_nothing_is_left, wait_and_free_0, enter_and_leave_1,
                  leave_2);
}

Test(tracker_orders, another_thread_closes_and_then_the_tracker_may_go)
{
    explore_three(set_up, check_nothing_is_left, wait_and_free_0, close_1, leave_both);
}

Test(tracker_orders, a_wait_is_given_up_meanwhile)
{
    explore_three(set_up, none_waits, give_up_0, close_1, leave_both);
}

static void set_up_waiting(void)
{
    set_up_closed();
    for (int i = 0; i < 3; i++) {
        weft_tracker_wait(&of[i].wait, &tracker);
        check(!poll(i));
    }
}

/* If nothing is counted the tracker is used again. */
static void reopen(void)
{
    if (weft_tracker_count(&tracker) > 0)
        return;
    weft_tracker_reopen(&tracker);
    weft_tracker_enter(&tracker);
}

static void all_waits_have_their_answers(void)
{
    check(!tracker.waits_.first_);
    for (int i = 0; i < 3; i++)
        check_eq(run(i), 0);
    check_nothing_is_left();
}

/* The third wait is answered in another hold of the lock. By then the tracker may be open. */
Test(tracker_orders, all_waits_end_although_the_tracker_is_used_again)
{
    explore(3, 1, set_up_waiting, all_waits_have_their_answers, 2,
            (void (*const[])(void)){leave_both, reopen});
}
