/*
 * test_stream_options.c - the options of a stream; peeking; messages
 */
#include "../sockets.h"

#include <netinet/tcp.h>

static int option(weft_stream *s, int level, int name)
{
    int       value = -1;
    socklen_t size = sizeof value;

    check_eq(getsockopt(weft_stream_fd(s), level, name, &value, &size), 0);
    return value;
}

/* The value is outside of the kernel's range: weft refuses it, and no option changes. */
static void check_refused(weft_stream *s, weft_keep_alive keep)
{
    int idle = option(s, IPPROTO_TCP, TCP_KEEPIDLE);
    int interval = option(s, IPPROTO_TCP, TCP_KEEPINTVL);
    int count = option(s, IPPROTO_TCP, TCP_KEEPCNT);

    check_eq(weft_stream_set_keep_alive(s, &keep), -EINVAL);
    check_eq(option(s, SOL_SOCKET, SO_KEEPALIVE), 0);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPIDLE), idle);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPINTVL), interval);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPCNT), count);
}

Test(stream_options, keep_alive)
{
    weft_runtime   *rt = start(1);
    weft_keep_alive keep = {.idle = WEFT_S(7), .interval = WEFT_MS(2500), .count = 4};
    weft_stream    *s, *a, *b;
    int             fd = pair(rt, &s), idle = option(s, IPPROTO_TCP, TCP_KEEPIDLE);
    int             interval = option(s, IPPROTO_TCP, TCP_KEEPINTVL);
    int             count = option(s, IPPROTO_TCP, TCP_KEEPCNT);

    check_eq(option(s, SOL_SOCKET, SO_KEEPALIVE), 0);
    check_eq(weft_stream_set_keep_alive(s, &keep), 0);
    check_eq(option(s, SOL_SOCKET, SO_KEEPALIVE), 1);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 7);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 3);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPCNT), 4);
    keep = (weft_keep_alive){.idle = 1}; /* the others are the system's again */
    check_eq(weft_stream_set_keep_alive(s, &keep), 0);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 1);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPINTVL), interval);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPCNT), count);
    check_eq(weft_stream_set_keep_alive(s, &(weft_keep_alive){.idle = 0}), 0);
    check_eq(option(s, IPPROTO_TCP, TCP_KEEPIDLE), idle);
    check_eq(weft_stream_set_keep_alive(s, NULL), 0);
    check_eq(option(s, SOL_SOCKET, SO_KEEPALIVE), 0);
    keep.count = -1;
    check_eq(weft_stream_set_keep_alive(s, &keep), -EINVAL);
    check_refused(s, (weft_keep_alive){.idle = WEFT_S(32768), .interval = WEFT_S(1), .count = 1});
    check_refused(s, (weft_keep_alive){.idle = WEFT_S(1), .interval = WEFT_S(32768), .count = 1});
    check_refused(s, (weft_keep_alive){.idle = WEFT_S(1), .interval = WEFT_S(1), .count = 128});
    check_refused(s, (weft_keep_alive){.idle = INT64_MAX, .interval = WEFT_S(1), .count = 1});
    check_refused(s, (weft_keep_alive){.idle = WEFT_S(1), .interval = -1, .count = 1});
    keep = (weft_keep_alive){.idle = WEFT_S(32767), .interval = WEFT_S(32767), .count = 127};
    check_eq(weft_stream_set_keep_alive(s, &keep), 0);
    weft_stream_close(s);
    close(fd);
    check_eq(weft_stream_pair(rt, &a, &b), 0);
    keep = (weft_keep_alive){.idle = WEFT_S(7)};
    check_cmp(weft_stream_set_keep_alive(a, &keep), <, 0); /* no TCP */
    weft_stream_close(a);
    weft_stream_close(b);
    stop(rt);
}

Test(stream_options, buffers)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s), receive, send, before;

    check_eq(weft_stream_buffers(s, &before, &send), 0);
    check_eq(weft_stream_set_buffers(s, 0, 50000), 0);
    check_eq(weft_stream_buffers(s, &receive, &send), 0);
    check_eq(receive, before);
    check_eq(send, 100000);
    check_eq(weft_stream_set_buffers(s, 30000, 0), 0);
    check_eq(weft_stream_buffers(s, &receive, &send), 0);
    check_eq(receive, 60000);
    check_eq(send, 100000);
    check_eq(weft_stream_set_buffers(s, -1, 0), -EINVAL);
    check_eq(weft_stream_set_buffers(s, 40000, -1), -EINVAL);
    check_eq(weft_stream_buffers(s, &receive, &send), 0);
    check_eq(receive, 60000);
    check_eq(weft_stream_set_buffers(s, 0, 0), 0);
    weft_stream_close(s);
    check_eq(weft_stream_set_buffers(s, 0, 0), -EBADF);
    check_eq(weft_stream_set_buffers(s, 30000, 0), -EBADF);
    close(fd);
    stop(rt);
}

Test(stream_options, no_delay)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s);

    check_eq(weft_stream_set_no_delay(s, true), 0);
    check_cmp(option(s, IPPROTO_TCP, TCP_NODELAY), !=, 0);
    check_eq(weft_stream_set_no_delay(s, false), 0);
    check_eq(option(s, IPPROTO_TCP, TCP_NODELAY), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

struct read_once {
    WEFT_FRAME;
    struct {
        weft_stream    *stream;
        struct watched *polls;
        bool            peek;
    } in;
    weft_io io;
    char    buffer[64];
};
WEFT_ASYNC(read_once)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls,
                          self->in.peek ? weft_peek(&self->io, self->in.stream, self->buffer, 64)
                                        : weft_read(&self->io, self->in.stream, self->buffer, 64)));
    WEFT_END(n);
}

static weft_handle pending(weft_runtime *rt, weft_stream *s, bool peek)
{
    static struct watched polls;
    weft_handle           h;

    polls.n_polls = 0;
    check_eq(weft_spawn_on(rt, &h, read_once, .stream = s, .polls = &polls, .peek = peek), 0);
    EVENTUALLY(polls.n_polls == 1);
    return h;
}

Test(stream_options, closing_with_a_reset)
{
    weft_runtime *rt = start(1);

    for (int waited = 0; waited < 2; waited++) { /* without a poll, and with one */
        weft_stream *s;
        weft_io      io;
        int          fd = pair(rt, &s);
        char         got[4];

        if (waited) {
            weft_handle h = pending(rt, s, false);

            raw_write(fd, "x", 1);
            check_eq(join(rt, &h), 1);
        }
        check_eq(weft_stream_set_reset(s, true), 0);
        check_eq(weft_stream_set_reset(s, false), 0);
        check_eq(weft_stream_set_reset(s, true), 0);
        weft_stream_close(s);
        check_eq(recv(fd, got, 4, 0), -1);
        check_eq(errno, ECONNRESET);
        close(fd);
        fd = pair(rt, &s); /* off again: an orderly end */
        check_eq(weft_stream_set_reset(s, true), 0);
        check_eq(weft_stream_set_reset(s, false), 0);
        check_eq(weft_block_on(rt, weft_write_all(&io, s, "end", 3)), 3);
        weft_stream_close(s);
        raw_read(fd, got, 3);
        check_eq(recv(fd, got, 4, 0), 0);
        close(fd);
    }
    stop(rt);
}

/* ---- peeking ---- */

Test(stream_options, peeking_takes_nothing)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    weft_io       io;
    char          got[8];
    int           fd = pair(rt, &s);

    h = pending(rt, s, true);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, 8)), -EBUSY); /* it reads */
    raw_write(fd, "hello", 5);
    check_eq(join(rt, &h), 5);
    for (size_t i = 1; i <= 5; i++) {
        memset(got, 0, sizeof got);
        check_eq(weft_block_on(rt, weft_peek(&io, s, got, i)), i);
        check_eq(memcmp(got, "hello", i), 0);
    }
    check_eq(weft_block_on(rt, weft_peek(&io, s, got, 0)), 0);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, 2)), 2);
    check_eq(weft_block_on(rt, weft_peek(&io, s, got, 8)), 3);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, 8)), 3);
    h = pending(rt, s, false); /* nothing is left */
    shutdown(fd, SHUT_WR);
    check_eq(join(rt, &h), 0);
    check_eq(weft_block_on(rt, weft_peek(&io, s, got, 8)), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

/* A peek that leaves bytes, between reads that found the socket emptied. */
Test(stream_options, peeking_and_reading_in_turns)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          got[64];
    int           fd = pair(rt, &s);

    for (int i = 0; i < 300; i++) {
        weft_handle h = pending(rt, s, i % 2);

        raw_write(fd, "12345", 5);
        check_eq(join(rt, &h), 5);
        if (i % 2)
            check_eq(weft_block_on(rt, weft_read(&io, s, got, 64)), 5);
    }
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream_options, messages_with_flags)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          a[3], b[8];
    struct iovec  out[2] = {{(char[]){"one"}, 3}, {(char[]){"two"}, 3}}, in[2] = {{a, 3}, {b, 8}};
    struct msghdr send = {.msg_iov = out, .msg_iovlen = 2};
    struct msghdr receive = {.msg_iov = in, .msg_iovlen = 2};
    int           fd = pair(rt, &s);

    check_eq(weft_block_on(rt, weft_send_message(&io, s, &send, MSG_MORE)), 6);
    check_eq(weft_block_on(rt, weft_send_message(&io, s, &send, 0)), 6);
    raw_read(fd, b, 8);
    check_eq(memcmp(b, "onetwoon", 8), 0);
    check_eq(weft_block_on(rt, weft_send_message(&io, s, &send, MSG_ZEROCOPY)), -EINVAL);
    raw_write(fd, "threefour", 9);
    check_eq(weft_block_on(rt, weft_receive_message(&io, s, &receive, MSG_PEEK)), 9);
    check_eq(weft_block_on(rt, weft_receive_message(&io, s, &receive, 0)), 9);
    check_eq(memcmp(a, "thr", 3), 0);
    check_eq(memcmp(b, "eefour", 6), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}
