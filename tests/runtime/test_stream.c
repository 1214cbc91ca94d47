/*
 * test_stream.c - reading, writing and closing streams
 */
#include "../actors.h"
#include "../sockets.h"

#include <sys/socket.h>

#define LARGE (8 << 20) /* more than both socket buffers hold */

/* ---- the server that answers with what it gets ---- */

struct serve {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        int            n;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(serve)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        check_eq(n, 0);
        check_eq(weft_spawn(NULL, echo, .stream = self->stream), 0);
    }
    WEFT_END(0);
}

static void echo_over(bool v6, weft_config config)
{
    weft_runtime  *rt = start_with(&config);
    weft_address   address;
    weft_listener *listener = listen_on(rt, v6, &address);
    weft_handle    server;
    char           got[16];

    check_eq(weft_spawn_on(rt, &server, serve, .listener = listener, .n = 3), 0);
    for (int i = 0; i < 3; i++) {
        int fd = raw_connect(&address);

        for (int j = 0; j < 20; j++) {
            raw_write(fd, "hello, world", 12);
            raw_read(fd, got, 12);
            check_eq(memcmp(got, "hello, world", 12), 0);
        }
        shutdown(fd, SHUT_WR);
        check_eq(recv(fd, got, sizeof got, 0), 0);
        close(fd);
    }
    check_eq(join(rt, &server), 0);
    weft_listener_close(listener);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

Test(stream, echoes_over_ipv4)
{
    echo_over(false, (weft_config){.workers = 2});
}

Test(stream, echoes_over_ipv6)
{
    echo_over(true, (weft_config){.workers = 2});
}

Test(stream, echoes_with_each_set_of_ring_features)
{
    static const int64_t masks[] = {1, 2, 3, 4, 5, 7};

    test_skip_under_valgrind("only a ring with mask 1 wakes the reactor there");
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        echo_over(false, (weft_config){.workers = 1, .ring_mask = masks[i], .ring_entries = 8});
}

/* ---- one call each ---- */

Test(stream, a_read_gets_what_is_there)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          buffer[8];
    int           fd = pair(rt, &s);

    raw_write(fd, "abcdefghijk", 11);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, 8)), 8);
    check_eq(memcmp(buffer, "abcdefgh", 8), 0);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, 8)), 3);
    check_eq(memcmp(buffer, "ijk", 3), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

struct exact {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        size_t       size;
        size_t      *done;
    } in;
    weft_io io;
    char    buffer[64];
};
WEFT_ASYNC(exact)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->in.stream, self->buffer, self->in.size));
    *self->in.done = self->io.done;
    if (n > 0)
        check_eq(memcmp(self->buffer, "0123456789abcdef", (size_t)n), 0);
    WEFT_END(n);
}

Test(stream, read_exact_waits_for_all)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    size_t        done;
    int           fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, &h, exact, .stream = s, .size = 16, .done = &done), 0);
    for (int i = 0; i < 16; i += 4) {
        pause_ms(2);
        check(!weft_is_finished(&h));
        raw_write(fd, &"0123456789abcdef"[i], 4);
    }
    check_eq(join(rt, &h), 16);
    check_eq(done, 16);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream, read_exact_tells_how_far_it_came)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    size_t        done;
    int           fd = pair(rt, &s);

    raw_write(fd, "01234", 5);
    close(fd);
    check_eq(RUN(rt, exact, .stream = s, .size = 16, .done = &done), WEFT_EOF);
    check_eq(done, 5);
    weft_stream_close(s);
    stop(rt);
}

Test(stream, nothing_to_move_ends_at_once)
{
    weft_runtime       *rt = start(1);
    weft_stream        *s;
    weft_io             io;
    struct weft_timeout limit;
    int                 fd = pair(rt, &s);
    char                none[1];

#define AT_ONCE(future) weft_block_on(rt, weft_timeout(&limit, (future), WEFT_S(1)))
    check_eq(AT_ONCE(weft_write(&io, s, none, 0)), 0);
    check_eq(AT_ONCE(weft_write_all(&io, s, none, 0)), 0);
    check_eq(AT_ONCE(weft_read_exact(&io, s, none, 0)), 0);
    check_eq(AT_ONCE(weft_read(&io, s, none, 0)), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream, vectors_gather_and_scatter)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          a[3], b[5], c[10], got[9];
    struct iovec  out[3] = {{"ab", 2}, {"", 0}, {"cdefghi", 7}};
    struct iovec  into[3] = {{a, 3}, {b, 5}, {c, 10}};
    int           fd = pair(rt, &s);

    check_eq(weft_block_on(rt, weft_writev(&io, s, out, 3)), 9);
    raw_read(fd, got, 9);
    check_eq(memcmp(got, "abcdefghi", 9), 0);
    raw_write(fd, got, 9);
    check_eq(weft_block_on(rt, weft_readv(&io, s, into, 3)), 9);
    check(!memcmp(a, "abc", 3) && !memcmp(b, "defgh", 5) && !memcmp(c, "i", 1));
    check_eq(weft_block_on(rt, weft_readv(&io, s, into, -1)), -EINVAL);
    check_eq(weft_block_on(rt, weft_writev(&io, s, out, 1025)), -EINVAL);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

/* ---- large writes ---- */

struct send_all {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        const char  *data;
        size_t       size;
    } in;
    weft_io io;
};
WEFT_ASYNC(send_all)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->in.data, self->in.size));
    check(n < 0 || (size_t)n == self->io.done);
    weft_stream_close(self->in.stream);
    WEFT_END(n);
}

Test(stream, write_all_outlasts_a_slow_reader)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    char         *data = malloc(LARGE), *got = malloc(LARGE);
    int           fd = pair(rt, &s);
    uint32_t      seed = 1;

    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)rnd(&seed);
    check_eq(weft_spawn_on(rt, &h, send_all, .stream = s, .data = data, .size = LARGE), 0);
    for (size_t at = 0; at < LARGE; at += 1 << 18) {
        if (at % (1 << 20) == 0)
            pause_ms(2);
        raw_read(fd, got + at, 1 << 18);
    }
    check_eq(join(rt, &h), LARGE);
    check_eq(memcmp(data, got, LARGE), 0);
    check_eq(recv(fd, got, 1, 0), 0);
    free(data);
    free(got);
    close(fd);
    stop(rt);
}

Test(stream, write_all_tells_how_far_it_came)
{
    weft_runtime       *rt = start(1);
    weft_stream        *s;
    weft_io             io;
    struct weft_timeout limit;
    char               *data = calloc(1, LARGE), *got = malloc(LARGE);
    int                 fd = pair(rt, &s);
    size_t              n = 0;
    ssize_t             r;

    check_eq(
        weft_block_on(rt, weft_timeout(&limit, weft_write_all(&io, s, data, LARGE), WEFT_MS(20))),
        -ETIMEDOUT);
    check_cmp(io.done, >, 0);
    check_cmp(io.done, <, LARGE);
    weft_stream_close(s);
    while ((r = recv(fd, got, LARGE, 0)) > 0)
        n += (size_t)r;
    check_eq(n, io.done);
    free(data);
    free(got);
    close(fd);
    stop(rt);
}

/* ---- at once or not at all ---- */

static weft_future *poll_first(weft_runtime *rt, weft_future *future)
{
    weft_waker   waker = weft_waker_noop();
    weft_context cx;

    weft_context_init(&cx, &waker, rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    return future;
}

/* The effect of a call of the peer arrives after a moment. */
static int64_t try_until(weft_stream *s, void *buffer, size_t size)
{
    int64_t n;

    while ((n = weft_stream_try_read(s, buffer, size)) == -EAGAIN)
        sched_yield();
    return n;
}

static void check_tries(weft_runtime *rt, weft_stream *s, int peer)
{
    static char  many[1 << 16];
    weft_stream *reader, *writer;
    weft_io      io;
    char         buffer[8];
    int64_t      n;

    check_eq(weft_stream_try_read(s, buffer, sizeof buffer), -EAGAIN);
    check_eq(weft_stream_try_read(s, buffer, 0), 0);
    poll_first(rt, weft_read(&io, s, buffer, sizeof buffer));
    check_eq(weft_stream_try_read(s, many, sizeof many), -EBUSY);
    check_eq(weft_stream_try_write(s, "to", 2), 2); /* the other direction */
    raw_read(peer, many, 2);
    raw_write(peer, "from", 4);
    check_eq(weft_block_on(rt, &io.future), 4);
    for (int i = 0; i < 100; i++) { /* no event is needed */
        raw_write(peer, "again", 5);
        check_eq(try_until(s, buffer, sizeof buffer), 5);
        check_eq(weft_stream_try_read(s, buffer, sizeof buffer), -EAGAIN);
    }
    raw_write(peer, "last", 4); /* an operation goes on where they ended */
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 4);
    while ((n = weft_stream_try_write(s, many, sizeof many)) > 0)
        ;
    check_eq(n, -EAGAIN);
    check_eq(weft_stream_split(s, &reader, &writer), 0);
    check_eq(weft_stream_try_write(reader, "x", 1), -EBADF);
    check_eq(weft_stream_try_read(writer, buffer, 1), -EBADF);
    poll_first(rt, weft_write(&io, writer, many, sizeof many));
    check_eq(weft_stream_try_write(s, "x", 1), -EBUSY);
    check(!weft_poll_is_ready(weft_future_cancel(&io.future)));
    check_eq(weft_block_on(rt, &io.future), -ECANCELED);
    while (recv(peer, many, sizeof many, MSG_DONTWAIT) > 0)
        ;
    shutdown(peer, SHUT_WR);
    check_eq(try_until(s, buffer, sizeof buffer), 0);
    weft_stream_close(s);
    check_eq(weft_stream_try_read(s, buffer, 1), -EBADF);
    check_eq(weft_stream_try_write(s, "x", 1), -EBADF);
    close(peer);
}

Test(stream, tries_answer_at_once)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           ends[2], peer = pair(rt, &s);

    check_tries(rt, s, peer);
    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_eq(weft_stream_adopt(rt, ends[0], &s), 0);
    check_tries(rt, s, ends[1]);
    stop(rt);
}
