/*
 * test_ring_lost.c - a running runtime loses its ring: operations in flight fail, and later ones
 * run without it
 */
#include "../actors.h"
#include "../deny.h"
#include "../sockets.h"

#include <sys/syscall.h>

static void deny_enter(void)
{
    deny(SYS_io_uring_enter, EPERM);
}

/* As a careless daemon() does. */
static void close_ring(void)
{
    for (int fd = 3; fd < 100; fd++) {
        char path[64], name[64] = "";

        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, name, sizeof name - 1) > 0 && strstr(name, "io_uring"))
            close(fd);
    }
}

static char bytes[1 << 16], received[1 << 16];

struct writer {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
};
WEFT_ASYNC(writer)
{
    int64_t n;

    WEFT_BEGIN();
    do
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, bytes, sizeof bytes));
    while (n > 0);
    WEFT_END(n);
}

struct five {
    int64_t n;
};
WEFT_BLOCKING(five)
{
    return self->n;
}

struct others {
    WEFT_FRAME;
    struct {
        int64_t ms;
    } in;
    struct weft_sleep          nap;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(others)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(self->in.ms)));
    if (n == 0)
        WEFT_AWAIT(n, weft_spawn_blocking(&self->job, five, .n = 5));
    WEFT_END(n);
}

/* Operations that wait already must continue, and new ones must work. */
static void check_sockets_go_on(weft_runtime *rt, weft_stream *stream, int peer,
                                weft_handle *handle)
{
    weft_stream        *other;
    weft_handle         late;
    struct weft_timeout limit;
    weft_io             io;
    char                byte;
    int                 end = pair(rt, &other);

    raw_write(peer, "x", 1);
    check_eq(join(rt, &handle[0]), 1);
    check_eq(weft_spawn_on(rt, &late, reads_byte, .stream = other), 0);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_read(&io, stream, &byte, 1), WEFT_MS(20))),
             -ETIMEDOUT);
    raw_write(end, "x", 1);
    check_eq(join(rt, &late), 1);
    for (int n = 0; n < 4 * (int)sizeof bytes;) /* so that the writer gets on */
        n += (int)recv(peer, received, sizeof received, 0);
    weft_stream_close(other);
    close(end);
}

/* The kernel has the task's operation once it has ended a later one. */
static void wait_for_kernel(weft_runtime *rt, int writable)
{
    weft_io io;

    EVENTUALLY(counters(rt).polls > 0);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, writable, POLLOUT)), POLLOUT);
}

/* The next operation that needs the ring finds it lost, unless the reactor was there before it. */
static void notice_loss(weft_runtime *rt, int writable, int error)
{
    weft_io io;
    int64_t n = weft_block_on(rt, weft_fd_ready(&io, writable, POLLOUT));

    check(n == error || n == POLLOUT);
    check_eq(weft_runtime_backend(rt), WEFT_BACKEND_EPOLL);
}

static void check_lost(void (*lose)(void), int64_t mask, int error)
{
    struct lines   log = LINES;
    int            n_before = n_fds(), ends[2], peer;
    weft_runtime  *rt = start_with(&(weft_config){.workers = 2,
                                                  .ring_mask = mask,
                                                  .log = lines_add,
                                                  .log_arg = &log,
                                                  .backend = WEFT_BACKEND_URING});
    weft_address   address;
    weft_listener *listener = listen_on(rt, false, &address);
    weft_stream   *stream;
    weft_handle    handle[4];
    weft_io        io;
    int64_t        n;
    char           byte;

    peer = pair(rt, &stream);
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &handle[3], awaits_fd, .fd = ends[0], .events = POLLIN), 0);
    wait_for_kernel(rt, ends[1]);
    check_eq(weft_spawn_on(rt, &handle[0], reads_byte, .stream = stream), 0);
    check_eq(weft_spawn_on(rt, &handle[1], writer, .stream = stream), 0);
    check_eq(weft_spawn_on(rt, &handle[2], accepts, .listener = listener), 0);
    pause_ms(20); /* they wait; if not yet, they find it lost a little later */
    lose();
    notice_loss(rt, ends[1], error);
    check_eq(join(rt, &handle[3]), error);
    check_eq(weft_block_on(rt, weft_file_write(&io, ends[1], "y", 1, -1)), 1);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, ends[0], POLLIN)), POLLIN);
    check_eq(weft_block_on(rt, weft_file_read(&io, ends[0], &byte, 1, -1)), 1);
    check_eq(RUN(rt, others, .ms = 20), 5);
    check_sockets_go_on(rt, stream, peer, handle);
    weft_stream_close(stream);
    weft_listener_close(listener);
    while (recv(peer, received, sizeof received, 0) > 0) /* it ends */
        ;
    n = join(rt, &handle[1]);
    check(n == -ECANCELED || n == -EBADF); /* it waited, or was just about to write again */
    check_eq(join(rt, &handle[2]), -ECANCELED);
    stop(rt);
    check_eq(log.n, 1);
    check_str_contains(log.text, "io_uring has failed for good");
    close(peer);
    close(ends[0]);
    close(ends[1]);
    check_eq(n_fds(), n_before);
}

Test(ring_lost, a_filter_that_comes_later_fails_what_needs_the_ring)
{
    test_skip_under_valgrind("it makes calls of its own");
    check_lost(deny_enter, 0, -EPERM);
}

Test(ring_lost, the_same_without_deferred_work)
{
    test_skip_under_valgrind("it makes calls of its own");
    check_lost(deny_enter, 7, -EPERM);
}

Test(ring_lost, a_closed_descriptor_fails_what_needs_the_ring)
{
    check_lost(close_ring, 0, -EBADF);
}

/* A listener that may block accepts by a ring of its own, which gets the number of the lost one. */
Test(ring_lost, an_accept_does_not_take_its_place)
{
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 1, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_address   address;
    weft_listener *listener;
    weft_handle    handle;
    int            ends[2];

    check_eq(weft_listener_adopt(rt, raw_listen(false, 1, &address), &listener), 0);
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    close_ring();
    check_eq(weft_spawn_on(rt, &handle, accepts, .listener = listener), 0);
    EVENTUALLY(counters(rt).polls > 0);
    notice_loss(rt, ends[1], -EBADF);
    weft_listener_close(listener);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
    close(ends[0]);
    close(ends[1]);
}

Test(ring_lost, stop_ends_also_when_nobody_has_noticed_yet)
{
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 2, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_address   address;
    weft_listener *listener = listen_on(rt, false, &address);

    check_eq(weft_spawn_on(rt, NULL, accepts, .listener = listener), 0);
    pause_ms(20); /* it waits */
    close_ring();
    weft_listener_close(listener);
    stop(rt);
}

static void round_trips(int peer, int n)
{
    char byte = 'x';

    for (int i = 0; i < n; i++) {
        raw_write(peer, &byte, 1);
        raw_read(peer, &byte, 1);
    }
}

/* A worker waits for the sockets when the ring is lost, and another time afterwards. */
Test(ring_lost, a_leader_leads_on)
{
    weft_runtime *rt = start_with(&(weft_config){
        .workers = 1, .leader_after = 1, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_handle   handle;
    weft_stream  *stream;
    uint64_t      before;
    int           peer = pair(rt, &stream), ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &handle, echo, .stream = stream), 0);
    while (counters(rt).leader_found == 0)
        round_trips(peer, 1);
    close_ring();
    notice_loss(rt, ends[1], -EBADF);
    before = counters(rt).leader_found;
    while (counters(rt).leader_found == before)
        round_trips(peer, 1);
    round_trips(peer, 100);
    close(peer);
    check_eq(join(rt, &handle), 0);
    weft_stream_close(stream);
    close(ends[0]);
    close(ends[1]);
    stop(rt);
}

/* The cancel is the first that needs the ring: it finds it lost, and what waits is cancelled by its
 * owner and by the end of the ring at once. */
static void check_cancelled(void (*lose)(void), int64_t mask)
{
    weft_runtime *rt = start_with(&(weft_config){
        .workers = 1, .ring_mask = mask, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_handle   handle;
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &handle, awaits_fd, .fd = ends[0], .events = POLLIN), 0);
    pause_ms(20); /* it waits; if not yet, it is cancelled before it does */
    lose();
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
    close(ends[0]);
    close(ends[1]);
}

Test(ring_lost, an_operation_that_its_owner_cancels_says_so)
{
    test_skip_under_valgrind("it makes calls of its own");
    check_cancelled(close_ring, 0);
    check_cancelled(close_ring, 7);
    check_cancelled(deny_enter, 0);
}

/* Here the kernel still completes requests: the end of the ring cancels all that are in flight. */
Test(ring_lost, also_without_deferred_work)
{
    test_skip_under_valgrind("it makes calls of its own");
    check_cancelled(deny_enter, 7);
}

/* The stream is of the time before the loss, and its runtime had zero-copy writes. */
Test(ring_lost, a_zero_copy_write_copies_then)
{
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 1, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_stream *stream;
    weft_io      io;
    int          peer = pair(rt, &stream), ends[2];
    char         byte;

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    weft_write_zero_copy(&io, stream, "x", 1);
    close_ring();
    notice_loss(rt, ends[1], -EBADF);
    check_eq(weft_block_on(rt, &io.future), 1);
    raw_read(peer, &byte, 1);
    check_eq(byte, 'x');
    check_eq(weft_block_on(rt, weft_write_zero_copy(&io, stream, "y", 1)), 1);
    raw_read(peer, &byte, 1);
    check_eq(byte, 'y');
    weft_stream_close(stream);
    close(peer);
    close(ends[0]);
    close(ends[1]);
    stop(rt);
}
