/*
 * sync_news.c - benchmarks of what tells tasks of something: notify, broadcast, watch
 *
 * Purpose     notify: two tasks notify each other in turn. broadcast: a message to FOLLOWERS
 *             receivers, and watch: a new value for as many.
 * Threads     Any worker.
 * Invariants  The sender of broadcast goes on after BATCH messages, that of watch after each value,
 *             once all receivers have them. So none is missed, in any of the runtimes.
 * Ordering    Relaxed sums: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

enum { TURNS = 10000, FOLLOWERS = 4, MESSAGES = 10000, CAPACITY = 128, BATCH = 100 };

/* ---- notify ---- */

struct turns {
    struct round round;
    weft_notify  turn[2];
    int64_t      each, value; /* the task whose turn it is counts */
};

struct take_turns {
    WEFT_FRAME;
    struct {
        struct turns *turns;
        int           number;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(take_turns)
{
    struct turns *t = self->in.turns;
    int64_t       n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < t->each; self->k++) {
        WEFT_AWAIT(n, weft_notify_wait(&self->wait, &t->turn[self->in.number]));
        must(n);
        expect("the number of turns", t->value, 2 * self->k + self->in.number);
        t->value++;
        weft_notify_one(&t->turn[!self->in.number]);
    }
    countdown_down(&t->round.ended);
    WEFT_END(0);
}

static void notify_begin(struct round *round)
{
    struct turns *t = weft_container(round, struct turns, round);

    t->value = 0;
    t->turn[0] = t->turn[1] = (weft_notify){0};
    weft_notify_one(&t->turn[0]);
    must(weft_spawn(NULL, take_turns, .turns = t, .number = 0));
    must(weft_spawn(NULL, take_turns, .turns = t, .number = 1));
}

static void notify_end(struct round *round)
{
    const struct turns *t = weft_container(round, struct turns, round);

    expect("the number of turns", t->value, 2 * t->each);
    round->run->ops += t->value;
}

void bench_notify(struct bench_run *run, int argument)
{
    struct turns turns = {
        .round = {run, 2, notify_begin, notify_end, .ended = {0}},
        .each = bench_scaled(run, TURNS),
    };

    (void)argument;
    round_repeat(&turns.round);
}

/* ---- one sender, and the receivers that it waits for ---- */

struct news {
    struct round    round;
    int64_t         each;
    _Atomic int64_t behind; /* receivers that have not got what was sent */
    weft_notify     all_have_it;
    _Atomic int64_t sum, received;
};

/* A receiver has got what was sent. */
static void got_it(struct news *news)
{
    if (atomic_fetch_sub_explicit(&news->behind, 1, memory_order_acq_rel) == 1)
        weft_notify_one(&news->all_have_it);
}

/* A receiver is at the end. */
static void received(struct news *news, int64_t n, int64_t sum)
{
    atomic_fetch_add_explicit(&news->received, n, memory_order_relaxed);
    atomic_fetch_add_explicit(&news->sum, sum, memory_order_relaxed);
    countdown_down(&news->round.ended);
}

static void news_end(struct round *round)
{
    struct news *news = weft_container(round, struct news, round);
    int64_t      n = atomic_exchange(&news->received, 0);

    expect("what the receivers got", n, news->each * FOLLOWERS);
    expect("their sum", atomic_exchange(&news->sum, 0), (sum_below(news->each + 1)) * FOLLOWERS);
    round->run->ops += n;
}

static void news_repeat(struct bench_run *run, void (*begin)(struct round *round))
{
    struct news news = {
        .round = {run, 1 + FOLLOWERS, begin, news_end, .ended = {0}},
        .each = bench_scaled(run, MESSAGES),
    };

    round_repeat(&news.round);
}

/* ---- broadcast ---- */

struct broadcasting {
    WEFT_FRAME;
    struct {
        struct news           *news;
        weft_broadcast_sender *sender;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(broadcasting)
{
    struct news *news = self->in.news;
    int64_t      n;

    WEFT_BEGIN();
    for (self->k = 1; self->k <= news->each; self->k++) {
        if (self->k % BATCH == 1)
            atomic_store_explicit(&news->behind, FOLLOWERS, memory_order_relaxed);
        must(weft_broadcast_send(self->in.sender, &self->k));
        if (self->k % BATCH == 0) {
            WEFT_AWAIT(n, weft_notify_wait(&self->wait, &news->all_have_it));
            must(n);
        }
    }
    weft_broadcast_sender_close(self->in.sender);
    countdown_down(&news->round.ended);
    WEFT_END(0);
}

struct listening {
    WEFT_FRAME;
    struct {
        struct news             *news;
        weft_broadcast_receiver *receiver;
    } in;
    weft_wait wait;
    int64_t   got, n, sum;
};

WEFT_ASYNC(listening)
{
    struct news *news = self->in.news;
    int64_t      n;

    WEFT_BEGIN();
    self->n = self->sum = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_broadcast_receive(&self->wait, self->in.receiver, &self->got));
        if (n == WEFT_EOF)
            break;
        expect("messages that were missed", n, 0);
        self->sum += self->got;
        if (++self->n % BATCH == 0)
            got_it(news);
    }
    weft_broadcast_receiver_close(self->in.receiver);
    received(news, self->n, self->sum);
    WEFT_END(0);
}

static void broadcast_begin(struct round *round)
{
    struct news             *news = weft_container(round, struct news, round);
    weft_broadcast_sender   *sender;
    weft_broadcast_receiver *receiver[FOLLOWERS];

    must(weft_broadcast_open(sizeof(int64_t), CAPACITY, &sender, &receiver[0]));
    for (int k = 1; k < FOLLOWERS; k++)
        must(weft_broadcast_subscribe(sender, &receiver[k]));
    for (int k = 0; k < FOLLOWERS; k++)
        must(weft_spawn(NULL, listening, .news = news, .receiver = receiver[k]));
    must(weft_spawn(NULL, broadcasting, .news = news, .sender = sender));
}

void bench_broadcast(struct bench_run *run, int argument)
{
    (void)argument;
    news_repeat(run, broadcast_begin);
}

/* ---- watch ---- */

struct publishing {
    WEFT_FRAME;
    struct {
        struct news       *news;
        weft_watch_sender *sender;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(publishing)
{
    struct news *news = self->in.news;
    int64_t      n;

    WEFT_BEGIN();
    for (self->k = 1; self->k <= news->each; self->k++) {
        atomic_store_explicit(&news->behind, FOLLOWERS, memory_order_relaxed);
        must(weft_watch_send(self->in.sender, &self->k));
        WEFT_AWAIT(n, weft_notify_wait(&self->wait, &news->all_have_it));
        must(n);
    }
    weft_watch_sender_close(self->in.sender);
    countdown_down(&news->round.ended);
    WEFT_END(0);
}

struct watching {
    WEFT_FRAME;
    struct {
        struct news         *news;
        weft_watch_receiver *receiver;
    } in;
    weft_wait wait;
    int64_t   n, sum;
};

WEFT_ASYNC(watching)
{
    struct news *news = self->in.news;
    int64_t      n, value;

    WEFT_BEGIN();
    self->n = self->sum = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_watch_changed(&self->wait, self->in.receiver));
        if (n == WEFT_EOF)
            break;
        must(n);
        weft_watch_read(self->in.receiver, &value);
        self->n++;
        self->sum += value;
        got_it(news);
    }
    weft_watch_receiver_close(self->in.receiver);
    received(news, self->n, self->sum);
    WEFT_END(0);
}

static void watch_begin(struct round *round)
{
    struct news         *news = weft_container(round, struct news, round);
    weft_watch_sender   *sender;
    weft_watch_receiver *receiver[FOLLOWERS];
    int64_t              first = 0;

    must(weft_watch_open(sizeof first, &first, &sender, &receiver[0]));
    for (int k = 1; k < FOLLOWERS; k++)
        must(weft_watch_subscribe(sender, &receiver[k]));
    for (int k = 0; k < FOLLOWERS; k++)
        must(weft_spawn(NULL, watching, .news = news, .receiver = receiver[k]));
    must(weft_spawn(NULL, publishing, .news = news, .sender = sender));
}

void bench_watch(struct bench_run *run, int argument)
{
    (void)argument;
    news_repeat(run, watch_begin);
}
