/*
 * test_blocking_pool.c - how many threads a pool has, its queue, pools beside each other, and what
 * they count
 */
#include "../net_helpers.h"
#include "pool.h"

#include <semaphore.h>

static sem_t      gate;      /* jobs that wait there hold a thread until it is posted */
static atomic_int n_running; /* jobs that wait there */

struct count_up {
    atomic_int *n;
};
WEFT_BLOCKING(count_up)
{
    atomic_fetch_add(self->n, 1);
    return 1;
}

struct hold {
    int unused;
};
WEFT_BLOCKING(hold)
{
    (void)self;
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    n_running--;
    return 7;
}

struct run_count_up {
    WEFT_FRAME;
    struct {
        weft_pool  *pool;
        atomic_int *n;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_count_up)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, count_up, .n = self->in.n));
    WEFT_END(n);
}

struct run_hold {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_hold)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, hold, .unused = 0));
    WEFT_END(n);
}

static weft_handle spawn_hold(weft_runtime *rt, weft_pool *pool)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, run_hold, .pool = pool), 0);
    return h;
}

static void open_gate(int n)
{
    while (n-- > 0)
        sem_post(&gate);
}

static struct weft_pool_counters count(weft_pool *pool)
{
    struct weft_pool_counters c;

    check_eq(weft_pool_counters(pool, &c), 0);
    return c;
}

static weft_pool *pool_of(weft_runtime *rt, weft_pool_config config)
{
    weft_pool *pool;

    sem_init(&gate, 0, 0);
    check_eq(weft_pool_open(rt, &config, &pool), 0);
    return pool;
}

static void close_pool(weft_pool *pool)
{
    check_eq(weft_pool_close(pool, WEFT_S(20)), 0);
}

/* ---- how many threads ---- */

/* n tasks at once, each of which awaits a short job. */
static void run_short_jobs(weft_runtime *rt, weft_pool *pool, int64_t n)
{
    weft_handle *h = calloc((size_t)n, sizeof *h);
    atomic_int   sum = 0;

    for (int64_t i = 0; i < n; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_count_up, .pool = pool, .n = &sum), 0);
    for (int64_t i = 0; i < n; i++)
        check_eq(JOIN(rt, &h[i]), 1);
    check_eq(sum, n);
    free(h);
}

Test(blocking_pool, short_jobs_need_few_threads)
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

/* Nobody submits any more when the last of them are needed. */
Test(blocking_pool, jobs_that_wait_for_each_other_all_get_threads)
{
    enum { JOBS = 200 };
    weft_runtime     *rt = start(2);
    weft_handle       h[JOBS];
    pthread_barrier_t barrier;

    pthread_barrier_init(&barrier, NULL, JOBS);
    for (int i = 0; i < JOBS; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_meet, .barrier = &barrier), 0);
    for (int i = 0; i < JOBS; i++)
        check_eq(JOIN(rt, &h[i]), 3);
    check_cmp(count(weft_pool_default(rt)).threads_peak, >=, JOBS);
    stop(rt);
    pthread_barrier_destroy(&barrier);
}

Test(blocking_pool, a_job_behind_stuck_ones_gets_a_thread)
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
        check_eq(JOIN(rt, &h[i]), 7);
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

/* Threads leave as jobs come; some jobs wait for each other, and many are shorter than a tick. */
Test(blocking_pool, no_job_is_forgotten)
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
        check_eq(JOIN(rt, &h[i]), 0);
    check_eq(count(pool).done, n * TASKS);
    close_pool(pool);
    stop(rt);
    for (int i = 0; i < PAIRS; i++)
        pthread_barrier_destroy(&pair[i]);
}

Test(blocking_pool, idle_threads_leave)
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
        check_eq(JOIN(rt, &h[i]), 7);
    check_eq(count(pool).running, 0);
    EVENTUALLY(count(pool).threads == 0);
    check_eq(count(pool).idle, 0);
    run_short_jobs(rt, pool, 10); /* and come back */
    close_pool(pool);
    stop(rt);
}

/* How often the pool's threads have gone to sleep. */
static int64_t count_sleeps(void)
{
    DIR           *tasks = opendir("/proc/self/task");
    struct dirent *task;
    int64_t        sum = 0;

    while ((task = readdir(tasks))) {
        char      path[300], line[256];
        bool      ours = false;
        long long n;
        FILE     *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        f = fopen(path, "re");
        while (f && fgets(line, sizeof line, f)) {
            if (strncmp(line, "Name:\tweft-quiet", 16) == 0)
                ours = true;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %lld", &n) == 1)
                sum += n;
        }
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return sum;
}

Test(blocking_pool, an_idle_pool_sleeps)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.name = "quiet", .threads = 8});
    weft_handle   h[20];
    int64_t       before;

    for (int i = 0; i < 20; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 8);
    pause_ms(20);
    before = count_sleeps();
    check_cmp(before, >, 0);
    pause_ms(50);
    check_eq(count_sleeps(), before); /* 12 are queued, but nothing can be done about it */
    open_gate(20);
    for (int i = 0; i < 20; i++)
        check_eq(JOIN(rt, &h[i]), 7);
    EVENTUALLY(count(pool).idle == count(pool).threads);
    pause_ms(20);
    before = count_sleeps();
    pause_ms(50);
    check_eq(count_sleeps(), before);
    close_pool(pool);
    stop(rt);
}

/* Who hears of a job's end finds its thread idle. */
Test(blocking_pool, one_after_the_other_needs_one_thread)
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

/* ---- the queue ---- */

Test(blocking_pool, a_full_queue_refuses)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 2, .queue_max = 3});
    weft_handle   h[5];
    atomic_int    sum = 0;

    for (int i = 0; i < 5; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 2 && count(pool).queued == 3);
    for (int i = 0; i < 3; i++)
        check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -EAGAIN);
    weft_cancel(&h[4]); /* makes room */
    check_eq(JOIN(rt, &h[4]), -ECANCELED);
    h[4] = spawn_hold(rt, pool);
    EVENTUALLY(count(pool).queued == 3);
    check_eq(count(pool).rejected, 3);
    check_eq(count(pool).cancelled, 1);
    check_cmp(count(pool).queued_peak, >=, 3);
    open_gate(5);
    for (int i = 0; i < 5; i++)
        check_eq(JOIN(rt, &h[i]), 7);
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), 1);
    check_eq(sum, 1);
    close_pool(pool);
    stop(rt);
}

Test(blocking_pool, without_a_queue_only_as_many_as_threads)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 2, .queue_max = WEFT_OFF});
    weft_handle   h[2];
    atomic_int    sum = 0;

    for (int i = 0; i < 2; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 2);
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -EAGAIN);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(JOIN(rt, &h[i]), 7);
    close_pool(pool);
    stop(rt);
}

/* ---- pools beside each other ---- */

Test(blocking_pool, a_full_pool_holds_up_no_other)
{
    weft_runtime       *rt = start_with((weft_config){.workers = 1, .dns_threads = 2});
    weft_pool          *user = pool_of(rt, (weft_pool_config){.name = "files", .threads = 1});
    weft_pool          *dns = weft_pool_dns(rt), *standard = weft_pool_default(rt);
    weft_handle         h[4];
    struct weft_resolve r;
    atomic_int          sum = 0;

    for (int i = 0; i < 4; i++)
        h[i] = spawn_hold(rt, dns);
    EVENTUALLY(n_running == 2 && count(dns).queued == 2);
    run_short_jobs(rt, user, 10);
    run_short_jobs(rt, standard, 10);
    check_eq(n_running, 2);
    check_eq(counters(rt).blocking_jobs, 24);
    check_eq(counters(rt).blocking_done, 20);
    check_eq(counters(rt).blocking_queued, 2);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        check_eq(JOIN(rt, &h[i]), 7);

    h[0] = spawn_hold(rt, user); /* and the other way round */
    EVENTUALLY(n_running == 1);
    check_eq(weft_block_on(rt, weft_resolve(&r, "127.0.0.1", 1)), 1);
    check_eq(count(dns).done, 5);
    open_gate(1);
    check_eq(JOIN(rt, &h[0]), 7);
    check_eq(sum, 0);
    close_pool(user);
    stop(rt);
}

static int64_t pool_opens(weft_runtime *rt, weft_pool_config config)
{
    weft_pool *pool = NULL;
    int        r = weft_pool_open(rt, &config, &pool);

    check((r == 0) == (pool != NULL));
    if (r == 0)
        close_pool(pool);
    return r;
}

Test(blocking_pool, values_out_of_range_are_refused)
{
    weft_runtime *rt = start(1);

    check_eq(pool_opens(rt, (weft_pool_config){0}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.name = "a name that is longer than a thread's"}),
             0);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = 10000, .keep_ms = 3600000}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.queue_max = INT64_MAX}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = -1}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = 10001}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.keep_ms = -1}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.keep_ms = 3600001}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.queue_max = -2}), -EINVAL);
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

Test(blocking_pool, threads_that_a_pinned_worker_creates_are_not_pinned)
{
    weft_runtime *rt = start_with((weft_config){.workers = 1, .cpu_affinity = 1});
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, open_pinned, weft_pool_default(rt)->base), 0);
    check_eq(JOIN(rt, &h), cpus_of_caller());
    check_eq(weft_pool_open(NULL, &(weft_pool_config){0}, &(weft_pool *){NULL}), -ENXIO);
    stop(rt);
}

/* ---- closing ---- */

struct close_here {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
};
WEFT_ASYNC(close_here)
{
    WEFT_BEGIN();
    WEFT_END(weft_pool_close(self->in.pool, 0));
}

static void *open_gate_soon(void *arg)
{
    (void)arg;
    pause_ms(20);
    open_gate(3);
    return NULL;
}

Test(blocking_pool, closing_waits_for_jobs_and_names_them)
{
    log_lines     log = LOG_LINES;
    weft_runtime *rt = start_with((weft_config){.workers = 1, .log = keep_line, .log_arg = &log});
    weft_pool    *pool =
        pool_of(rt, (weft_pool_config){.name = "files", .threads = 1, .keep_ms = 3600000});
    weft_handle h[3];
    atomic_int  sum = 0;
    pthread_t   opener;

    for (int i = 0; i < 3; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 1 && count(pool).queued == 2);
    check_eq(RUN(rt, close_here, .pool = pool), -EDEADLK);
    check_eq(weft_pool_close(pool, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(log.text, "blocking job hold (");
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -ESHUTDOWN);
    check_eq(pthread_create(&opener, NULL, open_gate_soon, NULL), 0);
    close_pool(pool); /* those that are queued are run */
    pthread_join(opener, NULL);
    for (int i = 0; i < 3; i++)
        check_eq(JOIN(rt, &h[i]), 7);
    check_eq(sum, 0);
    stop(rt);
}

/* Jobs may be finished, and their pool gone, before anybody polls the futures. */
Test(blocking_pool, a_future_outlives_its_pool)
{
    weft_runtime              *rt = start(1);
    weft_pool                 *pool = pool_of(rt, (weft_pool_config){.threads = 2});
    weft_waker                 waker = weft_waker_noop();
    weft_context               cx;
    struct weft_spawn_blocking job[2];
    atomic_int                 sum = 0;

    weft_context_init(&cx, &waker, rt);
    for (int i = 0; i < 2; i++)
        check(!weft_poll_is_ready(
            weft_future_poll(weft_spawn_blocking_on(&job[i], pool, count_up, .n = &sum), &cx)));
    close_pool(pool);
    check_eq(sum, 2);
    check(weft_poll_is_ready(weft_future_poll(&job[0].future, &cx)));
    check_eq(job[0].future.result, 1);
    if (!weft_poll_is_ready(weft_future_cancel(&job[1].future)))
        check(weft_poll_is_ready(weft_future_poll(&job[1].future, &cx)));
    check_eq(job[1].future.result, 1);
    stop(rt);
}

Test(blocking_pool, the_runtimes_own_stay_open)
{
    weft_runtime *rt = start(1);

    check_eq(weft_pool_close(weft_pool_default(rt), 0), -EINVAL);
    check_eq(weft_pool_close(weft_pool_dns(rt), 0), -EINVAL);
    run_short_jobs(rt, weft_pool_default(rt), 10);
    run_short_jobs(rt, weft_pool_dns(rt), 10);
    stop(rt);
}

Test(blocking_pool, stopping_closes_what_is_open)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.keep_ms = 3600000});

    run_short_jobs(rt, pool, 10);
    pool_of(rt, (weft_pool_config){.threads = 1});
    stop(rt);
}

/* ---- counting ---- */

Test(blocking_pool, waits_are_measured)
{
    weft_runtime             *rt = start(1);
    weft_pool                *pool = pool_of(rt, (weft_pool_config){.threads = 1});
    weft_handle               h[2];
    struct weft_pool_counters c;
    uint64_t                  n = 0, late = 0;

    h[0] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 1);
    h[1] = spawn_hold(rt, pool);
    EVENTUALLY(count(pool).queued == 1);
    pause_ms(20);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(JOIN(rt, &h[i]), 7);
    c = count(pool);
    for (int i = 0; i < WEFT_POOL_WAITS; i++) {
        n += c.waits[i];
        late += i > 14 ? c.waits[i] : 0; /* 16.4 ms or longer */
    }
    check_eq(n, 2);
    check_cmp(late, >=, 1);
    check_cmp(c.wait_max_ns, >=, WEFT_MS(20));
    check_cmp(c.wait_ns, >=, c.wait_max_ns);
    check_cmp(c.run_ns, >=, WEFT_MS(20));
    check_cmp(counters(rt).blocking_wait_ns, ==, c.wait_ns);
    close_pool(pool);
    stop(rt);
}
