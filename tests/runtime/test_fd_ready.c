/*
 * test_fd_ready.c - waiting for descriptors of other libraries, as they need it
 */
#include "../sockets.h"

static void socket_pair(int ret[2])
{
    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret), 0);
}

static void fill(int fd)
{
    static const char zeros[4096];

    while (send(fd, zeros, sizeof zeros, MSG_DONTWAIT) > 0)
        ;
    check_eq(errno, EAGAIN);
}

static void empty(int fd)
{
    char bytes[4096];

    while (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

struct await_ready {
    WEFT_FRAME;
    struct {
        int             fd;
        unsigned        events;
        struct watched *polls; /* or NULL */
    } in;
    weft_io io;
};
WEFT_ASYNC(await_ready)
{
    int64_t n;

    WEFT_BEGIN();
    weft_fd_ready(&self->io, self->in.fd, self->in.events);
    if (self->in.polls)
        WEFT_AWAIT(n, watched(self->in.polls, &self->io.future));
    else
        WEFT_AWAIT(n, &self->io.future);
    WEFT_END(n);
}

#define RUN_IO(...) weft_block_on(rt, __VA_ARGS__)

Test(fd_ready, two_tasks_wait_for_the_two_directions_of_one_socket)
{
    weft_runtime *rt = start(2);
    weft_handle   in, out;
    int           end[2];

    socket_pair(end);
    fill(end[0]);
    check_eq(weft_spawn_on(rt, &in, await_ready, .fd = end[0], .events = POLLIN), 0);
    check_eq(weft_spawn_on(rt, &out, await_ready, .fd = end[0], .events = POLLOUT), 0);
    pause_ms(10);
    check(!weft_is_finished(&in) && !weft_is_finished(&out));
    check_eq(send(end[1], "x", 1, 0), 1);
    check_eq(join(rt, &in), POLLIN);
    pause_ms(5);
    check(!weft_is_finished(&out));
    empty(end[1]);
    check_eq(join(rt, &out), POLLOUT);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

Test(fd_ready, several_tasks_may_wait_for_the_same)
{
    weft_runtime *rt = start(2);
    weft_handle   h[8];
    int           end[2];

    socket_pair(end);
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &h[i], await_ready, .fd = end[0], .events = POLLIN), 0);
    pause_ms(5);
    check_eq(send(end[1], "x", 1, 0), 1);
    for (int i = 0; i < 8; i++)
        check_eq(join(rt, &h[i]), POLLIN);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

Test(fd_ready, both_directions_in_one_wait)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           end[2];

    socket_pair(end);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN | POLLOUT)), POLLOUT);
    check_eq(send(end[1], "x", 1, 0), 1);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN | POLLOUT)), POLLIN | POLLOUT);
    fill(end[0]);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN | POLLOUT)), POLLIN);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

/* A library that reads a part of the bytes gets another event for the rest. */
Test(fd_ready, is_level_triggered)
{
    weft_runtime       *rt = start(1);
    struct weft_timeout limit;
    weft_io             io;
    char                byte;
    int                 end[2];

    socket_pair(end);
    check_eq(send(end[1], "abc", 3, 0), 3);
    for (int i = 0; i < 3; i++) {
        check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN)), POLLIN);
        check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN)), POLLIN);
        check_eq(recv(end[0], &byte, 1, 0), 1);
    }
    check_eq(RUN_IO(weft_timeout(&limit, weft_fd_ready(&io, end[0], POLLIN), WEFT_MS(5))),
             -ETIMEDOUT);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

Test(fd_ready, ends_and_errors_are_told_without_being_asked_for)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    weft_address  address;
    int           end[2], listener = raw_listen(false, 1, &address), fd;

    socket_pair(end);
    close(end[1]);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], 0)), POLLHUP);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN)), POLLIN | POLLHUP);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLIN | POLLRDHUP)), POLLIN | POLLHUP | POLLRDHUP);
    close(end[0]);

    fd = raw_connect(&address);
    raw_reset(accept(listener, NULL, NULL));
    check_eq(RUN_IO(weft_fd_ready(&io, fd, 0)) & POLLERR, POLLERR);
    close(fd);
    close(listener);
    check_eq(RUN_IO(weft_fd_ready(&io, 9999, POLLIN)), -EBADF);
    check_eq(RUN_IO(weft_fd_ready(&io, -1, POLLIN)), -EBADF);
    stop(rt);
}

/* Else a task that waits for room would never sleep once the peer has ended its half. */
Test(fd_ready, a_half_close_is_not_told_without_being_asked_for)
{
    weft_runtime       *rt = start(1);
    struct weft_timeout limit;
    weft_handle         h;
    weft_io             io;
    int                 n, end[2];

    socket_pair(end);
    n = n_fds();
    fill(end[0]);
    check_eq(shutdown(end[1], SHUT_WR), 0);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLOUT | POLLRDHUP)), POLLRDHUP);
    check_eq(RUN_IO(weft_fd_ready(&io, end[0], POLLOUT | POLLIN)), POLLIN);
    check_eq(RUN_IO(weft_timeout(&limit, weft_fd_ready(&io, end[0], POLLOUT), WEFT_MS(10))),
             -ETIMEDOUT);
    check_eq(weft_spawn_on(rt, &h, await_ready, .fd = end[0], .events = POLLOUT), 0);
    pause_ms(10);
    check(!weft_is_finished(&h));
    empty(end[1]);
    check_eq(join(rt, &h), POLLOUT);
    check_eq(n_fds(), n);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

/* Another library has begun a connect. libpq and libcurl wait in this way. */
Test(fd_ready, tells_of_a_connection)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    weft_address  address;
    int           listener = raw_listen(false, 1, &address);
    int           fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int           error = -1;
    socklen_t     size = sizeof error;

    check(connect(fd, &address.u.any, size_of(&address)) == 0 || errno == EINPROGRESS);
    check_eq(RUN_IO(weft_fd_ready(&io, fd, POLLOUT)), POLLOUT);
    check_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    check_eq(error, 0);
    close(fd);
    close(listener);
    stop(rt);
}

Test(fd_ready, files_and_directories_are_always_ready)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int           dir = open("/", O_RDONLY | O_CLOEXEC);

    check_eq(RUN_IO(weft_fd_ready(&io, file, POLLIN)), POLLIN);
    check_eq(RUN_IO(weft_fd_ready(&io, dir, POLLIN | POLLOUT)), POLLIN | POLLOUT);
    check_eq(RUN_IO(weft_fd_ready(&io, file, POLLPRI)), -EINVAL); /* or it would never end */
    check_eq(RUN_IO(weft_fd_ready(&io, dir, 0)), -EINVAL);
    close(file);
    close(dir);
    stop(rt);
}

/* The header says what happens if the descriptor is closed during the wait: the wait continues, on
 * the open file. */
Test(fd_ready, outlives_a_close_and_is_cancelled)
{
    weft_runtime  *rt = start(1);
    weft_handle    waits, cancelled;
    struct watched polls[2] = {{.n_polls = 0}};
    weft_io        io;
    int            n = n_fds(), end[2], other[2];

    socket_pair(end);
    socket_pair(other);
    check_eq(
        weft_spawn_on(rt, &waits, await_ready, .fd = end[0], .events = POLLIN, .polls = &polls[0]),
        0);
    check_eq(weft_spawn_on(rt, &cancelled, await_ready, .fd = other[0], .events = POLLIN,
                           .polls = &polls[1]),
             0);
    EVENTUALLY(polls[0].n_polls == 1 && polls[1].n_polls == 1);
    /* The kernel has both once it has ended a later one. Before, the answer would be -EBADF. */
    check_eq(RUN_IO(weft_fd_ready(&io, end[1], POLLOUT)), POLLOUT);
    close(end[0]);
    close(other[0]);
    pause_ms(5);
    check(!weft_is_finished(&waits) && !weft_is_finished(&cancelled));
    check_eq(send(end[1], "x", 1, MSG_NOSIGNAL), 1); /* the peer has not been told either */
    check_eq(join(rt, &waits), POLLIN);
    weft_cancel(&cancelled);
    check_eq(join(rt, &cancelled), -ECANCELED);
    EVENTUALLY(send(other[1], "x", 1, MSG_NOSIGNAL) < 0); /* now it is */
    close(end[1]);
    close(other[1]);
    check_eq(n_fds(), n);
    stop(rt);
}
