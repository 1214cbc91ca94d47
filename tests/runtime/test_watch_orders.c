/* test_watch_orders.c - the real watch and its waits in every order of their steps */
#include "channel_orders.h"

#include "ends.c"
#include "waits.c"
#include "waker.c"
#include "watch.c"

static weft_watch_sender   *sender, *second;
static weft_watch_receiver *receiver[EXPLORE_THREADS];
static int                  last[EXPLORE_THREADS]; /* value that a receiver has read */
static int                  closed;                /* receivers that have said that they close */

static void set_up(void)
{
    set_up_executors();
    closed = 0;
    check_eq(weft_watch_open(sizeof(int), &(int){0}, &sender, &receiver[0]), 0);
    channel = sender;
    second = weft_watch_sender_clone(sender);
    for (int i = 0; i < 2; i++) {
        last[i] = 0;
        if (i > 0)
            check_eq(weft_watch_subscribe(sender, &receiver[i]), 0);
    }
}

/* ---- the threads ---- */

static void send_and_close(void)
{
    weft_watch_send(sender, &(int){1});
    leave_as(2);
    weft_watch_sender_close(sender);
    weft_watch_sender_close(second);
}

static void send_1(void)
{
    weft_watch_send(sender, &(int){1});
}

static bool add_one(void *value, void *arg)
{
    (void)arg;
    ++*(int *)value;
    return true;
}

static void add_and_close(void)
{
    int value;

    weft_watch_send_if_modified(sender, add_one, NULL, &value);
    leave_as(1);
    weft_watch_sender_close(sender);
}

static void add_and_close_second(void)
{
    int value;

    weft_watch_send_if_modified(second, add_one, NULL, &value);
    leave_as(2);
    weft_watch_sender_close(second);
}

static void close_receiver(int i)
{
    wf_add(&closed, 1, SEQ_CST);
    leave_as(i);
    weft_watch_receiver_close(receiver[i]);
}

static void follow(int i)
{
    int value;

    for (;;) {
        weft_watch_changed(&of[i].wait, receiver[i]);
        if (run(i) == WEFT_EOF)
            break;
        weft_watch_read(receiver[i], &value);
        check_cmp(value, >, last[i]);
        last[i] = value;
    }
    close_receiver(i);
}

/* Sees the one value that is sent, although no sender closes. */
static void see_one(int i)
{
    weft_watch_changed(&of[i].wait, receiver[i]);
    check_eq(run(i), 0);
    check_eq(weft_watch_has_changed(receiver[i]), 0);
    weft_watch_peek(receiver[i], &last[i]);
}

static void see_one_0(void)
{
    see_one(0);
}

static void see_one_1(void)
{
    see_one(1);
}

static void follow_0(void)
{
    follow(0);
}

static void follow_1(void)
{
    follow(1);
}

/* What it gave up is still new to it, or not there yet. */
static void give_up_and_follow_1(void)
{
    weft_watch_changed(&of[1].wait, receiver[1]);
    if (run_or_give_up(1) == 0) {
        weft_watch_read(receiver[1], &last[1]);
        check_cmp(last[1], >, 0);
    }
    follow(1);
}

static void leave_0(void)
{
    close_receiver(0);
}

static void leave_1(void)
{
    close_receiver(1);
}

static void outlast(void)
{
    weft_watch_closed(&of[2].wait, sender);
    check_eq(run(2), 0);
    check_eq(wf_load(&closed, SEQ_CST), 2);
    leave_as(2);
    weft_watch_sender_close(sender);
    weft_watch_sender_close(second);
}

/* ---- the claims ---- */

static void both_saw_1_while_all_is_open(void)
{
    for (int i = 0; i < 3; i++)
        check(explorer.thread[i].ended);
    check(last[0] == 1 && last[1] == 1);
    channel = NULL; /* the threads have not closed it */
    weft_watch_sender_close(sender);
    weft_watch_sender_close(second);
    for (int i = 0; i < 2; i++)
        weft_watch_receiver_close(receiver[i]);
    check_nothing_is_left();
}

static void both_saw_1(void)
{
    check_nothing_is_left();
    check(last[0] == 1 && last[1] == 1);
}

static void both_saw_2(void)
{
    check_nothing_is_left();
    check(last[0] == 2 && last[1] == 2);
}

static void first_saw_2(void)
{
    check_nothing_is_left();
    check_eq(last[0], 2);
}

static void explore_three(void (*claim)(void), void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(watch_orders, a_value_ends_the_waits_of_both_receivers)
{
    explore_three(both_saw_1_while_all_is_open, see_one_0, see_one_1, send_1);
}

Test(watch_orders, both_receivers_see_the_last_value)
{
    explore_three(both_saw_1, follow_0, follow_1, send_and_close);
}

Test(watch_orders, a_receiver_that_gave_up_sees_the_last_value)
{
    explore_three(both_saw_1, follow_0, give_up_and_follow_1, send_and_close);
}

static void set_up_without_budget(void)
{
    set_up();
    spend_budgets();
}

Test(watch_orders, without_budget_both_receivers_see_the_last_value)
{
    explore(2, 0, set_up_without_budget, both_saw_1, 3,
            (void (*const[])(void)){follow_0, give_up_and_follow_1, send_and_close});
}

static void set_up_one(void)
{
    set_up();
    weft_watch_receiver_close(receiver[1]);
}

Test(watch_orders, neither_of_two_changes_is_lost)
{
    explore(2, 1, set_up_one, first_saw_2, 3,
            (void (*const[])(void)){follow_0, add_and_close, add_and_close_second});
}

static void add_twice_and_close(void)
{
    add_and_close();
    add_and_close_second();
}

Test(watch_orders, each_value_is_later_than_the_one_before)
{
    explore_three(both_saw_2, follow_0, follow_1, add_twice_and_close);
}

Test(watch_orders, closed_ends_when_both_receivers_have_closed)
{
    explore_three(check_nothing_is_left, leave_0, leave_1, outlast);
}

/* ---- reading without the lock ---- */

/* Two words and a part of a third one. */
struct triple {
    uint64_t first, second;
    uint32_t third;
} __attribute__((packed));

static void set_up_triples(void)
{
    set_up_executors();
    check_eq(weft_watch_open(sizeof(struct triple), &(struct triple){0}, &sender, &receiver[0]), 0);
    check_eq(weft_watch_subscribe(sender, &receiver[1]), 0);
}

static void send_triples(void)
{
    for (uint32_t n = 1; n <= 2; n++)
        weft_watch_send(sender, &(struct triple){n, n, n});
}

/* Reads whole values only, none of which is older than one that was read before. */
static void read_triples(int i)
{
    struct triple value;
    uint64_t      before = 0;

    for (int n = 0; n < 2; n++) {
        weft_watch_read(receiver[i], &value);
        check(value.first == value.second && value.first == value.third);
        check_cmp(value.first, >=, before);
        before = value.first;
    }
}

static void read_triples_0(void)
{
    read_triples(0);
}

static void read_triples_1(void)
{
    read_triples(1);
}

/* What a receiver has not read is new to it. */
static void the_last_triple_is_read_or_new(void)
{
    struct triple value;

    for (int i = 0; i < 2; i++) {
        check_eq(weft_watch_has_changed(receiver[i]), receiver[i]->end.place != 4);
        weft_watch_read(receiver[i], &value);
        check(value.first == 2 && weft_watch_has_changed(receiver[i]) == 0);
        weft_watch_receiver_close(receiver[i]);
    }
    weft_watch_sender_close(sender);
    check_nothing_is_left();
}

Test(watch_orders, a_value_is_read_whole_while_a_sender_replaces_it)
{
    explore(2, 2, set_up_triples, the_last_triple_is_read_or_new, 2,
            (void (*const[])(void)){send_triples, read_triples_0});
}

Test(watch_orders, two_receivers_read_whole_values)
{
    explore(2, 1, set_up_triples, the_last_triple_is_read_or_new, 3,
            (void (*const[])(void)){send_triples, read_triples_0, read_triples_1});
}
