/*
 * test_adopt.c - descriptors that come to weft and leave it; streams in two halves
 */
#include "../sockets.h"

#include <sys/epoll.h>
#include <sys/stat.h>

#include <fcntl.h>

struct read_once {
    WEFT_FRAME;
    struct {
        weft_stream    *stream;
        struct watched *polls;
    } in;
    weft_io io;
    char    buffer[64];
};
WEFT_ASYNC(read_once)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls, weft_read(&self->io, self->in.stream, self->buffer,
                                                    sizeof self->buffer)));
    WEFT_END(n);
}

/* A task that waits in a read by now. */
static weft_handle pending_read(weft_runtime *rt, weft_stream *s, struct watched *polls)
{
    weft_handle h;

    polls->n_polls = 0;
    check_eq(weft_spawn_on(rt, &h, read_once, .stream = s, .polls = polls), 0);
    EVENTUALLY(polls->n_polls >= 1);
    pause_ms(5);
    check(!weft_is_finished(&h));
    return h;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_non_blocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

static void raw_pair(int fd[2])
{
    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    raw_set_patience(fd[1]);
}

/* ---- coming ---- */

Test(adopt, a_socket_becomes_a_stream)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          got[8];
    int           fd[2];

    raw_pair(fd);
    check_eq(weft_stream_adopt(rt, fd[0], &s), 0);
    check(is_non_blocking(fd[0]));
    check_eq(weft_stream_fd(s), fd[0]);
    check_eq(weft_block_on(rt, weft_write_all(&io, s, "hello", 5)), 5);
    raw_read(fd[1], got, 5);
    raw_write(fd[1], "you", 3);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 3);
    weft_stream_close(s);
    check(!is_open(fd[0]));
    check_eq(recv(fd[1], got, 1, 0), 0);
    close(fd[1]);
    stop(rt);
}

/* The rest after a short read of a pipe, or a terminal's next line, must be read at once: no event
 * reports it. */
Test(adopt, a_pipe_becomes_a_stream_at_either_end)
{
    weft_runtime  *rt = start(1);
    weft_stream   *in, *out;
    weft_handle    h;
    struct watched polls;
    weft_io        io;
    char           got[100];
    int            fd[2];

    check_eq(pipe2(fd, O_CLOEXEC | O_DIRECT), 0); /* keeps the bounds of writes: reads come short */
    check_eq(weft_stream_adopt(rt, fd[0], &in), 0);
    check_eq(weft_stream_adopt(rt, fd[1], &out), 0);
    h = pending_read(rt, in, &polls);
    check_eq(weft_block_on(rt, weft_write_all(&io, out, "abc", 3)), 3);
    check_eq(join(rt, &h), 3);
    for (int i = 0; i < 10; i++)
        check_eq(weft_block_on(rt, weft_writev(&io, out, &(struct iovec){"12345", 5}, 1)), 5);
    for (int i = 0; i < 5; i++)
        check_eq(weft_block_on(rt, weft_read(&io, in, got, sizeof got)), 5);
    check_eq(weft_block_on(rt, weft_read_exact(&io, in, got, 10)), 10);
    check_eq(weft_block_on(rt, weft_readv(&io, in, &(struct iovec){got, 100}, 1)), 5);
    check_eq(weft_block_on(rt, weft_read_exact(&io, in, got, 10)), 10);
    check_eq(weft_block_on(rt, weft_read(&io, in, got, 0)), 0);
    h = pending_read(rt, in, &polls);
    check_eq(weft_block_on(rt, weft_peek(&io, out, got, 1)), -ENOTSOCK);
    weft_stream_close(out);
    check_eq(join(rt, &h), 0);
    weft_stream_close(in);
    stop(rt);
}

struct fill {
    WEFT_FRAME;
    struct {
        weft_stream    *stream;
        struct watched *polls;
    } in;
    weft_io io;
    char    data[1 << 20];
};
WEFT_ASYNC(fill)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->data, 'x', sizeof self->data);
    WEFT_AWAIT(n, watched(self->in.polls, weft_write_all(&self->io, self->in.stream, self->data,
                                                         sizeof self->data)));
    WEFT_END(n);
}

Test(adopt, a_full_pipe_is_waited_for)
{
    weft_runtime  *rt = start(1);
    weft_stream   *out;
    weft_handle    h;
    struct watched polls = {.n_polls = 0};
    static char    got[1 << 20];
    size_t         n = 0;
    int            fd[2];

    check_eq(pipe2(fd, O_CLOEXEC), 0);
    check_eq(weft_stream_adopt(rt, fd[1], &out), 0);
    check_eq(weft_spawn_on(rt, &h, fill, .stream = out, .polls = &polls), 0);
    EVENTUALLY(polls.n_polls >= 1);
    while (n < sizeof got) {
        ssize_t m = read(fd[0], got, sizeof got - n);

        check_cmp(m, >, 0);
        n += (size_t)m;
    }
    check_eq(join(rt, &h), 1 << 20);
    weft_stream_close(out);
    close(fd[0]);
    stop(rt);
}

static volatile sig_atomic_t n_signals;

static void count_signal(int signal)
{
    (void)signal;
    n_signals++;
}

Test(adopt, writing_to_a_pipe_that_nobody_reads_gives_epipe_and_no_signal)
{
    weft_runtime  *rt = start(1);
    weft_stream   *out;
    weft_io        io;
    struct watched polls = {.n_polls = 0};
    sigset_t       pending;
    int            fd[2];

    signal(SIGPIPE, count_signal);
    check_eq(pipe2(fd, O_CLOEXEC), 0);
    check_eq(weft_stream_adopt(rt, fd[1], &out), 0);
    close(fd[0]);
    check_eq(weft_block_on(rt, weft_write(&io, out, "x", 1)), -EPIPE); /* on this thread */
    check_eq(RUN(rt, fill, .stream = out, .polls = &polls), -EPIPE);   /* on a worker */
    check_eq(n_signals, 0);
    check_eq(sigpending(&pending), 0);
    check(!sigismember(&pending, SIGPIPE));
    weft_stream_close(out);
    stop(rt);
}

Test(adopt, a_terminal_becomes_a_stream)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          got[100];
    int           master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

    if (master < 0)
        test_skip("no terminals");
    check_eq(grantpt(master), 0);
    check_eq(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    check_cmp(slave, >=, 0);
    check_eq(weft_stream_adopt(rt, slave, &s), 0);
    check_eq(write(master, "one\ntwo\nthree\n", 14), 14);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 4); /* a line at a time */
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 4);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 6);
    weft_stream_close(s);
    close(master);
    stop(rt);
}

Test(adopt, what_is_no_stream_stays_the_callers)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s = NULL;
    weft_listener *l = NULL;
    weft_datagram *d = NULL;
    weft_address   address;
    int            listening = raw_listen(false, 1, &address), stream[2];
    int            idle = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    int            file = epoll_create1(EPOLL_CLOEXEC), directory = open("/", O_RDONLY);
    const int      no_stream[] = {listening, udp, file, directory};

    raw_pair(stream);
    for (size_t i = 0; i < sizeof no_stream / sizeof *no_stream; i++)
        check_eq(weft_stream_adopt(rt, no_stream[i], &s), -EINVAL);
    check_eq(weft_stream_adopt(rt, idle, &s), -ENOTCONN);
    check_eq(weft_stream_adopt(rt, -1, &s), -EBADF);
    check_eq(weft_stream_adopt(NULL, stream[0], &s), -ENXIO);
    check_eq(weft_listener_adopt(rt, stream[0], &l), -EINVAL);
    check_eq(weft_listener_adopt(rt, idle, &l), -EINVAL);
    check_eq(weft_listener_adopt(rt, file, &l), -EINVAL);
    check_eq(weft_datagram_adopt(rt, stream[0], &d), -EINVAL);
    check_eq(weft_datagram_adopt(rt, file, &d), -EINVAL);
    check(!s && !l && !d);
    for (size_t i = 0; i < sizeof no_stream / sizeof *no_stream; i++) {
        check(is_open(no_stream[i]) && !is_non_blocking(no_stream[i]));
        close(no_stream[i]);
    }
    check(is_open(idle) && is_open(stream[0]) && !is_non_blocking(stream[0]));
    check_eq(counters(rt).streams_open, 0);
    close(idle);
    close(stream[0]);
    close(stream[1]);
    stop(rt);
}

Test(adopt, a_listening_socket_becomes_a_listener)
{
    weft_runtime  *rt = start(1);
    weft_listener *l;
    weft_stream   *s;
    weft_address   address, again;
    weft_io        io;
    char           got[4];
    int            fd = raw_listen(false, 1, &address), peer;

    check_eq(weft_listener_adopt(rt, fd, &l), 0);
    check_eq(weft_listener_address(l, &again), 0);
    check_eq(weft_address_port(&again), weft_address_port(&address));
    peer = raw_connect(&address);
    check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
    raw_write(peer, "hi", 2);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, 4)), 2);
    weft_stream_close(s);
    close(peer);
    check_eq(weft_block_on(rt, weft_listener_release(&io, l)), fd);
    peer = raw_connect(&address); /* it listens still */
    close(peer);
    close(fd);
    stop(rt);
}

/* ---- going ---- */

Test(adopt, a_descriptor_goes_to_and_fro)
{
    weft_runtime  *rt = start(2);
    struct watched polls;
    weft_io        io;
    char           got[8];
    int            fd[2];

    raw_pair(fd);
    for (int i = 0; i < 200; i++) {
        weft_stream *s;

        check_eq(weft_stream_adopt(rt, fd[0], &s), 0);
        if (i % 2) { /* a read has waited: there is a poll to be taken away */
            weft_handle h = pending_read(rt, s, &polls);

            raw_write(fd[1], "x", 1);
            check_eq(join(rt, &h), 1);
        }
        check_eq(weft_block_on(rt, weft_stream_release(&io, s)), fd[0]);
        check_eq(weft_stream_fd(s), -EBADF);
        check_eq(weft_block_on(rt, weft_read(&io, s, got, 1)), -EBADF);
        weft_stream_close(s);
        check(is_open(fd[0]));
        raw_write(fd[0], "ping", 4); /* it is whole */
        raw_read(fd[1], got, 4);
    }
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd[0]); /* and ours alone: its end arrives */
    check_eq(recv(fd[1], got, 1, 0), 0);
    close(fd[1]);
    stop(rt);
}

Test(adopt, release_is_refused_while_an_operation_is_under_way)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s;
    weft_handle    h;
    struct watched polls = {.n_polls = 0};
    weft_io        io;
    char           got[8];
    int            fd[2];

    raw_pair(fd);
    check_eq(weft_stream_adopt(rt, fd[0], &s), 0);
    h = pending_read(rt, s, &polls);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), -EBUSY);
    raw_write(fd[1], "x", 1);
    check_eq(join(rt, &h), 1);
    polls.n_polls = 0;
    check_eq(weft_spawn_on(rt, &h, fill, .stream = s, .polls = &polls), 0);
    EVENTUALLY(polls.n_polls >= 1);
    pause_ms(5);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), -EBUSY);
    raw_write(fd[1], "y", 1); /* the reading side has been given back */
    check_eq(weft_block_on(rt, weft_read(&io, s, got, 8)), 1);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), fd[0]);
    close(fd[0]);
    close(fd[1]);
    stop(rt);
}

/* The task that waited got one event. Further events may be on their way. */
Test(adopt, one_that_has_waited_is_released_at_once)
{
    weft_runtime  *rt = start(1);
    weft_waker     noop = weft_waker_noop();
    weft_context   cx;
    weft_stream   *s;
    struct watched polls;
    weft_io        io;
    int            fd[2];

    raw_pair(fd);
    check_eq(weft_stream_adopt(rt, fd[0], &s), 0);
    for (int i = 0; i < 200; i++) {
        weft_future *release = weft_stream_release(&io, s);
        weft_handle  h = pending_read(rt, s, &polls);

        raw_write(fd[1], "x", 1);
        check_eq(join(rt, &h), 1);
        raw_write(fd[1], "y", 1);
        weft_context_init(&cx, &noop, rt);
        check(weft_poll_is_ready(weft_future_poll(release, &cx)));
        check_eq(weft_future_result(release), fd[0]);
        check_eq(weft_stream_adopt(rt, fd[0], &s), 0);
        check_eq(weft_block_on(rt, weft_read(&io, s, &(char){0}, 1)), 1);
    }
    weft_stream_close(s);
    check_eq(recv(fd[1], &(char){0}, 1, 0), 0);
    EVENTUALLY(counters(rt).streams_open == 0 && !is_open(fd[0]));
    close(fd[1]);
    stop(rt);
}

Test(adopt, a_datagram_socket_comes_and_goes)
{
    weft_runtime       *rt = start(1);
    weft_datagram      *d;
    struct weft_timeout limit;
    weft_io             io;
    char                got[8];
    int                 fd[2];

    check_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    check_eq(weft_datagram_adopt(rt, fd[0], &d), 0);
    check_eq(
        weft_block_on(
            rt, weft_timeout(&limit, weft_receive_from(&io, d, got, sizeof got, NULL), WEFT_MS(2))),
        -ETIMEDOUT);
    raw_write(fd[1], "abc", 3);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, sizeof got, NULL)), 3);
    check_eq(weft_block_on(rt, weft_datagram_release(&io, d)), fd[0]);
    check(is_open(fd[0]));
    close(fd[0]);
    close(fd[1]);
    stop(rt);
}

/* ---- pairs and halves ---- */

Test(adopt, a_pair_is_connected)
{
    weft_runtime *rt = start(1);
    weft_stream  *a, *b;
    weft_io       io;
    char          got[8];

    check_eq(weft_stream_pair(rt, &a, &b), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, a, "to b", 4)), 4);
    check_eq(weft_block_on(rt, weft_read(&io, b, got, 8)), 4);
    weft_stream_close(a);
    check_eq(weft_block_on(rt, weft_read(&io, b, got, 8)), 0);
    weft_stream_close(b);
    stop(rt);
}

Test(adopt, a_half_does_its_half)
{
    weft_runtime *rt = start(1);
    weft_stream  *s, *reader, *writer;
    weft_address  address;
    weft_io       io;
    char          got[8];
    int           fd = pair(rt, &s);

    check_eq(weft_stream_split(s, &reader, &writer), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, writer, "out", 3)), 3);
    raw_read(fd, got, 3);
    raw_write(fd, "in", 2);
    check_eq(weft_block_on(rt, weft_peek(&io, reader, got, 8)), 2);
    check_eq(weft_block_on(rt, weft_read(&io, reader, got, 8)), 2);
    check_eq(weft_block_on(rt, weft_read(&io, writer, got, 8)), -EBADF);
    check_eq(weft_block_on(rt, weft_write(&io, reader, "x", 1)), -EBADF);
    check_eq(weft_block_on(rt, weft_stream_release(&io, reader)), -EBADF);
    check_eq(weft_stream_split(reader, &s, &s), -EBADF);
    check_eq(weft_stream_set_no_delay(writer, true), 0);
    check_eq(weft_stream_peer_address(reader, &address), 0);
    weft_stream_close(reader);
    weft_stream_close(writer);
    close(fd);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

Test(adopt, closing_the_writer_ends_the_stream_and_reading_goes_on)
{
    weft_runtime *rt = start(1);
    weft_stream  *s, *reader, *writer;
    weft_io       io;
    char          got[8];
    int           fd = pair(rt, &s);

    check_eq(weft_stream_split(s, &reader, &writer), 0);
    weft_stream_close(writer);
    check_eq(recv(fd, got, 1, 0), 0);
    check_eq(weft_block_on(rt, weft_write(&io, writer, "x", 1)), -EBADF);
    check_eq(weft_block_on(rt, weft_write(&io, s, "x", 1)), -EBADF);
    check_eq(weft_stream_set_no_delay(writer, true), -EBADF);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), -EBADF);
    weft_stream_close(writer); /* once more changes nothing */
    raw_write(fd, "late", 4);
    check_eq(weft_block_on(rt, weft_read(&io, reader, got, 8)), 4);
    weft_stream_close(reader);
    check_eq(weft_stream_fd(s), -EBADF); /* all of it is closed */
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    stop(rt);
}

Test(adopt, closing_a_half_ends_its_operation_and_not_the_others)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s, *reader, *writer;
    weft_handle    read, write;
    struct watched reads, writes = {.n_polls = 0};
    static char    got[1 << 20];
    int            fd = pair(rt, &s);

    check_eq(weft_stream_split(s, &reader, &writer), 0);
    check_eq(weft_stream_set_buffers(s, 0, 4096), 0);
    read = pending_read(rt, reader, &reads);
    check_eq(weft_spawn_on(rt, &write, fill, .stream = writer, .polls = &writes), 0);
    EVENTUALLY(writes.n_polls >= 1);
    weft_stream_close(reader);
    check_eq(join(rt, &read), -ECANCELED);
    check(!weft_is_finished(&write));
    raw_read(fd, got, sizeof got);
    check_eq(join(rt, &write), 1 << 20);
    check_eq(counters(rt).streams_open, 1);
    weft_stream_close(writer);
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    stop(rt);
}

Test(adopt, closing_the_whole_closes_what_is_left)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s, *reader, *writer;
    weft_handle    h;
    struct watched polls;
    int            fd = pair(rt, &s);

    check_eq(weft_stream_split(s, &reader, &writer), 0);
    h = pending_read(rt, reader, &polls);
    weft_stream_close(writer);
    check(!weft_is_finished(&h));
    weft_stream_close(s);
    check_eq(join(rt, &h), -ECANCELED);
    weft_stream_close(reader);
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    stop(rt);
}
