/*
 * test_fork_operations.c - every operation and every call in a forked child returns -ECHILD, and
 * the parent continues
 */
#include "../child.h"
#include "fork_calls.h"
#include "operation_cases.h"
#include "timer.h"

#include <weft/blocking.h>
#include <weft/fiber.h>

/* Polls it once, as an executor of the child's own would: whether it is READY. */
static bool poll_once(weft_runtime *rt, weft_future *future)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    weft_context_init(&cx, &noop, rt);
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

/* ---- operations ---- */

typedef struct fork_case {
    stage   stage;
    int     row;
    weft_io pending; /* the parent's, which waits at the fork, if the row waits at all */
    weft_io again;   /* the same for another child */
} fork_case;

/* A release is made of a stream that has waited, which the child cannot make it. */
static weft_future *begin(fork_case *f, weft_io *io)
{
    return is_row(f->row, "weft_stream_release") ? weft_stream_release(io, f->stage.stream)
                                                 : cases[f->row].begin(&f->stage, io);
}

static void begins(void *arg)
{
    fork_case   *f = arg;
    weft_io      io;
    weft_future *future = begin(f, &io);

    CHECK(f->row, poll_once(f->stage.rt, future));
    CHECK(f->row, io.future.result == -ECHILD);
}

static void polls(void *arg)
{
    fork_case *f = arg;

    CHECK(f->row, poll_once(f->stage.rt, &f->pending.future));
    CHECK(f->row, f->pending.future.result == -ECHILD);
}

static void cancels(void *arg)
{
    fork_case *f = arg;

    CHECK(f->row, !weft_poll_is_ready(weft_future_cancel(&f->pending.future)));
    CHECK(f->row, poll_once(f->stage.rt, &f->pending.future));
    CHECK(f->row, f->pending.future.result == -ECHILD);
}

static void closes(void *arg)
{
    fork_case *f = arg;

    weft_stream_close(f->stage.stream);
    weft_stream_close(f->stage.full);
    weft_stream_close(f->stage.full);
    weft_listener_close(f->stage.listener);
    weft_datagram_close(f->stage.datagram);
    weft_datagram_close(f->stage.sender);
}

/* The child does not change the parent's operation, which waits and ends as usual. */
static void check_row(weft_runtime *rt, int row)
{
    fork_case       f = {.row = row};
    const row_case *c = &cases[row];
    int             n = n_fds();
    int64_t         result;

    set_up(&f.stage, rt, c->let_go == drain_full);
    c->begin(&f.stage, &f.pending);
    if (c->let_go)
        CHECK(row, !poll_once(rt, &f.pending.future));
    in_child(begins, &f);
    if (c->let_go) {
        in_child(polls, &f);
        in_child(cancels, &f);
        in_child(closes, &f);
        c->let_go(&f.stage);
    }
    result = weft_block_on(rt, &f.pending.future);
    CHECK(row, c->result < 0 ? result >= 0 : result == c->result);
    if (is_row(row, "weft_file_open") || is_row(row, "weft_stream_release"))
        f.stage.extra = (int)result;
    if (c->give_back)
        c->give_back(&f.stage, true);
    tear_down(&f.stage);
    EVENTUALLY(n_fds() == n);
}

Test(fork_operations, every_operation_says_echild_and_the_parent_s_goes_on)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++)
        check_row(rt, row);
    stop(rt);
}

/* ---- calls ---- */

static void call_all(void *arg)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int r = calls[i].call(arg);

        if (r != -ECHILD)
            test_fail(__FILE__, __LINE__, "%s: %d", calls[i].name, r);
    }
}

static void close_halves(void *arg)
{
    stage       *s = arg;
    weft_stream *writer =
        (weft_stream *)((uintptr_t)s->stream | WF_SIDE_IN); /* as split makes it */

    weft_stream_close(writer);
}

static int option(int fd, int level, int name)
{
    int       value = -1;
    socklen_t size = sizeof value;

    check_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

Test(fork_operations, every_call_says_echild_and_changes_nothing_of_the_parent_s)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    stage         s;
    int           fd;

    set_up(&s, rt, false);
    fd = weft_stream_fd(s.stream);
    in_child(call_all, &s);
    in_child(close_halves, &s);
    check_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    check_eq(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    check_eq(option(weft_datagram_fd(s.datagram), SOL_SOCKET, SO_BROADCAST), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, s.stream, "both ways", 9)), 9);
    raw_read(s.peer, s.buffer, 9);
    send_to_stream(&s);
    check_eq(weft_block_on(rt, weft_read_exact(&io, s.stream, s.buffer, SIZE)), SIZE);
    tear_down(&s);
    stop(rt);
}

/* ---- sleeps and jobs ---- */

struct napping {
    weft_runtime              *rt;
    struct weft_sleep          nap, limit_nap;
    struct weft_timeout        limit;
    weft_interval              interval;
    struct weft_spawn_blocking job;
    int64_t                    go_on; /* the job's */
};

struct waits_long {
    int64_t *go_on;
};
WEFT_BLOCKING(waits_long)
{
    while (!__atomic_load_n(self->go_on, __ATOMIC_ACQUIRE))
        pause_ms(1);
    return 7;
}

/* Locks them as if threads of the parent had held them at the fork: a call that takes one hangs. */
static void lock_wheels(weft_runtime *rt)
{
    for (uint32_t i = 0; i < rt->timers->n_wheels; i++)
        rt->timers->wheel[i].lock = 1;
}

static void begin_sleeps(void *arg)
{
    struct napping            *p = arg;
    struct weft_sleep          nap;
    struct weft_spawn_blocking job;

    lock_wheels(p->rt);
    check(poll_once(p->rt, weft_sleep(&nap, WEFT_S(1))));
    check_eq(nap.future.result, -ECHILD);
    check(poll_once(p->rt, weft_spawn_blocking(&job, waits_long, .go_on = &p->go_on)));
    check_eq(job.future.result, -ECHILD);
}

static void poll_sleeps(void *arg)
{
    struct napping *p = arg;

    lock_wheels(p->rt);
    weft_sleep_reset(&p->nap, weft_now());
    check(poll_once(p->rt, &p->nap.future));
    check_eq(p->nap.future.result, -ECHILD);
    check(poll_once(p->rt, &p->limit.future));
    check_eq(p->limit.future.result, -ECHILD);
    check(poll_once(p->rt, &p->interval.future));
    check_eq(p->interval.future.result, -ECHILD);
    check(poll_once(p->rt, &p->job.future));
    check_eq(p->job.future.result, -ECHILD);
}

static void cancel_sleeps(void *arg)
{
    struct napping *p = arg;

    lock_wheels(p->rt);
    check(!weft_poll_is_ready(weft_future_cancel(&p->nap.future)));
    check(poll_once(p->rt, &p->nap.future));
    check_eq(p->nap.future.result, -ECHILD);
    check(!weft_poll_is_ready(weft_future_cancel(&p->job.future)));
    check(poll_once(p->rt, &p->job.future));
    check_eq(p->job.future.result, -ECHILD);
}

Test(fork_operations, sleeps_and_jobs_say_echild_and_the_parent_s_go_on)
{
    struct napping               p = {.rt = start(1)};
    struct weft_runtime_counters before, after;

    check(!poll_once(p.rt, weft_sleep(&p.nap, WEFT_S(2))));
    weft_sleep(&p.limit_nap, WEFT_S(60));
    check(!poll_once(p.rt, weft_timeout(&p.limit, &p.limit_nap.future, WEFT_S(2))));
    weft_interval_start_at(&p.interval, weft_now() + WEFT_S(2), WEFT_S(1), WEFT_INTERVAL_SKIP);
    check(!poll_once(p.rt, weft_interval_tick(&p.interval)));
    check(!poll_once(p.rt, weft_spawn_blocking(&p.job, waits_long, .go_on = &p.go_on)));
    before = counters(p.rt);
    in_child(begin_sleeps, &p);
    in_child(poll_sleeps, &p);
    in_child(cancel_sleeps, &p);
    after = counters(p.rt);
    check_eq(after.timers_cancelled, before.timers_cancelled);
    check_eq(weft_block_on(p.rt, &p.nap.future), 0);
    check_eq(weft_block_on(p.rt, &p.limit.future), -ETIMEDOUT);
    check_eq(weft_block_on(p.rt, &p.interval.future), 0);
    __atomic_store_n(&p.go_on, 1, __ATOMIC_RELEASE);
    check_eq(weft_block_on(p.rt, &p.job.future), 7);
    stop(p.rt);
}

/* ---- fiber calls ---- */

struct calling {
    weft_runtime          *rt;
    struct weft_fiber_call begun, another;
    int64_t                go_on, n_begun;
};

static int64_t waits_for_it(void *argument)
{
    struct calling *c = argument;
    int64_t         n = 0;

    add(&c->n_begun, 1);
    while (n == 0 && !get(&c->go_on))
        n = weft_fiber_sleep(WEFT_MS(1));
    return n < 0 ? n : 7;
}

static void begin_call(void *arg)
{
    struct calling *c = arg;
    weft_future    *call = weft_fiber_call(&c->another, waits_for_it, c);

    check(poll_once(c->rt, call));
    check_eq(call->result, -ECHILD);
    check_eq(c->n_begun, 1);
}

/* Its fiber is the parent's, and never ends here. */
static void poll_and_cancel_call(void *arg)
{
    struct calling *c = arg;

    check(!poll_once(c->rt, &c->begun.future));
    check(!weft_poll_is_ready(weft_future_cancel(&c->begun.future)));
    check(!poll_once(c->rt, &c->begun.future));
}

Test(fork_operations, fiber_calls_do_not_begin_in_the_child_and_the_parent_s_goes_on)
{
    struct calling c = {.rt = start(1)};

    check(!poll_once(c.rt, weft_fiber_call(&c.begun, waits_for_it, &c)));
    spin_until(&c.n_begun, 1);
    in_child(begin_call, &c);
    in_child(poll_and_cancel_call, &c);
    add(&c.go_on, 1);
    check_eq(weft_block_on(c.rt, &c.begun.future), 7);
    stop(c.rt);
}

/* ---- beside a leader ---- */

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
        if (n < 0)
            break;
    }
    WEFT_END(n);
}

static void round_trips(int peer, int64_t n)
{
    char byte;

    while (n-- > 0) {
        raw_write(peer, "x", 1);
        raw_read(peer, &byte, 1);
    }
}

/* The worker sleeps among the sockets, and the set and its bell are the child's, too. */
Test(fork_operations, a_leader_in_the_parent_is_not_disturbed)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .leader_after = 1});
    weft_stream  *stream;
    weft_handle   handle;
    int           peer = pair(rt, &stream);
    stage         s;

    check_eq(weft_spawn_on(rt, &handle, echo, .stream = stream), 0);
    do
        round_trips(peer, 10);
    while (counters(rt).leader_waits == 0);
    set_up(&s, rt, false);
    round_trips(peer, 10);
    in_child(call_all, &s);
    round_trips(peer, 10);
    in_child(closes, &(fork_case){.stage = s});
    round_trips(peer, 10);
    tear_down(&s);
    close(peer);
    check_eq(join(rt, &handle), 0);
    weft_stream_close(stream);
    stop(rt);
}
