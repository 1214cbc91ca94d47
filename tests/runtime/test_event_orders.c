/* test_event_orders.c - the real event and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "event.c"
#define FOREIGN_AT_ONCE 1 /* so that three waits are many */
#include "waits.c"
#include "waker.c"

static weft_event flag;
static int        told; /* written before the event is set */

static void set_up(void)
{
    set_up_executors();
    flag = (weft_event){0};
    told = 0;
}

/* All waits are there before the threads begin. */
static void set_up_waiting(void)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        weft_event_wait(&of[i].wait, &flag);
        check(!poll(i));
    }
}

/* ---- the threads ---- */

static void end_wait(int i)
{
    check_eq(run(i), 0);
    check_eq(wf_load(&told, RELAXED), 1); /* ordered by the lock */
}

static void wait_0(void)
{
    weft_event_wait(&of[0].wait, &flag);
    end_wait(0);
}

static void wait_and_free_0(void)
{
    wait_0();
    explore_release_static(memset(&flag, 0xdd, sizeof flag), sizeof flag);
}

static void give_up_1(void)
{
    weft_event_wait(&of[1].wait, &flag);
    (void)run_or_give_up(1);
}

static void look_1(void)
{
    if (weft_event_is_set(&flag))
        check_eq(wf_load(&told, RELAXED), 1); /* ordered by the lock */
}

static void set(void)
{
    wf_store(&told, 1, RELAXED); /* ordered by the lock */
    weft_event_set(&flag);
}

static void reset(void)
{
    weft_event_reset(&flag);
}

/* ---- the claims ---- */

static void none_waits(void)
{
    check_nothing_is_left();
    check(!flag.waits_.first_ && weft_event_is_set(&flag));
}

static void all_have_their_answers(void)
{
    check(!flag.waits_.first_);
    for (int i = 0; i < 3; i++)
        end_wait(i);
    check_nothing_is_left();
}

Test(event_orders, the_event_may_go_with_the_last_wait)
{
    explore(4, 1, set_up, check_nothing_is_left, 2, (void (*const[])(void)){wait_and_free_0, set});
}

Test(event_orders, a_wait_is_given_up_meanwhile)
{
    explore(3, 1, set_up, none_waits, 3, (void (*const[])(void)){wait_0, give_up_1, set});
}

Test(event_orders, a_look_sees_what_was_done_before)
{
    explore(3, 1, set_up, none_waits, 3, (void (*const[])(void)){wait_0, look_1, set});
}

/* The third wait is answered in another hold of the lock. By then the event may be reset. */
Test(event_orders, all_waits_end_although_the_event_is_reset)
{
    explore(3, 1, set_up_waiting, all_have_their_answers, 2, (void (*const[])(void)){set, reset});
}
