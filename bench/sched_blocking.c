/*
 * sched_blocking.c - benchmarks of the blocking pool
 *
 * Purpose     A job's way to a pool thread and back, one after the other; 10,000 jobs at once, each
 *             awaited by a task of its own; and the same work in place.
 * Threads     One task repeats the rounds; the jobs run on the pool's threads.
 * Invariants  Every job adds 1, and a round ends when all tasks have seen theirs end.
 * Ordering    Relaxed suffices for the sum: the count-down comes after it.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

enum { JOBS = 10000, ROUND_TRIPS = 100 };

struct add_one {
    _Atomic int64_t *sum;
};
WEFT_BLOCKING(add_one)
{
    atomic_fetch_add_explicit(self->sum, 1, memory_order_relaxed);
    return 1;
}

/* ---- round_trip ---- */

struct round_trip {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct weft_spawn_blocking job;
    int64_t                    k;
    _Atomic int64_t            sum;
};

WEFT_ASYNC(round_trip)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    atomic_init(&self->sum, 0);
    do {
        for (self->k = 0; self->k < ROUND_TRIPS; self->k++) {
            WEFT_AWAIT(n, weft_spawn_blocking(&self->job, add_one, .sum = &self->sum));
            expect("the job's result", n, 1);
            run->ops++;
        }
    } while (bench_more(run));
    expect("the sum", atomic_load(&self->sum), run->ops);
    WEFT_END(0);
}

BENCH_ASYNC(round_trip)

void bench_blocking_round_trip(struct bench_run *run, int argument)
{
    run_round_trip(run, argument);
}

/* ---- at_once ---- */

struct awaits_job {
    WEFT_FRAME;
    struct {
        struct countdown *countdown;
        _Atomic int64_t  *sum;
    } in;
    struct weft_spawn_blocking job;
};

WEFT_ASYNC(awaits_job)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, add_one, .sum = self->in.sum));
    expect("the job's result", n, 1);
    countdown_down(self->in.countdown);
    WEFT_END(0);
}

struct at_once {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct countdown countdown;
    _Atomic int64_t  sum;
};

WEFT_ASYNC(at_once)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    atomic_init(&self->sum, 0);
    do {
        countdown_begin(&self->countdown, bench_scaled(run, JOBS));
        for (n = self->countdown.n; n > 0; n--)
            must(weft_spawn(NULL, awaits_job, .countdown = &self->countdown, .sum = &self->sum));
        WEFT_AWAIT(n, countdown_wait(&self->countdown));
        run->ops += countdown_end(&self->countdown);
    } while (bench_more(run));
    expect("the sum", atomic_load(&self->sum), run->ops);
    WEFT_END(n);
}

BENCH_ASYNC(at_once)

void bench_blocking_at_once(struct bench_run *run, int argument)
{
    run_at_once(run, argument);
}

/* ---- in_place ---- */

static int64_t add_one_in_place(void *sum)
{
    atomic_fetch_add_explicit((_Atomic int64_t *)sum, 1, memory_order_relaxed);
    return 1;
}

struct in_place {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    int64_t         k;
    _Atomic int64_t sum;
};

/* It yields after each call: Tokio's worker stays elsewhere until the task has awaited. */
WEFT_ASYNC(in_place)
{
    struct bench_run *run = self->in.run;

    WEFT_BEGIN();
    atomic_init(&self->sum, 0);
    do {
        for (self->k = 0; self->k < ROUND_TRIPS; self->k++) {
            expect("the function's result", weft_block_in_place(add_one_in_place, &self->sum), 1);
            run->ops++;
            WEFT_YIELD();
        }
    } while (bench_more(run));
    expect("the sum", atomic_load(&self->sum), run->ops);
    WEFT_END(0);
}

BENCH_ASYNC(in_place)

void bench_blocking_in_place(struct bench_run *run, int argument)
{
    run_in_place(run, argument);
}
