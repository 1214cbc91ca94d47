/*
 * sched_stackless.c - the benchmarks of fibers, done by async functions
 *
 * Purpose     Each task does what its fiber does in fiber.c and fiber_sleep.c. The twin of
 *             spawn_join is the one in sched.c.
 * Threads     Each workload is one task that repeats its rounds, so it spawns from a worker.
 * Invariants  None.
 * Ordering    Relaxed suffices for yields: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "fiber_parts.h"
#include "sched_parts.h"

#include <stdlib.h>

/* ---- await_ready: a future that is READY at its first poll ---- */

struct await_ready {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    weft_future future;
    int64_t     k;
};

WEFT_ASYNC(await_ready)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do
        for (self->k = bench_scaled(run, FIBER_AWAITS); self->k > 0; self->k--) {
            WEFT_AWAIT(n, fiber_ready(&self->future));
            run->ops += n;
        }
    while (bench_more(run));
    WEFT_END(0);
}

BENCH_ASYNC(await_ready)

/* ---- yield_pair ---- */

struct yields {
    WEFT_FRAME;
    struct {
        struct fiber_pair *pair;
    } in;
    int64_t k;
};

WEFT_ASYNC(yields)
{
    struct fiber_pair *pair = self->in.pair;

    WEFT_BEGIN();
    for (self->k = 0; self->k < pair->each; self->k++)
        WEFT_YIELD();
    atomic_fetch_add_explicit(&pair->done, self->k, memory_order_relaxed);
    countdown_down(&pair->ended);
    WEFT_END(0);
}

struct yield_pair {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct fiber_pair pair;
};

WEFT_ASYNC(yield_pair)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        fiber_pair_begin(&self->pair, run);
        for (int k = 0; k < 2; k++)
            must(weft_spawn(NULL, yields, .pair = &self->pair));
        WEFT_AWAIT(n, countdown_wait(&self->pair.ended));
        must(n);
        fiber_pair_end(&self->pair, run);
    } while (bench_more(run));
    WEFT_END(0);
}

BENCH_ASYNC(yield_pair)

/* ---- ping_pong ---- */

struct plays {
    WEFT_FRAME;
    struct {
        struct fiber_table *table;
        int                 me;
        int64_t            *number; /* the last one; the memory outlives the task */
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(plays)
{
    struct fiber_table *table = self->in.table;
    int64_t             n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < table->each; self->k++) {
        if (self->k > 0 || self->in.me == 0) {
            WEFT_AWAIT(n, weft_mpsc_send(&self->wait, table->to[1 - self->in.me], self->in.number));
            must(n);
        }
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, table->at[self->in.me], self->in.number));
        must(n);
        ++*self->in.number;
    }
    if (self->in.me == 1) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, table->to[0], self->in.number));
        must(n);
    }
    countdown_down(&table->ended);
    WEFT_END(0);
}

struct ping_pong {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct fiber_table table;
    int64_t            number[2];
};

WEFT_ASYNC(ping_pong)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        fiber_table_begin(&self->table, run);
        for (int k = 0; k < 2; k++) {
            self->number[k] = 0;
            must(weft_spawn(NULL, plays, .table = &self->table, .me = k,
                            .number = &self->number[k]));
        }
        WEFT_AWAIT(n, countdown_wait(&self->table.ended));
        must(n);
        fiber_table_end(&self->table, run, self->number[0]);
    } while (bench_more(run));
    WEFT_END(0);
}

BENCH_ASYNC(ping_pong)

/* ---- sleep_100k, sleep_1m ---- */

struct sleeper {
    WEFT_FRAME;
    struct {
        struct countdown *asleep;
    } in;
    struct weft_sleep nap;
};

WEFT_ASYNC(sleeper)
{
    int64_t n;

    WEFT_BEGIN();
    countdown_down(self->in.asleep);
    WEFT_AWAIT(n, weft_sleep(&self->nap, FIBER_NAP));
    WEFT_END(n);
}

struct all_sleep {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
        int64_t           n;
    } in;
    weft_handle     *handle;
    struct countdown asleep;
    int64_t          k;
};

WEFT_ASYNC(all_sleep)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    self->handle = calloc((size_t)self->in.n, sizeof *self->handle);
    must(self->handle ? 0 : -ENOMEM);
    countdown_begin(&self->asleep, self->in.n);
    for (n = 0; n < self->in.n; n++)
        must(weft_spawn(&self->handle[n], sleeper, .asleep = &self->asleep));
    WEFT_AWAIT(n, countdown_wait(&self->asleep));
    must(n);
    countdown_end(&self->asleep);
    run->rss_kb = bench_rss_kb();
    for (n = 0; n < self->in.n; n++)
        weft_cancel(&self->handle[n]);
    for (self->k = 0; self->k < self->in.n; self->k++) {
        WEFT_AWAIT(n, weft_join(&self->handle[self->k]));
        expect("a cancelled sleep", n, -ECANCELED);
        run->ops++;
    }
    free(self->handle);
    WEFT_END(0);
}

void bench_stackless_sleep(struct bench_run *run, int number)
{
    weft_handle handle;

    must(weft_spawn_on(run->rt, &handle, all_sleep, .run = run, .n = bench_scaled(run, number)));
    must(weft_block_on(run->rt, weft_join(&handle)));
    fiber_sleep_end(run);
}

void bench_stackless_await_ready(struct bench_run *run, int argument)
{
    run_await_ready(run, argument);
}

void bench_stackless_yield_pair(struct bench_run *run, int argument)
{
    run_yield_pair(run, argument);
}

void bench_stackless_ping_pong(struct bench_run *run, int argument)
{
    run_ping_pong(run, argument);
}
