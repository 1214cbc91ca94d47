/*
 * test_busy.c - the reactor's work is done while the workers never run dry
 */
#include "../actors.h"
#include "../sockets.h"

#include <sys/eventfd.h>

#define PAIRS 4

static atomic_bool ended;
static atomic_int  n_rounds;

struct player {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        bool         serves;
    } in;
    weft_io io;
    char    byte;
};
/* Sends a byte back and forth until the other end closes. */
WEFT_ASYNC(player)
{
    int64_t n = 1;

    WEFT_BEGIN();
    if (self->in.serves)
        WEFT_AWAIT(n, weft_write(&self->io, self->in.stream, "x", 1));
    while (n == 1 && !ended) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
        if (n == 1)
            WEFT_AWAIT(n, weft_write(&self->io, self->in.stream, &self->byte, 1));
        n_rounds++;
    }
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

struct yielder {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(yielder)
{
    WEFT_BEGIN();
    while (!ended)
        WEFT_YIELD();
    WEFT_END(0);
}

static weft_handle players[2 * PAIRS];

/* As many as the workers have not done with before there is more. */
static void play(weft_runtime *rt)
{
    for (int i = 0; i < PAIRS; i++) {
        weft_stream *a, *b;

        check_eq(weft_stream_pair(rt, &a, &b), 0);
        check_eq(weft_spawn_on(rt, &players[2 * i], player, .stream = a, .serves = true), 0);
        check_eq(weft_spawn_on(rt, &players[2 * i + 1], player, .stream = b), 0);
    }
    EVENTUALLY(n_rounds > 1000);
}

static void end_play(weft_runtime *rt)
{
    ended = true;
    for (int i = 0; i < 2 * PAIRS; i++)
        check_eq(join(rt, &players[i]), 0);
}

static void check_ring_operations(int64_t workers)
{
    weft_runtime *rt = start(workers);
    int           fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t      value = 1;

    play(rt);
    for (int i = 0; i < 50; i++) {
        weft_io io;

        check_eq(weft_block_on(rt, weft_file_sync(&io, -1)), -EBADF);
        check_eq(write(fd, &value, sizeof value), sizeof value);
        check_eq(weft_block_on(rt, weft_fd_ready(&io, fd, POLLIN)), POLLIN);
        check_eq(read(fd, &value, sizeof value), sizeof value);
    }
    end_play(rt);
    close(fd);
    stop(rt);
}

Test(busy, operations_of_the_ring_end)
{
    check_ring_operations(1);
}

Test(busy, operations_of_the_ring_end_with_two_workers)
{
    check_ring_operations(2);
}

/* The reactor has gone to its gate long ago when it comes. */
Test(busy, an_operation_of_the_ring_that_takes_long_ends)
{
    weft_runtime *rt = start(1);
    int           fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t      value = 1;
    weft_handle   h;

    play(rt);
    for (int i = 0; i < 10; i++) {
        check_eq(weft_spawn_on(rt, &h, awaits_fd, .fd = fd, .events = POLLIN), 0);
        pause_ms(5);
        check_eq(write(fd, &value, sizeof value), sizeof value);
        check_eq(join(rt, &h), POLLIN);
        check_eq(read(fd, &value, sizeof value), sizeof value);
    }
    end_play(rt);
    close(fd);
    stop(rt);
}

/* A server waits for SIGTERM with such an operation. A worker that looks for sockets must not wake
 * the reactor for it each time. */
Test(busy, an_operation_of_the_ring_that_waits_for_long_costs_little)
{
    weft_runtime                *rt = start(1);
    int                          fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    uint64_t                     value = 1;
    struct weft_runtime_counters before, after;
    weft_handle                  h;

    check_eq(weft_spawn_on(rt, &h, awaits_fd, .fd = fd, .events = POLLIN), 0);
    play(rt);
    before = counters(rt);
    EVENTUALLY(counters(rt).worker_looks - before.worker_looks > 400);
    after = counters(rt);
    check_cmp(2 * (after.gates - before.gates), <, after.worker_looks - before.worker_looks);
    check_eq(write(fd, &value, sizeof value), sizeof value);
    check_eq(join(rt, &h), POLLIN);
    end_play(rt);
    close(fd);
    stop(rt);
}

static void check_beside_yielders(int n_workers)
{
    weft_runtime     *rt = start(n_workers);
    weft_handle       yielders[2];
    struct weft_sleep nap;

    for (int i = 0; i < n_workers; i++)
        check_eq(weft_spawn_on(rt, &yielders[i], yielder, .n = 0), 0);
    play(rt);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(5))), 0);
    end_play(rt);
    for (int i = 0; i < n_workers; i++)
        check_eq(join(rt, &yielders[i]), 0);
    stop(rt);
}

Test(busy, sockets_are_served_beside_a_task_that_always_yields)
{
    check_beside_yielders(1);
}

Test(busy, sockets_are_served_beside_tasks_that_always_yield_on_all_workers)
{
    check_beside_yielders(2);
}

/* ---- a reactor that has no CPU ---- */

static atomic_bool holds, released;

static weft_waker holder_clone(void *data);

static void holder_wake(void *data)
{
    (void)data;
    holds = true;
    while (!released)
        pause_ms(1);
}

static void holder_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable holder = {holder_clone, holder_wake, holder_wake, holder_drop, NULL};

static weft_waker holder_clone(void *data)
{
    return (weft_waker){&holder, data};
}

/* Its thread wakes a task of another executor's, which does not return. */
static void hold_reactor(weft_runtime *rt, struct weft_sleep *nap)
{
    weft_waker   waker = {&holder, NULL};
    weft_context cx;

    weft_context_init(&cx, &waker, rt);
    check(!weft_poll_is_ready(weft_future_poll(weft_sleep(nap, WEFT_MS(5)), &cx)));
    EVENTUALLY(holds);
}

static void let_reactor_go(weft_runtime *rt, struct weft_sleep *nap)
{
    released = true;
    check_eq(weft_block_on(rt, &nap->future), 0);
}

Test(busy, a_socket_is_served_by_busy_workers_while_the_reactor_has_no_cpu)
{
    weft_runtime     *rt = start(1);
    weft_stream      *s;
    weft_handle       yields, plays;
    struct weft_sleep nap;
    int               fd = pair(rt, &s), before;
    char              byte;

    check_eq(weft_spawn_on(rt, &plays, player, .stream = s, .serves = true), 0);
    check_eq(weft_spawn_on(rt, &yields, yielder, .n = 0), 0);
    check_eq(read(fd, &byte, 1), 1); /* it has begun */
    hold_reactor(rt, &nap);
    for (int i = 0; i < 5; i++) {
        before = n_rounds;
        raw_write(fd, &byte, 1);
        EVENTUALLY(n_rounds > before);
    }
    let_reactor_go(rt, &nap);
    ended = true;
    close(fd);
    check_eq(join(rt, &plays), 0);
    check_eq(join(rt, &yields), 0);
    stop(rt);
}

/* ---- a task that always finds its next request at once ---- */

static int hot_rounds, asked_at, served_at;

struct hot {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          fd;    /* the other end of the stream */
        int          other; /* the peer of the stream of the task `cold` */
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(hot)
{
    int64_t n;

    WEFT_BEGIN();
    for (hot_rounds = 1; served_at == 0 && hot_rounds < 1000000; hot_rounds++) {
        raw_write(self->in.fd, "x", 1);
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
        check_eq(n, 1);
        if (hot_rounds == 1000) {
            asked_at = hot_rounds;
            raw_write(self->in.other, "x", 1);
        }
    }
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

struct cold {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(cold)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
    check_eq(n, 1);
    served_at = hot_rounds;
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

Test(busy, a_connection_that_is_always_ready_leaves_the_others_their_turns)
{
    weft_runtime     *rt = start(1);
    weft_stream      *hots, *colds;
    int               fd = pair(rt, &hots), other = pair(rt, &colds);
    weft_handle       h, c;
    struct weft_sleep nap;

    hold_reactor(rt, &nap);
    check_eq(weft_spawn_on(rt, &c, cold, .stream = colds), 0);
    check_eq(weft_spawn_on(rt, &h, hot, .stream = hots, .fd = fd, .other = other), 0);
    check_eq(join(rt, &h), 0);
    check_eq(join(rt, &c), 0);
    check_cmp(served_at - asked_at, <, 10 * WEFT_BUDGET_DEFAULT);
    let_reactor_go(rt, &nap);
    close(fd);
    close(other);
    stop(rt);
}
