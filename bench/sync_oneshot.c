/*
 * sync_oneshot.c - benchmarks of the oneshot channel
 *
 * Purpose     oneshot: a task opens a channel, sends a number and receives it. oneshot_wait: two
 *             tasks send a number to and fro, each time by a channel of its own, so that each
 *             message is waited for.
 * Threads     Any worker.
 * Invariants  The number of channel k of oneshot_wait goes from `there[k]` to `back[k]`. A round
 *             opens all of its channels in advance, and that counts.
 * Ordering    The channels order the number's increments.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

enum { ONESHOTS = 10000, TRIPS = 1000 };

struct oneshot {
    weft_oneshot_sender   *sender;
    weft_oneshot_receiver *receiver;
};

struct oneshots {
    struct round   round;
    int64_t        each, sum;
    struct oneshot there[TRIPS], back[TRIPS];
};

static void open_oneshot(struct oneshot *channel)
{
    must(weft_oneshot_open(sizeof(int64_t), &channel->sender, &channel->receiver));
}

/* ---- oneshot ---- */

struct send_and_receive {
    WEFT_FRAME;
    struct {
        struct oneshots *oneshots;
    } in;
    struct oneshot channel;
    weft_wait      wait;
    int64_t        k, got;
};

WEFT_ASYNC(send_and_receive)
{
    struct oneshots *o = self->in.oneshots;
    int64_t          n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < o->each; self->k++) {
        open_oneshot(&self->channel);
        must(weft_oneshot_send(self->channel.sender, &self->k));
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->channel.receiver, &self->got));
        must(n);
        weft_oneshot_receiver_close(self->channel.receiver);
        o->sum += self->got;
    }
    countdown_down(&o->round.ended);
    WEFT_END(0);
}

static void oneshot_begin(struct round *round)
{
    struct oneshots *o = weft_container(round, struct oneshots, round);

    o->sum = 0;
    must(weft_spawn(NULL, send_and_receive, .oneshots = o));
}

static void oneshot_end(struct round *round)
{
    const struct oneshots *o = weft_container(round, struct oneshots, round);

    expect("the sum of the messages", o->sum, sum_below(o->each));
    round->run->ops += o->each;
}

void bench_oneshot(struct bench_run *run, int argument)
{
    static struct oneshots oneshots;

    (void)argument;
    oneshots.round = (struct round){run, 1, oneshot_begin, oneshot_end, .ended = {0}};
    oneshots.each = bench_scaled(run, ONESHOTS);
    round_repeat(&oneshots.round);
}

/* ---- oneshot_wait ---- */

struct trip {
    WEFT_FRAME;
    struct {
        struct oneshots *oneshots;
        bool             begins; /* sends first */
    } in;
    weft_wait wait;
    int64_t   k, number;
};

WEFT_ASYNC(trip)
{
    struct oneshots *o = self->in.oneshots;
    struct oneshot  *out = self->in.begins ? o->there : o->back;
    struct oneshot  *in = self->in.begins ? o->back : o->there;
    int64_t          n;

    WEFT_BEGIN();
    self->number = 0;
    for (self->k = 0; self->k < o->each; self->k++) {
        if (self->in.begins)
            must(weft_oneshot_send(out[self->k].sender, &self->number));
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, in[self->k].receiver, &self->number));
        must(n);
        weft_oneshot_receiver_close(in[self->k].receiver);
        self->number++;
        if (!self->in.begins)
            must(weft_oneshot_send(out[self->k].sender, &self->number));
    }
    if (self->in.begins)
        o->sum = self->number;
    countdown_down(&o->round.ended);
    WEFT_END(0);
}

static void wait_begin(struct round *round)
{
    struct oneshots *o = weft_container(round, struct oneshots, round);

    for (int64_t k = 0; k < o->each; k++) {
        open_oneshot(&o->there[k]);
        open_oneshot(&o->back[k]);
    }
    must(weft_spawn(NULL, trip, .oneshots = o, .begins = true));
    must(weft_spawn(NULL, trip, .oneshots = o, .begins = false));
}

static void wait_end(struct round *round)
{
    const struct oneshots *o = weft_container(round, struct oneshots, round);

    expect("the number after all trips", o->sum, 2 * o->each);
    round->run->ops += o->sum;
}

void bench_oneshot_wait(struct bench_run *run, int argument)
{
    static struct oneshots oneshots;

    (void)argument;
    oneshots.round = (struct round){run, 2, wait_begin, wait_end, .ended = {0}};
    oneshots.each = bench_scaled(run, TRIPS);
    round_repeat(&oneshots.round);
}
