/*
 * fiber.c - benchmarks of fibers: switching, awaiting, yielding, spawning, channels
 *
 * Purpose     The program that bench/run starts as weft's part in fiber/...: `fiber bench`. Its
 *             twin with async functions is sched_stackless.c.
 * Threads     Each workload is one fiber that repeats its rounds, so it spawns from a worker.
 * Invariants  None.
 * Ordering    Relaxed suffices for yields: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "fiber_parts.h"

/* Defines run_NAME, which runs the function of that name as a fiber. */
#define BENCH_FIBER(name)                                                                          \
    static void run_##name(struct bench_run *run, int argument)                                    \
    {                                                                                              \
        weft_handle handle;                                                                        \
                                                                                                   \
        (void)argument;                                                                            \
        must(weft_fiber_on(run->rt, &handle, name, run));                                          \
        must(weft_block_on(run->rt, weft_join(&handle)));                                          \
    }

/* ---- await_ready: a future that is READY at its first poll ---- */

static int64_t await_ready(void *argument)
{
    struct bench_run *run = argument;
    weft_future       future;
    int64_t           n = bench_scaled(run, FIBER_AWAITS);

    do
        for (int64_t k = 0; k < n; k++)
            run->ops += weft_await(fiber_ready(&future));
    while (bench_more(run));
    return 0;
}

BENCH_FIBER(await_ready)

/* ---- yield_pair ---- */

static int64_t yields(void *argument)
{
    struct fiber_pair *pair = argument;
    int64_t            k;

    for (k = 0; k < pair->each; k++)
        weft_fiber_yield();
    atomic_fetch_add_explicit(&pair->done, k, memory_order_relaxed);
    countdown_down(&pair->ended);
    return 0;
}

static int64_t yield_pair(void *argument)
{
    struct bench_run *run = argument;
    struct fiber_pair pair;

    do {
        fiber_pair_begin(&pair, run);
        for (int k = 0; k < 2; k++)
            must(weft_fiber(NULL, yields, &pair));
        must(weft_await(countdown_wait(&pair.ended)));
        fiber_pair_end(&pair, run);
    } while (bench_more(run));
    return 0;
}

BENCH_FIBER(yield_pair)

/* ---- spawn_join ---- */

static int64_t child(void *argument)
{
    return *(const int64_t *)argument;
}

static int64_t spawn_join(void *argument)
{
    struct bench_run *run = argument;
    weft_handle       handle;

    do
        for (int64_t k = bench_scaled(run, FIBER_JOINS); k > 0; k--) {
            must(weft_fiber(&handle, child, &k));
            expect("the child's result", weft_await(weft_join(&handle)), k);
            run->ops++;
        }
    while (bench_more(run));
    return 0;
}

BENCH_FIBER(spawn_join)

struct spawn_join_async {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    weft_handle handle;
    int64_t     k;
};

WEFT_ASYNC(spawn_join_async)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do
        for (self->k = bench_scaled(run, FIBER_JOINS); self->k > 0; self->k--) {
            must(weft_fiber(&self->handle, child, &self->k));
            WEFT_AWAIT(n, weft_join(&self->handle));
            expect("the child's result", n, self->k);
            run->ops++;
        }
    while (bench_more(run));
    WEFT_END(0);
}

BENCH_ASYNC(spawn_join_async)

/* ---- ping_pong ---- */

struct player {
    struct fiber_table *table;
    int                 me;
    int64_t             number;
};

static int64_t plays(void *argument)
{
    struct player      *player = argument;
    struct fiber_table *table = player->table;
    weft_wait           wait;

    for (int64_t k = 0; k < table->each; k++) {
        if (k > 0 || player->me == 0)
            must(weft_await(weft_mpsc_send(&wait, table->to[1 - player->me], &player->number)));
        must(weft_await(weft_mpsc_receive(&wait, table->at[player->me], &player->number)));
        player->number++;
    }
    if (player->me == 1)
        must(weft_await(weft_mpsc_send(&wait, table->to[0], &player->number)));
    countdown_down(&table->ended);
    return 0;
}

static int64_t ping_pong(void *argument)
{
    struct bench_run  *run = argument;
    struct fiber_table table;
    struct player      player[2];

    do {
        fiber_table_begin(&table, run);
        for (int k = 0; k < 2; k++) {
            player[k] = (struct player){.table = &table, .me = k};
            must(weft_fiber(NULL, plays, &player[k]));
        }
        must(weft_await(countdown_wait(&table.ended)));
        fiber_table_end(&table, run, player[0].number);
    } while (bench_more(run));
    return 0;
}

BENCH_FIBER(ping_pong)

static struct bench benches[] = {
    {"fiber/switch", bench_fiber_switch, 0, false, false},
    {"fiber/await_ready", run_await_ready, 0, false, false},
    {"fiber/yield_pair", run_yield_pair, 0, false, false},
    {"fiber/spawn_join", run_spawn_join, 0, false, false},
    {"fiber/spawn_join_async", run_spawn_join_async, 0, false, false},
    {"fiber/ping_pong", run_ping_pong, 0, false, false},
    {"fiber/sleep_100k", bench_fiber_sleep, FIBER_MANY, true, false},
    {"fiber/sleep_1m", bench_fiber_sleep, FIBER_MOST | SMALL, true, false},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof benches / sizeof *benches);
}
