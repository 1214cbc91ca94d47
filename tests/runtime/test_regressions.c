/*
 * test_regressions.c - bugs that other schedulers had, tested by their effects
 *
 * T#4941: the task that a running task woke last can't be stolen. T#6315: tasks wait behind a slow
 * poll although other workers are idle. T#8056: a job of the blocking pool is lost. T#8065: a light
 * load wakes every worker. (T#: github.com/tokio-rs/tokio/issues/.)
 */
#include "../actors.h"

#include <sys/resource.h>
#include <unistd.h>

/* ---- slow polls: T#4941, T#6315 ---- */

struct answers {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *from;
        int64_t               *done;
    } in;
    weft_wait message;
    char      none;
};
WEFT_ASYNC(answers)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_oneshot_receive(&self->message, self->in.from, &self->none));
    weft_oneshot_receiver_close(self->in.from);
    add(self->in.done, 1);
    WEFT_END(n);
}

#define WOKEN 5

/* Wakes tasks, the last into the LIFO slot, and keeps its worker until `n` of them have run. */
struct hogs {
    WEFT_FRAME;
    struct {
        weft_oneshot_sender **to;
        int64_t              *done, n;
    } in;
};
WEFT_ASYNC(hogs)
{
    WEFT_BEGIN();
    for (int64_t i = 0; i < self->in.n; i++)
        weft_oneshot_sender_close(self->in.to[i]);
    spin_until(self->in.done, self->in.n);
    WEFT_END(0);
}

/* Whether a woken task runs while the task that woke it blocks their worker. */
static void expect_woken_to_run(int64_t workers, int64_t n)
{
    weft_runtime          *rt = start(workers);
    weft_oneshot_sender   *to[WOKEN];
    weft_oneshot_receiver *from[WOKEN];
    int64_t                done = 0;
    weft_handle            handle;

    for (int64_t i = 0; i < n; i++) {
        check_eq(weft_oneshot_open(1, &to[i], &from[i]), 0);
        check_eq(weft_spawn_on(rt, NULL, answers, from[i], &done), 0);
    }
    check_eq(weft_spawn_on(rt, &handle, hogs, to, &done, n), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

Test(regressions, the_task_in_the_lifo_slot_runs_while_its_worker_is_stuck)
{
    expect_woken_to_run(2, 1);
}

Test(regressions, all_woken_tasks_run_while_their_worker_is_stuck)
{
    expect_woken_to_run(8, WOKEN);
}

Test(regressions, woken_tasks_run_on_a_spare_worker_while_the_only_one_is_stuck)
{
    expect_woken_to_run(1, WOKEN);
}

Test(regressions, tasks_from_outside_run_on_the_one_worker_that_is_not_stuck)
{
    weft_runtime *rt = start(4);
    int64_t       flag = 0, started = 0;
    weft_handle   handle[3];

    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &handle[i], blocks, &flag, 100, &started), 0);
    spin_until(&started, 3);
    for (int i = 0; i < 100; i++) {
        check_eq(weft_spawn_on(rt, NULL, sets, &flag), 0);
        spin_until(&flag, i + 1);
    }
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}

/* The worker whose wheel holds the timer is stuck when the timer fires. */
struct naps_then_sets {
    WEFT_FRAME;
    struct {
        int64_t *flag;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(naps_then_sets)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    add(self->in.flag, 1);
    WEFT_END(n);
}

Test(regressions, timers_fire_while_every_worker_is_stuck)
{
    weft_runtime *rt = start(2);
    int64_t       flag = 0, started = 0;
    weft_handle   handle[2];

    for (int i = 0; i < 10; i++)
        check_eq(weft_spawn_on(rt, NULL, naps_then_sets, &flag), 0);
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, &handle[i], blocks, &flag, 10, &started), 0);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}

/* Every poll takes longer than the monitor's patience. */
struct slow {
    WEFT_FRAME;
    struct {
        int64_t       *polls;
        const int64_t *until;
    } in;
};
WEFT_ASYNC(slow)
{
    WEFT_BEGIN();
    while (!get(self->in.until)) {
        add(self->in.polls, 1);
        usleep(11000);
        WEFT_YIELD();
    }
    WEFT_END(0);
}

#define SLOW 150

Test(regressions, tasks_whose_polls_are_all_slow_take_turns)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    int64_t       polls[SLOW] = {0}, until = 0;

    for (int i = 0; i < SLOW; i++)
        check_eq(weft_spawn_on(rt, NULL, slow, &polls[i], &until), 0);
    for (int i = 0; i < SLOW; i++)
        while (get(&polls[i]) == 0) {
            check_cmp(get(&polls[0]) + get(&polls[SLOW / 2]), <, 20);
            usleep(1000);
        }
    add(&until, 1);
    stop(rt);
}

/* ---- the blocking pool: T#8056 ---- */

struct job {
    int64_t *done;
    int64_t  n;
};
WEFT_BLOCKING(job)
{
    add(self->done, 1);
    return self->n;
}

struct jobs {
    weft_runtime *rt;
    int64_t      *done, n;
};

/* Each of them waits for its jobs, one after the other: a lost one is a hang. */
static void *submit_jobs(void *arg)
{
    const struct jobs         *j = arg;
    struct weft_spawn_blocking job;

    for (int64_t i = 0; i < j->n; i++)
        check_eq(weft_block_on(j->rt, weft_spawn_blocking(&job, job, j->done, i)), i);
    return NULL;
}

static void expect_jobs(const weft_config *config, int64_t n)
{
    weft_runtime *rt = start_with(config);
    int64_t       done = 0;
    struct jobs   jobs = {rt, &done, test_scaled(n)};
    pthread_t     threads[8];

    for (int i = 0; i < 8; i++)
        threads[i] = thread(submit_jobs, &jobs);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    check_eq(get(&done), 8 * jobs.n);
    stop(rt);
}

Test(regressions, no_blocking_job_is_lost_between_eight_threads)
{
    expect_jobs(&(weft_config){.workers = 2, .blocking_threads = 4}, 2000);
}

Test(regressions, no_blocking_job_is_lost_while_pool_threads_come_and_go)
{
    expect_jobs(&(weft_config){.workers = 2, .blocking_threads = 4, .blocking_keep_ms = 1}, 500);
}

Test(regressions, no_blocking_job_is_lost_on_a_pool_of_one_thread)
{
    expect_jobs(&(weft_config){.workers = 2, .blocking_threads = 1, .blocking_keep_ms = 1}, 500);
}

/* ---- a light load: T#8065 ---- */

/* Every half millisecond a small task, as long as `n` lasts. */
struct trickles {
    WEFT_FRAME;
    struct {
        int64_t n, *done;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(trickles)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        check_eq(weft_spawn(NULL, sets, self->in.done), 0);
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(500)));
        (void)n;
    }
    WEFT_END(0);
}

struct ponders {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        weft_mpsc_sender   *to;
        int64_t             n;
        bool                begins;
    } in;
    weft_wait         message;
    int               ball;
    struct weft_sleep nap;
};
/* Ping-pong over channels, with a rest after each hundred. */
WEFT_ASYNC(ponders)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        if (self->in.begins) {
            WEFT_AWAIT(n, weft_mpsc_send(&self->message, self->in.to, &self->ball));
            check_eq(n, 0);
        }
        WEFT_AWAIT(n, weft_mpsc_receive(&self->message, self->in.from, &self->ball));
        check_eq(n, 0);
        if (!self->in.begins) {
            WEFT_AWAIT(n, weft_mpsc_send(&self->message, self->in.to, &self->ball));
            check_eq(n, 0);
        }
        if (self->in.begins && self->in.n % 100 == 0)
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(200)));
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(0);
}

/* How often its threads went to sleep, in the kernel's eyes. */
static int64_t switches(void)
{
    struct rusage usage;

    check_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

struct cost {
    int64_t switches, parks;
};

static struct cost trickle(int64_t workers, int64_t n)
{
    weft_runtime                *rt = start(workers);
    int64_t                      done = 0, before = switches();
    struct weft_runtime_counters c;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, trickles, n, &done), 0);
    check_eq(join(rt, &handle), 0);
    weft_runtime_counters(rt, &c);
    before = switches() - before;
    stop(rt);
    return (struct cost){before, (int64_t)c.parks};
}

static struct cost ponder(int64_t workers, int64_t n)
{
    weft_runtime                *rt = start(workers);
    int64_t                      before = switches();
    weft_mpsc_sender            *to[2];
    weft_mpsc_receiver          *from[2];
    weft_handle                  handle[2];
    struct weft_runtime_counters c;

    for (int i = 0; i < 2; i++)
        check_eq(weft_mpsc_open(sizeof(int), 1, &to[i], &from[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, &handle[i], ponders, from[i], to[!i], n, i == 0), 0);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &handle[i]), 0);
    weft_runtime_counters(rt, &c);
    before = switches() - before;
    stop(rt);
    return (struct cost){before, (int64_t)c.parks};
}

/* After each spawn and sleep the worker parks and the reactor sleeps. Sometimes a thread is woken
 * for nothing. */
Test(regressions, a_trickle_of_tasks_costs_few_context_switches)
{
    int64_t     n = test_scaled(1000);
    struct cost c = trickle(8, n);

    check_cmp(c.parks, <, 4 * n + 200);
    check_cmp(c.switches, <, 10 * n + 1000);
}

Test(regressions, a_trickle_of_tasks_costs_eight_workers_no_more_than_two)
{
    int64_t     n = test_scaled(1000);
    struct cost two = trickle(2, n), eight = trickle(8, n);

    check_cmp(eight.parks, <, 2 * two.parks + n / 2 + 200);
}

Test(regressions, messages_between_two_tasks_wake_nobody_else)
{
    int64_t     n = test_scaled(20000);
    struct cost c = ponder(8, n);

    check_cmp(c.parks, <, n / 4 + 200);
    check_cmp(c.switches, <, n / 2 + 1000);
}
