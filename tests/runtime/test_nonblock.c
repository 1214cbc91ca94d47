/*
 * test_nonblock.c - descriptors whose O_NONBLOCK another process has cleared: no operation waits in
 * a worker
 *
 * weft_block_on polls on the test's own thread, so an operation that waits there instead of
 * answering PENDING hangs, and the time limit fails the case.
 */
#include "../sockets.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LARGE (8 << 20)

/* As another process that has the descriptor would. */
static void clear_flag(int fd)
{
    pid_t pid = fork();
    int   status;

    check_cmp(pid, >=, 0);
    if (pid == 0)
        _exit(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0);
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    check_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

static int64_t with_limit(weft_runtime *rt, weft_future *future)
{
    struct weft_timeout limit;

    return weft_block_on(rt, weft_timeout(&limit, future, WEFT_MS(5)));
}

/* ---- accepting ---- */

static void check_listener(weft_runtime *rt, int fd, const weft_address *address)
{
    weft_listener *l;
    weft_stream   *s = NULL;
    weft_address   from, peer;
    socklen_t      size = sizeof from.u;
    weft_io        io;
    int            client;

    check_eq(weft_listener_adopt(rt, fd, &l), 0);
    for (int i = 0; i < 3; i++) {
        clear_flag(fd);
        check_eq(with_limit(rt, weft_accept(&io, l, &s)), -ETIMEDOUT);
        check(!s);
        client = raw_connect(address);
        check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
        check_eq(getsockname(client, &from.u.any, &size), 0);
        check_eq(weft_stream_peer_address(s, &peer), 0);
        check_eq(weft_address_port(&peer), weft_address_port(&from));
        check_eq(fcntl(weft_stream_fd(s), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        check_eq(fcntl(weft_stream_fd(s), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        weft_stream_close(s);
        s = NULL;
        close(client);
    }
    weft_listener_close(l);
}

Test(nonblock, an_accept_waits_as_a_future)
{
    weft_runtime *rt = start(1);
    int           n = n_fds();
    weft_address  address;

    check_listener(rt, raw_listen(false, 8, &address), &address);
    check_cmp(n_fds(), <=, n + 1); /* one more ring, until the runtime stops */
    stop(rt);
}

/* Another process may share weft's own listener too, for example after a fork. */
Test(nonblock, an_accept_of_weft_s_own_listener_too)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s;
    weft_io        io;
    int            client;

    clear_flag(weft_listener_fd(l));
    check_eq(with_limit(rt, weft_accept(&io, l, &s)), -ETIMEDOUT);
    client = raw_connect(&address);
    check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
    weft_stream_close(s);
    weft_listener_close(l);
    close(client);
    stop(rt);
}

/* Both processes get the event, and the other process takes the connection. */
Test(nonblock, an_accept_that_another_process_was_faster_than_waits_as_a_future)
{
    weft_runtime       *rt = start(1);
    weft_address        address;
    int                 fd = raw_listen(false, 8, &address), client, taken;
    weft_listener      *l;
    weft_stream        *s;
    struct weft_timeout limit;
    weft_io             io;
    weft_waker          noop = weft_waker_noop();
    weft_context        cx;
    weft_future        *accept_both;

    check_eq(weft_listener_adopt(rt, fd, &l), 0);
    clear_flag(fd);
    weft_context_init(&cx, &noop, rt);
    accept_both = weft_timeout(&limit, weft_accept(&io, l, &s), WEFT_MS(20));
    check(!weft_poll_is_ready(weft_future_poll(accept_both, &cx)));
    client = raw_connect(&address);
    taken = accept(fd, NULL, NULL);
    check_cmp(taken, >=, 0);
    check_eq(weft_block_on(rt, accept_both), -ETIMEDOUT);
    close(taken);
    close(client);
    weft_listener_close(l);
    stop(rt);
}

/* Clears the flag all the time, so that a check of the flag proves nothing. */
static pid_t keep_clearing(int fd)
{
    pid_t pid = fork();

    check_cmp(pid, >=, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            fcntl(fd, F_SETFL, 0);
    }
    return pid;
}

Test(nonblock, an_accept_waits_as_a_future_also_while_the_flag_is_being_cleared)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    int            fd = raw_listen(false, 8, &address);
    weft_waker     noop = weft_waker_noop();
    pid_t          pid = keep_clearing(fd);
    weft_listener *l;
    weft_stream   *s;
    weft_context   cx;
    weft_io        io;

    check_eq(weft_listener_adopt(rt, fd, &l), 0);
    weft_context_init(&cx, &noop, rt);
    for (int64_t i = test_scaled(100000); i > 0; i--) {
        cx.budget = WEFT_BUDGET_DEFAULT;
        check(!weft_poll_is_ready(weft_future_poll(weft_accept(&io, l, &s), &cx)));
        check(!weft_poll_is_ready(weft_future_cancel(&io.future)));
        check(weft_poll_is_ready(weft_future_poll(&io.future, &cx)));
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    weft_listener_close(l);
    stop(rt);
}

/* ---- reading and writing ---- */

static void check_read(weft_runtime *rt, int fd, int other)
{
    weft_stream *s;
    weft_io      io;
    char         buffer[8];

    check_eq(weft_stream_adopt(rt, fd, &s), 0);
    for (int i = 0; i < 3; i++) {
        struct iovec vector[] = {{buffer, 1}, {buffer + 1, 7}};

        clear_flag(fd);
        check_eq(with_limit(rt, weft_read(&io, s, buffer, sizeof buffer)), -ETIMEDOUT);
        check_eq(with_limit(rt, weft_readv(&io, s, vector, 2)), -ETIMEDOUT);
        clear_flag(fd);
        check_eq(weft_stream_try_read(s, buffer, sizeof buffer), -EAGAIN);
        check_eq(write(other, "ab\n", 3), 3);
        if (i == 1)
            check_eq(weft_block_on(rt, weft_readv(&io, s, vector, 2)), 3);
        else
            check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 3);
        check_eq(memcmp(buffer, "ab\n", 3), 0);
    }
    weft_stream_close(s);
}

static void check_write(weft_runtime *rt, int fd, int other)
{
    static char         bytes[1 << 20];
    struct iovec        vector[] = {{bytes, 1 << 10}, {bytes, 1 << 10}};
    weft_stream        *s;
    struct weft_timeout limit;
    weft_io             io;
    int64_t             r;

    check_eq(weft_stream_adopt(rt, fd, &s), 0);
    clear_flag(fd);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_write_all(&io, s, bytes, sizeof bytes),
                                            WEFT_MS(20))),
             -ETIMEDOUT);
    clear_flag(fd);
    check_eq(with_limit(rt, weft_writev(&io, s, vector, 2)), -ETIMEDOUT);
    clear_flag(fd);
    do
        r = weft_stream_try_write(s, bytes, 1 << 10);
    while (r > 0);
    check_eq(r, -EAGAIN);
    check_cmp(read(other, bytes, sizeof bytes), >, 0);
    check_cmp(weft_block_on(rt, weft_write(&io, s, bytes, 1 << 10)), >, 0);
    weft_stream_close(s);
}

Test(nonblock, a_pipe_is_waited_for_as_a_future)
{
    weft_runtime *rt = start(1);
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_read(rt, ends[0], ends[1]);
    close(ends[1]);
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_write(rt, ends[1], ends[0]);
    close(ends[0]);
    stop(rt);
}

Test(nonblock, a_fifo_too)
{
    weft_runtime *rt = start(1);
    char          folder[] = "/tmp/weft-test-XXXXXX", path[64];
    int           reader, writer;

    check(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/fifo", folder);
    check_eq(mkfifo(path, 0600), 0);
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    check_read(rt, reader, writer);
    reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    check_write(rt, writer, reader);
    close(reader);
    unlink(path);
    rmdir(folder);
    stop(rt);
}

Test(nonblock, a_terminal_too)
{
    weft_runtime *rt = start(1);
    int           master, slave;

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        test_skip("no pseudo-terminals here");
    check_read(rt, slave, master);
    close(master);
    stop(rt);
}

Test(nonblock, a_socket_too)
{
    weft_runtime *rt = start(1);
    int           ends[2];

    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_read(rt, ends[0], ends[1]);
    close(ends[1]);
    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_write(rt, ends[0], ends[1]);
    close(ends[1]);
    stop(rt);
}

/* ---- writing to a terminal by weft_file_write ---- */

struct writes {
    WEFT_FRAME;
    struct {
        int    fd;
        size_t size;
    } in;
    weft_io io;
};
WEFT_ASYNC(writes)
{
    static char bytes[128 << 10];
    int64_t     n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_write_all(&self->io, self->in.fd, bytes, self->in.size, -1));
    WEFT_END(n);
}

/* The terminal takes a part, and the rest only when it is read. A timer and an operation on a file
 * need the thread that makes the first attempt. */
Test(nonblock, a_terminal_that_is_not_read_holds_up_no_other_operation)
{
    weft_runtime     *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_handle       h;
    struct weft_sleep nap;
    weft_io           io;
    int               master, slave;
    static char       bytes[4096];

    if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
        test_skip("no pseudo-terminals here");
    check_eq(weft_spawn_on(rt, &h, writes, .fd = slave, .size = 100000), 0);
    pause_ms(20);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, master, POLLIN)), POLLIN);
    check(!weft_is_finished(&h));
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    while (poll(&(struct pollfd){master, POLLIN, 0}, 1, 0) > 0)
        check_cmp(read(master, bytes, sizeof bytes), >, 0);
    check_eq(weft_spawn_on(rt, &h, writes, .fd = slave, .size = 4), 0);
    check_eq(join(rt, &h), 4);
    close(slave);
    close(master);
    stop(rt);
}

/* ---- sending files ---- */

static int make_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        test_skip("no unnamed files in /tmp");
    for (uint32_t i = 0; i < LARGE / sizeof i; i += 1024) {
        uint32_t block[1024];

        for (uint32_t j = 0; j < 1024; j++)
            block[j] = i + j;
        check_eq(write(fd, block, sizeof block), sizeof block);
    }
    return fd;
}

struct sends {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          file;
        int64_t      from;
    } in;
    weft_io io;
};
WEFT_ASYNC(sends)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n,
               weft_send_file(&self->io, self->in.stream, self->in.file, self->in.from, SIZE_MAX));
    WEFT_END(n);
}

/* The data exceeds the room. The first part is sent at once, the rest when the peer reads. */
static void check_send(weft_runtime *rt, weft_stream *s, int peer, int file)
{
    weft_handle         handle;
    struct weft_timeout limit;
    weft_io             io;
    uint32_t            block[1024];

    check_eq(weft_block_on(
                 rt, weft_timeout(&limit, weft_send_file(&io, s, file, 0, SIZE_MAX), WEFT_MS(20))),
             -ETIMEDOUT);
    check_cmp(io.done, >, 0);
    check_eq(weft_spawn_on(rt, &handle, sends, .stream = s, .file = file, .from = io.done), 0);
    for (uint32_t i = 0; i < LARGE / sizeof i; i += 1024) {
        raw_read(peer, block, sizeof block);
        for (uint32_t j = 0; j < 1024; j++)
            check_eq(block[j], i + j);
    }
    check_eq(join(rt, &handle), LARGE - io.done);
    weft_stream_close(s);
    close(peer);
}

Test(nonblock, a_file_is_sent_as_a_future)
{
    weft_runtime *rt = start(1);
    int           file = make_file(), peer, ends[2], small = 65536;
    weft_stream  *s;

    peer = pair(rt, &s);
    setsockopt(weft_stream_fd(s), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    clear_flag(weft_stream_fd(s));
    check_send(rt, s, peer, file);

    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_eq(weft_stream_adopt(rt, ends[0], &s), 0);
    clear_flag(ends[0]);
    check_send(rt, s, ends[1], file);
    close(file);
    stop(rt);
}
