/* test_notify_orders.c - the real notify and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "notify.c"
#define FOREIGN_AT_ONCE 1 /* so that three waits are many */
#include "waits.c"
#include "waker.c"

static weft_notify notify;
static int         told; /* written before a notify */
static int         n_ended;

static void set_up(void)
{
    set_up_executors();
    notify = (weft_notify){0};
    told = n_ended = 0;
}

/* All waits are there before the threads begin. */
static void set_up_waiting(void)
{
    set_up();
    for (int i = 0; i < 3; i++) {
        weft_notify_wait(&of[i].wait, &notify);
        check(!poll(i));
    }
}

/* So many that two threads in turn end a part of them. */
static weft_wait many[4];

static void set_up_many(void)
{
    set_up();
    for (int i = 0; i < 4; i++)
        check(!poll_future(0, weft_notify_wait(&many[i], &notify)));
}

/* ---- the threads ---- */

static void end_wait(int i)
{
    check_eq(run(i), 0);
    check_eq(wf_load(&told, RELAXED), 1); /* ordered by the lock */
    n_ended++;
}

static void wait_0(void)
{
    weft_notify_wait(&of[0].wait, &notify);
    end_wait(0);
}

static void wait_and_tell(int i)
{
    weft_notify_wait(&of[i].wait, &notify);
    end_wait(i);
    weft_notify_one(&notify);
}

static void wait_and_tell_0(void)
{
    wait_and_tell(0);
}

static void wait_and_tell_1(void)
{
    wait_and_tell(1);
}

static void give_up_or_tell_1(void)
{
    weft_notify_wait(&of[1].wait, &notify);
    if (run_or_give_up(1) == 0)
        weft_notify_one(&notify);
}

/* Its permit goes to the other wait, which tells it. */
static void keep_and_tell_1(void)
{
    weft_notify_wait(&of[1].wait, &notify);
    check_eq(run_kept(1), 0);
    n_ended++;
    weft_notify_one(&notify);
}

static void wait_and_tell_0_passed(void)
{
    wait_and_tell(0);
    tell_passed();
}

static void tell_one(void)
{
    wf_store(&told, 1, RELAXED); /* ordered by the lock */
    weft_notify_one(&notify);
}

static void tell_all(void)
{
    wf_store(&told, 1, RELAXED); /* ordered by the lock */
    weft_notify_all(&notify);
}

/* Tells one, while it waits itself. */
static void wait_and_tell_one(int i)
{
    bool done;

    weft_notify_wait(&of[i].wait, &notify);
    done = poll(i);
    weft_notify_one(&notify);
    if (!done)
        check_eq(run(i), 0);
}

static void wait_and_tell_one_1(void)
{
    wait_and_tell_one(1);
}

static void wait_and_tell_one_2(void)
{
    wait_and_tell_one(2);
}

/* A wait that begins after a notify of all. */
static void wait_late(void)
{
    static weft_wait late;

    weft_notify_wait(&late, &notify);
    if (!poll_future(3, &late.future) && !weft_poll_is_ready(weft_future_cancel(&late.future)))
        (void)run_future(3, &late.future);
}

/* ---- the claims ---- */

static void none_waits(void)
{
    check_nothing_is_left();
    check(!notify.waits_.first_);
}

static void the_permit_was_used(void)
{
    none_waits();
    check(n_ended == 1 && !notify.permits_);
}

static void the_permit_is_left(void)
{
    none_waits();
    check(n_ended == 2 && notify.permits_ == 1);
}

static void all_have_their_answers(void)
{
    check(!notify.waits_.first_);
    for (int i = 0; i < 3; i++)
        end_wait(i);
    none_waits();
}

static void many_have_ended(void)
{
    check(!notify.waits_.first_);
    for (int i = 0; i < 4; i++)
        check(poll_future(0, &many[i].future));
    none_waits();
}

static void explore_three(void (*claim)(void), void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(notify_orders, a_permit_ends_one_wait_after_the_other)
{
    explore_three(the_permit_is_left, wait_and_tell_0, wait_and_tell_1, tell_one);
}

Test(notify_orders, a_wait_that_gives_up_passes_its_permit_on)
{
    explore_three(the_permit_was_used, wait_0, give_up_or_tell_1, tell_one);
}

Test(notify_orders, a_notify_of_all_ends_the_waits_that_were_there)
{
    explore(3, 1, set_up_waiting, all_have_their_answers, 2,
            (void (*const[])(void)){tell_all, wait_late});
}

Test(notify_orders, two_permits_beside_a_notify_of_many_end_two_waits)
{
    explore(3, 0, set_up_many, many_have_ended, 3,
            (void (*const[])(void)){tell_all, wait_and_tell_one_1, wait_and_tell_one_2});
}

Test(notify_orders, a_wait_that_is_kept_is_passed_over)
{
    explore_three(the_permit_is_left, wait_and_tell_0_passed, keep_and_tell_1, tell_one);
}
