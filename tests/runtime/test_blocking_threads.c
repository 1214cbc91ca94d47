/* test_blocking_threads.c - how many threads a pool has, when they sleep, where they run */
#include "blocking_jobs.h"
#include "pool.h"

/* ---- how many threads ---- */

Test(blocking_threads, short_jobs_need_few_threads)
{
    weft_runtime             *rt = start(2);
    weft_pool                *pool = pool_of(rt, (weft_pool_config){.threads = 500});
    int64_t                   n = test_scaled(10000);
    struct weft_pool_counters c;

    run_short_jobs(rt, pool, n);
    c = count(pool);
    check_eq(c.done, n);
    check_eq(c.jobs, n);
    check_eq(c.queued, 0);
    check_cmp(c.threads_peak, <, 50);
    close_pool(pool);
    stop(rt);
}

struct meet {
    pthread_barrier_t *barrier;
};
WEFT_BLOCKING(meet)
{
    pthread_barrier_wait(self->barrier);
    return 3;
}

struct run_meet {
    WEFT_FRAME;
    struct {
        pthread_barrier_t *barrier;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_meet)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, meet, .barrier = self->in.barrier));
    WEFT_END(n);
}

/* The pool needs its last threads at a time when no more jobs are submitted. */
Test(blocking_threads, jobs_that_wait_for_each_other_all_get_threads)
{
    enum { JOBS = 200 };
    weft_runtime     *rt = start(2);
    weft_handle       h[JOBS];
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, JOBS);
    for (int i = 0; i < JOBS; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_meet, .barrier = &barrier), 0);
    for (int i = 0; i < JOBS; i++)
        check_eq(join(rt, &h[i]), 3);
    check_cmp(count(weft_pool_default(rt)).threads_peak, >=, JOBS);
    stop(rt);
    pthread_barrier_destroy(&barrier);
}

Test(blocking_threads, a_job_behind_stuck_ones_gets_a_thread)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 100});
    weft_handle   h[20];
    atomic_int    sum = 0;

    for (int i = 0; i < 20; i++) {
        h[i] = spawn_hold(rt, pool);
        EVENTUALLY(n_running == i + 1);
        check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), 1);
    }
    open_gate(20);
    for (int i = 0; i < 20; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(sum, 20);
    EVENTUALLY(count(pool).running == 0);
    check_eq(pool->n_stuck, 0);
    close_pool(pool);
    stop(rt);
}

struct nap {
    int64_t            us;
    pthread_barrier_t *pair; /* or NULL */
};
WEFT_BLOCKING(nap)
{
    struct timespec t = {.tv_nsec = self->us * 1000};

    nanosleep(&t, NULL);
    if (self->pair)
        pthread_barrier_wait(self->pair);
    return self->us;
}

struct run_naps {
    WEFT_FRAME;
    struct {
        weft_pool         *pool;
        pthread_barrier_t *pair;
        int64_t            n;
        uint32_t           seed;
    } in;
    struct weft_spawn_blocking job;
    int64_t                    us;
};
WEFT_ASYNC(run_naps)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        self->us = rnd(&self->in.seed) % 4 ? 0 : rnd(&self->in.seed) % 700;
        WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, nap, .us = self->us,
                                             .pair = self->in.pair));
        check_eq(n, self->us);
    }
    WEFT_END(0);
}

/* Threads exit while jobs arrive. Some jobs wait for each other, and many are shorter than a
 * tick. */
Test(blocking_threads, no_job_is_forgotten)
{
    enum { PAIRS = 4, LONELY = 8, TASKS = 2 * PAIRS + LONELY };
    weft_runtime     *rt = start(2);
    weft_pool        *pool = pool_of(rt, (weft_pool_config){.threads = 2 * PAIRS, .keep_ms = 1});
    pthread_barrier_t pair[PAIRS];
    weft_handle       h[TASKS];
    int64_t           n = test_scaled(300);

    for (int i = 0; i < PAIRS; i++)
        pthread_barrier_init(&pair[i], NULL, 2);
    for (int i = 0; i < TASKS; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_naps, .pool = pool,
                               .pair = i < 2 * PAIRS ? &pair[i / 2] : NULL, .n = n,
                               .seed = (uint32_t)i + 1),
                 0);
    for (int i = 0; i < TASKS; i++)
        check_eq(join(rt, &h[i]), 0);
    check_eq(count(pool).done, n * TASKS);
    close_pool(pool);
    stop(rt);
    for (int i = 0; i < PAIRS; i++)
        pthread_barrier_destroy(&pair[i]);
}

Test(blocking_threads, idle_threads_leave)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 10, .keep_ms = 20});
    weft_handle   h[10];

    for (int i = 0; i < 10; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 10);
    check_eq(count(pool).threads, 10);
    check_eq(count(pool).running, 10);
    check_eq(count(pool).idle, 0);
    open_gate(10);
    for (int i = 0; i < 10; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(count(pool).running, 0);
    EVENTUALLY(count(pool).threads == 0);
    check_eq(count(pool).idle, 0);
    run_short_jobs(rt, pool, 10); /* and new threads start */
    close_pool(pool);
    stop(rt);
}

/* Fails unless the pool's threads sleep on once they do. */
static void check_quiet(void)
{
    struct threads before = threads_at_rest("weft-quiet", 20);

    check_cmp(before.n, >, 0);
    pause_ms(50);
    check_eq(threads_named("weft-quiet").n_turns, before.n_turns);
}

Test(blocking_threads, an_idle_pool_sleeps)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.name = "quiet", .threads = 8});
    weft_handle   h[20];

    for (int i = 0; i < 20; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 8);
    check_quiet(); /* 12 jobs are queued, but all 8 threads are busy */
    open_gate(20);
    for (int i = 0; i < 20; i++)
        check_eq(join(rt, &h[i]), 7);
    EVENTUALLY(count(pool).idle == count(pool).threads);
    check_quiet();
    close_pool(pool);
    stop(rt);
}

/* When a task gets the result of a job, the job's thread is idle already. */
Test(blocking_threads, one_after_the_other_needs_one_thread)
{
    weft_runtime *rt = start(2);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 100});
    atomic_int    sum = 0;

    for (int64_t i = 0; i < test_scaled(2000); i++) {
        check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), 1);
        check_eq(count(pool).done, i + 1);
        check_eq(count(pool).running, 0);
    }
    check_eq(count(pool).threads_peak, 1);
    close_pool(pool);
    stop(rt);
}

/* ---- where its threads run ---- */

static int64_t cpus_of_caller(void)
{
    cpu_set_t mask;

    check_eq(sched_getaffinity(0, sizeof mask, &mask), 0);
    return CPU_COUNT(&mask);
}

struct count_cpus {
    int unused;
};
WEFT_BLOCKING(count_cpus)
{
    (void)self;
    return cpus_of_caller();
}

/* Its worker creates the threads. */
struct open_pinned {
    WEFT_FRAME;
    struct {
        int64_t base;
    } in;
    weft_pool                 *pool;
    struct weft_spawn_blocking job[2];
    struct weft_join_all       both;
};
WEFT_ASYNC(open_pinned)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(cpus_of_caller(), 1);
    check_eq(weft_pool_open(NULL, &(weft_pool_config){0}, &self->pool), 0);
    check_eq(self->pool->base, self->in.base);
    WEFT_AWAIT(n, weft_join_all(&self->both,
                                weft_spawn_blocking_on(&self->job[0], self->pool, count_cpus, 0),
                                weft_spawn_blocking(&self->job[1], count_cpus, 0)));
    check_eq(n, 0);
    check_eq(weft_future_result(&self->job[0].future), weft_future_result(&self->job[1].future));
    WEFT_END(weft_future_result(&self->job[0].future));
}

Test(blocking_threads, threads_that_a_pinned_worker_creates_are_not_pinned)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .cpu_affinity = 1});
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, open_pinned, weft_pool_default(rt)->base), 0);
    check_eq(join(rt, &h), cpus_of_caller());
    check_eq(weft_pool_open(NULL, &(weft_pool_config){0}, &(weft_pool *){NULL}), -ENXIO);
    stop(rt);
}
