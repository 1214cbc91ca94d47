/*
 * test_current_foreign.c - other executors use the reactor of a current-thread runtime while no
 * thread runs its tasks
 */
#include "../actors.h"
#include "../sockets.h"

static weft_waker flag_clone(void *flag);

static void flag_wake(void *flag)
{
    atomic_store((atomic_int *)flag, 1);
}

static void flag_drop(void *flag)
{
    (void)flag;
}

static const weft_waker_vtable flag_vtable = {flag_clone, flag_wake, flag_wake, flag_drop, NULL};

static weft_waker flag_clone(void *flag)
{
    return (weft_waker){&flag_vtable, flag};
}

/* A read that this thread has polled itself. */
struct reading {
    weft_stream *stream;
    int          fd; /* the other end */
    weft_io      io;
    char         byte;
    atomic_int   woken;
};

static bool polled(weft_runtime *rt, struct reading *r)
{
    weft_waker   waker = {&flag_vtable, &r->woken};
    weft_context cx;

    weft_context_init(&cx, &waker, rt);
    return weft_poll_is_ready(weft_future_poll(&r->io.future, &cx));
}

static void begin_reading(weft_runtime *rt, struct reading *r)
{
    r->fd = pair(rt, &r->stream);
    atomic_store(&r->woken, 0);
    weft_read(&r->io, r->stream, &r->byte, 1);
    check(!polled(rt, r));
}

static void end_reading(weft_runtime *rt, struct reading *r)
{
    raw_write(r->fd, "x", 1);
    EVENTUALLY(atomic_load(&r->woken));
    check(polled(rt, r));
    check_eq(r->io.future.result, 1);
    weft_stream_close(r->stream);
    close(r->fd);
}

static uint64_t n_batches(weft_runtime *rt)
{
    struct weft_runtime_counters c = counters(rt);
    uint64_t                     n = 0;

    for (int i = 0; i < WEFT_BATCH_BUCKETS; i++)
        n += c.batches[i];
    return n;
}

/* Runs the n tasks until each has been polled, and waits. */
static void let_wait(weft_runtime *rt, uint64_t n)
{
    struct weft_sleep nap;

    do
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    while (counters(rt).polls < n);
}

#define TASKS 3

/* Tasks are woken, and no thread runs them. */
Test(current_foreign, the_reactor_waits_for_no_worker_that_is_away)
{
    weft_runtime  *rt = start_with(&(weft_config){.current_thread = 1});
    weft_stream   *stream[TASKS];
    weft_handle    handle[TASKS];
    int            fd[TASKS];
    struct reading reading;

    for (int i = 0; i < TASKS; i++) {
        fd[i] = pair(rt, &stream[i]);
        check_eq(weft_spawn_on(rt, &handle[i], reads_byte, .stream = stream[i]), 0);
    }
    let_wait(rt, TASKS);
    begin_reading(rt, &reading);
    for (int i = 0; i < TASKS; i++) {
        uint64_t before = n_batches(rt);

        raw_write(fd[i], "x", 1);
        EVENTUALLY(n_batches(rt) > before);
    }
    end_reading(rt, &reading);
    for (int i = 0; i < TASKS; i++) {
        check_eq(join(rt, &handle[i]), 1);
        weft_stream_close(stream[i]);
        close(fd[i]);
    }
    stop(rt);
}

/* The operation is in flight: the kernel would write to memory that the owner frees. */
Test(current_foreign, stopping_waits_for_an_operation_of_another_executor)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    atomic_int    woken = 0;
    weft_waker    waker = {&flag_vtable, &woken};
    weft_context  cx;
    weft_io       io;
    int           end[2];

    check_eq(pipe2(end, O_CLOEXEC), 0);
    weft_context_init(&cx, &waker, rt);
    weft_fd_ready(&io, end[0], POLLIN);
    check(!weft_poll_is_ready(weft_future_poll(&io.future, &cx)));
    for (int i = 0; i < 2; i++) {
        check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
        check_str_contains(log.text, "other executors are under way: 1;");
    }
    check(!weft_poll_is_ready(weft_future_cancel(&io.future)));
    EVENTUALLY(atomic_load(&woken));
    check(weft_poll_is_ready(weft_future_poll(&io.future, &cx)));
    check_eq(io.future.result, -ECANCELED);
    stop(rt);
    close(end[0]);
    close(end[1]);
}

/* Its owner comes to the reactor once more: in its next poll. */
Test(current_foreign, stopping_waits_for_an_operation_whose_end_was_not_seen)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    struct hand   hand;
    weft_io       io;
    int           end[2];

    check_eq(pipe2(end, O_CLOEXEC), 0);
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_fd_ready(&io, end[0], POLLIN)));
    check_eq(write(end[1], "x", 1), 1);
    EVENTUALLY(__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE));
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_eq(hand_run(&hand, &io.future), POLLIN);
    stop(rt);
    close(end[0]);
    close(end[1]);
}

/* The socket is memory of the runtime's. */
static void check_socket(bool closes)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    weft_stream  *stream;
    struct hand   hand;
    weft_io       io;
    char          byte;
    int           fd = pair(rt, &stream);

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, weft_read(&io, stream, &byte, 1)));
    if (closes)
        weft_stream_close(stream);
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_str_contains(log.text, "other executors are under way: 1;");
    check_eq(hand_cancel(&hand, &io.future), -ECANCELED);
    weft_stream_close(stream);
    stop(rt);
    close(fd);
}

Test(current_foreign, stopping_waits_for_an_operation_on_a_socket)
{
    check_socket(false);
}

Test(current_foreign, stopping_waits_for_an_operation_on_a_closed_socket)
{
    check_socket(true);
}

/* A poll in which the reactor goes to its gate, and after which the thread leaves. */
struct leaver {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
};
WEFT_ASYNC(leaver)
{
    weft_runtime *rt = weft_runtime_current();
    uint64_t      before = counters(rt).gates;

    WEFT_BEGIN();
    raw_write(self->in.fd, "x", 1); /* wakes a task, which waits for us */
    EVENTUALLY(counters(rt).gates > before);
    WEFT_END(0);
}

Test(current_foreign, a_thread_that_leaves_opens_the_gate)
{
    weft_runtime  *rt = start_with(&(weft_config){.current_thread = 1});
    weft_stream   *stream;
    weft_handle    handle;
    struct reading reading;
    struct leaver  frame;
    int            fd = pair(rt, &stream);

    check_eq(weft_spawn_on(rt, &handle, reads_byte, .stream = stream), 0);
    let_wait(rt, 1);
    begin_reading(rt, &reading);
    check_eq(weft_block_on(rt, weft_async(leaver, &frame, .fd = fd)), 0);
    end_reading(rt, &reading);
    check_eq(join(rt, &handle), 1);
    weft_stream_close(stream);
    close(fd);
    stop(rt);
}
