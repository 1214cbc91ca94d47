/*
 * queue_channel.h - what the tests of mpsc and mpmc begin with: a channel of ints, driven by hand
 *
 * The file that includes it defines QUEUE(name) as the name of its channel's type or function:
 * weft_mpsc_##name.
 */
#ifndef QUEUE_CHANNEL_H
#define QUEUE_CHANNEL_H

#include "../helpers.h"

static struct hand hand;
static QUEUE(sender) * sender;
static QUEUE(receiver) * receiver;
static weft_wait wait;
static int       got;

static inline void begin(size_t capacity)
{
    hand_init(&hand, NULL);
    check_eq(QUEUE(open)(sizeof got, capacity, &sender, &receiver), 0);
}

static inline void end(void)
{
    QUEUE(sender_close)(sender);
    QUEUE(receiver_close)(receiver);
    check_eq(hand.n_wakers, 0);
}

static inline int try_send(int message)
{
    return QUEUE(try_send)(sender, &message);
}

/* The next message, or -errno. */
static inline int received(void)
{
    int message = 0;
    int r = QUEUE(try_receive)(receiver, &message);

    return r < 0 ? r : message;
}

static inline weft_future *receive(void)
{
    return QUEUE(receive)(&wait, receiver, &got);
}

#endif
