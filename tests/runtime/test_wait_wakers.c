/*
 * test_wait_wakers.c - what every wait on a lock or a channel does with wakers, cancels and budgets
 *
 * A wait may be polled by one task and later by another, for example when a future moves from a
 * select to a task of its own. It wakes the task that polled it last, and keeps no other waker.
 * Tokio has such cases for some of its primitives: test_waker_update, change_tasks,
 * receiver_changes_task, notify_in_drop_after_wake, send_in_waker_drop, release_waker_on_rx_drop.
 */
#include "wait_rows.h"

Test(wait_wakers, it_wakes_the_task_that_polled_it_last)
{
    for (size_t i = 0; i < ROWS; i++) {
        weft_future *future = rows[i].begin();
        struct hand  before, last;

        hand_init(&before, NULL);
        hand_init(&last, NULL);
        check(!hand_poll(&before, future));
        check(!hand_poll(&last, future));
        check_eq(before.n_wakers, 0);
        rows[i].trigger();
        check_eq(before.n_wakes, 0);
        check_eq(last.n_wakes, 1);
        check_eq(hand_run(&last, future), rows[i].result);
        check_eq(last.n_wakers, 0);
        call(rows[i].end);
    }
}

Test(wait_wakers, a_cancelled_one_keeps_none)
{
    for (size_t i = 0; i < ROWS; i++) {
        weft_future *future = rows[i].begin();
        struct hand  hand;

        hand_init(&hand, NULL);
        check(!hand_poll(&hand, future));
        check_eq(hand_cancel(&hand, future), -ECANCELED);
        check_eq(hand.n_wakers, 0);
        call(rows[i].cancelled);
    }
}

/* Without budget the first poll asks for another turn. Whenever that comes, nothing was missed. */
Test(wait_wakers, one_that_begins_without_budget_misses_nothing)
{
    for (size_t i = 0; i < ROWS; i++) {
        weft_future *future = rows[i].begin();
        struct hand  hand;

        hand_init(&hand, NULL);
        check(!hand_poll_budget(&hand, future, 0));
        check(hand.woken);
        check(!hand_poll(&hand, future));
        rows[i].trigger();
        check(hand.woken);
        if (!hand_poll_budget(&hand, future, 0)) /* it has its answer, which waits for budget */
            hand_run(&hand, future);
        check_eq(weft_future_result(future), rows[i].result);
        check_eq(hand.n_wakers, 0);
        call(rows[i].end);
    }
}

Test(wait_wakers, one_that_begins_without_budget_can_be_cancelled)
{
    for (size_t i = 0; i < ROWS; i++) {
        weft_future *future = rows[i].begin();
        struct hand  hand;

        hand_init(&hand, NULL);
        check(!hand_poll_budget(&hand, future, 0));
        check_eq(hand_cancel(&hand, future), -ECANCELED);
        check_eq(hand.n_wakers, 0);
        call(rows[i].cancelled);
    }
}

/* ---- wakers that use the object for which their wait waits ---- */

struct busybody {
    weft_waker waker;
    void (*use)(void);
    int n_wakers, n_wakes;
};

static weft_waker busy_clone(void *data)
{
    struct busybody *b = data;

    b->n_wakers++;
    call(b->use);
    return b->waker;
}

static void busy_drop(void *data)
{
    struct busybody *b = data;

    call(b->use);
    b->n_wakers--;
}

static void busy_wake_by_ref(void *data)
{
    struct busybody *b = data;

    b->n_wakes++;
    call(b->use);
}

static void busy_wake(void *data)
{
    busy_wake_by_ref(data);
    busy_drop(data);
}

static void busy_init(struct busybody *b, void (*use)(void))
{
    static const weft_waker_vtable vtable = {busy_clone, busy_wake, busy_wake_by_ref, busy_drop,
                                             NULL};

    *b = (struct busybody){{&vtable, b}, use, 0, 0};
}

static bool busy_poll(struct busybody *b, weft_future *future)
{
    weft_context cx;

    weft_context_init(&cx, &b->waker, NULL);
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

/* The first poll clones a waker, and the second puts another one in its place. */
static weft_future *begin_busily(const struct row *row, struct busybody b[2])
{
    weft_future *future = row->begin();

    for (int i = 0; i < 2; i++) {
        busy_init(&b[i], row->use);
        check(!busy_poll(&b[i], future));
    }
    check_eq(b[0].n_wakers, 0);
    return future;
}

Test(wait_wakers, may_use_the_object_when_they_are_called)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct busybody b[2];
        weft_future    *future = begin_busily(&rows[i], b);

        rows[i].trigger();
        check_eq(b[1].n_wakes, 1);
        check(busy_poll(&b[1], future));
        check_eq(weft_future_result(future), rows[i].result);
        check_eq(b[1].n_wakers, 0);
        call(rows[i].end);
    }
}

Test(wait_wakers, may_use_the_object_when_they_are_dropped_by_a_cancel)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct busybody b[2];
        weft_future    *future = begin_busily(&rows[i], b);

        if (!weft_poll_is_ready(weft_future_cancel(future)))
            check(busy_poll(&b[1], future));
        check_eq(weft_future_result(future), -ECANCELED);
        check_eq(b[1].n_wakers, 0);
        call(rows[i].cancelled);
    }
}

/* Tokio's notify_in_drop_after_wake: the waker's drop ends all waits, its own among them. */
static void notify_all_waits(void)
{
    weft_notify_all(&notify);
}

Test(wait_wakers, that_are_dropped_may_notify_all)
{
    struct busybody b;
    weft_future    *future = await_notify();

    busy_init(&b, NULL);
    check(!busy_poll(&b, future));
    b.use = notify_all_waits;
    weft_notify_all(&notify);
    check_eq(b.n_wakers, 0);
    check(busy_poll(&b, future));
}
