/* test_mpmc.c - a queue of work: order at both ends, back-pressure, cancelling, closing */
#define QUEUE(name) weft_mpmc_##name
#include "queue_channel.h"

/* ---- messages and room ---- */

Test(mpmc, gives_messages_in_the_order_they_were_sent_over_many_laps)
{
    begin(3);
    for (int i = 0; i < 100; i++) {
        check_eq(try_send(2 * i), 0);
        check_eq(try_send(2 * i + 1), 0);
        check_eq(received(), 2 * i);
        check_eq(received(), 2 * i + 1);
        check_eq(received(), -EAGAIN);
    }
    end();
}

Test(mpmc, holds_as_many_messages_as_its_capacity)
{
    begin(3);
    for (int i = 0; i < 3; i++)
        check_eq(try_send(i), 0);
    check_eq(try_send(3), -EAGAIN);
    check_eq(received(), 0);
    check_eq(try_send(3), 0);
    end();
}

Test(mpmc, refuses_a_capacity_of_0_and_what_is_too_large_and_carries_messages_of_no_bytes)
{
    check_eq(weft_mpmc_open(4, 0, &sender, &receiver), -EINVAL);
    check_eq(weft_mpmc_open(SIZE_MAX / 2, 3, &sender, &receiver), -EINVAL);
    hand_init(&hand, NULL);
    check_eq(weft_mpmc_open(0, 1, &sender, &receiver), 0);
    check_eq(weft_mpmc_try_send(sender, ""), 0);
    check_eq(weft_mpmc_try_send(sender, ""), -EAGAIN);
    check_eq(weft_mpmc_try_receive(receiver, &got), 0);
    check_eq(weft_mpmc_try_receive(receiver, &got), -EAGAIN);
    end();
}

/* ---- receivers that wait ---- */

Test(mpmc, serves_waiting_receivers_first_come_first_served)
{
    weft_wait waits[3];
    int       message[3] = {0};

    begin(3);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, weft_mpmc_receive(&waits[i], receiver, &message[i])));
    check_eq(try_send(7), 0);
    check_eq(hand.n_wakes, 1);
    check(!hand_poll(&hand, &waits[1].future));
    check(!hand_poll(&hand, &waits[2].future));
    check_eq(hand_run(&hand, &waits[0].future), 0);
    check_eq(try_send(8), 0);
    check_eq(try_send(9), 0);
    check_eq(hand_run(&hand, &waits[1].future), 0);
    check_eq(hand_run(&hand, &waits[2].future), 0);
    check(message[0] == 7 && message[1] == 8 && message[2] == 9);
    end();
}

Test(mpmc, lets_no_later_receive_take_the_message_of_one_that_has_its_turn)
{
    weft_wait second;
    int       also = 0;

    begin(2);
    check(!hand_poll(&hand, receive()));
    check_eq(try_send(1), 0);
    check_eq(received(), -EAGAIN);
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 1);
    check_eq(try_send(2), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(also, 2);
    end();
}

Test(mpmc, receive_that_was_cancelled_after_its_wake_leaves_the_message_to_the_next)
{
    weft_wait second;
    int       also = 0;

    begin(2);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check_eq(try_send(7), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(also, 7);
    end();
}

Test(mpmc, receive_that_was_cancelled_after_its_wake_leaves_the_message_in_its_place)
{
    begin(2);
    check(!hand_poll(&hand, receive()));
    check_eq(try_send(7), 0);
    check_eq(try_send(8), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(received(), 7);
    check_eq(received(), 8);
    end();
}

Test(mpmc, receive_keeps_to_the_budget_and_keeps_its_place)
{
    weft_wait second;
    int       also = 0;

    begin(2);
    check_eq(try_send(7), 0);
    check(!hand_poll_budget(&hand, receive(), 0));
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    check_eq(hand_cancel(&hand, &second.future), -ECANCELED);
    end();
}

/* ---- senders that wait ---- */

Test(mpmc, serves_waiting_senders_first_come_first_served)
{
    weft_wait waits[5];
    int       message[5];

    begin(1);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 5; i++) {
        message[i] = i;
        check(!hand_poll(&hand, weft_mpmc_send(&waits[i], sender, &message[i])));
    }
    check_eq(try_send(200), -EAGAIN);
    check_eq(received(), 100);
    check_eq(try_send(200), -EAGAIN); /* the waiting message has taken the room */
    for (int i = 0; i < 5; i++)
        check_eq(received(), i);
    for (int i = 0; i < 5; i++)
        check_eq(hand_run(&hand, &waits[i].future), 0);
    end();
}

Test(mpmc, send_that_was_cancelled_has_sent_nothing_and_one_that_was_sent_says_so)
{
    weft_wait waits[2];
    int       message[2] = {0, 1};

    begin(1);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 2; i++)
        check(!hand_poll(&hand, weft_mpmc_send(&waits[i], sender, &message[i])));
    check_eq(hand_cancel(&hand, &waits[0].future), -ECANCELED);
    check_eq(received(), 100);
    check_eq(hand_cancel(&hand, &waits[1].future), 0);
    check_eq(received(), 1);
    check_eq(received(), -EAGAIN);
    end();
}

Test(mpmc, send_without_budget_sends_and_wakes_and_says_so_later)
{
    weft_wait sending;
    int       message = 7;

    begin(1);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll_budget(&hand, weft_mpmc_send(&sending, sender, &message), 0));
    check_eq(hand.n_wakes, 2); /* the receiver, and the sender that lacks budget */
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    check_eq(hand_cancel(&hand, &sending.future), 0);
    end();
}

Test(mpmc, message_that_moves_up_is_for_the_receiver_that_waits)
{
    weft_wait sending, second;
    int       message = 2, also = 0;

    begin(1);
    check(!hand_poll(&hand, receive()));
    check_eq(try_send(1), 0);
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check(!hand_poll(&hand, weft_mpmc_send(&sending, sender, &message)));
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(hand.n_wakes, 3);
    check_eq(hand_run(&hand, &sending.future), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check(got == 1 && also == 2);
    end();
}

/* ---- closing ---- */

Test(mpmc, whose_last_sender_closed_gives_what_was_sent_and_then_the_end)
{
    weft_mpmc_sender *other;
    weft_wait         second;
    int               also;

    begin(2);
    other = weft_mpmc_sender_clone(sender);
    check_eq(try_send(7), 0);
    weft_mpmc_sender_close(sender);
    check_eq(received(), 7);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    weft_mpmc_sender_close(other);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check_eq(hand_run(&hand, &second.future), WEFT_EOF);
    check_eq(received(), WEFT_EOF);
    weft_mpmc_receiver_close(receiver);
}

Test(mpmc, end_comes_only_after_the_last_message_was_taken)
{
    weft_wait second;
    int       also;

    begin(2);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check_eq(try_send(7), 0);
    weft_mpmc_sender_close(sender);
    check(!hand_poll(&hand, &second.future)); /* the first may still give its turn back */
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &second.future), WEFT_EOF);
    weft_mpmc_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(mpmc, message_that_is_given_back_after_the_senders_closed_is_not_lost)
{
    weft_wait second;
    int       also = 0;

    begin(2);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_mpmc_receive(&second, receiver, &also)));
    check_eq(try_send(7), 0);
    weft_mpmc_sender_close(sender);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(also, 7);
    check_eq(received(), WEFT_EOF);
    weft_mpmc_receiver_close(receiver);
}

Test(mpmc, whose_last_receiver_closed_answers_epipe_to_waiting_and_later_senders)
{
    weft_mpmc_receiver *other;
    weft_wait           waits[3], closed;
    int                 message = 1;

    begin(1);
    other = weft_mpmc_receiver_clone(receiver);
    check_eq(try_send(100), 0);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, weft_mpmc_send(&waits[i], sender, &message)));
    check(!hand_poll(&hand, weft_mpmc_closed(&closed, sender)));
    weft_mpmc_receiver_close(receiver);
    check_eq(hand.n_wakes, 0);
    weft_mpmc_receiver_close(other);
    check_eq(hand.n_wakes, 4);
    for (int i = 0; i < 3; i++)
        check_eq(hand_run(&hand, &waits[i].future), -EPIPE);
    check_eq(hand_run(&hand, &closed.future), 0);
    check_eq(try_send(2), -EPIPE);
    check_eq(hand_run(&hand, weft_mpmc_send(&wait, sender, &message)), -EPIPE);
    weft_mpmc_sender_close(sender);
    check_eq(hand.n_wakers, 0);
}

/* ---- stopping ---- */

Test(mpmc, that_is_stopped_refuses_senders_and_gives_what_was_sent_and_then_the_end)
{
    weft_wait closed, last;
    int       message = 3;

    begin(2);
    check_eq(try_send(1), 0);
    check_eq(try_send(2), 0);
    check(!hand_poll(&hand, weft_mpmc_send(&wait, sender, &message)));
    check(!hand_poll(&hand, weft_mpmc_closed(&closed, sender)));
    weft_mpmc_receiver_stop(receiver);
    weft_mpmc_receiver_stop(receiver);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &wait.future), -EPIPE);
    check_eq(hand_run(&hand, &closed.future), 0);
    check_eq(try_send(4), -EPIPE);
    check_eq(hand_run(&hand, weft_mpmc_send(&wait, sender, &message)), -EPIPE);
    check_eq(hand_run(&hand, weft_mpmc_closed(&closed, sender)), 0);
    check_eq(weft_mpmc_count(receiver), 2);
    check_eq(received(), 1);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(got, 2);
    check_eq(weft_mpmc_count(receiver), 0);
    check_eq(received(), WEFT_EOF);
    check_eq(hand_run(&hand, weft_mpmc_receive(&last, receiver, &got)), WEFT_EOF);
    end();
}

Test(mpmc, that_is_stopped_tells_all_receivers_that_wait_also_behind_a_claim)
{
    weft_mpmc_receiver *other;
    weft_wait           waits[3];
    int                 also[3];

    begin(2);
    other = weft_mpmc_receiver_clone(receiver);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, weft_mpmc_receive(&waits[i], other, &also[i])));
    check_eq(try_send(7), 0);
    weft_mpmc_receiver_stop(receiver);
    check(!hand_poll(&hand, &waits[1].future)); /* the first may still give its turn back */
    check_eq(hand_cancel(&hand, &waits[0].future), -ECANCELED);
    check_eq(hand_run(&hand, &waits[1].future), 0);
    check_eq(also[1], 7);
    check_eq(hand_run(&hand, &waits[2].future), WEFT_EOF);
    weft_mpmc_receiver_close(other);
    end();
}
