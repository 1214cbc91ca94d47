/*
 * test_blocking.c - jobs on the pool of threads
 */
#include "../sockets.h"

#include <semaphore.h>

static sem_t      gate;      /* jobs that wait hold a thread until it is posted */
static atomic_int n_running; /* jobs that wait there */
static atomic_int n_ran;

struct add {
    int64_t a, b, sum;
};
WEFT_BLOCKING(add)
{
    self->sum = self->a + self->b;
    return self->sum;
}

struct await_gate {
    int unused;
};
WEFT_BLOCKING(await_gate)
{
    (void)self;
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    n_running--;
    n_ran++;
    return 7;
}

struct whoami {
    pthread_t thread;
};
WEFT_BLOCKING(whoami)
{
    self->thread = pthread_self();
    return 0;
}

struct run_add {
    WEFT_FRAME;
    struct {
        int64_t a, b;
    } in;
    struct weft_spawn_blocking job;
    struct add                 result;
};
WEFT_ASYNC(run_add)
{
    int64_t    n;
    struct add args;

    WEFT_BEGIN();
    args = (struct add){.a = self->in.a, .b = self->in.b};
    weft_spawn_blocking_into(&self->job, &self->result, add, .a = args.a, .b = args.b);
    memset(&args, 0xff, sizeof args); /* they have been copied */
    WEFT_AWAIT(n, &self->job.future);
    check_eq(self->result.sum, n);
    check_eq(self->result.a, self->in.a);
    WEFT_END(n);
}

struct run_gate {
    WEFT_FRAME;
    struct {
        bool detachable;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_gate)
{
    int64_t n;

    WEFT_BEGIN();
    weft_spawn_blocking(&self->job, await_gate, .unused = 0);
    if (self->in.detachable)
        weft_job_detachable(&self->job.future);
    WEFT_AWAIT(n, &self->job.future);
    WEFT_END(n);
}

static weft_runtime *begin(int64_t threads, int64_t keep_ms)
{
    sem_init(&gate, 0, 0);
    return start_with(
        &(weft_config){.workers = 2, .blocking_threads = threads, .blocking_keep_ms = keep_ms});
}

static void open_gate(int n)
{
    while (n-- > 0)
        sem_post(&gate);
}

static weft_handle spawn_gate(weft_runtime *rt)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, run_gate, .detachable = true), 0);
    return h;
}

Test(blocking, a_job_gets_copies_and_returns_its_result)
{
    weft_runtime *rt = begin(4, 1000);

    check_eq(RUN(rt, run_add, .a = 40, .b = 2), 42);
    check_eq(RUN(rt, run_add, .a = -4000, .b = -95), -4095);
    stop(rt);
}

Test(blocking, a_job_runs_on_a_thread_of_its_own)
{
    weft_runtime              *rt = begin(4, 1000);
    struct weft_spawn_blocking job;
    struct whoami              seen;

    check_eq(weft_block_on(rt, weft_spawn_blocking_into(&job, &seen, whoami, .thread = 0)), 0);
    check(!pthread_equal(seen.thread, pthread_self()));
    stop(rt);
}

Test(blocking, a_job_that_is_not_awaited_does_not_run)
{
    weft_runtime              *rt = begin(4, 1000);
    struct weft_spawn_blocking job;

    weft_spawn_blocking(&job, await_gate, .unused = 0);
    check(weft_poll_is_ready(weft_future_cancel(&job.future)));
    check_eq(job.future.result, -ECANCELED);
    check_eq(counters(rt).blocking_jobs, 0);
    stop(rt);
}

Test(blocking, a_thousand_jobs)
{
    weft_runtime *rt = begin(8, 1000);
    int64_t       n = test_scaled(1000);
    weft_handle  *h = calloc((size_t)n, sizeof *h);

    for (int64_t i = 0; i < n; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_add, .a = i, .b = i), 0);
    for (int64_t i = 0; i < n; i++)
        check_eq(join(rt, &h[i]), 2 * i);
    check_eq(counters(rt).blocking_jobs, n);
    check_cmp(counters(rt).blocking_threads, <=, 8);
    free(h);
    stop(rt);
}

Test(blocking, threads_come_up_to_the_limit_and_leave_again)
{
    weft_runtime *rt = begin(3, 50);
    weft_handle   h[10];

    for (int i = 0; i < 10; i++)
        h[i] = spawn_gate(rt);
    EVENTUALLY(n_running == 3);
    pause_ms(20);
    check_eq(n_running, 3);
    check_eq(counters(rt).blocking_threads, 3);
    open_gate(10);
    for (int i = 0; i < 10; i++)
        check_eq(join(rt, &h[i]), 7);
    EVENTUALLY(counters(rt).blocking_threads == 0);
    check_eq(RUN(rt, run_add, .a = 1, .b = 2), 3); /* and come back */
    stop(rt);
}

Test(blocking, an_idle_thread_is_used_again)
{
    weft_runtime *rt = begin(100, 60000);

    for (int i = 0; i < 50; i++) {
        check_eq(RUN(rt, run_add, .a = i, .b = 1), i + 1);
        pause_ms(1); /* until it is idle again */
    }
    check_cmp(counters(rt).blocking_threads, <, 10);
    stop(rt);
}

/* ---- a full pool ---- */

struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, &self->byte, 1));
    }
    weft_stream_close(self->in.stream);
    WEFT_END(n);
}

Test(blocking, sockets_answer_while_the_pool_is_full)
{
    weft_runtime *rt = begin(2, 1000);
    weft_stream  *s;
    weft_handle   h[6], server;
    int           fd = pair(rt, &s);
    char          byte = 'x';

    for (int i = 0; i < 6; i++)
        h[i] = spawn_gate(rt);
    EVENTUALLY(n_running == 2);
    check_eq(weft_spawn_on(rt, &server, echo, .stream = s), 0);
    for (int i = 0; i < 100; i++) {
        raw_write(fd, &byte, 1);
        raw_read(fd, &byte, 1);
    }
    check_eq(n_running, 2);
    open_gate(6);
    for (int i = 0; i < 6; i++)
        check_eq(join(rt, &h[i]), 7);
    close(fd);
    check_eq(join(rt, &server), 0);
    stop(rt);
}

Test(blocking, a_queued_job_that_is_cancelled_never_runs)
{
    weft_runtime *rt = begin(1, 1000);
    weft_handle   first = spawn_gate(rt), queued[3];

    EVENTUALLY(n_running == 1);
    for (int i = 0; i < 3; i++)
        queued[i] = spawn_gate(rt);
    EVENTUALLY(counters(rt).blocking_jobs == 4);
    weft_cancel(&queued[1]);
    check_eq(join(rt, &queued[1]), -ECANCELED);
    weft_cancel(&queued[2]);
    check_eq(join(rt, &queued[2]), -ECANCELED);
    open_gate(4);
    check_eq(join(rt, &first), 7);
    check_eq(join(rt, &queued[0]), 7);
    stop(rt);
    check_eq(n_ran, 2);
}

/* So it may use what its caller has lent it. */
Test(blocking, a_running_job_that_is_cancelled_is_waited_for)
{
    weft_runtime *rt = begin(1, 1000);
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, run_gate, .detachable = false), 0);
    EVENTUALLY(n_running == 1);
    weft_cancel(&h);
    pause_ms(20);
    check(!weft_is_finished(&h));
    open_gate(1);
    check_eq(join(rt, &h), -ECANCELED);
    check_eq(n_ran, 1);
    stop(rt);
}

struct fill {
    char  *to;
    size_t size;
};
WEFT_BLOCKING(fill)
{
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    memset(self->to, 'B', self->size);
    self->size = 1;
    return 64;
}

static bool polled(weft_runtime *rt, weft_future *future)
{
    weft_waker   waker = weft_waker_noop();
    weft_context cx;

    weft_context_init(&cx, &waker, rt);
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

Test(blocking, a_job_never_writes_to_memory_that_its_caller_has_again)
{
    weft_runtime              *rt = begin(1, 1000);
    struct fill                into = {0};
    char                       buffer[64] = "";
    struct weft_spawn_blocking job;
    struct weft_timeout        limit;

    weft_spawn_blocking_into(&job, &into, fill, .to = buffer, .size = sizeof buffer);
    check(!polled(rt, weft_timeout(&limit, &job.future, WEFT_MS(5))));
    EVENTUALLY(n_running == 1);
    EVENTUALLY(!polled(rt, &limit.future) && weft_future_is_cancelled(&job.future));
    check_eq(buffer[0], 0);
    open_gate(1);
    while (!polled(rt, &limit.future))
        pause_ms(1);
    check_eq(weft_future_result(&limit.future), -ETIMEDOUT);
    check_eq(job.returned, 64);
    check_eq(into.size, 1);
    check_eq(buffer[63], 'B');
    stop(rt);
}

Test(blocking, what_a_job_returned_is_told)
{
    weft_runtime              *rt = begin(1, 1000);
    weft_handle                first = spawn_gate(rt);
    struct weft_spawn_blocking job, queued;

    EVENTUALLY(n_running == 1);
    check(!polled(rt, weft_spawn_blocking(&queued, await_gate, .unused = 0)));
    check(!weft_poll_is_ready(weft_future_cancel(&queued.future)));
    check(polled(rt, &queued.future)); /* at once: it has not begun */
    check_eq(weft_future_result(&queued.future), -ECANCELED);
    check_eq(queued.returned, -ECANCELED);
    open_gate(1);
    check_eq(join(rt, &first), 7);
    check_eq(weft_block_on(rt, weft_spawn_blocking(&job, add, .a = 3, .b = 4)), 7);
    check_eq(job.returned, 7);
    stop(rt);
}

TEST_ABORTS(blocking, detachable_is_for_jobs,
            "it takes a job of weft_spawn_blocking, before its first poll")
{
    struct weft_sleep nap;

    weft_job_detachable(weft_sleep(&nap, 1));
}

Test(blocking, a_detachable_job_that_is_cancelled_goes_on_alone)
{
    weft_runtime *rt = begin(1, 1000);
    weft_handle   h = spawn_gate(rt);

    EVENTUALLY(n_running == 1);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED); /* at once: the gate is closed */
    check_eq(n_running, 1);
    open_gate(1);
    EVENTUALLY(n_ran == 1);
    stop(rt);
}

struct slow_add {
    int64_t sum;
};
WEFT_BLOCKING(slow_add)
{
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    self->sum = 99;
    n_ran++;
    return 99;
}

struct leaver {
    WEFT_FRAME;
    struct {
        struct weft_spawn_blocking *job;
        struct slow_add            *into;
    } in;
};
WEFT_ASYNC(leaver)
{
    int64_t n;

    WEFT_BEGIN();
    weft_spawn_blocking_into(self->in.job, self->in.into, slow_add, .sum = 1);
    WEFT_AWAIT(n, weft_job_detachable(&self->in.job->future));
    WEFT_END(n);
}

Test(blocking, a_result_that_nobody_waits_for_is_not_copied)
{
    weft_runtime              *rt = begin(1, 1000);
    struct weft_spawn_blocking job;
    struct slow_add            into = {.sum = 5};
    weft_handle                h;

    check_eq(weft_spawn_on(rt, &h, leaver, .job = &job, .into = &into), 0);
    EVENTUALLY(n_running == 1); /* a queued one would never run */
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    memset(&job, 0xee, sizeof job);
    open_gate(1);
    EVENTUALLY(n_ran == 1);
    stop(rt);
    check_eq(into.sum, 5);
}

/* ---- stopping ---- */

Test(blocking, stop_waits_for_a_running_job)
{
    weft_runtime *rt = begin(1, 1000);
    weft_handle   h = spawn_gate(rt);

    EVENTUALLY(n_running == 1);
    check_eq(weft_runtime_stop(rt, WEFT_MS(20)), -ETIMEDOUT);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    check_eq(n_running, 1);
    open_gate(1);
    stop(rt);
    check_eq(n_ran, 1);
    check_eq(weft_is_finished(&h), true);
    weft_detach(&h);
}

Test(blocking, stop_names_the_jobs_that_run)
{
    struct lines  log = LINES;
    weft_runtime *rt;
    weft_handle   h;

    sem_init(&gate, 0, 0);
    rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    h = spawn_gate(rt);
    EVENTUALLY(n_running == 1);
    check_eq(weft_runtime_stop(rt, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(log.text, "stop: blocking job await_gate (");
    check_str_contains(log.text, " ms");
    open_gate(1);
    stop(rt);
    weft_detach(&h);
}

Test(blocking, jobs_cancelled_at_any_moment_leave_nothing_behind)
{
    weft_runtime *rt = begin(3, 5);
    uint32_t      seed = 11;

    open_gate(1000000);
    for (int64_t i = 0; i < test_scaled(2000); i++) {
        weft_handle h = spawn_gate(rt);
        int64_t     r;

        for (uint32_t spin = rnd(&seed) % 20000; spin > 0; spin--)
            __asm__ volatile("");
        weft_cancel(&h);
        r = join(rt, &h);
        check(r == 7 || r == -ECANCELED);
    }
    EVENTUALLY(n_running == 0);
    stop(rt);
}

/* ---- what a job that panicked returns ---- */

struct half {
    int begun, done;
};
WEFT_BLOCKING(half)
{
    self->begun = 1;
    if (self->done == 0)
        weft_panic("half way");
    return 0;
}

Test(blocking, a_job_that_panicked_returns_nothing)
{
    weft_runtime              *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    struct half                into = {.begun = 7, .done = 7};
    struct weft_spawn_blocking job;

    check_eq(weft_block_on(rt, weft_spawn_blocking_into(&job, &into, half, .done = 0)),
             -EOWNERDEAD);
    check_eq(into.begun, 7);
    check_eq(weft_block_on(rt, weft_spawn_blocking_into(&job, &into, half, .done = 1)), 0);
    check_eq(into.begun, 1);
    stop(rt);
}
