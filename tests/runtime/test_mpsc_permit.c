/*
 * test_mpsc_permit.c - permits of an mpsc channel: room that is kept for a message
 *
 * Many cases are those of Tokio's sync_mpsc.rs, by their behaviour.
 */
#define QUEUE(name) weft_mpsc_##name
#include "queue_channel.h"

static weft_mpsc_permit *permit;

static int permit_send(weft_mpsc_permit *p, int message)
{
    return weft_mpsc_permit_send(p, &message);
}

Test(mpsc_permit, keeps_room_until_it_is_used)
{
    begin(2);
    check_eq(weft_mpsc_available(sender), 2);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check_eq(weft_mpsc_available(sender), 1);
    check_eq(try_send(1), 0);
    check_eq(try_send(2), -EAGAIN);
    check_eq(received(), 1);
    check_eq(received(), -EAGAIN);
    check_eq(permit_send(permit, 3), 0);
    check_eq(weft_mpsc_available(sender), 1);
    check_eq(received(), 3);
    check_eq(weft_mpsc_available(sender), 2);
    end();
}

Test(mpsc_permit, that_is_closed_gives_its_room_back)
{
    begin(1);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check_eq(weft_mpsc_try_reserve(sender, &permit), -EAGAIN);
    check_eq(try_send(1), -EAGAIN);
    weft_mpsc_permit_close(permit);
    weft_mpsc_permit_close(NULL);
    check_eq(try_send(1), 0);
    end();
}

Test(mpsc_permit, waits_in_the_queue_of_senders)
{
    weft_wait         waits[3];
    weft_mpsc_permit *p = NULL;
    int               message[2] = {1, 3};

    begin(1);
    check_eq(try_send(0), 0);
    check(!hand_poll(&hand, weft_mpsc_send(&waits[0], sender, &message[0])));
    check(!hand_poll(&hand, weft_mpsc_reserve(&waits[1], sender, &p)));
    check(!hand_poll(&hand, weft_mpsc_send(&waits[2], sender, &message[1])));
    check_eq(received(), 0);
    check_eq(hand_run(&hand, &waits[0].future), 0);
    check(!hand_poll(&hand, &waits[1].future));
    check_eq(received(), 1);
    check_eq(hand_run(&hand, &waits[1].future), 0);
    check(p != NULL);
    check(!hand_poll(&hand, &waits[2].future));
    check_eq(permit_send(p, 2), 0);
    check_eq(received(), 2);
    check_eq(received(), 3);
    check_eq(hand_run(&hand, &waits[2].future), 0);
    end();
}

Test(mpsc_permit, of_a_cancelled_wait_goes_to_the_next)
{
    weft_wait         second, third;
    weft_mpsc_permit *p = NULL, *unused = NULL;
    int               message = 5;

    begin(1);
    check_eq(try_send(0), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve(&wait, sender, &unused)));
    check(!hand_poll(&hand, weft_mpsc_reserve(&second, sender, &p)));
    check(!hand_poll(&hand, weft_mpsc_send(&third, sender, &message)));
    check_eq(received(), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED); /* it had the room */
    check(!unused);
    check_eq(hand_cancel(&hand, &second.future), -ECANCELED);
    check_eq(hand_run(&hand, &third.future), 0);
    check_eq(received(), 5);
    check_eq(weft_mpsc_available(sender), 1);
    end();
}

Test(mpsc_permit, that_is_given_back_wakes_the_receiver_for_the_next_message)
{
    weft_wait sending;
    int       message = 5;

    begin(1);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    check(!hand_poll(&hand, weft_mpsc_send(&sending, sender, &message)));
    weft_mpsc_permit_close(permit);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &sending.future), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 5);
    end();
}

Test(mpsc_permit, comes_at_once_if_there_is_room_and_keeps_to_the_budget)
{
    weft_wait second;

    begin(1);
    check(!hand_poll_budget(&hand, weft_mpsc_reserve(&wait, sender, &permit), 0));
    check(!hand_poll(&hand, weft_mpsc_reserve(&second, sender, &permit)));
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(permit_send(permit, 1), 0);
    check_eq(hand_cancel(&hand, &second.future), -ECANCELED);
    check(!hand_poll_budget(&hand, weft_mpsc_reserve(&wait, sender, &permit), 0));
    check_eq(received(), 1);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(weft_mpsc_available(sender), 1);
    end();
}

Test(mpsc_permit, is_a_sender_of_its_own_until_it_has_ended)
{
    begin(2);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    weft_mpsc_sender_close(sender);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    check_eq(permit_send(permit, 7), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    check_eq(received(), WEFT_EOF);
    weft_mpsc_receiver_close(receiver);
    begin(2);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    weft_mpsc_sender_close(sender);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    weft_mpsc_permit_close(permit);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    weft_mpsc_receiver_close(receiver);
}

Test(mpsc_permit, of_a_stopped_receiver_is_waited_for)
{
    weft_mpsc_permit *second = NULL;

    begin(3);
    check_eq(try_send(1), 0);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check_eq(weft_mpsc_try_reserve(sender, &second), 0);
    weft_mpsc_receiver_stop(receiver);
    check_eq(try_send(2), -EPIPE);
    check_eq(weft_mpsc_try_reserve(sender, &permit), -EPIPE);
    check_eq(received(), 1);
    check_eq(received(), -EAGAIN);
    check_eq(permit_send(permit, 3), 0);
    check_eq(received(), 3);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    weft_mpsc_permit_close(second);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    end();
}

/* A wait that was given room before the stop has its permit. The receiver waits for that, too. */
Test(mpsc_permit, of_a_wait_that_was_given_room_before_a_stop_is_waited_for)
{
    weft_mpsc_permit *late = NULL;
    weft_wait         receiving;
    struct hand       other;

    for (int cancels = 0; cancels < 2; cancels++) {
        begin(1);
        hand_init(&other, NULL);
        check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
        check(!hand_poll(&hand, weft_mpsc_reserve(&wait, sender, &late)));
        weft_mpsc_permit_close(permit);
        check_eq(hand.n_wakes, 1);
        weft_mpsc_receiver_stop(receiver);
        check(!hand_poll(&other, weft_mpsc_receive(&receiving, receiver, &got)));
        if (cancels) {
            check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
        } else {
            check_eq(hand_run(&hand, &wait.future), 0);
            check(!hand_poll(&other, &receiving.future));
            weft_mpsc_permit_close(late);
        }
        check(other.woken);
        check_eq(hand_run(&other, &receiving.future), WEFT_EOF);
        end();
    }
}

Test(mpsc_permit, that_is_waited_for_is_refused_by_a_stop_and_the_one_that_is_out_is_not)
{
    weft_mpsc_permit *late = NULL;
    weft_wait         receiving;
    struct hand       other;

    begin(1);
    hand_init(&other, NULL);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve(&wait, sender, &late)));
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), -EPIPE);
    check(!late);
    check(!hand_poll(&other, weft_mpsc_receive(&receiving, receiver, &got)));
    check_eq(permit_send(permit, 123), 0);
    check_eq(other.n_wakes, 1);
    check_eq(hand_run(&other, &receiving.future), 0);
    check_eq(got, 123);
    check_eq(received(), WEFT_EOF);
    end();
}

Test(mpsc_permit, of_a_closed_receiver_answers_epipe_and_keeps_the_memory)
{
    begin(2);
    check_eq(weft_mpsc_try_reserve(sender, &permit), 0);
    check_eq(try_send(1), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve(&wait, sender, &permit)));
    weft_mpsc_receiver_close(receiver);
    check_eq(hand_run(&hand, &wait.future), -EPIPE);
    weft_mpsc_sender_close(sender);
    check_eq(permit_send(permit, 2), -EPIPE); /* the last end */
    check_eq(hand.n_wakers, 0);
}

Test(mpsc_permit, is_refused_by_an_unbounded_channel)
{
    hand_init(&hand, NULL);
    check_eq(weft_mpsc_open_unbounded(sizeof got, &sender, &receiver), 0);
    check_eq(weft_mpsc_try_reserve(sender, &permit), -EINVAL);
    check_eq(hand_run(&hand, weft_mpsc_reserve(&wait, sender, &permit)), -EINVAL);
    end();
}

/* ---- several at once ---- */

Test(mpsc_permit, come_together_and_are_ended_one_by_one)
{
    weft_mpsc_permit *p[3];

    begin(3);
    check_eq(weft_mpsc_try_reserve_many(sender, 2, p), 0);
    check_eq(weft_mpsc_available(sender), 1);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 1, &p[2])), 0);
    check_eq(weft_mpsc_available(sender), 0);
    check_eq(permit_send(p[2], 1), 0);
    weft_mpsc_permit_close(p[0]);
    check_eq(try_send(2), 0);
    check_eq(permit_send(p[1], 3), 0);
    for (int i = 1; i <= 3; i++)
        check_eq(received(), i);
    check_eq(weft_mpsc_available(sender), 3);
    end();
}

Test(mpsc_permit, are_tried_together_or_not_at_all)
{
    weft_mpsc_permit *p[2] = {NULL, NULL};

    begin(2);
    check_eq(try_send(1), 0);
    check_eq(weft_mpsc_try_reserve_many(sender, 2, p), -EAGAIN);
    check_eq(weft_mpsc_try_reserve_many(sender, 3, p), -EINVAL);
    check(!p[0] && !p[1]);
    check_eq(weft_mpsc_try_reserve_many(sender, 0, NULL), 0);
    check_eq(weft_mpsc_available(sender), 1);
    check_eq(try_send(2), 0);
    check_eq(weft_mpsc_try_reserve_many(sender, 0, NULL), 0); /* none need no room */
    check(!hand_poll(&hand, weft_mpsc_reserve(&wait, sender, &permit)));
    check_eq(received(), 1);
    check_eq(received(), 2);
    check_eq(weft_mpsc_try_reserve_many(sender, 1, p), 0);
    check_eq(weft_mpsc_try_reserve_many(sender, 1, p), -EAGAIN);
    weft_mpsc_permit_close(p[0]);
    check_eq(hand_run(&hand, &wait.future), 0);
    weft_mpsc_permit_close(permit);
    end();
}

Test(mpsc_permit, more_than_the_capacity_are_refused)
{
    weft_mpsc_permit *p[3];

    begin(2);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 3, p)), -EINVAL);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 0, NULL)), 0);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 2, p)), 0);
    for (int i = 0; i < 2; i++)
        weft_mpsc_permit_close(p[i]);
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 0, NULL)), -EPIPE);
    check_eq(weft_mpsc_try_reserve_many(sender, 0, NULL), -EPIPE);
    check_eq(weft_mpsc_try_reserve_many(sender, 1, p), -EPIPE);
    end();
    check_eq(weft_mpsc_open_unbounded(sizeof got, &sender, &receiver), 0);
    check_eq(hand_run(&hand, weft_mpsc_reserve_many(&wait, sender, 1, p)), -EINVAL);
    check_eq(weft_mpsc_try_reserve_many(sender, 1, p), -EINVAL);
    end();
}

/* Those behind it do not overtake, so it gets them in the end. */
Test(mpsc_permit, are_collected_as_messages_are_received)
{
    weft_mpsc_permit *p[3];
    weft_wait         behind;
    int               sent = 9;

    begin(3);
    for (int i = 1; i <= 2; i++)
        check_eq(try_send(i), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve_many(&wait, sender, 3, p)));
    check_eq(weft_mpsc_available(sender), 0);
    check_eq(try_send(3), -EAGAIN);
    check(!hand_poll(&hand, weft_mpsc_send(&behind, sender, &sent)));
    check_eq(received(), 1);
    check(!hand_poll(&hand, &wait.future));
    check_eq(received(), 2);
    check_eq(hand_run(&hand, &wait.future), 0);
    check(!hand_poll(&hand, &behind.future));
    weft_mpsc_permit_close(p[0]);
    check_eq(hand_run(&hand, &behind.future), 0);
    check_eq(permit_send(p[1], 4), 0);
    check_eq(permit_send(p[2], 5), 0);
    check_eq(received(), 9);
    check_eq(received(), 4);
    check_eq(received(), 5);
    end();
}

/* The receiver that waits gets the messages of the senders that waited behind it. */
Test(mpsc_permit, that_were_collected_by_a_cancelled_wait_go_to_the_senders_behind_it)
{
    weft_mpsc_permit *p[2], *held;
    weft_wait         waits[2], receiving;
    int               message[2] = {1, 2};

    begin(2);
    check_eq(weft_mpsc_try_reserve(sender, &held), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve_many(&wait, sender, 2, p)));
    check(!hand_poll(&hand, weft_mpsc_receive(&receiving, receiver, &got)));
    for (int i = 0; i < 2; i++)
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message[i])));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand_run(&hand, &waits[0].future), 0);
    check_eq(hand_run(&hand, &receiving.future), 0);
    check_eq(got, 1);
    check_eq(hand_run(&hand, &waits[1].future), 0);
    check_eq(received(), 2);
    weft_mpsc_permit_close(held);
    end();
}

Test(mpsc_permit, that_were_given_to_a_cancelled_wait_go_to_the_senders_behind_it)
{
    weft_mpsc_permit *p[2];
    weft_wait         waits[2];
    int               message[2] = {1, 2};

    begin(2);
    check(!hand_poll_budget(&hand, weft_mpsc_reserve_many(&wait, sender, 2, p), 0));
    for (int i = 0; i < 2; i++)
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message[i])));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    for (int i = 0; i < 2; i++) {
        check_eq(hand_run(&hand, &waits[i].future), 0);
        check_eq(received(), i + 1);
    }
    end();
}

Test(mpsc_permit, that_are_being_collected_do_not_keep_a_stopped_receiver)
{
    weft_mpsc_permit *p[2], *held;

    begin(2);
    check_eq(weft_mpsc_try_reserve(sender, &held), 0);
    check(!hand_poll(&hand, weft_mpsc_reserve_many(&wait, sender, 2, p)));
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand_run(&hand, &wait.future), -EPIPE);
    check_eq(received(), -EAGAIN); /* of the permit that is out */
    weft_mpsc_permit_close(held);
    check_eq(received(), WEFT_EOF);
    end();
}
