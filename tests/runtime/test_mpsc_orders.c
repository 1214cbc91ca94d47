/*
 * test_mpsc_orders.c - the real mpsc channel with permits and weak senders in every order of steps
 *
 * How the buffer of an unbounded channel grows and shrinks is in test_mpsc_grow_orders.c.
 */
#include "message_orders.h"

#include "waits.c"
#include "waker.c"

#include "mpsc.c"
#define advance many_advance /* a name of mpsc_permit.c, too */
#include "mpsc_many.c"
#undef advance
#define begin permit_begin /* a name of waits.c, too */
#include "mpsc_permit.c"
#undef begin
#include "mpsc_weak.c"

static weft_mpsc_sender   *sender[EXPLORE_THREADS];
static weft_mpsc_receiver *receiver;
static weft_mpsc_weak     *weak;

/* Thread 0 has the receiver, thread 1 and thread 2 have a sender each. */
static void set_up_of(size_t capacity)
{
    set_up_messages();
    check_eq(weft_mpsc_open(sizeof(int), capacity, &sender[1], &receiver), 0);
    channel = sender[1];
    sender[2] = weft_mpsc_sender_clone(sender[1]);
}

/* There is one place. */
static void set_up(void)
{
    set_up_of(1);
}

/* There are two places, and one is taken. */
static void set_up_half_full(void)
{
    set_up_of(2);
    check_eq(weft_mpsc_try_send(sender[1], &(int){4}), 0);
}

/* The place is taken: senders wait. */
static void set_up_full(void)
{
    set_up();
    check_eq(weft_mpsc_try_send(sender[1], &(int){4}), 0);
}

static void set_up_without_budget(void)
{
    set_up();
    spend_budgets();
}

static void set_up_full_without_budget(void)
{
    set_up_full();
    spend_budgets();
}

/* Thread 1 has a weak sender only. */
static void set_up_weak(void)
{
    set_up();
    weak = weft_mpsc_downgrade(sender[1]);
    weft_mpsc_sender_close(sender[1]);
}

/* ---- the threads ---- */

static void close_sender(int i)
{
    leave_as(i);
    weft_mpsc_sender_close(sender[i]);
}

static void receive_until_end(weft_wait *wait)
{
    int64_t r;
    int     message;

    while ((r = run_future(0, weft_mpsc_receive(wait, receiver, &message))) == 0)
        note(message);
    check_eq(r, WEFT_EOF);
}

/* Takes what is there at once, which makes room for all senders that wait. */
static void receive_many(void)
{
    int64_t r;
    int     message[3];

    for (;;) {
        weft_mpsc_receive_many(&of[0].wait, receiver, message, 3);
        if ((r = run(0)) == WEFT_EOF)
            break;
        check_cmp(r, >, 0);
        for (int64_t i = 0; i < r; i++)
            note(message[i]);
    }
    leave_as(0);
    weft_mpsc_receiver_close(receiver);
}

static void close_receiver(void)
{
    leave_as(0);
    weft_mpsc_receiver_close(receiver);
}

static void receive_all(void)
{
    receive_until_end(&of[0].wait);
    close_receiver();
}

/* Gets one message, although no sender closes. */
static void receive_one(void)
{
    int message;

    weft_mpsc_receive(&of[0].wait, receiver, &message);
    check_eq(run(0), 0);
    note(message);
    close_receiver();
}

static void give_up_and_receive_all(void)
{
    static weft_wait again;
    int              message;

    weft_mpsc_receive(&of[0].wait, receiver, &message);
    if (run_or_give_up(0) == 0)
        note(message);
    receive_until_end(&again);
    close_receiver();
}

/* Permits that are out may still be used. */
static void stop_and_receive_all(void)
{
    weft_mpsc_receiver_stop(receiver);
    receive_all();
}

static void send_as(int i, int message)
{
    weft_mpsc_send(&of[i].wait, sender[i], &message);
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

static void outlast_receiver(int i)
{
    weft_mpsc_closed(&of[i].wait, sender[i]);
    check_eq(run(i), 0);
    close_sender(i);
}

static void send_1_and_outlast(void)
{
    send_as(1, 1);
    outlast_receiver(1);
}

static void outlast_2(void)
{
    outlast_receiver(2);
}

/* A cancelled send has sent its message, or it has not. */
static void give_up_sending_1(void)
{
    int message = 1;

    weft_mpsc_send(&of[1].wait, sender[1], &message);
    sent[1] = run_or_cancel(1);
    message = 8; /* the memory is the sender's again */
    close_sender(1);
}

/* It sends after its sender has closed. */
static void use_permit(weft_mpsc_permit *permit)
{
    weft_mpsc_sender_close(sender[1]);
    leave_as(1);
    sent[1] = weft_mpsc_permit_send(permit, &(int){1});
}

static void reserve_and_send_1(void)
{
    weft_mpsc_permit *permit;

    weft_mpsc_reserve(&of[1].wait, sender[1], &permit);
    sent[1] = run(1);
    if (sent[1] == 0)
        use_permit(permit);
    else
        close_sender(1);
}

/* The room goes to the sender that waits. */
static void reserve_and_close_1(void)
{
    weft_mpsc_permit *permit;

    weft_mpsc_reserve(&of[1].wait, sender[1], &permit);
    check_eq(run(1), 0);
    weft_mpsc_sender_close(sender[1]);
    leave_as(1);
    weft_mpsc_permit_close(permit);
}

static void give_up_reserving_1(void)
{
    weft_mpsc_permit *permit = NULL;

    weft_mpsc_reserve(&of[1].wait, sender[1], &permit);
    if (run_or_give_up(1) == 0)
        weft_mpsc_permit_close(permit);
    outlast_receiver(1);
}

/* The room goes to the other sender meanwhile. */
static void keep_reserving_1(void)
{
    weft_mpsc_permit *permit = NULL;

    weft_mpsc_reserve(&of[1].wait, sender[1], &permit);
    check_eq(run_kept(1), 0);
    use_permit(permit);
}

static void send_2_and_tell(void)
{
    send_as(2, 2);
    tell_passed();
    close_sender(2);
}

/* Both places of two, one after the other. */
static void reserve_two_and_send_1(void)
{
    weft_mpsc_permit *permit[2];

    weft_mpsc_reserve_many(&of[1].wait, sender[1], 2, permit);
    sent[1] = run(1);
    if (sent[1] == 0) {
        weft_mpsc_permit_close(permit[1]);
        use_permit(permit[0]);
    } else {
        close_sender(1);
    }
}

static void give_up_reserving_two_1(void)
{
    weft_mpsc_permit *permit[2] = {NULL, NULL};

    weft_mpsc_reserve_many(&of[1].wait, sender[1], 2, permit);
    if (run_or_give_up(1) == 0)
        for (int i = 0; i < 2; i++)
            weft_mpsc_permit_close(permit[i]);
    close_sender(1);
}

static void upgrade_and_send_1(void)
{
    sender[1] = weft_mpsc_upgrade(weak);
    if (!sender[1])
        leave_as(1);
    weft_mpsc_weak_close(weak);
    if (sender[1])
        send_1();
}

/* ---- the claims ---- */

static void both_came(void)
{
    check_came(2, 3);
}

static void second_came(void)
{
    check_came(1, 2);
}

/* The message that was there came first. */
static void second_came_too(void)
{
    check_came(2, 4 + 2);
}

static void first_came(void)
{
    check_came(1, 1);
}

/* The message that was there came first. */
static void what_was_sent_came_too(void)
{
    sum -= 4;
    what_was_sent_came();
    check(sent[2] == 0 && (sent[1] == 0 || sent[1] == -ECANCELED));
}

static void explore_three(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                          void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(mpsc_orders, messages_of_two_senders_come)
{
    explore_three(set_up, both_came, receive_all, send_1, send_2);
}

Test(mpsc_orders, a_message_ends_the_wait_while_all_is_open)
{
    explore_three(set_up, first_came, receive_one, send_1_and_outlast, outlast_2);
}

Test(mpsc_orders, a_receive_is_given_up_and_begun_again)
{
    explore_three(set_up, both_came, give_up_and_receive_all, send_1, send_2);
}

Test(mpsc_orders, senders_that_wait_send_or_give_up)
{
    explore_three(set_up_full, what_was_sent_came_too, receive_all, give_up_sending_1, send_2);
}

Test(mpsc_orders, what_is_received_at_once_makes_room_for_all)
{
    explore_three(set_up_full, what_was_sent_came_too, receive_many, give_up_sending_1, send_2);
}

Test(mpsc_orders, the_receiver_ends_the_waits_of_senders)
{
    explore_three(set_up_full, check_sender_was_told, close_receiver, send_1, outlast_2);
}

Test(mpsc_orders, a_permit_sends_after_its_sender_has_closed)
{
    explore_three(set_up, both_came, receive_all, reserve_and_send_1, send_2);
}

Test(mpsc_orders, the_room_of_a_permit_that_closes_goes_to_a_sender)
{
    explore_three(set_up, second_came, receive_all, reserve_and_close_1, send_2);
}

Test(mpsc_orders, the_room_of_a_permit_that_is_given_up_goes_to_a_sender)
{
    explore_three(set_up, second_came, receive_one, give_up_reserving_1, send_2);
}

Test(mpsc_orders, a_receiver_that_stops_gets_what_permits_send)
{
    explore_three(set_up, what_was_sent_came, stop_and_receive_all, reserve_and_send_1, send_2);
}

Test(mpsc_orders, without_budget_senders_send_once_or_give_up)
{
    explore_three(set_up_full_without_budget, what_was_sent_came_too, receive_all,
                  give_up_sending_1, send_2);
    explore_three(set_up_without_budget, both_came, receive_all, send_1, send_2);
}

Test(mpsc_orders, without_budget_a_permit_is_used_or_given_up)
{
    explore_three(set_up_without_budget, second_came, receive_one, give_up_reserving_1, send_2);
    explore_three(set_up_without_budget, both_came, receive_all, reserve_and_send_1, send_2);
}

Test(mpsc_orders, a_weak_sender_sends_before_the_end_or_not_at_all)
{
    explore_three(set_up_weak, what_was_sent_came, receive_all, upgrade_and_send_1, send_2);
}

Test(mpsc_orders, a_wait_for_a_permit_that_is_kept_is_passed_over)
{
    explore_three(set_up_full, what_was_sent_came_too, receive_all, keep_reserving_1,
                  send_2_and_tell);
}

Test(mpsc_orders, two_permits_are_collected_or_given_back)
{
    explore_three(set_up_half_full, what_was_sent_came_too, receive_all, reserve_two_and_send_1,
                  send_2);
    explore_three(set_up_half_full, second_came_too, receive_all, give_up_reserving_two_1, send_2);
    explore_three(set_up_half_full, check_sender_was_told, close_receiver, reserve_two_and_send_1,
                  outlast_2);
}
