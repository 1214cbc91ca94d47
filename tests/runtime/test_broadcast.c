/*
 * test_broadcast.c - every receiver gets every message; slow ones learn how many they missed
 *
 * Many cases are those of Tokio's sync_broadcast.rs, by their behaviour.
 */
#include "../helpers.h"

static struct hand              hand;
static weft_broadcast_sender   *sender;
static weft_broadcast_receiver *receiver;
static weft_wait                wait;
static int                      got;

static void begin(size_t capacity)
{
    hand_init(&hand, NULL);
    check_eq(weft_broadcast_open(sizeof got, capacity, &sender, &receiver), 0);
}

static void end(void)
{
    weft_broadcast_sender_close(sender);
    weft_broadcast_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

static int put(int message)
{
    return weft_broadcast_send(sender, &message);
}

/* The next message of a receiver that has missed none, or -errno. */
static int64_t next_of(weft_broadcast_receiver *r)
{
    int     message = 0;
    int64_t n = weft_broadcast_try_receive(r, &message);

    check_cmp(n, <=, 0);
    return n < 0 ? n : message;
}

static weft_future *receive(void)
{
    return weft_broadcast_receive(&wait, receiver, &got);
}

static weft_broadcast_receiver *subscribe(void)
{
    weft_broadcast_receiver *r = NULL;

    check_eq(weft_broadcast_subscribe(sender, &r), 0);
    return r;
}

TEST_ABORTS(broadcast, whose_receiver_is_closed_while_it_waits_aborts,
            "weft_broadcast_receiver_close: a wait on this receiver is pending (the broadcast")
{
    begin(1);
    check(!hand_poll(&hand, receive()));
    weft_broadcast_receiver_close(receiver);
}

/* The other wait of the receiver has ended. */
TEST_ABORTS(broadcast, whose_receiver_is_closed_while_one_of_two_waits_is_pending_aborts,
            "weft_broadcast_receiver_close: a wait on this receiver is pending (the broadcast")
{
    weft_wait second;
    int       also;

    begin(1);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_broadcast_receive(&second, receiver, &also)));
    check_eq(put(7), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    weft_broadcast_receiver_close(receiver);
}

Test(broadcast, receiver_may_be_closed_once_its_waits_have_ended)
{
    weft_wait second;
    int       also;

    begin(2);
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_broadcast_receive(&second, receiver, &also)));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(put(7), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(also, 7);
    check_eq(put(8), 0);
    check_eq(hand_run(&hand, receive()), 0); /* ready at its first poll */
    weft_broadcast_receiver_close(receiver);
    weft_broadcast_sender_close(sender);
}

/* ---- messages ---- */

Test(broadcast, gives_each_receiver_each_message_in_order)
{
    weft_broadcast_receiver *other;

    begin(4);
    other = subscribe();
    check_eq(next_of(receiver), -EAGAIN);
    for (int i = 0; i < 100; i += 2) {
        check_eq(put(i), 0);
        check_eq(put(i + 1), 0);
        check_eq(next_of(receiver), i);
        check_eq(next_of(other), i);
        check_eq(next_of(other), i + 1);
        check_eq(next_of(receiver), i + 1);
        check_eq(next_of(other), -EAGAIN);
    }
    weft_broadcast_receiver_close(other);
    end();
}

Test(broadcast, subscriber_gets_what_is_sent_from_then_on)
{
    weft_broadcast_receiver *late, *later;

    begin(4);
    check_eq(put(1), 0);
    late = subscribe();
    check_eq(put(2), 0);
    check_eq(weft_broadcast_resubscribe(receiver, &later), 0);
    check_eq(put(3), 0);
    check_eq(next_of(late), 2);
    check_eq(next_of(later), 3);
    check_eq(next_of(receiver), 1);
    check_eq(weft_broadcast_receiver_count(sender), 3);
    weft_broadcast_receiver_close(late);
    weft_broadcast_receiver_close(later);
    end();
}

Test(broadcast, wakes_all_receivers_that_wait)
{
    weft_broadcast_receiver *other;
    weft_wait                second;
    int                      also = 0;

    begin(2);
    other = subscribe();
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_broadcast_receive(&second, other, &also)));
    check_eq(put(7), 0);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check(got == 7 && also == 7);
    weft_broadcast_receiver_close(other);
    end();
}

Test(broadcast, many_waits_end_by_one_send)
{
    enum { MANY = 100 };
    weft_broadcast_receiver *r[MANY];
    weft_wait                waits[MANY];
    int                      message[MANY];

    begin(1);
    for (int i = 0; i < MANY; i++) {
        r[i] = subscribe();
        check(!hand_poll(&hand, weft_broadcast_receive(&waits[i], r[i], &message[i])));
    }
    check_eq(put(2), 0);
    check_eq(hand.n_wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        check_eq(hand_run(&hand, &waits[i].future), 0);
        check_eq(message[i], 2);
        weft_broadcast_receiver_close(r[i]);
    }
    end();
}

/* ---- receivers that are too slow ---- */

Test(broadcast, receive_says_how_many_it_has_missed_and_gives_the_oldest)
{
    int message = 0;

    begin(3);
    for (int i = 0; i < 3; i++)
        check_eq(put(i), 0);
    check_eq(next_of(receiver), 0); /* a full channel: nothing is missed yet */
    for (int i = 3; i < 8; i++)
        check_eq(put(i), 0);
    check_eq(weft_broadcast_try_receive(receiver, &message), 4); /* 1, 2, 3, 4 */
    check_eq(message, 5);
    check_eq(next_of(receiver), 6);
    check_eq(next_of(receiver), 7);
    check_eq(next_of(receiver), -EAGAIN);
    check_eq(put(8), 0);
    check_eq(next_of(receiver), 8);
    end();
}

/* A channel keeps exactly its capacity. Tokio rounds that up to a power of two. */
Test(broadcast, receiver_that_is_late_has_missed_what_is_more_than_the_capacity)
{
    for (int capacity = 1; capacity <= 9; capacity++)
        for (int sent = 1; sent <= 20; sent++) {
            int missed = sent > capacity ? sent - capacity : 0, message = 0;

            begin((size_t)capacity);
            for (int i = 0; i < sent; i++)
                check_eq(put(i), 0);
            check_eq(weft_broadcast_try_receive(receiver, &message), missed);
            check_eq(message, missed);
            for (int i = missed + 1; i < sent; i++)
                check_eq(next_of(receiver), i);
            check_eq(next_of(receiver), -EAGAIN);
            end();
        }
}

Test(broadcast, receiver_that_is_late_again_is_told_again_and_others_are_not)
{
    weft_broadcast_receiver *other;
    int                      message = 0;

    begin(2);
    other = subscribe();
    for (int i = 0; i < 3; i++) {
        check_eq(put(i), 0);
        check_eq(next_of(other), i);
    }
    check_eq(weft_broadcast_try_receive(receiver, &message), 1);
    check_eq(message, 1);
    check_eq(put(3), 0);
    check_eq(put(4), 0); /* it has not yet received 2 */
    check_eq(weft_broadcast_try_receive(receiver, &message), 1);
    check_eq(message, 3);
    check_eq(next_of(receiver), 4);
    check_eq(next_of(other), 3);
    check_eq(next_of(other), 4);
    weft_broadcast_receiver_close(other);
    end();
}

Test(broadcast, resubscriber_has_missed_nothing_and_is_at_the_end_of_a_closed_channel)
{
    weft_broadcast_receiver *other;
    int                      message = 0;

    begin(1);
    check_eq(put(1), 0);
    check_eq(put(2), 0);
    check_eq(weft_broadcast_resubscribe(receiver, &other), 0);
    check_eq(next_of(other), -EAGAIN);
    check_eq(weft_broadcast_try_receive(receiver, &message), 1);
    check_eq(message, 2);
    weft_broadcast_receiver_close(other);
    weft_broadcast_sender_close(sender);
    check_eq(weft_broadcast_resubscribe(receiver, &other), 0);
    check_eq(next_of(other), WEFT_EOF);
    weft_broadcast_receiver_close(other);
    weft_broadcast_receiver_close(receiver);
}

Test(broadcast, slow_receiver_holds_up_no_other)
{
    weft_broadcast_receiver *other;

    begin(1);
    other = subscribe();
    for (int i = 0; i < 10; i++) {
        check_eq(put(i), 0);
        check_eq(next_of(other), i);
    }
    check_eq(hand_run(&hand, receive()), 9);
    check_eq(got, 9);
    weft_broadcast_receiver_close(other);
    end();
}

Test(broadcast, receive_that_is_polled_late_has_missed_messages_too)
{
    begin(2);
    check(!hand_poll(&hand, receive()));
    for (int i = 0; i < 5; i++)
        check_eq(put(i), 0);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 3);
    check_eq(got, 3);
    check_eq(next_of(receiver), 4);
    end();
}

Test(broadcast, of_which_the_senders_are_closed_still_says_what_was_missed)
{
    int message = 0;

    begin(2);
    for (int i = 0; i < 5; i++)
        check_eq(put(i), 0);
    weft_broadcast_sender_close(sender);
    check_eq(weft_broadcast_try_receive(receiver, &message), 3);
    check_eq(message, 3);
    check_eq(next_of(receiver), 4);
    check_eq(next_of(receiver), WEFT_EOF);
    weft_broadcast_receiver_close(receiver);
}

/* ---- waits ---- */

Test(broadcast, receive_that_was_cancelled_after_its_wake_has_taken_nothing)
{
    begin(2);
    check(!hand_poll(&hand, receive()));
    check_eq(put(7), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(next_of(receiver), 7);
    end();
}

Test(broadcast, receive_waits_on_if_its_owner_took_the_message_meanwhile)
{
    begin(2);
    check(!hand_poll(&hand, receive()));
    check_eq(put(7), 0);
    check_eq(next_of(receiver), 7);
    check(!hand_poll(&hand, &wait.future));
    check_eq(put(8), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 8);
    end();
}

Test(broadcast, two_receives_of_one_receiver_share_its_messages_and_hold_up_no_other)
{
    weft_broadcast_receiver *other;
    weft_wait                second, third;
    int                      also = 0, third_got = 0;

    begin(2);
    other = subscribe();
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_broadcast_receive(&second, receiver, &also)));
    check(!hand_poll(&hand, weft_broadcast_receive(&third, other, &third_got)));
    check_eq(put(1), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check(!hand_poll(&hand, &second.future));
    check_eq(hand_run(&hand, &third.future), 0);
    check_eq(put(2), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check(got == 1 && also == 2 && third_got == 1);
    weft_broadcast_receiver_close(other);
    end();
}

Test(broadcast, receive_keeps_to_the_budget)
{
    begin(2);
    check_eq(put(7), 0);
    check(!hand_poll_budget(&hand, receive(), 0));
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    check_eq(put(8), 0);
    check(!hand_poll_budget(&hand, receive(), 0));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(next_of(receiver), 8);
    end();
}

/* ---- closing ---- */

Test(broadcast, whose_last_sender_closed_gives_what_was_sent_and_then_the_end)
{
    weft_broadcast_sender *other;

    begin(2);
    other = weft_broadcast_sender_clone(sender);
    check_eq(put(7), 0);
    weft_broadcast_sender_close(sender);
    check_eq(next_of(receiver), 7);
    check(!hand_poll(&hand, receive()));
    weft_broadcast_sender_close(other);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check_eq(hand_run(&hand, receive()), WEFT_EOF);
    weft_broadcast_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(broadcast, without_receivers_refuses_a_send_which_later_ones_do_not_get)
{
    begin(2);
    weft_broadcast_receiver_close(receiver);
    check_eq(weft_broadcast_receiver_count(sender), 0);
    check_eq(put(1), -EPIPE);
    receiver = subscribe();
    check_eq(put(2), 0);
    check_eq(next_of(receiver), 2);
    end();
}

Test(broadcast, closed_waits_until_the_last_receiver_is_closed)
{
    weft_broadcast_receiver *other;
    weft_wait                closed;

    begin(1);
    other = subscribe();
    check(!hand_poll(&hand, weft_broadcast_closed(&closed, sender)));
    weft_broadcast_receiver_close(receiver);
    check_eq(hand.n_wakes, 0);
    weft_broadcast_receiver_close(other);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &closed.future), 0);
    receiver = subscribe();
    check(!hand_poll(&hand, weft_broadcast_closed(&closed, sender)));
    check_eq(hand_cancel(&hand, &closed.future), -ECANCELED);
    end();
}

Test(broadcast, carries_messages_of_no_bytes_and_refuses_what_is_too_large)
{
    check_eq(weft_broadcast_open(4, 0, &sender, &receiver), -EINVAL);
    check_eq(weft_broadcast_open(SIZE_MAX / 2, 3, &sender, &receiver), -EINVAL);
    hand_init(&hand, NULL);
    check_eq(weft_broadcast_open(0, 2, &sender, &receiver), 0);
    for (int i = 0; i < 5; i++)
        check_eq(weft_broadcast_send(sender, ""), 0);
    check_eq(weft_broadcast_try_receive(receiver, &got), 3);
    check_eq(weft_broadcast_try_receive(receiver, &got), 0);
    check_eq(weft_broadcast_try_receive(receiver, &got), -EAGAIN);
    end();
}

/* ---- weak senders ---- */

Test(broadcast, weak_sender_does_not_keep_the_receivers_waiting)
{
    weft_broadcast_weak *weak;

    begin(2);
    weak = weft_broadcast_downgrade(sender);
    check(!hand_poll(&hand, weft_broadcast_receive(&wait, receiver, &got)));
    weft_broadcast_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check(!weft_broadcast_upgrade(weak));
    weft_broadcast_receiver_close(receiver);
    check(!weft_broadcast_upgrade(weak));
    weft_broadcast_weak_close(weak); /* the last end */
    weft_broadcast_weak_close(NULL);
    check_eq(hand.n_wakers, 0);
}

Test(broadcast, weak_sender_becomes_a_sender_while_there_is_one)
{
    weft_broadcast_weak   *weak;
    weft_broadcast_sender *other;

    begin(2);
    weak = weft_broadcast_downgrade(sender);
    other = weft_broadcast_upgrade(weak);
    check(other);
    weft_broadcast_sender_close(sender);
    sender = weft_broadcast_upgrade(weak);
    check(sender);
    weft_broadcast_sender_close(other);
    weft_broadcast_weak_close(weak);
    check_eq(put(7), 0);
    check_eq(next_of(receiver), 7);
    check_eq(next_of(receiver), -EAGAIN);
    end();
}
