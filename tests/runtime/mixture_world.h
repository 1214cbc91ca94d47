/*
 * mixture_world.h - the beginning and the end of a mixture's world
 */
#ifndef MIXTURE_WORLD_H
#define MIXTURE_WORLD_H

#include "mixture.h"

#define CLOSES(name)                                                                               \
    static void name##_of_bag(void *of)                                                            \
    {                                                                                              \
        weft_##name(of);                                                                           \
    }
CLOSES(mpsc_sender_close)
CLOSES(mpsc_receiver_close)
CLOSES(mpmc_sender_close)
CLOSES(mpmc_receiver_close)
CLOSES(oneshot_sender_close)
CLOSES(watch_sender_close)
CLOSES(watch_receiver_close)

static void open_mpsc(channel *c, int i, size_t capacity)
{
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;

    c->drained = i < CHANNELS - 1;
    bag_init(&c->senders, mpsc_sender_close_of_bag);
    bag_init(&c->receivers, mpsc_receiver_close_of_bag);
    if (i == 1)
        MCHECK(weft_mpsc_open_unbounded(sizeof(message), &sender, &receiver) == 0);
    else
        MCHECK(weft_mpsc_open(sizeof(message), capacity, &sender, &receiver) == 0);
    for (int k = 0; k < 6; k++)
        bag_put(&c->senders, sender_of(weft_mpsc_sender_clone(sender)));
    bag_put(&c->senders, sender_of(sender));
    bag_put(&c->receivers, receiver_of(receiver));
}

static void open_mpmc(channel *c, int i, size_t capacity)
{
    weft_mpmc_sender   *sender;
    weft_mpmc_receiver *receiver;

    c->drained = i < CHANNELS - 1;
    bag_init(&c->senders, mpmc_sender_close_of_bag);
    bag_init(&c->receivers, mpmc_receiver_close_of_bag);
    MCHECK(weft_mpmc_open(sizeof(message), capacity, &sender, &receiver) == 0);
    for (int k = 0; k < 4; k++) {
        bag_put(&c->senders, sender_of(weft_mpmc_sender_clone(sender)));
        bag_put(&c->receivers, receiver_of(weft_mpmc_receiver_clone(receiver)));
    }
    bag_put(&c->senders, sender_of(sender));
    bag_put(&c->receivers, receiver_of(receiver));
}

static void open_watch(void)
{
    uint32_t             value[2] = {0, ~0u};
    weft_watch_sender   *sender;
    weft_watch_receiver *receiver, *other;

    bag_init(&world.watched, watch_sender_close_of_bag);
    bag_init(&world.watchers, watch_receiver_close_of_bag);
    MCHECK(weft_watch_open(sizeof value, value, &sender, &receiver) == 0);
    MCHECK(weft_watch_receiver_clone(receiver, &other) == 0);
    bag_put(&world.watched, sender_of(weft_watch_sender_clone(sender)));
    bag_put(&world.watched, sender_of(sender));
    bag_put(&world.watchers, sender_of(receiver)); /* its `number` is the value it has seen */
    bag_put(&world.watchers, sender_of(other));
}

/* Makes a new world for the same runtimes. */
static void world_begin(uint32_t *seed)
{
    weft_runtime *rt[2] = {world.rt[0], world.rt[1]};

    memset(&world, 0, sizeof world);
    memset(&messages, 0, sizeof messages);
    memcpy(world.rt, rt, sizeof rt);
    pthread_mutex_init(&world.orphans_lock, NULL);
    weft_barrier_init(&world.barrier, 3);
    for (int i = 0; i < LOCKS; i++)
        weft_semaphore_init(&world.semaphore[i], PERMITS);
    for (int i = 0; i < CHANNELS; i++) {
        open_mpsc(&world.mpsc[i], i, 1 + rnd(seed) % 4);
        open_mpmc(&world.mpmc[i], i, 1 + rnd(seed) % 4);
    }
    bag_init(&world.oneshots, oneshot_sender_close_of_bag);
    open_watch();
    for (int i = 0; i < TOKENS; i++)
        weft_token_begin(&world.token[i], i == 0 ? &world.root : &world.token[i / 2]);
}

/* Closes all senders, and ends all waits that have no limit. */
static void world_close(void)
{
    weft_wait wait;

    world.closing = true;
    for (int i = 0; i < CHANNELS; i++) {
        bag_close(&world.mpsc[i].senders);
        bag_close(&world.mpmc[i].senders);
    }
    bag_close(&world.oneshots);
    weft_event_set(&world.event);
    weft_token_cancel(&world.root);
    for (int i = 0; i < PROMISES; i++)
        (void)weft_promise_complete(&world.promise[i], i + 1);
    MCHECK(weft_block_on(NULL, weft_mutex_lock(&wait, &world.queue_lock)) == 0);
    world.queue_closed = true;
    weft_condition_broadcast(&world.has_room);
    weft_condition_broadcast(&world.has_items);
    weft_mutex_unlock(&world.queue_lock);
}

static void end_channel(channel *c, bool is_mpsc)
{
    end    *e = bag_get(&c->receivers, 0);
    message m;
    int     n;

    while (e && (n = is_mpsc ? weft_mpsc_try_receive(e->of, &m)
                             : weft_mpmc_try_receive(e->of, &m)) != WEFT_EOF) {
        MCHECK(n == 0);
        receive(c, e, &m);
    }
    MCHECK(c->n_sent == c->n_received);
    if (e)
        bag_put(&c->receivers, e);
    bag_close(&c->receivers);
}

/* All actors have ended. Nothing is lost, and nothing is held. */
static void world_end(void)
{
    end     *e = bag_get(&world.watchers, 0);
    uint32_t value[2];

    for (int i = 0; i < CHANNELS; i++) {
        end_channel(&world.mpsc[i], true);
        end_channel(&world.mpmc[i], false);
    }
    weft_watch_read(e->of, value);
    MCHECK((int)value[0] == world.n_changes);
    bag_put(&world.watchers, e);
    bag_close(&world.watched);
    bag_close(&world.watchers);
    for (int i = 0; i < LOCKS; i++) {
        MCHECK(weft_mutex_try_lock(&world.mutex[i]) == 0);
        MCHECK(weft_rwlock_try_write(&world.rwlock[i]) == 0);
        MCHECK(weft_semaphore_available(&world.semaphore[i]) == PERMITS);
        MCHECK(world.permits_out[i] == 0 && world.readers[i] == 0);
    }
    MCHECK(world.n_passed == 3 * world.n_leaders);
    for (; world.n_taken < world.n_queued; world.n_taken++)
        take(&world.queue[world.n_taken % ROOM]);
    for (uint32_t i = 0; i < messages.n; i++)
        MCHECK(messages.state[i] == TAKEN || messages.state[i] == REFUSED);
    for (int i = TOKENS - 1; i >= 0; i--)
        weft_token_end(&world.token[i]);
}

#endif
