/*
 * sync_timeout.c - benchmarks of futures with a time limit
 *
 * Purpose     A task awaits futures under a limit that they never reach: some that are ready at
 *             once, or some that are pending once, so that a timer is begun and dropped.
 * Threads     Any worker.
 * Invariants  A future that is pending has woken its task.
 * Ordering    None.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

enum { EACH = 10000, LIMIT_S = 10 };

/* Ends with `number`, after `pending` polls that do not end it. */
struct number {
    weft_future future;
    int64_t     number;
    int         pending;
};

static weft_poll number_poll(weft_future *future, weft_context *cx)
{
    struct number *self = weft_container(future, struct number, future);

    if (self->pending == 0)
        return weft_ready(future, self->number);
    self->pending--;
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static weft_future *number_of(struct number *self, int64_t number, int pending)
{
    static const weft_future_ops ops = {sizeof(struct number), WEFT_FUTURE_WITHDRAWS, "number",
                                        number_poll, NULL};

    self->number = number;
    self->pending = pending;
    weft_future_init(&self->future, &ops);
    return &self->future;
}

struct limits {
    struct round round;
    int64_t      each, sum;
    int          pending;
};

struct limited {
    WEFT_FRAME;
    struct {
        struct limits *limits;
    } in;
    struct weft_timeout limit;
    struct number       number;
    int64_t             k;
};

WEFT_ASYNC(limited)
{
    struct limits *l = self->in.limits;
    int64_t        n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < l->each; self->k++) {
        WEFT_AWAIT(n, weft_timeout(&self->limit, number_of(&self->number, self->k, l->pending),
                                   WEFT_S(LIMIT_S)));
        l->sum += must(n);
    }
    countdown_down(&l->round.ended);
    WEFT_END(0);
}

static void begin(struct round *round)
{
    struct limits *l = weft_container(round, struct limits, round);

    l->sum = 0;
    must(weft_spawn(NULL, limited, .limits = l));
}

static void end(struct round *round)
{
    const struct limits *l = weft_container(round, struct limits, round);

    expect("the sum of the results", l->sum, sum_below(l->each));
    round->run->ops += l->each;
}

static void repeat(struct bench_run *run, int pending)
{
    struct limits limits = {
        .round = {run, 1, begin, end, .ended = {0}},
        .each = bench_scaled(run, EACH),
        .pending = pending,
    };

    round_repeat(&limits.round);
}

void bench_timeout_ready(struct bench_run *run, int argument)
{
    (void)argument;
    repeat(run, 0);
}

void bench_timeout_pending(struct bench_run *run, int argument)
{
    (void)argument;
    repeat(run, 1);
}
