/*
 * test_blocking_fault.c - jobs that panic, threads that can't be created, forks, cancels at any
 * moment; and the calls that a job may make
 */
#include "../child.h"
#include "../helpers.h"
#include "pool_threads.h"

#include <semaphore.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static sem_t      gate;
static atomic_int n_running, n_ran;

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
    n_ran++;
    return 7;
}

struct run_hold {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_hold)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, hold, .unused = 0));
    WEFT_END(n);
}

static weft_handle spawn_hold(weft_runtime *rt)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, run_hold, .unused = 0), 0);
    return h;
}

static void open_gate(int n)
{
    while (n-- > 0)
        sem_post(&gate);
}

static struct weft_pool_counters count(weft_runtime *rt)
{
    struct weft_pool_counters c;

    check_eq(weft_pool_counters(weft_pool_default(rt), &c), 0);
    return c;
}

/* ---- panics ---- */

struct fails {
    int64_t even;
};
WEFT_BLOCKING(fails)
{
    WEFT_CHECK(self->even % 2 == 0);
    return self->even;
}

struct run_fails {
    WEFT_FRAME;
    struct {
        int64_t even;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_fails)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, fails, .even = self->in.even));
    WEFT_END(n);
}

Test(blocking_fault, a_panic_is_its_jobs_own)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 1, .blocking_threads = 1, .log = lines_add, .log_arg = &log});

    for (int i = 0; i < 6; i++)
        check_eq(RUN(rt, run_fails, .even = i), i % 2 ? -EOWNERDEAD : i);
    check_str_contains(log.text, "blocking job fails panicked: ");
    check_str_contains(log.text, "check failed: self->even % 2 == 0");
    check_eq(log.n, 3);
    check_eq(count(rt).panicked, 3);
    check_eq(count(rt).done, 6);
    check_eq(count(rt).threads_peak, 1); /* the same thread goes on */
    stop(rt);
}

/* ---- threads that can't be had ---- */

/* No more threads for this process, or again as many as it likes. */
static void deny_threads(bool deny)
{
    struct rlimit limit;

    if (geteuid() == 0) { /* root has no limit */
        check_eq(setuid(54321), 0);
        prctl(PR_SET_DUMPABLE, 1); /* leak checkers look at us */
    }
    getrlimit(RLIMIT_NPROC, &limit);
    limit.rlim_cur = deny ? 1 : limit.rlim_max;
    check_eq(setrlimit(RLIMIT_NPROC, &limit), 0);
}

Test(blocking_fault, without_any_thread_jobs_end_with_the_error)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1});
    weft_handle   h[10];

    sem_init(&gate, 0, 0);
    open_gate(10);
    deny_threads(true);
    for (int i = 0; i < 10; i++)
        h[i] = spawn_hold(rt);
    for (int i = 0; i < 10; i++)
        check_eq(join(rt, &h[i]), -EAGAIN);
    check_cmp(count(rt).threads_failed, >=, 1);
    check_eq(count(rt).threads, 0);
    check_eq(count(rt).queued, 0);
    check_eq(n_ran, 0);
    deny_threads(false);
    h[0] = spawn_hold(rt);
    check_eq(join(rt, &h[0]), 7);
    stop(rt);
}

Test(blocking_fault, without_more_threads_jobs_wait_for_those_there_are)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1});
    weft_handle   h[10];

    sem_init(&gate, 0, 0);
    h[0] = spawn_hold(rt);
    EVENTUALLY(n_running == 1);
    deny_threads(true);
    for (int i = 1; i < 10; i++)
        h[i] = spawn_hold(rt);
    EVENTUALLY(count(rt).queued == 9);
    check_cmp(count(rt).threads_failed, >=, 1);
    open_gate(5);
    EVENTUALLY(n_ran == 5 && n_running == 1);
    deny_threads(false);
    open_gate(5);
    for (int i = 0; i < 10; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(count(rt).done, 10);
    stop(rt);
}

/* The only thread runs a job that does not end, and nothing is queued. */
Test(blocking_fault, a_queued_job_gets_a_thread_once_there_are_more)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1});
    weft_handle   h[2];

    sem_init(&gate, 0, 0);
    h[0] = spawn_hold(rt);
    EVENTUALLY(n_running == 1);
    deny_threads(true);
    h[1] = spawn_hold(rt);
    EVENTUALLY(count(rt).threads_failed >= 3);
    check_eq(n_running, 1);
    deny_threads(false);
    EVENTUALLY(n_running == 2);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &h[i]), 7);
    stop(rt);
}

/* The task that tries again must not keep the runtime, nor the pool. */
Test(blocking_fault, a_stop_does_not_wait_for_threads_that_can_not_be_had)
{
    weft_runtime              *rt = start_with(&(weft_config){.workers = 1});
    struct weft_pool_counters  c;
    const weft_pool_config     config = {.threads = 8};
    weft_pool                 *pool;
    struct weft_spawn_blocking job[2];
    weft_waker                 waker = weft_waker_noop();
    weft_context               cx;

    sem_init(&gate, 0, 0);
    check_eq(weft_pool_open(rt, &config, &pool), 0);
    weft_context_init(&cx, &waker, rt);
    for (int i = 0; i < 2; i++) {
        weft_future *f = weft_spawn_blocking_on(&job[i], pool, hold, .unused = 0);

        check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
        EVENTUALLY(n_running == 1);
        deny_threads(true);
    }
    do
        check_eq(weft_pool_counters(pool, &c), 0);
    while (c.threads_failed < 2);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(weft_block_on(rt, &job[i].future), 7);
    check_eq(weft_pool_close(pool, WEFT_S(20)), 0);
    stop(rt);
    deny_threads(false); /* the leak checker creates one at the end of the process */
}

static void ask_parents_pool(void *runtime)
{
    weft_runtime              *rt = runtime;
    weft_waker                 waker = weft_waker_noop();
    weft_pool                 *pool;
    struct weft_pool_counters  c;
    weft_context               cx;
    struct weft_spawn_blocking job;

    check_eq(weft_pool_open(rt, &(weft_pool_config){0}, &pool), -ECHILD);
    check_eq(weft_pool_counters(weft_pool_default(rt), &c), -ECHILD);
    check_eq(weft_pool_close(weft_pool_default(rt), 0), -ECHILD);
    weft_context_init(&cx, &waker, rt);
    check(weft_poll_is_ready(weft_future_poll(weft_spawn_blocking(&job, hold, .unused = 0), &cx)));
    check_eq(job.future.result, -ECHILD);
}

Test(blocking_fault, a_forked_child_gets_an_error)
{
    weft_runtime *rt = start(1);
    weft_handle   h;

    sem_init(&gate, 0, 0);
    h = spawn_hold(rt);
    EVENTUALLY(n_running == 1);
    in_child(ask_parents_pool, rt);
    open_gate(1);
    check_eq(join(rt, &h), 7);
    stop(rt);
}

/* ---- memory ---- */

static _Atomic int64_t n_live, n_allocated, fail_at;

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    if (++n_allocated == fail_at)
        return NULL;
    n_live++;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    n_live--;
    free(memory);
}

static atomic_int n_slow; /* allocations of a thread that are under way */
static sem_t      slow;

/* The allocation for the second thread takes long, and then fails. */
static void *allocate_slowly(void *arg, size_t size)
{
    static atomic_int n_threads;

    (void)arg;
    if (size != sizeof(wf_thread) || ++n_threads != 2)
        return malloc(size);
    n_slow++;
    while (sem_wait(&slow) < 0)
        ;
    return NULL;
}

static void release_only(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    free(memory);
}

Test(blocking_fault, a_job_that_relied_on_a_thread_without_memory_runs_on_an_idle_one)
{
    weft_config config = {
        .workers = 2, .blocking_threads = 4, .allocator = {allocate_slowly, release_only, NULL}};
    weft_runtime *rt = start_with(&config);
    weft_handle   h[3];

    sem_init(&gate, 0, 0);
    sem_init(&slow, 0, 0);
    h[0] = spawn_hold(rt);
    EVENTUALLY(n_running == 1);
    h[1] = spawn_hold(rt);
    EVENTUALLY(n_slow == 1);
    open_gate(2); /* the first thread runs both jobs, and is idle */
    EVENTUALLY(count(rt).done == 2 && count(rt).idle == 1);
    h[2] = spawn_hold(rt);
    EVENTUALLY(count(rt).queued == 1); /* behind the thread that is coming */
    sem_post(&slow);
    open_gate(1);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(count(rt).threads_failed, 1);
    stop(rt);
}

/* Jobs end in all ways: cancelled while queued, detached while running, finished. Their copied
 * arguments are freed once, by whichever thread is last. */
Test(blocking_fault, cancels_at_any_moment_leave_nothing_behind)
{
    enum { ROUND = 16 };
    weft_config               config = {.workers = 2,
                                        .blocking_threads = 2,
                                        .blocking_keep_ms = 1,
                                        .allocator = {allocate, release, NULL}};
    weft_runtime             *rt = start_with(&config);
    int64_t                   n = test_scaled(5000) / ROUND + 1, n_cancelled = 0, n_result = 0;
    uint32_t                  seed = 7;
    weft_handle               h[ROUND];
    struct weft_pool_counters c;

    sem_init(&gate, 0, 0);
    for (int64_t round = 0; round < n; round++) {
        for (int i = 0; i < ROUND; i++)
            h[i] = spawn_hold(rt);
        if (round % 2)
            open_gate(ROUND);
        for (int i = 0; i < ROUND; i++) {
            for (uint32_t spin = rnd(&seed) % 3000; spin > 0; spin--)
                __asm__ volatile("");
            if (rnd(&seed) % 4)
                weft_cancel(&h[i]);
        }
        if (round % 2 == 0)
            open_gate(ROUND);
        for (int i = 0; i < ROUND; i++) {
            int64_t r = join(rt, &h[i]);

            check(r == 7 || r == -ECANCELED);
            n_cancelled += r == -ECANCELED;
            n_result += r == 7;
        }
    }
    EVENTUALLY(count(rt).running == 0 && count(rt).queued == 0);
    c = count(rt);
    check_eq(c.jobs, c.done + c.cancelled);
    check_eq(c.done, n_ran);
    check_cmp(c.cancelled, <=, n_cancelled);
    check_cmp(c.done, >=, n_result);
    stop(rt);
    check_eq(n_live, 0);
}

struct nothing {
    int unused;
};
WEFT_BLOCKING(nothing)
{
    (void)self;
    n_ran++;
    return 0;
}

/* The thread comes to the end of the job as its future leaves. */
Test(blocking_fault, cancels_that_meet_the_end_leave_nothing_behind)
{
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .allocator = {allocate, release, NULL}});
    uint32_t                   seed = 3;
    weft_waker                 waker = weft_waker_noop();
    weft_context               cx;
    struct weft_spawn_blocking job;

    weft_context_init(&cx, &waker, rt);
    for (int64_t i = 0; i < test_scaled(30000); i++) {
        weft_future *f = weft_job_detachable(weft_spawn_blocking(&job, nothing, .unused = 0));
        int          before = n_ran;

        cx.budget = WEFT_BUDGET_DEFAULT;
        check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
        while (n_ran == before)
            sched_yield();
        for (uint32_t spin = rnd(&seed) % 1000; spin > 0; spin--)
            __asm__ volatile("");
        if (!weft_poll_is_ready(weft_future_cancel(f)))
            check(weft_poll_is_ready(weft_future_poll(f, &cx)));
        check(f->result == 0 || f->result == -ECANCELED);
    }
    stop(rt);
    check_eq(n_live, 0);
}

Test(blocking_fault, out_of_memory_is_an_answer)
{
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .allocator = {allocate, release, NULL}});
    struct weft_spawn_blocking job;
    int64_t                    r = -ENOMEM;

    sem_init(&gate, 0, 0);
    open_gate(1);
    for (int64_t k = 1; r == -ENOMEM; k++) { /* the k-th allocation from here on fails */
        check_cmp(k, <, 10);
        fail_at = n_allocated + k;
        r = weft_block_on(rt, weft_spawn_blocking(&job, hold, .unused = 0));
    }
    check_eq(r, 7);
    check_cmp(n_ran, ==, 1);
    fail_at = 0;
    stop(rt);
    check_eq(n_live, 0);
}

/* ---- what jobs may do ---- */

struct tell {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *sender;
        int64_t           n;
    } in;
    weft_wait message;
};
WEFT_ASYNC(tell)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mpsc_send(&self->message, self->in.sender, &self->in.n));
    weft_mpsc_sender_close(self->in.sender);
    WEFT_END(n);
}

struct busy {
    weft_runtime        *rt;
    weft_mpsc_sender    *sender;
    weft_oneshot_sender *done;
    int64_t              blocked;
};
WEFT_BLOCKING(busy)
{
    struct weft_sleep nap;
    int64_t           n = 40;

    check_eq(weft_spawn(NULL, tell, .sender = weft_mpsc_sender_clone(self->sender), .n = 1), 0);
    check_eq(
        weft_spawn_on(self->rt, NULL, tell, .sender = weft_mpsc_sender_clone(self->sender), .n = 1),
        0);
    check_eq(weft_mpsc_try_send(self->sender, &n), 0);
    weft_mpsc_sender_close(self->sender);
    self->blocked = weft_block_on(self->rt, weft_sleep(&nap, 0));
    return weft_oneshot_send(self->done, &n);
}

struct asks {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_spawn_blocking job;
    struct busy                busy;
    weft_mpsc_receiver        *receiver;
    weft_oneshot_receiver     *done;
    weft_wait                  message;
    int64_t                    got, sum;
};
WEFT_ASYNC(asks)
{
    weft_mpsc_sender    *sender;
    weft_oneshot_sender *done;
    int64_t              n;

    WEFT_BEGIN();
    check_eq(weft_mpsc_open(sizeof(int64_t), 8, &sender, &self->receiver), 0);
    check_eq(weft_oneshot_open(sizeof(int64_t), &done, &self->done), 0);
    self->sum = 0;
    WEFT_AWAIT(n, weft_spawn_blocking_into(&self->job, &self->busy, busy, .rt = cx->runtime,
                                           .sender = sender, .done = done));
    check_eq(n, 0);
    check_eq(self->busy.blocked, -EDEADLK); /* it would keep its thread */
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->message, self->receiver, &self->got));
        if (n < 0)
            break;
        self->sum += self->got;
    }
    weft_mpsc_receiver_close(self->receiver);
    WEFT_AWAIT(n, weft_oneshot_receive(&self->message, self->done, &self->got));
    check_eq(n, 0);
    weft_oneshot_receiver_close(self->done);
    WEFT_END(self->sum + self->got);
}

Test(blocking_fault, jobs_may_spawn_and_send)
{
    weft_runtime *rt = start(2);

    for (int64_t i = 0; i < test_scaled(200); i++)
        check_eq(RUN(rt, asks, .unused = 0), 82);
    stop(rt);
}
