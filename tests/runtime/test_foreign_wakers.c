/*
 * test_foreign_wakers.c - wakers of other executors use the object that their future waits for
 *
 * The clone, drop and wake of a foreign waker may do all that their caller may do. Here each of
 * them uses the object that the future waits for. If weft held a lock then, that would deadlock.
 */
#include "../helpers.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* An executor whose waker calls `used` in each of its functions. */
struct busybody {
    weft_waker waker;
    void (*used)(void);
    weft_runtime *rt;
    int64_t       n_clones, n_drops, n_wakes;
};

static weft_waker busy_clone(void *data)
{
    struct busybody *b = data;

    add(&b->n_clones, 1);
    b->used();
    return b->waker;
}

static void busy_drop(void *data)
{
    struct busybody *b = data;

    b->used();
    add(&b->n_drops, 1); /* the last touch: see end */
}

static void busy_wake_by_ref(void *data)
{
    struct busybody *b = data;

    add(&b->n_wakes, 1);
    b->used();
}

static void busy_wake(void *data)
{
    busy_wake_by_ref(data);
    busy_drop(data);
}

static const weft_waker_vtable vtable = {busy_clone, busy_wake, busy_wake_by_ref, busy_drop, NULL};
static struct busybody         first, second;

static void idle(void)
{
}

static void begin(weft_runtime *rt, void (*used)(void))
{
    first = (struct busybody){.waker = {&vtable, &first}, .used = used, .rt = rt};
    second = (struct busybody){.waker = {&vtable, &second}, .used = used, .rt = rt};
}

static bool is_ready(struct busybody *b, weft_future *future)
{
    weft_context cx;

    weft_context_init(&cx, &b->waker, b->rt);
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

/* The first poll stores a waker, the next two store another in its place. */
static void poll_pending(weft_future *future)
{
    check(!is_ready(&first, future));
    check(!is_ready(&second, future));
    check(!is_ready(&first, future));
}

/* Cancelled, the future gives its waker back. */
static void cancel(weft_future *future)
{
    if (!weft_poll_is_ready(weft_future_cancel(future)))
        while (!is_ready(&second, future))
            sched_yield();
    check_eq(weft_future_result(future), -ECANCELED);
}

/* No waker is left, or will be: a thread that has just woken drops the waker behind that. */
static void end(void)
{
    check_cmp(get(&first.n_clones) + get(&second.n_clones), >, 0);
    while (get(&first.n_clones) + get(&second.n_clones) !=
           get(&first.n_drops) + get(&second.n_drops))
        sched_yield();
}

/* ---- channels ---- */

static weft_mpsc_sender   *sender;
static weft_mpsc_receiver *receiver;
static int                 message;

static void use_channel(void)
{
    weft_mpsc_sender_close(weft_mpsc_sender_clone(sender));
}

Test(foreign_wakers, use_the_channel_that_they_receive_from)
{
    weft_wait wait;

    begin(NULL, use_channel);
    check_eq(weft_mpsc_open(sizeof message, 1, &sender, &receiver), 0);
    poll_pending(weft_mpsc_receive(&wait, receiver, &message));
    check_eq(weft_mpsc_try_send(sender, &message), 0);
    check_cmp(first.n_wakes, ==, 1);
    check(is_ready(&second, &wait.future));
    poll_pending(weft_mpsc_receive(&wait, receiver, &message));
    cancel(&wait.future);
    end();
    weft_mpsc_sender_close(sender);
    weft_mpsc_receiver_close(receiver);
}

static void send_one(void)
{
    check_cmp(weft_mpsc_try_send(sender, &message), <=, 0); /* -EAGAIN: it is full */
}

/* In the second waker's clone: the poll that clones it finds the message, and both wakers are given
 * back. */
Test(foreign_wakers, send_the_message_that_they_are_to_wait_for)
{
    weft_wait wait;

    begin(NULL, idle);
    check_eq(weft_mpsc_open(sizeof message, 1, &sender, &receiver), 0);
    check(!is_ready(&first, weft_mpsc_receive(&wait, receiver, &message)));
    second.used = send_one;
    check(is_ready(&second, &wait.future));
    check_eq(weft_future_result(&wait.future), 0);
    end();
    weft_mpsc_sender_close(sender);
    weft_mpsc_receiver_close(receiver);
}

Test(foreign_wakers, use_the_channel_that_they_send_to)
{
    weft_wait wait;
    int       got;

    begin(NULL, use_channel);
    check_eq(weft_mpsc_open(sizeof message, 1, &sender, &receiver), 0);
    check_eq(weft_mpsc_try_send(sender, &message), 0);
    poll_pending(weft_mpsc_send(&wait, sender, &message));
    check_eq(weft_mpsc_try_receive(receiver, &got), 0);
    check_cmp(first.n_wakes, ==, 1);
    check(is_ready(&second, &wait.future));
    poll_pending(weft_mpsc_send(&wait, sender, &message));
    cancel(&wait.future);
    poll_pending(weft_mpsc_send(&wait, sender, &message));
    weft_mpsc_receiver_close(receiver);
    check(is_ready(&second, &wait.future));
    end();
    weft_mpsc_sender_close(sender);
}

static weft_oneshot_sender *once;

static void close_sender(void)
{
    weft_oneshot_sender *s = once;

    once = NULL;
    weft_oneshot_sender_close(s);
}

/* The sender closes in the function of the waker whose turn it is: the second's clone, the first's
 * drop, the wake. */
static void close_in(struct busybody *b)
{
    b->used = close_sender;
}

Test(foreign_wakers, close_the_sender_whose_message_they_wait_for)
{
    for (int turn = 0; turn < 2; turn++) {
        weft_oneshot_receiver *r;
        weft_wait              wait;

        begin(NULL, idle);
        check_eq(weft_oneshot_open(sizeof message, &once, &r), 0);
        check(!is_ready(&first, weft_oneshot_receive(&wait, r, &message)));
        close_in(turn == 0 ? &second : &first);
        while (!is_ready(&second, &wait.future))
            check_cmp(first.n_wakes + second.n_wakes, >, 0);
        check_eq(weft_future_result(&wait.future), WEFT_EOF);
        check(!once);
        end();
        weft_oneshot_receiver_close(r);
    }
}

Test(foreign_wakers, close_the_sender_when_a_receive_is_cancelled)
{
    weft_oneshot_receiver *r;
    weft_wait              wait;

    begin(NULL, idle);
    check_eq(weft_oneshot_open(sizeof message, &once, &r), 0);
    check(!is_ready(&first, weft_oneshot_receive(&wait, r, &message)));
    close_in(&first);
    cancel(&wait.future);
    check(!once);
    end();
    weft_oneshot_receiver_close(r);
}

/* ---- what other threads complete: a function of a waker waits until that has happened ---- */

static int64_t let_go; /* 1: the task or job may end */
static bool (*is_over)(void);

static void put(int64_t value)
{
    __atomic_store_n(&let_go, value, __ATOMIC_RELEASE);
}

static void end_it_and_wait(void)
{
    put(1);
    while (!is_over())
        sched_yield();
}

static weft_handle handle;

static bool is_finished(void)
{
    return weft_is_finished(&handle);
}

static weft_poll gate_poll(weft_future *future, weft_context *cx)
{
    if (get(&let_go))
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static const weft_future_ops gate_ops = {
    .size = sizeof(weft_future), .flags = WEFT_FUTURE_WITHDRAWS, .name = "gate", .poll = gate_poll};

struct until_let_go {
    WEFT_FRAME;
    struct {
        int64_t answer;
    } in;
    weft_future gate;
};
WEFT_ASYNC(until_let_go)
{
    int64_t n;

    WEFT_BEGIN();
    weft_future_init(&self->gate, &gate_ops);
    WEFT_AWAIT(n, &self->gate);
    WEFT_END(n < 0 ? n : self->in.answer);
}

/* In the clone of the second waker (turn 0), or the drop of the first (1). */
Test(foreign_wakers, wait_for_the_end_of_the_task_that_they_join)
{
    weft_runtime *rt = start(1);

    is_over = is_finished;
    for (int turn = 0; turn < 2; turn++) {
        weft_future *future;

        put(0);
        begin(NULL, idle);
        check_eq(weft_spawn_on(rt, &handle, until_let_go, .answer = 7), 0);
        future = weft_join(&handle);
        check(!is_ready(&first, future));
        *(turn == 0 ? &second.used : &first.used) = end_it_and_wait;
        while (!is_ready(&second, future))
            sched_yield();
        check_eq(weft_future_result(future), 7);
        end();
    }
    stop(rt);
}

static bool one_has_been_woken(void)
{
    return get(&first.n_wakes) + get(&second.n_wakes) > 0;
}

struct until_told {
    int unused;
};
WEFT_BLOCKING(until_told)
{
    (void)self;
    while (!get(&let_go))
        sched_yield();
    return 7;
}

Test(foreign_wakers, wait_for_the_end_of_the_job_that_they_wait_for)
{
    weft_runtime              *rt = start(1);
    struct weft_spawn_blocking job;
    weft_future               *future = weft_spawn_blocking(&job, until_told, 0);

    put(0);
    is_over = one_has_been_woken;
    begin(rt, idle);
    check(!is_ready(&first, future));
    second.used = end_it_and_wait; /* in its clone */
    while (!is_ready(&second, future))
        sched_yield();
    check_eq(weft_future_result(future), 7);
    end();
    stop(rt);
}

/* A job that is given up is freed by its thread, which needs its lock. */
static weft_pool *pool;

static bool is_done(void)
{
    struct weft_pool_counters c;

    check_eq(weft_pool_counters(pool, &c), 0);
    return c.done == 1 && c.idle == 1;
}

static bool runs(void)
{
    struct weft_pool_counters c;

    check_eq(weft_pool_counters(pool, &c), 0);
    return c.running == 1;
}

Test(foreign_wakers, wait_for_the_end_of_the_job_that_is_given_up)
{
    weft_runtime              *rt = start(1);
    struct weft_spawn_blocking job;
    weft_future               *future = weft_spawn_blocking(&job, until_told, 0);

    put(0);
    pool = weft_pool_default(rt);
    is_over = is_done;
    begin(rt, idle);
    check(!is_ready(&first, future));
    while (!runs())
        sched_yield();
    first.used = end_it_and_wait; /* in its drop: the last poll leaves */
    cancel(future);
    end();
    stop(rt);
}

/* ---- timers ---- */

static void use_wheel(void)
{
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, first.rt);
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_S(1000))));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
}

Test(foreign_wakers, use_the_wheel_that_they_sleep_in)
{
    weft_runtime     *rt = start(1);
    struct weft_sleep nap;
    weft_future      *future = weft_sleep(&nap, WEFT_S(1000));

    begin(rt, use_wheel);
    poll_pending(future);
    cancel(future);
    poll_pending(weft_sleep(&nap, WEFT_MS(20)));
    while (!is_ready(&first, &nap.future))
        sched_yield();
    end();
    stop(rt);
}

/* ---- sockets and the ring ---- */

static weft_stream *stream;
static int          peer;

static void close_stream(void)
{
    weft_stream *s = stream;

    stream = NULL;
    weft_stream_close(s);
}

static void open_stream(weft_runtime *rt)
{
    int fd[2];

    check_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    check_eq(weft_stream_adopt(rt, fd[0], &stream), 0);
    peer = fd[1];
}

/* In the clone of the second waker (turn 0), the drop of the first (1), or the drop by a cancel
 * (2). */
Test(foreign_wakers, close_the_stream_that_they_read_from)
{
    weft_runtime *rt = start(1);
    char          buffer[4];

    for (int turn = 0; turn < 3; turn++) {
        weft_io      io;
        weft_future *future;

        open_stream(rt);
        begin(rt, idle);
        future = weft_read(&io, stream, buffer, sizeof buffer);
        check(!is_ready(&first, future));
        *(turn == 0 ? &second.used : &first.used) = close_stream;
        if (turn == 2)
            cancel(future);
        while (turn < 2 && !is_ready(&second, future))
            check_cmp(first.n_wakes + second.n_wakes, >, 0);
        check_eq(weft_future_result(future), -ECANCELED);
        check(!stream);
        end();
        close(peer);
    }
    stop(rt);
}

static int event_fd;

static void show_and_wait(void)
{
    uint64_t one = 1;

    check_eq(write(event_fd, &one, sizeof one), sizeof one);
    while (!one_has_been_woken())
        sched_yield();
}

Test(foreign_wakers, wait_for_the_end_of_an_operation_of_the_kernel)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    weft_future  *future;

    event_fd = eventfd(0, EFD_NONBLOCK);
    begin(rt, idle);
    future = weft_fd_ready(&io, event_fd, POLLIN);
    check(!is_ready(&first, future));
    second.used = show_and_wait; /* in its clone */
    while (!is_ready(&second, future))
        sched_yield();
    check_eq(weft_future_result(future), POLLIN);
    end();
    close(event_fd);
    stop(rt);
}
