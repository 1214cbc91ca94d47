/*
 * mixture.h - locks and channels that tasks, fibers and threads use at random, and what holds of
 * them
 *
 * Each message has a number. It is offered, and then taken by one receiver or refused by its send.
 * A channel's ends are in bags. Code that uses an end takes it out of its bag meanwhile, so an end
 * goes from thread to thread and from runtime to runtime.
 */
#ifndef MIXTURE_H
#define MIXTURE_H

#include "../helpers.h"

/* Where a check has failed the seed gives the same mixture again, more or less. */
static uint32_t mixture_seed;
#define MCHECK(condition)                                                                          \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : test_fail(__FILE__, __LINE__, "MIXTURE_SEED=%u: false: %s", mixture_seed, #condition))

static inline void *zeroed(size_t size)
{
    void *memory = calloc(1, size);

    MCHECK(memory != NULL);
    return memory;
}

/* ---- messages ---- */

#define MESSAGES (1 << 20)
#define SENDERS  (1 << 12) /* the order of the messages of so many is checked */

enum { UNUSED, OFFERED, TAKEN, REFUSED };

typedef struct message {
    uint32_t id, from, number, sum;
} message;

static struct {
    atomic_uchar state[MESSAGES];
    atomic_uint  n, n_senders;
} messages;

static inline uint32_t message_sum(const message *m)
{
    return m->id * 2654435761u + m->from * 31 + m->number;
}

/* A message, the sender's `number`th. The order of those from 0 is not checked. */
static inline message offer(uint32_t from, uint32_t number)
{
    message m = {.id = messages.n++, .from = from, .number = number};

    MCHECK(m.id < MESSAGES);
    MCHECK(atomic_exchange(&messages.state[m.id], OFFERED) == UNUSED);
    m.sum = message_sum(&m);
    return m;
}

static inline void take(const message *m)
{
    MCHECK(m->sum == message_sum(m));
    MCHECK(atomic_exchange(&messages.state[m->id], TAKEN) == OFFERED);
}

static inline void refuse(const message *m)
{
    MCHECK(atomic_exchange(&messages.state[m->id], REFUSED) == OFFERED);
}

/* ---- ends in bags ---- */

#define BAG 32

/* An end of a channel, and what its owner knows. */
typedef struct end {
    void     *of;
    uint32_t  id;     /* of a sender */
    uint32_t  number; /* of a sender: messages that it has offered */
    uint32_t *last;   /* of a receiver: the number of the last message from each sender */
} end;

typedef struct bag {
    pthread_mutex_t lock;
    void (*close)(void *of);
    end *ends[BAG];
    int  n;
    bool closed;
} bag;

static inline end *sender_of(void *of)
{
    end *e = zeroed(sizeof *e);

    e->of = of;
    e->id = ++messages.n_senders;
    if (e->id >= SENDERS)
        e->id = 0;
    return e;
}

static inline end *receiver_of(void *of)
{
    end *e = zeroed(sizeof *e);

    e->of = of;
    e->last = zeroed(SENDERS * sizeof *e->last);
    return e;
}

static inline void end_free(end *e)
{
    free(e->last);
    free(e);
}

static inline void bag_init(bag *b, void (*close)(void *of))
{
    *b = (bag){.lock = PTHREAD_MUTEX_INITIALIZER, .close = close};
}

/* Returns an end, or NULL if none is there. */
static inline end *bag_get(bag *b, uint32_t r)
{
    end *e = NULL;
    int  i;

    pthread_mutex_lock(&b->lock);
    if (b->n > 0) {
        i = (int)(r % (uint32_t)b->n);
        e = b->ends[i];
        b->ends[i] = b->ends[--b->n];
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

/* Gives an end back. It is closed if the bag is. */
static inline void bag_put(bag *b, end *e)
{
    bool closes;

    pthread_mutex_lock(&b->lock);
    closes = b->closed || b->n == BAG;
    if (!closes)
        b->ends[b->n++] = e;
    pthread_mutex_unlock(&b->lock);
    if (closes) {
        b->close(e->of);
        end_free(e);
    }
}

static inline void bag_drop_one(bag *b, uint32_t r)
{
    end *e = bag_get(b, r);

    if (e) {
        b->close(e->of);
        end_free(e);
    }
}

static inline void bag_close(bag *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_mutex_unlock(&b->lock);
    for (int i = 0; i < BAG; i++)
        bag_drop_one(b, 0);
}

/* A channel. All that was sent is received in the end. */
typedef struct channel {
    bag         senders, receivers;
    bool        drained; /* a task of its own receives until all senders are closed */
    atomic_uint n_sent, n_received;
} channel;

static inline void receive(channel *c, end *e, const message *m)
{
    take(m);
    c->n_received++;
    MCHECK(m->from == 0 || m->number > e->last[m->from]);
    e->last[m->from] = m->number;
}

/* The result of a send. */
static inline void settle_send(channel *c, const message *m, int64_t n)
{
    if (n == 0)
        c->n_sent++;
    else
        refuse(m);
}

/* ---- the world ---- */

#define LOCKS    2
#define PERMITS  4 /* of each semaphore */
#define CHANNELS 3
#define ONCES    32
#define PROMISES 32
#define TOKENS   4
#define ROOM     3 /* of the queue that a mutex and two conditions guard */
#define ORPHANS  32

struct operation;

static struct world {
    weft_runtime     *rt[2]; /* the second one is a current-thread runtime */
    weft_mutex        mutex[LOCKS];
    weft_rwlock       rwlock[LOCKS];
    weft_semaphore    semaphore[LOCKS];
    atomic_int        in_mutex[LOCKS], writers[LOCKS], readers[LOCKS], permits_out[LOCKS];
    channel           mpsc[CHANNELS], mpmc[CHANNELS];
    bag               oneshots, watchers, watched;
    atomic_int        n_changes;
    weft_event        event;
    weft_notify       notify;
    weft_barrier      barrier;
    atomic_uint       n_passed, n_leaders;
    weft_once         once[ONCES];
    atomic_int        n_makers[ONCES], n_made[ONCES];
    weft_promise      promise[PROMISES];
    weft_token        root, token[TOKENS];
    weft_tracker      actors;
    weft_mutex        queue_lock;
    weft_condition    has_room, has_items;
    atomic_int        in_queue;
    message           queue[ROOM];
    uint32_t          n_queued, n_taken; /* messages that were put, that were taken */
    atomic_bool       queue_closed, closing, adopters_end;
    weft_event        rest; /* ends the caller of the current-thread runtime */
    pthread_mutex_t   orphans_lock;
    struct operation *orphan[ORPHANS];
    int               n_orphans;
    atomic_ullong     n_steps;
} world;

static inline void enter(atomic_int *inside)
{
    MCHECK((*inside)++ == 0);
}

static inline void leave(atomic_int *inside)
{
    MCHECK(--*inside == 0);
}

/* Leaves a pending operation to the next code that wants it. */
static inline bool orphan_put(struct operation *o)
{
    bool fits;

    pthread_mutex_lock(&world.orphans_lock);
    fits = world.n_orphans < ORPHANS;
    if (fits)
        world.orphan[world.n_orphans++] = o;
    pthread_mutex_unlock(&world.orphans_lock);
    return fits;
}

static inline struct operation *orphan_get(uint32_t r)
{
    struct operation *o = NULL;
    int               i;

    pthread_mutex_lock(&world.orphans_lock);
    if (world.n_orphans > 0) {
        i = (int)(r % (uint32_t)world.n_orphans);
        o = world.orphan[i];
        world.orphan[i] = world.orphan[--world.n_orphans];
    }
    pthread_mutex_unlock(&world.orphans_lock);
    return o;
}

#endif
