/*
 * message_orders.h - what explored tests of channels share that send numbers as messages
 *
 * Thread 1 sends 1 and thread 2 sends 2, so the sum of what came says which of them came.
 */
#ifndef MESSAGE_ORDERS_H
#define MESSAGE_ORDERS_H

#include "channel_orders.h"

static int64_t sent[EXPLORE_THREADS]; /* result of a thread's send */
static int     n_got, sum;            /* of all receivers */

static inline void set_up_messages(void)
{
    set_up_executors();
    n_got = sum = 0;
    for (int i = 0; i < EXPLORE_THREADS; i++)
        sent[i] = 1;
}

static inline void note(int message)
{
    n_got++;
    sum += message;
}

static inline void check_came(int n, int total)
{
    check_nothing_is_left();
    check(n_got == n && sum == total);
}

/* What was sent has come, and nothing else. */
static inline void what_was_sent_came(void)
{
    check_nothing_is_left();
    check_eq(sum, (sent[1] == 0) + 2 * (sent[2] == 0));
}

/* Thread 1 was told whether its message was sent or refused. */
static inline void check_sender_was_told(void)
{
    check_nothing_is_left();
    check(sent[1] == 0 || sent[1] == -EPIPE);
}

#endif
