/*
 * test_mpsc_grow_orders.c - the buffer of an unbounded mpsc channel in every order of its changes
 */
#include "channel_orders.h"

#include "mpsc.c"
#include "mpsc_grow.c"
#include "waits.c"
#include "waker.c"

#define SIZE 4096 /* the second buffer is more than is kept, the first is not */

static weft_mpsc_sender   *sender;
static weft_mpsc_receiver *receiver;
static char                message[SIZE];
static int                 n_got;

static void put_one(char value)
{
    char sent[SIZE];

    memset(sent, value, sizeof sent);
    check_eq(weft_mpsc_try_send(sender, sent), 0);
}

/* Messages begin with 1 and come in order, but those of two threads in any. */
static int get_one(void)
{
    int r = weft_mpsc_try_receive(receiver, message);

    if (r == 0) {
        check(message[0] > 0 && message[0] == message[SIZE - 1]);
        n_got++;
    }
    return r;
}

/* Grown, and empty. */
static void set_up(void)
{
    set_up_executors();
    n_got = 0;
    check_eq(weft_mpsc_open_unbounded(SIZE, &sender, &receiver), 0);
    for (int i = 1; i <= WF_MPSC_FIRST + 1; i++)
        put_one((char)i);
    for (int i = 1; i <= WF_MPSC_FIRST + 1; i++) {
        check_eq(get_one(), 0);
        check_eq(message[0], i);
    }
    n_got = 0;
}

/* Not grown, and full. */
static void set_up_full(void)
{
    set_up_executors();
    n_got = 0;
    check_eq(weft_mpsc_open_unbounded(SIZE, &sender, &receiver), 0);
    for (int i = 1; i <= WF_MPSC_FIRST; i++)
        put_one((char)i);
}

/* ---- the threads ---- */

static void send_50(void)
{
    put_one(50);
}

static void send_60(void)
{
    put_one(60);
}

static void receive_until_empty(void)
{
    while (get_one() == 0)
        ;
}

static void receive_one(void)
{
    (void)get_one();
}

/* ---- the claims ---- */

static void got_all(int expected)
{
    receive_until_empty();
    check_eq(n_got, expected);
    weft_mpsc_sender_close(sender);
    weft_mpsc_receiver_close(receiver);
    check_nothing_is_left();
}

static void two_came(void)
{
    got_all(2);
}

static void all_came(void)
{
    got_all(WF_MPSC_FIRST + 2);
}

Test(mpsc_grow_orders, a_message_that_comes_as_the_buffer_shrinks_is_kept)
{
    explore(3, 1, set_up, two_came, 3,
            (void (*const[])(void)){receive_until_empty, send_50, send_60});
}

Test(mpsc_grow_orders, two_senders_that_find_it_full_lose_nothing)
{
    explore(3, 1, set_up_full, all_came, 3, (void (*const[])(void)){send_50, send_60, receive_one});
}
