/* test_future.c - the rules of futures, polled by hand */
#include "../helpers.h"

Test(future, is_lazy_making_one_runs_nothing)
{
    struct event e;

    event(&e);
    check_eq(e.n_polls, 0);
    check(!weft_future_is_ready(&e.future));
    check(!weft_future_is_pending(&e.future));
}

Test(future, may_be_copied_and_moved_before_its_first_poll)
{
    struct counter first, second;
    struct hand    hand;

    hand_init(&hand, NULL);
    counter(&first, 3);
    second = first;
    memset(&first, 0xa5, sizeof first);
    check_eq(hand_run(&hand, &second.future), 3);
}

Test(future, forgotten_before_its_first_poll_holds_nothing)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    event(&e);
    check_eq(hand.n_wakers, 0);
}

Test(future, that_wakes_itself_is_polled_once_more_than_it_was_pending)
{
    struct counter c;
    struct hand    hand;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, counter(&c, 5)), 5);
    check_eq(hand.n_polls, 6);
    check_eq(hand.n_wakes, 5);
}

Test(future, tells_its_state_unpolled_pending_cancelled_ready)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    event(&e);
    e.lingers = true;
    check(!hand_poll(&hand, &e.future));
    check(weft_future_is_pending(&e.future) && !weft_future_is_cancelled(&e.future));
    check(!weft_poll_is_ready(weft_future_cancel(&e.future)));
    check(weft_future_is_pending(&e.future) && weft_future_is_cancelled(&e.future));
    event_set(&e, 0);
    check(hand_poll(&hand, &e.future));
    check(weft_future_is_ready(&e.future) && !weft_future_is_pending(&e.future));
    check(!weft_future_is_cancelled(&e.future));
}

static int64_t result_of(int64_t value)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    return hand_run(&hand, at_once(&e, value));
}

Test(future, may_answer_any_result_from_minus_4095_up)
{
    check_eq(result_of(-4095), -4095);
    check_eq(result_of(-1), -1);
    check_eq(result_of(0), 0);
    check_eq(result_of(WEFT_CANCEL_ASKED_), WEFT_CANCEL_ASKED_); /* small numbers are no flags */
    check_eq(result_of(INT64_MAX), INT64_MAX);
}

Test(future, may_be_polled_without_a_wake)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    event(&e);
    for (int i = 0; i < 10; i++)
        check(!hand_poll(&hand, &e.future));
    event_set(&e, 4);
    check(hand_poll(&hand, &e.future));
    check_eq(weft_future_result(&e.future), 4);
}

Test(future, cancelled_before_its_first_poll_ends_at_once_and_never_starts)
{
    struct event e;

    event(&e);
    check(weft_poll_is_ready(weft_future_cancel(&e.future)));
    check_eq(weft_future_result(&e.future), -ECANCELED);
    check_eq(e.n_polls, 0);
    check_eq(e.n_cancels, 0);
}

Test(future, without_a_cancel_function_ends_at_once)
{
    struct counter c;
    struct hand    hand;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, counter(&c, 2)));
    check(weft_poll_is_ready(weft_future_cancel(&c.future)));
    check_eq(weft_future_result(&c.future), -ECANCELED);
    check_eq(c.count, 1);
}

Test(future, is_asked_to_end_once_however_often_it_is_cancelled)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    event(&e);
    e.lingers = true;
    check(!hand_poll(&hand, &e.future));
    for (int i = 0; i < 5; i++) {
        check(!weft_poll_is_ready(weft_future_cancel(&e.future)));
        check(!hand_poll(&hand, &e.future));
    }
    check_eq(e.n_cancels, 1);
    event_set(&e, 0);
    check(hand_poll(&hand, &e.future));
}

Test(future, that_was_cancelled_ends_by_a_poll_not_by_the_cancel)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, event(&e)));
    check(!weft_poll_is_ready(weft_future_cancel(&e.future)));
    check(!weft_future_is_ready(&e.future));
    check(hand_poll(&hand, &e.future));
    check_eq(weft_future_result(&e.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
}

Test(future, that_cannot_be_undone_answers_its_true_result_to_a_cancel)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    event(&e);
    e.when_cancelled = 4096;
    check(!hand_poll(&hand, &e.future));
    check_eq(hand_cancel(&hand, &e.future), 4096);
}

Test(future, that_is_ready_is_not_changed_by_a_cancel)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    check(hand_poll(&hand, at_once(&e, 7)));
    check(weft_poll_is_ready(weft_future_cancel(&e.future)));
    check_eq(weft_future_result(&e.future), 7);
    check_eq(e.n_cancels, 0);
}

static void moved(bool cancel, bool keep)
{
    struct hand  hand;
    struct event e, other;

    hand_init(&hand, NULL);
    event(&e);
    if (keep)
        weft_keep(&e.future);
    hand_poll(&hand, &e.future);
    if (cancel)
        (void)!weft_poll_is_ready(weft_future_cancel(&e.future));
    other = e;
    hand_poll(&hand, &other.future);
}

TEST_ABORTS(future, moved_while_pending_aborts_and_is_named, "READY (event, first polled at ")
{
    moved(false, false);
}

TEST_ABORTS(future, moved_after_a_cancel_aborts, "must not move between its first poll and READY")
{
    moved(true, false);
}

TEST_ABORTS(future, moved_while_kept_aborts, "must not move between its first poll and READY")
{
    moved(false, true);
}

TEST_ABORTS(future, polled_after_a_final_cancel_aborts, "the future was READY before")
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    (void)!weft_poll_is_ready(weft_future_cancel(event(&e)));
    hand_poll(&hand, &e.future);
}

Test(future, may_be_reused_and_moved_once_it_is_ready)
{
    struct hand  hand;
    struct event e, other;

    hand_init(&hand, NULL);
    check(hand_poll(&hand, at_once(&e, 1)));
    other = e;
    check_eq(weft_future_result(&other.future), 1);
    check_eq(hand_run(&hand, at_once(&e, 2)), 2);
}

Test(future, context_starts_with_a_full_budget_no_deadline_and_no_runtime)
{
    weft_waker   waker = weft_waker_noop();
    weft_context cx;

    memset(&cx, 0xa5, sizeof cx);
    weft_context_init(&cx, &waker, NULL);
    check_eq(cx.budget, WEFT_BUDGET_DEFAULT);
    check_eq(cx.deadline, WEFT_FOREVER);
    check_eq(cx.flags, 0);
    check(!cx.runtime && !cx.frame_ && weft_context_waker(&cx) == &waker);
}

Test(future, context_that_has_spent_its_budget_wakes_the_task_and_refuses)
{
    struct hand  hand;
    struct event e;

    hand_init(&hand, NULL);
    check(hand_poll_budget(&hand, at_once(&e, 0), 2));
    check(weft_context_spend(&hand.cx));
    check(weft_context_spend(&hand.cx));
    check_eq(hand.n_wakes, 0);
    check(!weft_context_spend(&hand.cx));
    check(!weft_context_spend(&hand.cx));
    check_eq(hand.n_wakes, 2);
}

Test(future, wakes_the_waker_of_its_last_poll_only)
{
    weft_oneshot_receiver *receiver;
    weft_oneshot_sender   *sender;
    struct hand            first, second;
    weft_wait              wait;
    int                    got = 0, sent = 7;

    hand_init(&first, NULL);
    hand_init(&second, NULL);
    check_eq(weft_oneshot_open(sizeof got, &sender, &receiver), 0);
    check(!hand_poll(&first, weft_oneshot_receive(&wait, receiver, &got)));
    check(!hand_poll(&second, &wait.future));
    check_eq(first.n_wakers, 0);
    check_eq(second.n_wakers, 1);
    check_eq(weft_oneshot_send(sender, &sent), 0);
    check_eq(first.n_wakes, 0);
    check_eq(second.n_wakes, 1);
    check_eq(hand_run(&second, &wait.future), 0);
    check_eq(got, 7);
    check_eq(second.n_wakers, 0);
    weft_oneshot_receiver_close(receiver);
}

Test(future, that_needs_a_runtime_and_finds_none_ends_with_enxio)
{
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_sleep(&nap, WEFT_MS(1))), -ENXIO);
}
