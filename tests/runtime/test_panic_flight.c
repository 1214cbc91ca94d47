/* test_panic_flight.c - a task panics while I/O, timers, jobs, joins and channels wait for it */
#include "../sockets.h"

/* Panics when it has been polled n + 1 times. */
struct boom {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct counter ticks;
};
WEFT_ASYNC(boom)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->ticks, self->in.n));
    weft_panic("boom");
    WEFT_END(n);
}

static void check_ready(void *arg)
{
    check(weft_future_is_ready(arg)); /* what was in flight has ended */
}

static weft_runtime *begin(int64_t workers)
{
    return start_with(&(weft_config){.workers = workers, .log = weft_log_none});
}

/* ---- a read ---- */

enum how { SELECT, KEPT, TIMEOUT, JOIN_ALL };

struct reads {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        enum how     how;
    } in;
    weft_deferred        deferred;
    weft_io              io;
    struct weft_select   select;
    struct weft_join_all all;
    struct weft_timeout  limit;
    struct boom          boom;
    struct counter       ticks;
    struct weft_sleep    nap;
    char                 buffer[64];
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    weft_read(&self->io, self->in.stream, self->buffer, sizeof self->buffer);
    weft_defer(&self->deferred, check_ready, &self->io.future);
    if (self->in.how == SELECT) {
        WEFT_AWAIT(n, weft_select_biased(&self->select, &self->io.future,
                                         weft_async(boom, &self->boom, 3)));
    } else if (self->in.how == KEPT) {
        WEFT_AWAIT(n, weft_select_biased(&self->select, weft_keep(&self->io.future),
                                         counter(&self->ticks, 3)));
        weft_panic("boom");
    } else if (self->in.how == TIMEOUT) {
        WEFT_AWAIT(n, weft_join_all(&self->all,
                                    weft_timeout(&self->limit, &self->io.future, WEFT_S(3600)),
                                    weft_async(boom, &self->boom, 3)));
    } else {
        WEFT_AWAIT(n, weft_join_all(&self->all, weft_sleep(&self->nap, WEFT_S(3600)),
                                    &self->io.future, weft_async(boom, &self->boom, 3)));
    }
    WEFT_END(n);
}

struct reads_exact {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        char        *to;
    } in;
    weft_io io;
};
WEFT_ASYNC(reads_exact)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->in.stream, self->in.to, 5));
    WEFT_END(n);
}

static void panic_while_reading(enum how how)
{
    weft_runtime *rt = begin(2);
    weft_stream  *stream;
    weft_handle   handle;
    char          got[6] = "";
    int           fd = pair(rt, &stream);

    for (int i = 0; i < 3; i++) {
        check_eq(weft_spawn_on(rt, &handle, reads, stream, how), 0);
        check_eq(join(rt, &handle), -EOWNERDEAD);
        check_str_contains(weft_handle_panic(&handle), "boom");
        raw_write(fd, "hello", 5); /* the read took no byte, and no read is in flight */
        check_eq(RUN(rt, reads_exact, stream, got), 5);
        check_str_eq(got, "hello");
    }
    weft_stream_close(stream);
    close(fd);
    stop(rt);
}

Test(panic_flight, a_read_beside_it_is_withdrawn_and_the_stream_goes_on)
{
    panic_while_reading(SELECT);
}

Test(panic_flight, a_kept_read_that_nobody_awaits_is_withdrawn)
{
    panic_while_reading(KEPT);
}

Test(panic_flight, a_read_with_a_time_limit_is_withdrawn)
{
    panic_while_reading(TIMEOUT);
}

Test(panic_flight, a_read_and_a_sleep_in_a_join_all_are_withdrawn)
{
    panic_while_reading(JOIN_ALL);
}

/* ---- a sleep, in a function that is called ---- */

struct sleeps {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
    weft_deferred      deferred;
    struct weft_sleep  nap;
    struct weft_select select;
    struct boom        boom;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    weft_sleep(&self->nap, self->in.duration);
    weft_defer(&self->deferred, check_ready, &self->nap.future);
    WEFT_AWAIT(n, weft_select(&self->select, &self->nap.future, weft_async(boom, &self->boom, 5)));
    WEFT_END(n);
}

struct calls {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
    weft_deferred deferred;
    struct sleeps sleeps;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->deferred, check_ready, &self->sleeps.weft_frame_.future);
    WEFT_CALL(n, sleeps, &self->sleeps, self->in.duration);
    WEFT_END(n);
}

Test(panic_flight, a_sleep_in_a_called_function_does_not_hold_the_joiner_up)
{
    weft_runtime *rt = begin(2);
    int64_t       before = weft_now();

    check_eq(RUN(rt, calls, WEFT_S(3600)), -EOWNERDEAD);
    check_cmp(weft_now() - before, <, WEFT_S(600));
    stop(rt);
}

Test(panic_flight, timers_that_fire_at_that_moment_do_no_harm)
{
    weft_runtime *rt = begin(2);

    for (int64_t i = test_scaled(2000); i > 0; i--) {
        weft_handle handle;
        int64_t     result;

        check_eq(weft_spawn_on(rt, &handle, calls, i % 7 * 2000), 0);
        result = join(rt, &handle);
        check(result == -EOWNERDEAD || result == 0);
    }
    stop(rt);
}

/* ---- a blocking job ---- */

static atomic_int job_started, job_may_end, job_ended;

struct slow_job {
    int unused;
};
WEFT_BLOCKING(slow_job)
{
    job_started = 1;
    while (!job_may_end)
        pause_ms(1);
    job_ended = 1;
    return self->unused;
}

static weft_poll started_poll(weft_future *future, weft_context *cx)
{
    if (job_started)
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static const weft_future_ops started_ops = {
    .size = sizeof(weft_future), .name = "started", .poll = started_poll};

struct awaits_job {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_deferred              deferred;
    struct weft_spawn_blocking job;
    struct weft_select         select;
    weft_future                started;
};
WEFT_ASYNC(awaits_job)
{
    int64_t n;

    WEFT_BEGIN();
    weft_future_init(&self->started, &started_ops);
    weft_job_detachable(weft_spawn_blocking(&self->job, slow_job, 0));
    weft_defer(&self->deferred, check_ready, &self->job.future);
    WEFT_AWAIT(n, weft_select(&self->select, weft_keep(&self->job.future), &self->started));
    weft_panic("boom");
    WEFT_END(n);
}

Test(panic_flight, a_detachable_job_that_runs_is_left_alone_and_not_waited_for)
{
    weft_runtime *rt = begin(1);

    check_eq(RUN(rt, awaits_job, 0), -EOWNERDEAD);
    check(!job_ended);
    job_may_end = 1;
    stop(rt);
    check(job_ended);
}

/* ---- a join ---- */

static void detach(void *arg)
{
    check(!weft_handle_is_empty(arg));
    check(!weft_is_finished(arg));
    weft_cancel(arg);
    weft_detach(arg);
}

struct naps {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(naps)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

struct joins {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_deferred      deferred;
    weft_handle        child;
    struct weft_select select;
    struct boom        boom;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->child, naps, 0), 0);
    weft_defer(&self->deferred, detach, &self->child);
    WEFT_AWAIT(
        n, weft_select(&self->select, weft_join(&self->child), weft_async(boom, &self->boom, 3)));
    WEFT_END(n);
}

Test(panic_flight, a_join_is_withdrawn_and_the_deferred_call_may_use_the_handle)
{
    weft_runtime *rt = begin(2);

    for (int i = 0; i < 100; i++)
        check_eq(RUN(rt, joins, 0), -EOWNERDEAD);
    stop(rt);
}

/* ---- a channel ---- */

struct receives {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        int                 polls; /* -1: it waits for the message, and answers it */
    } in;
    weft_deferred      deferred;
    weft_wait          wait;
    struct weft_select select;
    struct boom        boom;
    int                message;
};
WEFT_ASYNC(receives)
{
    int64_t n;

    WEFT_BEGIN();
    weft_mpsc_receive(&self->wait, self->in.from, &self->message);
    weft_defer(&self->deferred, check_ready, &self->wait.future);
    if (self->in.polls < 0) {
        WEFT_AWAIT(n, &self->wait.future);
        WEFT_RETURN(n < 0 ? n : self->message);
    }
    WEFT_AWAIT(n, weft_select_biased(&self->select, weft_async(boom, &self->boom, self->in.polls),
                                     &self->wait.future));
    WEFT_END(n);
}

Test(panic_flight, a_receive_is_withdrawn_and_no_message_is_lost)
{
    weft_runtime       *rt = begin(2);
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;

    check_eq(weft_mpsc_open(sizeof(int), 4, &to, &from), 0);
    for (int i = 0; i < 100; i++) {
        check_eq(RUN(rt, receives, from, 2), -EOWNERDEAD);
        check_eq(weft_mpsc_try_send(to, &i), 0);
        check_eq(RUN(rt, receives, from, -1), i);
    }
    weft_mpsc_sender_close(to);
    weft_mpsc_receiver_close(from);
    stop(rt);
}

/* ---- in weft_block_on ---- */

Test(panic_flight, in_block_on_what_waits_beside_it_is_withdrawn_too)
{
    weft_runtime *rt = begin(1);
    struct calls  frame;
    struct reads  reader;
    weft_stream  *stream;
    int           fd = pair(rt, &stream);

    check_eq(weft_block_on(rt, weft_async(calls, &frame, WEFT_S(3600))), -EOWNERDEAD);
    for (enum how how = SELECT; how <= JOIN_ALL; how++)
        check_eq(weft_block_on(rt, weft_async(reads, &reader, stream, how)), -EOWNERDEAD);
    weft_stream_close(stream);
    close(fd);
    stop(rt);
}
