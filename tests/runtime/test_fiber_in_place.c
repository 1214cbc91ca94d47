/* test_fiber_in_place.c - fibers beside calls in place (weft_block_in_place), on spare workers */
#include "fibers.h"

static int64_t joins_a_fiber(void *argument)
{
    weft_handle handle;

    check_eq(weft_fiber(&handle, adds_ten, argument), 0);
    return weft_await(weft_join(&handle)); /* it blocks the thread */
}

static int64_t joins_in_place(void *argument)
{
    return weft_block_in_place(joins_a_fiber, argument);
}

/* The call's worker may not run it, and a spare worker may see it first. */
Test(fiber_in_place, a_call_in_place_may_wait_for_one_that_it_spawns)
{
    static const int64_t workers[] = {1, 2, 8};

    for (int i = 0; i < 3; i++) {
        weft_runtime *rt = start(workers[i]);
        int64_t       n = 10;

        for (int k = 0; k < 50; k++)
            check_eq(RUN_FIBER(rt, joins_in_place, &n), 20);
        stop(rt);
    }
}

typedef struct held_up {
    int64_t    n_begun, may_end;
    int64_t    n_ended;
    pthread_t  thread[2]; /* of the one that waits, before and after it */
    weft_event event;
} held_up;

static int64_t waits_for_leave(void *argument)
{
    held_up *h = argument;

    add(&h->n_begun, 1);
    spin_until(&h->may_end, 1);
    return 0;
}

static int64_t waits_in_place(void *argument)
{
    return weft_block_in_place(waits_for_leave, argument);
}

static int64_t yields(void *argument)
{
    held_up *h = argument;

    for (int i = 0; i < 200; i++)
        weft_fiber_yield();
    add(&h->n_ended, 1);
    return 0;
}

Test(fiber_in_place, new_ones_do_not_wait_for_a_call_in_place)
{
    weft_runtime *rt = start(2);
    held_up       h = {0};
    weft_handle   in_place, handle[200];

    check_eq(weft_fiber_on(rt, &in_place, waits_in_place, &h), 0);
    spin_until(&h.n_begun, 1);
    for (int i = 0; i < 200; i++) {
        check_eq(weft_fiber_on(rt, &handle[i], yields, &h), 0);
        if (i % 10 == 0)
            pause_ms(1); /* the workers sleep and wake up */
    }
    for (int i = 0; i < 200; i++)
        check_eq(join(rt, &handle[i]), 0);
    check_eq(h.n_ended, 200);
    check_eq(get(&h.may_end), 0);
    add(&h.may_end, 1);
    check_eq(join(rt, &in_place), 0);
    stop(rt);
}

static int64_t waits_for_event(void *argument)
{
    held_up  *h = argument;
    weft_wait wait;

    h->thread[0] = pthread_self();
    add(&h->n_begun, 1);
    check_eq(weft_await(weft_event_wait(&wait, &h->event)), 0);
    h->thread[1] = pthread_self();
    return 8;
}

/* The spare worker is not needed any more, but has a fiber. */
Test(fiber_in_place, stays_on_a_spare_worker_that_had_to_start_it)
{
    weft_runtime *rt = start(1);

    for (int i = 0; i < 5; i++) {
        held_up     h = {0};
        weft_handle in_place, handle;

        check_eq(weft_fiber_on(rt, &in_place, waits_in_place, &h), 0);
        spin_until(&h.n_begun, 1);
        check_eq(weft_fiber_on(rt, &handle, waits_for_event, &h), 0);
        spin_until(&h.n_begun, 2);
        add(&h.may_end, 1);
        check_eq(join(rt, &in_place), 0);
        pause_ms(i % 2 ? 0 : 30); /* the monitor looks every 5 ms */
        check_eq(RUN(rt, adds, 1, 2), 3);
        weft_event_set(&h.event);
        check_eq(join(rt, &handle), 8);
        check(pthread_equal(h.thread[0], h.thread[1]));
    }
    stop(rt);
}

static int64_t sleeps_long(void *argument)
{
    held_up *h = argument;

    add(&h->n_begun, 1);
    check_eq(weft_fiber_sleep(WEFT_S(100)), -ECANCELED);
    add(&h->n_ended, 1);
    return 0;
}

Test(fiber_in_place, a_stop_ends_one_on_a_spare_worker)
{
    weft_runtime *rt = start(1);
    held_up       h = {0};
    weft_handle   in_place;

    check_eq(weft_fiber_on(rt, &in_place, waits_in_place, &h), 0);
    spin_until(&h.n_begun, 1);
    check_eq(weft_fiber_on(rt, NULL, sleeps_long, &h), 0);
    spin_until(&h.n_begun, 2);
    add(&h.may_end, 1);
    check_eq(join(rt, &in_place), 0);
    pause_ms(30); /* the monitor looks every 5 ms */
    stop(rt);
    check_eq(h.n_ended, 1);
}
