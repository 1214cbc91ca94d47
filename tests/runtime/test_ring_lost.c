/*
 * test_ring_lost.c - the ring is taken from a running runtime: what it had fails, what comes then
 * goes without
 */
#include "../net_helpers.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* From now on, in all threads, the system call fails with the error. */
static void deny_everywhere(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};

    check_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        test_skip("no seccomp filters for all threads here");
}

static void deny_enter(void)
{
    deny_everywhere(SYS_io_uring_enter, EPERM);
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

struct reader {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(reader)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
    WEFT_END(n);
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

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(acceptor)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
    WEFT_END(n);
}

struct watcher {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
    weft_io io;
};
WEFT_ASYNC(watcher)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_fd_ready(&self->io, self->in.fd, POLLIN));
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

/* Those that wait already, and those that come now. */
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
    check_eq(JOIN(rt, &handle[0]), 1);
    check_eq(weft_spawn_on(rt, &late, reader, .stream = other), 0);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_read(&io, stream, &byte, 1), WEFT_MS(20))),
             -ETIMEDOUT);
    raw_write(end, "x", 1);
    check_eq(JOIN(rt, &late), 1);
    for (int n = 0; n < 4 * (int)sizeof bytes;) /* so that the writer gets on */
        n += (int)recv(peer, received, sizeof received, 0);
    weft_stream_close(other);
    close(end);
}

static void check_lost(void (*lose)(void), int64_t mask, int error)
{
    log_lines      log = LOG_LINES;
    int            n_before = n_fds(), ends[2], peer;
    weft_runtime  *rt = start_with((weft_config){.workers = 2,
                                                 .ring_mask = mask,
                                                 .log = keep_line,
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
    check_eq(weft_spawn_on(rt, &handle[0], reader, .stream = stream), 0);
    check_eq(weft_spawn_on(rt, &handle[1], writer, .stream = stream), 0);
    check_eq(weft_spawn_on(rt, &handle[2], acceptor, .listener = listener), 0);
    check_eq(weft_spawn_on(rt, &handle[3], watcher, .fd = ends[0]), 0);
    pause_ms(20); /* they wait; if not yet, they find it lost a little later */
    lose();
    /* It is noticed by the next one that needs it. */
    check_eq(weft_block_on(rt, weft_file_read(&io, ends[0], &byte, 1, -1)), error);
    check_eq(JOIN(rt, &handle[3]), error);
    check_eq(weft_runtime_backend(rt), WEFT_BACKEND_EPOLL);
    check_eq(weft_block_on(rt, weft_file_write(&io, ends[1], "y", 1, -1)), 1);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, ends[0], POLLIN)), POLLIN);
    check_eq(weft_block_on(rt, weft_file_read(&io, ends[0], &byte, 1, -1)), 1);
    check_eq(RUN(rt, others, .ms = 20), 5);
    check_sockets_go_on(rt, stream, peer, handle);
    weft_stream_close(stream);
    weft_listener_close(listener);
    while (recv(peer, received, sizeof received, 0) > 0) /* it ends */
        ;
    n = JOIN(rt, &handle[1]);
    check(n == -ECANCELED || n == -EBADF); /* it waited, or was just about to write again */
    check_eq(JOIN(rt, &handle[2]), -ECANCELED);
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

Test(ring_lost, stop_ends_also_when_nobody_has_noticed_yet)
{
    weft_runtime *rt = start_with(
        (weft_config){.workers = 2, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_address   address;
    weft_listener *listener = listen_on(rt, false, &address);

    check_eq(weft_spawn_on(rt, NULL, acceptor, .listener = listener), 0);
    pause_ms(20); /* it waits */
    close_ring();
    weft_listener_close(listener);
    stop(rt);
}

/* The cancel is the first that needs the ring: it finds it lost, and what waits is cancelled by its
 * owner and by the end of the ring at once. */
static void check_cancelled(void (*lose)(void), int64_t mask)
{
    weft_runtime *rt = start_with((weft_config){
        .workers = 1, .ring_mask = mask, .log = weft_log_none, .backend = WEFT_BACKEND_URING});
    weft_handle   handle;
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &handle, watcher, .fd = ends[0]), 0);
    pause_ms(20); /* it waits; if not yet, it is cancelled before it does */
    lose();
    weft_cancel(&handle);
    check_eq(JOIN(rt, &handle), -ECANCELED);
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

/* There the kernel still answers: all that it had is cancelled by the end of the ring. */
Test(ring_lost, also_without_deferred_work)
{
    test_skip_under_valgrind("it makes calls of its own");
    check_cancelled(deny_enter, 7);
}
