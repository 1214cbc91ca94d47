/* test_mpmc_orders.c - the real mpmc channel, its ends and waits in every order of their steps */
#include "message_orders.h"

#include "ends.c"
#include "waits.c"
#include "waker.c"

#include "mpmc.c"

static weft_mpmc_sender   *sender[EXPLORE_THREADS];
static weft_mpmc_receiver *receiver[EXPLORE_THREADS];

/* The channel has one place. Thread 0 and thread 1 have a receiver each. */
static void set_up_receivers(void)
{
    set_up_messages();
    check_eq(weft_mpmc_open(sizeof(int), 1, &sender[2], &receiver[0]), 0);
    channel = sender[2];
    receiver[1] = weft_mpmc_receiver_clone(receiver[0]);
}

/* Thread 0 has the receiver, thread 1 and thread 2 have a sender each. */
static void set_up_senders(void)
{
    set_up_receivers();
    weft_mpmc_receiver_close(receiver[1]);
    sender[1] = weft_mpmc_sender_clone(sender[2]);
}

/* The place is taken: senders wait. */
static void set_up_full(void)
{
    set_up_senders();
    check_eq(weft_mpmc_try_send(sender[1], &(int){4}), 0);
}

static void set_up_receivers_without_budget(void)
{
    set_up_receivers();
    spend_budgets();
}

static void set_up_full_without_budget(void)
{
    set_up_full();
    spend_budgets();
}

/* ---- the threads ---- */

static void close_sender(int i)
{
    leave_as(i);
    weft_mpmc_sender_close(sender[i]);
}

static void close_receiver(int i)
{
    leave_as(i);
    weft_mpmc_receiver_close(receiver[i]);
}

static void receive_all(int i)
{
    int message;

    for (;;) {
        weft_mpmc_receive(&of[i].wait, receiver[i], &message);
        if (run(i) == WEFT_EOF)
            break;
        note(message);
    }
    close_receiver(i);
}

static void receive_0(void)
{
    receive_all(0);
}

/* What was sent before it is not lost. */
static void stop_and_receive_all(void)
{
    weft_mpmc_receiver_stop(receiver[0]);
    receive_all(0);
}

/* The receiver is open until another thread has been told of the stop. */
static void stop_and_await_passed(void)
{
    weft_mpmc_receiver_stop(receiver[0]);
    await_passed();
    receive_all(0);
}

static void receive_1(void)
{
    receive_all(1);
}

/* Gets one message, although no sender closes. */
static void receive_one(int i)
{
    int message;

    weft_mpmc_receive(&of[i].wait, receiver[i], &message);
    check_eq(run(i), 0);
    note(message);
    close_receiver(i);
}

static void receive_one_0(void)
{
    receive_one(0);
}

static void receive_one_1(void)
{
    receive_one(1);
}

/* What it was promised goes to the other receiver. */
static void give_up_1(void)
{
    int message;

    weft_mpmc_receive(&of[1].wait, receiver[1], &message);
    if (run_or_give_up(1) == 0)
        note(message);
    close_receiver(1);
}

/* The first message goes to the other receiver, and the second one waits for its room. */
static void keep_receiving_1(void)
{
    int message;

    weft_mpmc_receive(&of[1].wait, receiver[1], &message);
    check_eq(run_kept(1), 0);
    note(message);
    close_receiver(1);
}

static void receive_one_0_and_tell(void)
{
    receive_one(0);
    tell_passed();
}

static void try_once_1(void)
{
    int message, r = weft_mpmc_try_receive(receiver[1], &message);

    if (r == 0)
        note(message);
    close_receiver(1);
}

static void close_0(void)
{
    close_receiver(0);
}

static void close_1(void)
{
    close_receiver(1);
}

static void send_as(int i, int message)
{
    weft_mpmc_send(&of[i].wait, sender[i], &message);
    sent[i] = run(i);
}

static void send_1(void)
{
    send_as(1, 1);
    close_sender(1);
}

static void send_2(void)
{
    send_as(2, 2);
    close_sender(2);
}

static void send_two(void)
{
    send_as(2, 1);
    send_as(2, 2);
    close_sender(2);
}

static void send_one(void)
{
    send_as(2, 3);
    close_sender(2);
}

static void outlast_receivers(void)
{
    weft_mpmc_closed(&of[2].wait, sender[2]);
    check_eq(run(2), 0);
    close_sender(2);
}

/* The second message waits for room. */
static void send_two_and_outlast(void)
{
    send_as(2, 1);
    send_as(2, 2);
    outlast_receivers();
}

static void try_and_outlast(void)
{
    check_eq(weft_mpmc_try_send(sender[2], &(int){3}), 0);
    outlast_receivers();
}

static void try_to_send_2(void)
{
    sent[2] = weft_mpmc_try_send(sender[2], &(int){2});
    close_sender(2);
}

/* A cancelled send has sent its message, or it has not. */
static void give_up_sending_1(void)
{
    int message = 1;

    weft_mpmc_send(&of[1].wait, sender[1], &message);
    sent[1] = run_or_cancel(1);
    message = 8; /* the memory is the sender's again */
    close_sender(1);
}

static void outlast_2(void)
{
    weft_mpmc_closed(&of[2].wait, sender[2]);
    check_eq(run(2), 0);
    check_eq(weft_mpmc_try_send(sender[2], &(int){2}), -EPIPE);
    close_sender(2);
}

static void send_1_and_tell(void)
{
    send_as(1, 1);
    tell_passed();
    close_sender(1);
}

static void close_sender_1(void)
{
    close_sender(1);
}

static void close_sender_2(void)
{
    close_sender(2);
}

static void outlast_2_and_tell(void)
{
    weft_mpmc_closed(&of[2].wait, sender[2]);
    check_eq(run(2), 0);
    tell_passed();
    close_sender(2);
}

/* No sender is closed before. */
static void receive_the_end_1_and_tell(void)
{
    int message;

    weft_mpmc_receive(&of[1].wait, receiver[1], &message);
    check_eq(run(1), WEFT_EOF);
    tell_passed();
    close_receiver(1);
}

static void await_passed_and_close_2(void)
{
    await_passed();
    close_sender(2);
}

/* ---- the claims ---- */

static void both_messages_came(void)
{
    check_came(2, 3);
}

static void one_message_came(void)
{
    check_came(1, 3);
}

static void what_was_sent_or_refused_came(void)
{
    what_was_sent_came();
    check(sent[1] == 0 || sent[1] == -ECANCELED);
    check(sent[2] == 0 || sent[2] == -EAGAIN);
}

static void what_was_sent_came_too(void)
{
    sum -= 4;
    what_was_sent_or_refused_came();
}

static void the_message_that_was_there_came(void)
{
    check_came(1, 4);
}

/* The message that was there came first. */
static void what_was_sent_before_the_stop_came(void)
{
    sum -= 4;
    what_was_sent_came();
    check_sender_was_told();
}

/* One that has two receivers. Late reads of the ends are for the tests with two senders. */
static void explore_receivers(void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 0, set_up_receivers, both_messages_came, 3, (void (*const[])(void)){a, b, c});
}

static void explore_senders(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                            void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(mpmc_orders, each_of_two_receivers_gets_a_message_while_all_is_open)
{
    explore_receivers(receive_one_0, receive_one_1, send_two_and_outlast);
}

Test(mpmc_orders, a_message_that_is_tried_ends_a_wait)
{
    explore(2, 0, set_up_receivers, one_message_came, 3,
            (void (*const[])(void)){receive_one_0, close_1, try_and_outlast});
}

Test(mpmc_orders, both_receivers_come_to_the_end_behind_a_claimed_message)
{
    explore(2, 0, set_up_receivers, one_message_came, 3,
            (void (*const[])(void)){receive_0, receive_1, send_one});
}

Test(mpmc_orders, a_receiver_that_gives_up_passes_its_turn_on)
{
    explore_receivers(receive_0, give_up_1, send_two);
}

Test(mpmc_orders, a_receiver_that_tries_takes_no_message_of_another)
{
    explore_receivers(receive_0, try_once_1, send_two);
}

Test(mpmc_orders, messages_of_two_senders_come)
{
    explore_senders(set_up_senders, both_messages_came, receive_0, send_1, send_2);
}

Test(mpmc_orders, senders_that_wait_send_or_give_up)
{
    explore_senders(set_up_full, what_was_sent_came_too, receive_0, give_up_sending_1, send_2);
}

Test(mpmc_orders, without_budget_all_comes_and_turns_are_passed_on)
{
    explore(1, 1, set_up_full_without_budget, what_was_sent_came_too, 3,
            (void (*const[])(void)){receive_0, give_up_sending_1, send_2});
    explore(2, 0, set_up_receivers_without_budget, both_messages_came, 3,
            (void (*const[])(void)){receive_0, give_up_1, send_two});
}

Test(mpmc_orders, a_sender_that_tries_sends_or_not)
{
    explore_senders(set_up_senders, what_was_sent_or_refused_came, receive_0, send_1,
                    try_to_send_2);
}

Test(mpmc_orders, the_last_receiver_ends_the_waits_of_senders)
{
    explore_senders(set_up_full, check_sender_was_told, close_0, send_1, outlast_2);
}

Test(mpmc_orders, a_stopped_channel_gives_what_was_sent_to_all_and_then_the_end)
{
    explore_senders(set_up_full, what_was_sent_before_the_stop_came, stop_and_receive_all, send_1,
                    outlast_2);
}

Test(mpmc_orders, a_stop_tells_a_sender_that_waits)
{
    explore_senders(set_up_full, what_was_sent_before_the_stop_came, stop_and_await_passed,
                    send_1_and_tell, close_sender_2);
}

Test(mpmc_orders, a_stop_tells_a_sender_that_waits_for_the_end_of_the_receivers)
{
    explore_senders(set_up_full, the_message_that_was_there_came, stop_and_await_passed,
                    close_sender_1, outlast_2_and_tell);
}

Test(mpmc_orders, a_stop_tells_another_receiver_that_waits)
{
    explore(2, 1, set_up_receivers, what_was_sent_came, 3,
            (void (*const[])(void)){stop_and_await_passed, receive_the_end_1_and_tell,
                                    await_passed_and_close_2});
    explore(2, 1, set_up_receivers, what_was_sent_came, 3,
            (void (*const[])(void)){stop_and_receive_all, receive_1, send_2});
}

Test(mpmc_orders, a_receiver_that_is_kept_is_passed_over)
{
    explore_receivers(receive_one_0_and_tell, keep_receiving_1, send_two_and_outlast);
}
