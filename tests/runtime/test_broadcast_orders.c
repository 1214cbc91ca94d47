/* test_broadcast_orders.c - the real broadcast channel and its waits in every order of their steps
 */
#include "channel_orders.h"

#include "ends.c"
#include "waits.c"
#include "waker.c"

#include "broadcast.c"

static weft_broadcast_sender   *sender, *second;
static weft_broadcast_weak     *weak;
static bool                     upgraded;
static weft_broadcast_receiver *receiver[EXPLORE_THREADS];
static int                      got[EXPLORE_THREADS], sum[EXPLORE_THREADS];
static int64_t                  missed[EXPLORE_THREADS];

static void set_up_with_room(size_t capacity)
{
    set_up_executors();
    check_eq(weft_broadcast_open(sizeof(int), capacity, &sender, &receiver[0]), 0);
    check_eq(weft_broadcast_subscribe(sender, &receiver[1]), 0);
    channel = sender;
    second = weft_broadcast_sender_clone(sender);
    memset(got, 0, sizeof got);
    memset(sum, 0, sizeof sum);
    memset(missed, 0, sizeof missed);
}

static void set_up(void)
{
    set_up_with_room(2);
}

static void set_up_small(void)
{
    set_up_with_room(1);
}

/* ---- the threads ---- */

static void send_1_and_close(void)
{
    weft_broadcast_send(sender, &(int){1});
    leave_as(1);
    weft_broadcast_sender_close(sender);
}

static void send_2_and_close(void)
{
    weft_broadcast_send(second, &(int){2});
    leave_as(2);
    weft_broadcast_sender_close(second);
}

/* Thread 2 has a weak sender only. */
static void set_up_weak(void)
{
    set_up();
    weak = weft_broadcast_downgrade(second);
    weft_broadcast_sender_close(second);
    weft_broadcast_receiver_close(receiver[1]);
    upgraded = false;
}

/* Sends if the other sender is open. Then what it sends is heard. */
static void upgrade_and_send_2(void)
{
    second = weft_broadcast_upgrade(weak);
    upgraded = second != NULL;
    if (!second)
        leave_as(2);
    weft_broadcast_weak_close(weak);
    if (second)
        send_2_and_close();
}

static void send_1(void)
{
    weft_broadcast_send(sender, &(int){1});
}

static void send_both_and_close(void)
{
    send_1_and_close();
    send_2_and_close();
}

static void note(int i, int64_t n, int message)
{
    missed[i] += n;
    got[i]++;
    sum[i] += message;
}

static void listen_as(int i)
{
    int     message;
    int64_t n;

    for (;;) {
        weft_broadcast_receive(&of[i].wait, receiver[i], &message);
        n = run(i);
        if (n == WEFT_EOF)
            break;
        note(i, n, message);
    }
    leave_as(i);
    weft_broadcast_receiver_close(receiver[i]);
}

/* Gets the one message that is sent, although no sender closes. */
static void hear_one(int i)
{
    weft_broadcast_receive(&of[i].wait, receiver[i], &sum[i]);
    check_eq(run(i), 0);
}

static void hear_one_0(void)
{
    hear_one(0);
}

static void hear_one_1(void)
{
    hear_one(1);
}

static void listen_0(void)
{
    listen_as(0);
}

static void listen_1(void)
{
    listen_as(1);
}

static void give_up_and_listen_1(void)
{
    int     message;
    int64_t n;

    weft_broadcast_receive(&of[1].wait, receiver[1], &message);
    n = run_or_give_up(1);
    if (n >= 0)
        note(1, n, message);
    listen_as(1);
}

static void leave_1(void)
{
    leave_as(3);
    weft_broadcast_receiver_close(receiver[1]);
}

/* ---- the claims ---- */

static void both_heard_1_while_all_is_open(void)
{
    for (int i = 0; i < 3; i++)
        check(explorer.thread[i].ended);
    check(sum[0] == 1 && sum[1] == 1);
    channel = NULL; /* the threads have not closed it */
    weft_broadcast_sender_close(sender);
    weft_broadcast_sender_close(second);
    for (int i = 0; i < 2; i++)
        weft_broadcast_receiver_close(receiver[i]);
    check_nothing_is_left();
}

static void both_got_both(void)
{
    check_nothing_is_left();
    for (int i = 0; i < 2; i++)
        check(got[i] == 2 && sum[i] == 3 && missed[i] == 0);
}

static void first_got_both(void)
{
    check_nothing_is_left();
    check(got[0] == 2 && sum[0] == 3 && missed[0] == 0);
}

static void first_got_what_was_sent(void)
{
    check_nothing_is_left();
    check(got[0] == 1 + upgraded && sum[0] == 1 + 2 * upgraded && missed[0] == 0);
}

static void both_got_or_missed_both(void)
{
    check_nothing_is_left();
    for (int i = 0; i < 2; i++)
        check(got[i] + missed[i] == 2 && sum[i] == (got[i] == 2 ? 3 : 2));
}

static void explore_three(void (*a)(void), void (*b)(void), void (*c)(void), void (*claim)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(broadcast_orders, a_message_ends_the_waits_of_both_receivers)
{
    explore_three(hear_one_0, hear_one_1, send_1, both_heard_1_while_all_is_open);
}

Test(broadcast_orders, both_receivers_get_both_messages)
{
    explore_three(listen_0, listen_1, send_both_and_close, both_got_both);
}

Test(broadcast_orders, a_receiver_that_gave_up_gets_both_messages)
{
    explore_three(listen_0, give_up_and_listen_1, send_both_and_close, both_got_both);
}

static void set_up_without_budget(void)
{
    set_up();
    spend_budgets();
}

Test(broadcast_orders, without_budget_nothing_is_lost)
{
    explore(2, 0, set_up_without_budget, both_got_both, 3,
            (void (*const[])(void)){listen_0, give_up_and_listen_1, send_both_and_close});
}

Test(broadcast_orders, messages_of_two_senders_come)
{
    explore(2, 1, set_up, first_got_both, 4,
            (void (*const[])(void)){listen_0, send_1_and_close, send_2_and_close, leave_1});
}

Test(broadcast_orders, what_a_slow_receiver_misses_is_counted)
{
    explore(2, 1, set_up_small, both_got_or_missed_both, 3,
            (void (*const[])(void)){listen_0, give_up_and_listen_1, send_both_and_close});
}

Test(broadcast_orders, a_weak_sender_sends_before_the_end_or_not_at_all)
{
    explore(2, 1, set_up_weak, first_got_what_was_sent, 3,
            (void (*const[])(void)){listen_0, send_1_and_close, upgrade_and_send_2});
}
