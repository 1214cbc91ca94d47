/*
 * sync_channels.c - benchmarks of the bounded channels: mpsc and mpmc
 *
 * Purpose     Senders send the numbers below EACH and close. mpsc has one receiver, mpmc as many
 *             receivers as senders. They receive until the end.
 * Threads     Any worker.
 * Invariants  At most CAPACITY messages wait, so senders and receivers wait for each other.
 * Ordering    Relaxed sums: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

enum { EACH = 10000, CAPACITY = 128 };

struct channels {
    struct round    round;
    int64_t         each, n_senders;
    _Atomic int64_t sum, received;
};

/* A receiver is at the end. */
static void received(struct channels *c, int64_t n, int64_t sum)
{
    atomic_fetch_add_explicit(&c->received, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->sum, sum, memory_order_relaxed);
    countdown_down(&c->round.ended);
}

static void end(struct round *round)
{
    struct channels *c = weft_container(round, struct channels, round);
    int64_t          n = atomic_exchange(&c->received, 0);

    expect("the number of messages", n, c->each * c->n_senders);
    expect("their sum", atomic_exchange(&c->sum, 0), sum_below(c->each) * c->n_senders);
    round->run->ops += n;
}

static void repeat(struct bench_run *run, void (*begin)(struct round *round), int senders,
                   int receivers)
{
    struct channels channels = {
        .round = {run, senders + receivers, begin, end, .ended = {0}},
        .each = bench_scaled(run, EACH),
        .n_senders = senders,
    };

    round_repeat(&channels.round);
}

/* ---- mpsc ---- */

struct mpsc_sending {
    WEFT_FRAME;
    struct {
        struct channels  *channels;
        weft_mpsc_sender *sender;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(mpsc_sending)
{
    struct channels *c = self->in.channels;
    int64_t          n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < c->each; self->k++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.sender, &self->k));
        must(n);
    }
    weft_mpsc_sender_close(self->in.sender);
    countdown_down(&c->round.ended);
    WEFT_END(0);
}

struct mpsc_receiving {
    WEFT_FRAME;
    struct {
        struct channels    *channels;
        weft_mpsc_receiver *receiver;
    } in;
    weft_wait wait;
    int64_t   got, n, sum;
};

WEFT_ASYNC(mpsc_receiving)
{
    int64_t n;

    WEFT_BEGIN();
    self->n = self->sum = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.receiver, &self->got));
        if (n == WEFT_EOF)
            break;
        must(n);
        self->n++;
        self->sum += self->got;
    }
    weft_mpsc_receiver_close(self->in.receiver);
    received(self->in.channels, self->n, self->sum);
    WEFT_END(0);
}

static void mpsc_begin(struct round *round)
{
    struct channels    *c = weft_container(round, struct channels, round);
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;

    must(weft_mpsc_open(sizeof(int64_t), CAPACITY, &sender, &receiver));
    must(weft_spawn(NULL, mpsc_receiving, .channels = c, .receiver = receiver));
    for (int64_t k = 1; k < c->n_senders; k++)
        must(weft_spawn(NULL, mpsc_sending, .channels = c,
                        .sender = weft_mpsc_sender_clone(sender)));
    must(weft_spawn(NULL, mpsc_sending, .channels = c, .sender = sender));
}

void bench_mpsc(struct bench_run *run, int senders)
{
    repeat(run, mpsc_begin, senders, 1);
}

/* ---- mpmc ---- */

struct mpmc_sending {
    WEFT_FRAME;
    struct {
        struct channels  *channels;
        weft_mpmc_sender *sender;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(mpmc_sending)
{
    struct channels *c = self->in.channels;
    int64_t          n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < c->each; self->k++) {
        WEFT_AWAIT(n, weft_mpmc_send(&self->wait, self->in.sender, &self->k));
        must(n);
    }
    weft_mpmc_sender_close(self->in.sender);
    countdown_down(&c->round.ended);
    WEFT_END(0);
}

struct mpmc_receiving {
    WEFT_FRAME;
    struct {
        struct channels    *channels;
        weft_mpmc_receiver *receiver;
    } in;
    weft_wait wait;
    int64_t   got, n, sum;
};

WEFT_ASYNC(mpmc_receiving)
{
    int64_t n;

    WEFT_BEGIN();
    self->n = self->sum = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_mpmc_receive(&self->wait, self->in.receiver, &self->got));
        if (n == WEFT_EOF)
            break;
        must(n);
        self->n++;
        self->sum += self->got;
    }
    weft_mpmc_receiver_close(self->in.receiver);
    received(self->in.channels, self->n, self->sum);
    WEFT_END(0);
}

static void mpmc_begin(struct round *round)
{
    struct channels    *c = weft_container(round, struct channels, round);
    weft_mpmc_sender   *sender;
    weft_mpmc_receiver *receiver;

    must(weft_mpmc_open(sizeof(int64_t), CAPACITY, &sender, &receiver));
    for (int64_t k = 1; k < c->n_senders; k++)
        must(weft_spawn(NULL, mpmc_receiving, .channels = c,
                        .receiver = weft_mpmc_receiver_clone(receiver)));
    must(weft_spawn(NULL, mpmc_receiving, .channels = c, .receiver = receiver));
    for (int64_t k = 1; k < c->n_senders; k++)
        must(weft_spawn(NULL, mpmc_sending, .channels = c,
                        .sender = weft_mpmc_sender_clone(sender)));
    must(weft_spawn(NULL, mpmc_sending, .channels = c, .sender = sender));
}

void bench_mpmc(struct bench_run *run, int senders)
{
    repeat(run, mpmc_begin, senders, senders);
}
