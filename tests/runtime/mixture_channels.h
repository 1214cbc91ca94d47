/*
 * mixture_channels.h - the operations of a mixture on channels
 */
#ifndef MIXTURE_CHANNELS_H
#define MIXTURE_CHANNELS_H

#include "mixture_kind.h"

static bool take_end(operation *o, channel *channels, bool sends, uint32_t r)
{
    o->i = (int)(r % CHANNELS);
    o->channel = &channels[o->i];
    o->bag = sends ? &o->channel->senders : &o->channel->receivers;
    o->resolves = sends && o->channel->drained;
    o->end = bag_get(o->bag, r / CHANNELS);
    if (o->end && sends)
        o->m[0] = offer(o->end->id, ++o->end->number);
    return o->end != NULL;
}

/* A receive is by an end of a bag, or by that of an actor which drains the channel. */
static bool take_receiver(operation *o, actor *a, channel *channels, uint32_t r)
{
    if (!a || !a->drains)
        return take_end(o, channels, false, r);
    o->channel = a->drains;
    o->end = a->drain;
    return true;
}

static bool begin_mpsc_send(operation *o, actor *a, uint32_t r)
{
    (void)a;
    if (!take_end(o, world.mpsc, true, r))
        return false;
    o->future = weft_mpsc_send(&o->wait, o->end->of, o->m);
    return true;
}

static bool begin_mpmc_send(operation *o, actor *a, uint32_t r)
{
    (void)a;
    if (!take_end(o, world.mpmc, true, r))
        return false;
    o->future = weft_mpmc_send(&o->wait, o->end->of, o->m);
    return true;
}

static void end_send(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)a;
    (void)r;
    check_granted(n);
    settle_send(o->channel, o->m, n);
}

static void release_place(hold *h, uint32_t r)
{
    message m;

    if (r % 3 == 0) {
        weft_mpsc_permit_close(h->permit);
        return;
    }
    m = offer(0, 1);
    MCHECK(weft_mpsc_permit_send(h->permit, &m) == 0);
    world.mpsc[h->i].n_sent++;
}

static bool begin_reserve(operation *o, actor *a, uint32_t r)
{
    (void)a;
    if (!take_end(o, world.mpsc, true, r))
        return false;
    refuse(o->m); /* a permit has no message yet */
    o->future = weft_mpsc_reserve(&o->wait, o->end->of, &o->permit);
    return true;
}

static void end_reserve(operation *o, actor *a, int64_t n, uint32_t r)
{
    MCHECK(n == 0 || n == -ECANCELED || n == -EINVAL); /* the unbounded channel has no permits */
    if (n == 0)
        hold_for(a, (hold){release_place, o->i, o->kind->rank, 0, o->permit}, r);
}

static bool begin_mpsc_receive(operation *o, actor *a, uint32_t r)
{
    if (!take_receiver(o, a, world.mpsc, r))
        return false;
    o->n = r / 64 % 5; /* 0: one message by a plain receive */
    o->future = o->n == 0 ? weft_mpsc_receive(&o->wait, o->end->of, o->m)
                          : weft_mpsc_receive_many(&o->wait, o->end->of, o->m, o->n);
    return true;
}

static bool begin_mpmc_receive(operation *o, actor *a, uint32_t r)
{
    if (!take_receiver(o, a, world.mpmc, r))
        return false;
    o->future = weft_mpmc_receive(&o->wait, o->end->of, o->m);
    return true;
}

static void end_receive(operation *o, actor *a, int64_t n, uint32_t r)
{
    int64_t n_messages = n == 0 ? 1 : n;

    (void)r;
    MCHECK(n == -ECANCELED || n == WEFT_EOF || (n >= (o->n > 0) && n <= o->n));
    for (int64_t i = 0; i < n_messages; i++)
        receive(o->channel, o->end, &o->m[i]);
    if (a && a->drain == o->end)
        a->ended = n == WEFT_EOF;
}

static bool begin_oneshot(operation *o, actor *a, uint32_t r)
{
    weft_oneshot_sender *sender;

    (void)a;
    (void)r;
    MCHECK(weft_oneshot_open(sizeof(message), &sender, &o->answer) == 0);
    bag_put(&world.oneshots, sender_of(sender));
    o->future = weft_oneshot_receive(&o->wait, o->answer, o->m);
    return true;
}

/* What was sent is received, also by a receiver that has given up. */
static void end_oneshot(operation *o, actor *a, int64_t n, uint32_t r)
{
    int left = weft_oneshot_receiver_finish(o->answer, &o->m[1]);

    (void)a;
    (void)r;
    MCHECK(n == 0 || n == -ECANCELED || n == WEFT_EOF);
    MCHECK(left == WEFT_EOF || (left == 0 && n == -ECANCELED));
    if (n == 0 || left == 0)
        take(&o->m[left == 0]);
}

static bool begin_change(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->bag = &world.watchers;
    o->end = bag_get(o->bag, r);
    if (!o->end)
        return false;
    o->future = weft_watch_changed(&o->wait, o->end->of);
    o->resolves = false;
    return true;
}

/* The value counts its changes, and its second half is its complement. */
static void end_change(operation *o, actor *a, int64_t n, uint32_t r)
{
    uint32_t value[2];

    (void)a;
    (void)r;
    MCHECK(n == 0 || n == -ECANCELED || n == WEFT_EOF);
    if (n != 0)
        return;
    weft_watch_read(o->end->of, value);
    MCHECK(value[1] == ~value[0] && value[0] > o->end->number);
    o->end->number = value[0];
}

#endif
