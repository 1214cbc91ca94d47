/*
 * sched.c - benchmarks of the scheduler: spawning, joining, waking, yielding
 *
 * Purpose     The program that bench/run starts as weft's part in sched/...: `sched bench`.
 * Threads     Each workload is one task that repeats its rounds, so it spawns from a worker;
 *             spawn_many_outside is the main thread's.
 * Invariants  Every task that is spawned counts down, and a round ends when all have: nothing is
 *             counted that did not run.
 * Ordering    Relaxed suffices for yields: the count-down comes after it.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

#include "fiber_parts.h"

enum {
    SPAWNS = 10000,
    JOINS = 1000,
    CHAIN = 1000,
    PINGS = 1000,
    YIELDING = 200,
    YIELDS = 1000,
};

/* ---- spawn_many ---- */

struct spawn_many {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct countdown countdown;
};

WEFT_ASYNC(spawn_many)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        countdown_begin(&self->countdown, bench_scaled(run, SPAWNS));
        for (n = self->countdown.n; n > 0; n--)
            must(weft_spawn(NULL, count_down, .countdown = &self->countdown));
        WEFT_AWAIT(n, countdown_wait(&self->countdown));
        run->ops += countdown_end(&self->countdown);
    } while (bench_more(run));
    WEFT_END(n);
}

BENCH_ASYNC(spawn_many)

static void run_spawn_many_outside(struct bench_run *run, int argument)
{
    struct countdown countdown;

    (void)argument;
    do {
        countdown_begin(&countdown, bench_scaled(run, SPAWNS));
        for (int64_t n = countdown.n; n > 0; n--)
            must(weft_spawn_on(run->rt, NULL, count_down, .countdown = &countdown));
        run->ops += countdown_block(&countdown, run->rt);
    } while (bench_more(run));
}

/* ---- spawn_join ---- */

struct child {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};

WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    WEFT_END(self->in.n);
}

struct spawn_join {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    weft_handle handle;
    int64_t     k;
};

WEFT_ASYNC(spawn_join)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        for (self->k = bench_scaled(run, JOINS); self->k > 0; self->k--) {
            must(weft_spawn(&self->handle, child, .n = self->k));
            WEFT_AWAIT(n, weft_join(&self->handle));
            expect("the child's result", n, self->k);
            run->ops++;
        }
    } while (bench_more(run));
    WEFT_END(0);
}

BENCH_ASYNC(spawn_join)

/* ---- chained_spawn ---- */

struct link {
    WEFT_FRAME;
    struct {
        struct countdown *countdown;
        int64_t           more;
    } in;
};

WEFT_ASYNC(link)
{
    WEFT_BEGIN();
    if (self->in.more > 0)
        must(weft_spawn(NULL, link, .countdown = self->in.countdown, .more = self->in.more - 1));
    countdown_down(self->in.countdown);
    WEFT_END(0);
}

struct chained_spawn {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct countdown countdown;
};

WEFT_ASYNC(chained_spawn)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        n = bench_scaled(run, CHAIN);
        countdown_begin(&self->countdown, n);
        must(weft_spawn(NULL, link, .countdown = &self->countdown, .more = n - 1));
        WEFT_AWAIT(n, countdown_wait(&self->countdown));
        run->ops += countdown_end(&self->countdown);
    } while (bench_more(run));
    WEFT_END(n);
}

BENCH_ASYNC(chained_spawn)

/* ---- ping_pong: a ping is two tasks and two oneshots ---- */

struct pong {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *ping;
        weft_oneshot_sender   *pong;
    } in;
    weft_wait wait;
};

WEFT_ASYNC(pong)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->in.ping, NULL));
    must(n);
    weft_oneshot_receiver_close(self->in.ping);
    must(weft_oneshot_send(self->in.pong, NULL));
    WEFT_END(0);
}

struct ping {
    WEFT_FRAME;
    struct {
        struct countdown *countdown;
    } in;
    weft_oneshot_receiver *pong;
    weft_wait              wait;
};

WEFT_ASYNC(ping)
{
    weft_oneshot_sender   *ping_sender, *pong_sender;
    weft_oneshot_receiver *ping_receiver;
    int64_t                n;

    WEFT_BEGIN();
    must(weft_oneshot_open(0, &ping_sender, &ping_receiver));
    must(weft_oneshot_open(0, &pong_sender, &self->pong));
    must(weft_spawn(NULL, pong, .ping = ping_receiver, .pong = pong_sender));
    must(weft_oneshot_send(ping_sender, NULL));
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->pong, NULL));
    must(n);
    weft_oneshot_receiver_close(self->pong);
    countdown_down(self->in.countdown);
    WEFT_END(0);
}

struct ping_pong {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct countdown countdown;
};

WEFT_ASYNC(ping_pong)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    do {
        countdown_begin(&self->countdown, bench_scaled(run, PINGS));
        for (n = self->countdown.n; n > 0; n--)
            must(weft_spawn(NULL, ping, .countdown = &self->countdown));
        WEFT_AWAIT(n, countdown_wait(&self->countdown));
        run->ops += countdown_end(&self->countdown);
    } while (bench_more(run));
    WEFT_END(n);
}

BENCH_ASYNC(ping_pong)

/* ---- yield_many ---- */

struct yields {
    struct countdown countdown;
    int64_t          each;
    _Atomic int64_t  done;
};

struct yielding {
    WEFT_FRAME;
    struct {
        struct yields *yields;
    } in;
    int64_t k;
};

WEFT_ASYNC(yielding)
{
    WEFT_BEGIN();
    for (self->k = 0; self->k < self->in.yields->each; self->k++)
        WEFT_YIELD();
    atomic_fetch_add_explicit(&self->in.yields->done, self->k, memory_order_relaxed);
    countdown_down(&self->in.yields->countdown);
    WEFT_END(0);
}

struct yield_many {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct yields yields;
};

WEFT_ASYNC(yield_many)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    self->yields.each = bench_scaled(run, YIELDS);
    atomic_init(&self->yields.done, 0);
    do {
        countdown_begin(&self->yields.countdown, YIELDING);
        for (n = 0; n < YIELDING; n++)
            must(weft_spawn(NULL, yielding, .yields = &self->yields));
        WEFT_AWAIT(n, countdown_wait(&self->yields.countdown));
        countdown_end(&self->yields.countdown);
    } while (bench_more(run));
    run->ops = atomic_load(&self->yields.done);
    WEFT_END(n);
}

BENCH_ASYNC(yield_many)

static struct bench benches[] = {
    {"sched/spawn_many", run_spawn_many, 0, false, false},
    {"sched/spawn_many_outside", run_spawn_many_outside, 0, false, true},
    {"sched/spawn_join", run_spawn_join, 0, false, false},
    {"sched/chained_spawn", run_chained_spawn, 0, false, false},
    {"sched/ping_pong", run_ping_pong, 0, false, false},
    {"sched/yield_many", run_yield_many, 0, false, false},
    {"sched/skynet", bench_skynet, 0, false, false},
    {"sched/fib", bench_fib, 0, false, false},
    {"sched/foreign_wake", bench_foreign_wake, 0, false, true},
    {"sched/foreign_wake_spaced", bench_foreign_wake, 50, false, true},
    {"sched/foreign_spawn_1", bench_foreign_spawn, 1, false, true},
    {"sched/foreign_spawn_4", bench_foreign_spawn, 4, false, true},
    {"sched/foreign_spawn_16", bench_foreign_spawn, 16, false, true},
    {"sched/foreign_spawn_64", bench_foreign_spawn, 64, false, true},
    {"blocking/round_trip", bench_blocking_round_trip, 0, false, false},
    {"blocking/at_once", bench_blocking_at_once, 0, false, false},
    {"blocking/in_place", bench_blocking_in_place, 0, false, false},
    {"sched/tasks_1m", bench_tasks_1m, 0, true, false},
    {"time/sleep_1m", bench_sleep_1m, 0, true, false},
    {"time/timers_1m", bench_timers_1m, 0, false, false},
    {"file/read_4k", bench_file, 4 << 10, false, false},
    {"file/read_128k", bench_file, 128 << 10, false, false},
    {"file/cold_4k", bench_cold_file, 4 << 10, false, false},
    {"file/cold_128k", bench_cold_file, 128 << 10, false, false},
    {"fiber/await_ready", bench_stackless_await_ready, 0, false, false},
    {"fiber/yield_pair", bench_stackless_yield_pair, 0, false, false},
    {"fiber/spawn_join", run_spawn_join, 0, false, false},
    {"fiber/spawn_join_async", run_spawn_join, 0, false, false},
    {"fiber/ping_pong", bench_stackless_ping_pong, 0, false, false},
    {"fiber/sleep_100k", bench_stackless_sleep, FIBER_MANY, true, false},
    {"fiber/sleep_1m", bench_stackless_sleep, FIBER_MOST, true, false},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof benches / sizeof *benches);
}
