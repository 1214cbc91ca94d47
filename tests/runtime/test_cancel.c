/*
 * test_cancel.c - every operation that can wait can be cancelled: by a timeout, by a select, by
 * cancelling its task, with and without budget to begin; and it leaves nothing behind
 */
#include "../sockets.h"

#include <semaphore.h>

#define LARGE (8 << 20)

/* An operation that waits for ever, and the object that it waits for. */
typedef struct target {
    const char *name;
    weft_future *(*begin)(struct target *); /* makes the future; again and again */
    weft_runtime              *rt;
    weft_io                    io;
    struct weft_sleep          nap;
    struct weft_spawn_blocking job;
    struct weft_signal_wait    signal;
    struct weft_resolve        resolution;
    weft_stream               *stream;
    weft_listener             *listener, *full;
    weft_datagram             *datagram, *sender;
    weft_packet                packet;
    struct iovec               memory;
    struct msghdr              message;
    weft_address               address, full_address, datagram_address;
    weft_stream               *accepted;
    int                        fd, pipe[2];
    char                      *buffer;
} target;

/* ---- the operations ---- */

static weft_future *begin_read(target *t)
{
    return weft_read(&t->io, t->stream, t->buffer, LARGE);
}

static weft_future *begin_read_exact(target *t)
{
    return weft_read_exact(&t->io, t->stream, t->buffer, LARGE);
}

static weft_future *begin_readv(target *t)
{
    static struct iovec v;

    v = (struct iovec){t->buffer, LARGE};
    return weft_readv(&t->io, t->stream, &v, 1);
}

static weft_future *begin_write(target *t) /* the first time fills the buffers */
{
    return weft_write_all(&t->io, t->stream, t->buffer, LARGE);
}

static weft_future *begin_accept(target *t)
{
    return weft_accept(&t->io, t->listener, &t->accepted);
}

static weft_future *begin_peek(target *t)
{
    return weft_peek(&t->io, t->stream, t->buffer, LARGE);
}

static struct msghdr *message(target *t)
{
    t->memory = (struct iovec){t->buffer, 8};
    t->message = (struct msghdr){.msg_iov = &t->memory, .msg_iovlen = 1};
    return &t->message;
}

static weft_future *begin_receive_message(target *t)
{
    return weft_receive_message(&t->io, t->stream, message(t), 0);
}

static weft_future *begin_connect_full(target *t) /* the listener's queue has no room */
{
    return weft_connect(&t->io, &t->full_address, &t->accepted);
}

static weft_future *begin_receive_from(target *t)
{
    return weft_receive_from(&t->io, t->datagram, t->buffer, 8, NULL);
}

static weft_future *begin_receive_batch(target *t)
{
    t->packet = (weft_packet){.data = t->buffer, .size = 8};
    return weft_receive_batch(&t->io, t->datagram, &t->packet, 1);
}

static weft_future *begin_datagram_message(target *t)
{
    return weft_datagram_receive_message(&t->io, t->datagram, message(t), 0);
}

static weft_future *begin_send_to(target *t) /* the receiver's queue has no room */
{
    return weft_send_to(&t->io, t->sender, "x", 1, &t->datagram_address);
}

static weft_future *begin_send_batch(target *t)
{
    t->packet = (weft_packet){.data = t->buffer, .size = 1, .address = t->datagram_address};
    return weft_send_batch(&t->io, t->sender, &t->packet, 1);
}

static weft_future *begin_send_connected(target *t)
{
    check_eq(weft_datagram_connect(t->sender, &t->datagram_address), 0);
    return weft_send_to(&t->io, t->sender, "x", 1, NULL);
}

static weft_future *begin_ready(target *t)
{
    return weft_fd_ready(&t->io, t->pipe[0], POLLIN);
}

static weft_future *begin_pipe_read(target *t)
{
    return weft_file_read(&t->io, t->pipe[0], t->buffer, 1, -1);
}

static weft_future *begin_sleep(target *t)
{
    return weft_sleep(&t->nap, WEFT_S(3600));
}

static weft_future *begin_signal(target *t)
{
    return weft_signal_wait(&t->signal, WEFT_SIGNAL(SIGUSR1));
}

static sem_t      gate;
static atomic_int n_holding;

struct hold {
    int unused;
};
WEFT_BLOCKING(hold)
{
    (void)self;
    n_holding++;
    while (sem_wait(&gate) < 0)
        ;
    n_holding--;
    return 0;
}

static weft_future *begin_job(target *t) /* the first ones run, the others are queued */
{
    return weft_job_detachable(weft_spawn_blocking(&t->job, hold, .unused = 0));
}

static weft_future *begin_resolve(target *t) /* behind a job */
{
    return weft_resolve(&t->resolution, "127.0.0.1", 1);
}

static target targets[] = {
    {.name = "sleep", .begin = begin_sleep},
    {.name = "read", .begin = begin_read},
    {.name = "read_exact", .begin = begin_read_exact},
    {.name = "readv", .begin = begin_readv},
    {.name = "write_all", .begin = begin_write},
    {.name = "accept", .begin = begin_accept},
    {.name = "peek", .begin = begin_peek},
    {.name = "receive_message", .begin = begin_receive_message},
    {.name = "connect to a full listener", .begin = begin_connect_full},
    {.name = "receive_from", .begin = begin_receive_from},
    {.name = "receive_batch", .begin = begin_receive_batch},
    {.name = "receive_message of datagrams", .begin = begin_datagram_message},
    {.name = "send_to a full queue", .begin = begin_send_to},
    {.name = "send_batch to a full queue", .begin = begin_send_batch},
    {.name = "send to where it is connected", .begin = begin_send_connected},
    {.name = "fd_ready", .begin = begin_ready},
    {.name = "file_read of a pipe", .begin = begin_pipe_read},
    {.name = "signal_wait", .begin = begin_signal},
    {.name = "spawn_blocking", .begin = begin_job},
    {.name = "resolve", .begin = begin_resolve},
};
#define N_TARGETS (sizeof targets / sizeof *targets)

/* Whether it can't be cancelled at once: the kernel has to let go first. */
static bool drains(const target *t)
{
    return strncmp(t->name, "file_", 5) == 0 || strcmp(t->name, "fd_ready") == 0 ||
           strcmp(t->name, "signal_wait") == 0;
}

static void unix_address(weft_address *ret, const char *name)
{
    char text[100];

    snprintf(text, sizeof text, "@weft-cancel-%d-%s", (int)getpid(), name);
    check_eq(weft_address_unix(text, ret), 0);
}

/* A listener and a datagram socket whose queues are full. */
static void set_up_full(weft_runtime *rt, target *t)
{
    weft_address unnamed;
    int          fd, room;

    unix_address(&t->full_address, "full");
    unix_address(&t->datagram_address, "datagram");
    check_eq(weft_listen(rt, &t->full_address, &(weft_listen_options){.backlog = 1}, &t->full), 0);
    for (room = 0; room < 10; room++) {
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fd, &t->full_address.u.any, t->full_address.size_) < 0)
            room = 100;
        close(fd);
    }
    check_cmp(room, >, 100);
    check_eq(weft_datagram_bind(rt, &t->datagram_address, NULL, &t->datagram), 0);
    check_eq(weft_address_unix("", &unnamed), 0);
    check_eq(weft_datagram_bind(rt, &unnamed, NULL, &t->sender), 0);
    if (strncmp(t->name, "send", 4) != 0)
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (sendto(fd, "x", 1, 0, &t->datagram_address.u.any, t->datagram_address.size_) == 1)
        ;
    check_eq(errno, EAGAIN);
    close(fd);
}

static void set_up(weft_runtime *rt, target *t)
{
    t->rt = rt;
    t->buffer = malloc(LARGE);
    memset(t->buffer, 0, LARGE);
    t->fd = pair(rt, &t->stream);
    t->listener = listen_on(rt, false, &t->address);
    set_up_full(rt, t);
    check_eq(pipe2(t->pipe, O_CLOEXEC), 0);
}

static void tear_down(target *t)
{
    weft_stream_close(t->stream);
    weft_listener_close(t->listener);
    weft_listener_close(t->full);
    weft_datagram_close(t->datagram);
    weft_datagram_close(t->sender);
    close(t->fd);
    close(t->pipe[0]);
    close(t->pipe[1]);
    free(t->buffer);
}

/* Runs the body for each operation on a runtime with one thread for names. */
static void each(void (*body)(target *t), int64_t budget)
{
    check_eq(weft_signal_block(WEFT_SIGNAL(SIGUSR1)), 0);
    sem_init(&gate, 0, 0);
    for (size_t i = 0; i < N_TARGETS; i++) {
        weft_runtime              *rt = start_with(&(weft_config){
                         .workers = 1, .blocking_threads = 1, .dns_threads = 1, .budget = budget});
        target                    *t = &targets[i];
        struct weft_spawn_blocking holder;
        struct weft_timeout        limit;
        int                        n;

        set_up(rt, t);
        /* The only thread is taken, for which the job must have begun: else it is withdrawn. */
        while (t->begin == begin_resolve && n_holding == 0) {
            weft_spawn_blocking_on(&holder, weft_pool_dns(rt), hold, .unused = 0);
            weft_timeout(&limit, weft_job_detachable(&holder.future), WEFT_MS(10));
            check_eq(weft_block_on(rt, &limit.future), -ETIMEDOUT);
        }
        n = n_fds();
        fprintf(stderr, "  %s\n", t->name); /* a failure tells which */
        body(t);
        EVENTUALLY(n_fds() == n);
        tear_down(t);
        sem_post(&gate);
        stop(rt);
        while (sem_trywait(&gate) == 0)
            ;
    }
}

/* ---- the ways to give up ---- */

struct by_timeout {
    WEFT_FRAME;
    struct {
        target *target;
    } in;
    struct weft_timeout limit;
    int                 i;
};
WEFT_ASYNC(by_timeout)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(n,
                   weft_timeout(&self->limit, self->in.target->begin(self->in.target), WEFT_MS(3)));
        check_eq(n, -ETIMEDOUT);
    }
    WEFT_END(0);
}

static void timeouts(target *t)
{
    check_eq(RUN(t->rt, by_timeout, .target = t), 0);
}

Test(cancel, every_operation_times_out)
{
    each(timeouts, 0);
}

Test(cancel, every_operation_times_out_with_a_budget_of_one)
{
    each(timeouts, 1);
}

static void timeouts_on_a_thread(target *t)
{
    struct weft_timeout limit;

    for (int i = 0; i < 3; i++)
        check_eq(weft_block_on(t->rt, weft_timeout(&limit, t->begin(t), WEFT_MS(3))), -ETIMEDOUT);
}

Test(cancel, every_operation_times_out_on_a_plain_thread)
{
    each(timeouts_on_a_thread, 0);
}

struct by_select {
    WEFT_FRAME;
    struct {
        target *target;
    } in;
    struct weft_select sel;
    struct counter     turn;
    weft_future       *future;
    uint32_t           i;
};
WEFT_ASYNC(by_select)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 100; self->i++) {
        self->future = self->in.target->begin(self->in.target);
        WEFT_AWAIT(
            n, weft_select_biased(&self->sel, self->future, counter(&self->turn, self->i % 10)));
        check_eq(n, 1);
        check_eq(weft_future_result(self->future), -ECANCELED);
        check_eq(weft_select_undone(&self->sel), 0);
    }
    WEFT_END(0);
}

static void selects(target *t)
{
    check_eq(RUN(t->rt, by_select, .target = t), 0);
}

Test(cancel, every_operation_loses_a_select)
{
    each(selects, 0);
}

Test(cancel, every_operation_loses_a_select_with_a_budget_of_one)
{
    each(selects, 1);
}

struct plainly {
    WEFT_FRAME;
    struct {
        target *target;
    } in;
};
WEFT_ASYNC(plainly)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.target->begin(self->in.target));
    WEFT_END(n);
}

static void tasks(target *t)
{
    for (int i = 0; i < 3; i++) {
        weft_handle h;

        check_eq(weft_spawn_on(t->rt, &h, plainly, .target = t), 0);
        pause_ms(i == 0 ? 10 : i - 1);
        check(!weft_is_finished(&h));
        weft_cancel(&h);
        check_eq(join(t->rt, &h), -ECANCELED);
    }
}

Test(cancel, every_operation_ends_with_its_task)
{
    each(tasks, 0);
}

/* Polled when the budget is used up, an operation has not begun; cancelled then, it must not. */
static void without_budget(target *t)
{
    weft_waker   noop = weft_waker_noop();
    weft_future *f = t->begin(t);
    weft_context cx;
    int          polls = 0;

    weft_context_init(&cx, &noop, t->rt);
    cx.budget = 0;
    check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    weft_context_init(&cx, &noop, t->rt);
    while (!weft_poll_is_ready(weft_future_poll(f, &cx))) {
        check(drains(t));
        check_cmp(polls++, <, 5000);
        pause_ms(1);
    }
    check_eq(weft_future_result(f), -ECANCELED);
}

Test(cancel, every_operation_that_found_no_budget_can_be_cancelled)
{
    each(without_budget, 0);
}

/* A cancelled WITHDRAWS future is READY at its next poll. */
static void cancel_at_once(target *t)
{
    weft_waker   noop = weft_waker_noop();
    weft_future *f = t->begin(t);
    weft_context cx;
    int          polls = 0;

    weft_context_init(&cx, &noop, t->rt);
    check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    check(!weft_poll_is_ready(weft_future_cancel(f))); /* asking again changes nothing */
    check_eq(!!(f->ops->flags & WEFT_FUTURE_DRAINS), drains(t));
    check_eq(!!(f->ops->flags & WEFT_FUTURE_WITHDRAWS), !drains(t));
    while (!weft_poll_is_ready(weft_future_poll(f, &cx))) {
        check(drains(t));
        check_cmp(polls++, <, 5000);
        pause_ms(1);
    }
    check_eq(weft_future_result(f), -ECANCELED);
}

Test(cancel, what_withdraws_is_ready_at_the_next_poll)
{
    each(cancel_at_once, 0);
}

/* The same by stopping the runtime; its sockets are closed by the tasks themselves. */
struct until_stop {
    WEFT_FRAME;
    struct {
        target *target;
    } in;
};
WEFT_ASYNC(until_stop)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.target->begin(self->in.target));
    check_eq(n, -ECANCELED);
    tear_down(self->in.target);
    WEFT_END(n);
}

Test(cancel, stopping_ends_every_operation)
{
    int n = n_fds();

    check_eq(weft_signal_block(WEFT_SIGNAL(SIGUSR1)), 0);
    for (size_t i = 0; i < N_TARGETS; i++) {
        target       *t = &targets[i];
        weft_runtime *rt;
        weft_handle   h;

        if (t->begin == begin_job || t->begin == begin_resolve)
            continue; /* what runs is waited for: see test_blocking.c */
        rt = start(2);
        set_up(rt, t);
        check_eq(weft_spawn_on(rt, &h, until_stop, .target = t), 0);
        pause_ms(5);
        stop(rt);
        check(weft_is_finished(&h));
        weft_detach(&h);
        check_eq(n_fds(), n);
    }
}
