/* test_mpsc.c - the bounded channel: order, back-pressure, cancelling, closing */
#define QUEUE(name) weft_mpsc_##name
#include "queue_channel.h"

Test(mpsc, gives_messages_in_the_order_they_were_sent_over_many_laps)
{
    begin(3);
    for (int i = 0; i < 100; i++) {
        check_eq(try_send(2 * i), 0);
        check_eq(try_send(2 * i + 1), 0);
        check_eq(received(), 2 * i);
        check_eq(received(), 2 * i + 1);
    }
    end();
}

Test(mpsc, holds_as_many_messages_as_its_capacity)
{
    begin(3);
    for (int i = 0; i < 3; i++)
        check_eq(try_send(i), 0);
    check_eq(try_send(3), -EAGAIN);
    check_eq(received(), 0);
    check_eq(try_send(3), 0);
    end();
}

Test(mpsc, says_eagain_when_empty_and_einval_for_capacity_0)
{
    begin(1);
    check_eq(received(), -EAGAIN);
    end();
    check_eq(weft_mpsc_open(4, 0, &sender, &receiver), -EINVAL);
    check_eq(weft_mpsc_open(SIZE_MAX / 2, 3, &sender, &receiver), -EINVAL);
}

Test(mpsc, wakes_a_receiver_that_waits)
{
    begin(1);
    check(!hand_poll(&hand, receive()));
    check_eq(try_send(7), 0);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    end();
}

Test(mpsc, makes_a_sender_wait_while_it_is_full_and_takes_its_message_when_there_is_room)
{
    int message = 2;

    begin(1);
    check_eq(try_send(1), 0);
    check(!hand_poll(&hand, weft_mpsc_send(&wait, sender, &message)));
    check_eq(received(), 1);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(received(), 2);
    end();
}

Test(mpsc, serves_waiting_senders_first_come_first_served)
{
    weft_wait waits[5];
    int       message[5];

    begin(1);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 5; i++) {
        message[i] = i;
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message[i])));
    }
    check_eq(received(), 100);
    for (int i = 0; i < 5; i++)
        check_eq(received(), i);
    for (int i = 0; i < 5; i++)
        check_eq(hand_run(&hand, &waits[i].future), 0);
    end();
}

Test(mpsc, lets_no_try_send_pass_a_sender_that_waits)
{
    int message = 2;

    begin(1);
    check_eq(try_send(1), 0);
    check(!hand_poll(&hand, weft_mpsc_send(&wait, sender, &message)));
    check_eq(try_send(3), -EAGAIN);
    check_eq(received(), 1);
    check_eq(try_send(3), -EAGAIN); /* the waiting message has taken the room */
    check_eq(received(), 2);
    check_eq(hand_run(&hand, &wait.future), 0);
    end();
}

Test(mpsc, send_that_was_cancelled_has_sent_nothing_and_the_next_gets_its_turn)
{
    weft_wait waits[3];
    int       message[3] = {0, 1, 2};

    begin(1);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message[i])));
    check_eq(hand_cancel(&hand, &waits[0].future), -ECANCELED);
    check_eq(hand_cancel(&hand, &waits[2].future), -ECANCELED);
    check_eq(received(), 100);
    check_eq(received(), 1);
    check_eq(received(), -EAGAIN);
    check_eq(hand_run(&hand, &waits[1].future), 0);
    end();
}

Test(mpsc, send_cancelled_after_its_message_went_says_so)
{
    int message = 2;

    begin(1);
    check_eq(try_send(1), 0);
    check(!hand_poll(&hand, weft_mpsc_send(&wait, sender, &message)));
    check_eq(received(), 1);
    check_eq(hand_cancel(&hand, &wait.future), 0);
    check_eq(received(), 2);
    end();
}

Test(mpsc, send_without_budget_sends_and_says_so_later)
{
    weft_wait second;
    int       message = 2;

    begin(2);
    check(!hand_poll_budget(&hand, weft_mpsc_send(&wait, sender, &message), 0));
    check_eq(hand_run(&hand, &wait.future), 0);
    check(!hand_poll_budget(&hand, weft_mpsc_send(&second, sender, &message), 0));
    check_eq(hand_cancel(&hand, &second.future), 0);
    check_eq(received(), 2);
    check_eq(received(), 2);
    check_eq(received(), -EAGAIN);
    end();
}

Test(mpsc, send_without_budget_keeps_its_place_before_later_ones)
{
    weft_wait second;
    int       message[2] = {1, 2};

    begin(1);
    check_eq(try_send(100), 0);
    check(!hand_poll_budget(&hand, weft_mpsc_send(&wait, sender, &message[0]), 0));
    check(!hand_poll(&hand, weft_mpsc_send(&second, sender, &message[1])));
    check_eq(received(), 100);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(received(), 1);
    check_eq(received(), 2);
    check_eq(hand_run(&hand, &second.future), 0);
    end();
}

Test(mpsc, send_without_budget_that_has_to_wait_can_be_cancelled_and_has_sent_nothing)
{
    int message = 2;

    begin(1);
    check_eq(try_send(1), 0);
    check(!hand_poll_budget(&hand, weft_mpsc_send(&wait, sender, &message), 0));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(received(), 1);
    check_eq(received(), -EAGAIN);
    end();
}

Test(mpsc, receive_that_was_cancelled_after_its_wake_has_taken_nothing)
{
    begin(1);
    check(!hand_poll(&hand, receive()));
    check_eq(try_send(7), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(received(), 7);
    end();
}

Test(mpsc, lets_one_receive_wait_at_a_time)
{
    weft_wait other;
    int       also;

    begin(1);
    check(!hand_poll(&hand, receive()));
    check_eq(hand_run(&hand, weft_mpsc_receive(&other, receiver, &also)), -EBUSY);
    check_eq(try_send(7), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    end();
}

Test(mpsc, whose_last_sender_closed_gives_what_was_sent_and_then_epipe)
{
    weft_mpsc_sender *other;

    begin(2);
    other = weft_mpsc_sender_clone(sender);
    check_eq(try_send(7), 0);
    weft_mpsc_sender_close(sender);
    check_eq(received(), 7);
    check(!hand_poll(&hand, receive()));
    weft_mpsc_sender_close(other);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check_eq(received(), WEFT_EOF);
    weft_mpsc_receiver_close(receiver);
}

Test(mpsc, whose_receiver_closed_answers_epipe_to_waiting_and_later_senders)
{
    weft_wait waits[3];
    int       message = 1;

    begin(1);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message)));
    weft_mpsc_receiver_close(receiver);
    check_eq(hand.n_wakes, 3);
    for (int i = 0; i < 3; i++)
        check_eq(hand_run(&hand, &waits[i].future), -EPIPE);
    check_eq(try_send(2), -EPIPE);
    check_eq(hand_run(&hand, weft_mpsc_send(&wait, sender, &message)), -EPIPE);
    weft_mpsc_sender_close(sender);
    check_eq(hand.n_wakers, 0);
}

/* A foreign waker that uses the channel it is woken by: it must be called outside the lock. */
static weft_waker touch_clone(void *data);

static void touch(void *data)
{
    int message = 9;

    (void)data;
    check_eq(try_send(message), -EPIPE);
}

static void touch_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable touch_vtable = {touch_clone, touch, touch, touch_drop, NULL};

static weft_waker touch_clone(void *data)
{
    return (weft_waker){&touch_vtable, data};
}

Test(mpsc, wakes_foreign_executors_outside_its_lock)
{
    weft_wait    waits[3];
    weft_waker   waker = {&touch_vtable, NULL};
    weft_context cx;
    int          message = 1;

    begin(1);
    check_eq(try_send(100), 0);
    weft_context_init(&cx, &waker, NULL);
    for (int i = 0; i < 3; i++)
        check(!weft_poll_is_ready(
            weft_future_poll(weft_mpsc_send(&waits[i], sender, &message), &cx)));
    weft_mpsc_receiver_close(receiver);
    for (int i = 0; i < 3; i++)
        check(weft_poll_is_ready(weft_future_poll(&waits[i].future, &cx)));
    weft_mpsc_sender_close(sender);
}

/* A foreign executor that polls at once, and closes its sender when its send is done. */
static void finish(void *data)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    (void)data;
    weft_context_init(&cx, &noop, NULL);
    check(weft_poll_is_ready(weft_future_poll(&wait.future, &cx)));
    check_eq(weft_future_result(&wait.future), -EPIPE);
    weft_mpsc_sender_close(sender);
}

static weft_waker finish_clone(void *data);

static const weft_waker_vtable finish_vtable = {finish_clone, finish, finish, touch_drop, NULL};

static weft_waker finish_clone(void *data)
{
    return (weft_waker){&finish_vtable, data};
}

Test(mpsc, whose_receiver_closes_may_be_freed_by_the_sender_it_wakes)
{
    weft_waker   waker = {&finish_vtable, NULL};
    weft_context cx;
    int          message = 1;

    begin(1);
    check_eq(try_send(100), 0);
    weft_context_init(&cx, &waker, NULL);
    check(!weft_poll_is_ready(weft_future_poll(weft_mpsc_send(&wait, sender, &message), &cx)));
    weft_mpsc_receiver_close(receiver);
}

Test(mpsc, carries_messages_of_no_bytes)
{
    weft_mpsc_sender   *signal;
    weft_mpsc_receiver *to;

    check_eq(weft_mpsc_open(0, 2, &signal, &to), 0);
    check_eq(weft_mpsc_try_send(signal, ""), 0);
    check_eq(weft_mpsc_try_receive(to, &got), 0);
    check_eq(weft_mpsc_try_receive(to, &got), -EAGAIN);
    weft_mpsc_sender_close(signal);
    weft_mpsc_receiver_close(to);
}

TEST_ABORTS(mpsc, whose_receiver_is_closed_while_it_waits_aborts,
            "weft_mpsc_receiver_close: a receive is pending (the mpsc channel at")
{
    begin(1);
    check(!hand_poll(&hand, receive()));
    weft_mpsc_receiver_close(receiver);
}

Test(mpsc, whose_receive_was_cancelled_may_be_closed)
{
    begin(1);
    check(!hand_poll(&hand, receive()));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}
