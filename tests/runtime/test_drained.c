/*
 * test_drained.c - a read that was shorter than its buffer has emptied the socket, so the next read
 * waits without a system call first: it must miss no bytes
 */
#include "../sockets.h"

#define PATIENCE WEFT_S(10)

/* Reads until the end or an error, into buffers of the given size; the total, or the error. */
struct drain {
    WEFT_FRAME;
    struct {
        weft_stream  *stream;
        size_t        size;
        atomic_llong *total;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    char                buffer[4096];
};
WEFT_ASYNC(drain)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n,
                   weft_timeout(&self->limit,
                                weft_read(&self->io, self->in.stream, self->buffer, self->in.size),
                                PATIENCE * test_slow()));
        if (n <= 0)
            break;
        *self->in.total += n;
    }
    WEFT_END(n);
}

typedef struct fixture {
    weft_runtime *rt;
    weft_stream  *stream;
    weft_handle   reader;
    atomic_llong  total;
    int           fd;
} fixture;

/* A reader that waits by now, so that its socket's poll is armed. */
static void begin(fixture *f, size_t size)
{
    f->rt = start(1);
    f->fd = pair(f->rt, &f->stream);
    f->total = 0;
    check_eq(weft_spawn_on(f->rt, &f->reader, drain, .stream = f->stream, .size = size,
                           .total = &f->total),
             0);
    pause_ms(10);
}

static void end(fixture *f, int64_t result, int64_t total)
{
    check_eq(join(f->rt, &f->reader), result);
    check_eq(f->total, total);
    weft_stream_close(f->stream);
    stop(f->rt);
}

static void cork(int fd, int on)
{
    check_eq(setsockopt(fd, IPPROTO_TCP, 3 /* TCP_CORK */, &on, sizeof on), 0);
}

Test(drained, data_and_the_end_in_one_segment)
{
    fixture f;

    begin(&f, 4096);
    cork(f.fd, 1); /* the bytes wait for the FIN */
    raw_write(f.fd, "last words", 10);
    close(f.fd);
    end(&f, 0, 10);
}

Test(drained, data_then_the_end_alone)
{
    fixture f;

    begin(&f, 4096);
    raw_write(f.fd, "last words", 10);
    EVENTUALLY(f.total == 10);
    pause_ms(10); /* it waits again */
    close(f.fd);
    end(&f, 0, 10);
}

Test(drained, data_then_a_reset)
{
    fixture f;

    begin(&f, 4096);
    raw_write(f.fd, "last words", 10);
    EVENTUALLY(f.total == 10);
    pause_ms(10);
    raw_reset(f.fd);
    end(&f, -ECONNRESET, 10);
}

Test(drained, data_and_the_end_before_the_first_read)
{
    fixture        f = {.rt = start(1)};
    weft_address   address;
    weft_listener *l = listen_on(f.rt, false, &address);
    weft_io        io;
    int            fd = raw_connect(&address);

    raw_write(fd, "early", 5);
    close(fd);
    check_eq(weft_block_on(f.rt, weft_accept(&io, l, &f.stream)), 0);
    check_eq(
        weft_spawn_on(f.rt, &f.reader, drain, .stream = f.stream, .size = 4096, .total = &f.total),
        0);
    weft_listener_close(l);
    end(&f, 0, 5);
}

static void in_segments(size_t buffer, size_t segment, int n, bool pauses)
{
    fixture f;
    int     on = 1;
    char    data[4096] = {0};

    begin(&f, buffer);
    setsockopt(f.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof on);
    for (int i = 0; i < n; i++) {
        raw_write(f.fd, data, segment);
        if (pauses && i % 8 == 0)
            EVENTUALLY(f.total == (int64_t)segment * (i + 1));
    }
    EVENTUALLY(f.total == (int64_t)segment * n);
    close(f.fd);
    end(&f, 0, (int64_t)segment * n);
}

Test(drained, segments_and_a_larger_buffer)
{
    in_segments(4096, 7, 400, true);
    in_segments(4096, 1000, 400, false);
}

Test(drained, segments_and_a_smaller_buffer)
{
    in_segments(7, 100, 200, true);
    in_segments(1, 10, 200, false);
}

Test(drained, segments_as_long_as_the_buffer)
{
    in_segments(100, 100, 200, true);
    in_segments(100, 100, 200, false);
}

Test(drained, bytes_sent_at_random_moments_all_arrive)
{
    fixture  f;
    uint32_t seed = 7;
    int64_t  sent = 0, rounds = test_scaled(6000);
    char     data[300] = {0};

    begin(&f, 128);
    for (int64_t i = 0; i < rounds; i++) {
        size_t n = rnd(&seed) % 300 + 1;

        raw_write(f.fd, data, n);
        sent += (int64_t)n;
        if (rnd(&seed) % 4 == 0)
            EVENTUALLY(f.total == sent);
    }
    close(f.fd);
    end(&f, 0, sent);
}

/* An urgent byte splits what recv gives: a read can be short and leave bytes behind. */
struct late {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          peer;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    char                buffer[16];
    int64_t             total;
};
WEFT_ASYNC(late)
{
    int64_t n;

    WEFT_BEGIN();
    raw_write(self->in.peer, "1", 1);
    WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->buffer, 16));
    raw_write(self->in.peer, "ab", 2);
    check_eq(send(self->in.peer, "!", 1, MSG_OOB), 1);
    raw_write(self->in.peer, "cdef", 4);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(20))); /* all has come, and been told */
    for (self->total = 0; self->total < 6; self->total += n) {
        WEFT_AWAIT(n, weft_timeout(&self->limit,
                                   weft_read(&self->io, self->in.stream, self->buffer, 16),
                                   PATIENCE * test_slow()));
        check_cmp(n, >, 0);
    }
    check_eq(self->total, 6);
    WEFT_END(0);
}

Test(drained, urgent_data_hides_nothing)
{
    weft_runtime       *rt = start(1);
    weft_stream        *s;
    weft_io             io;
    struct weft_timeout limit;
    char                byte;
    int                 fd = pair(rt, &s);

    check_eq(weft_stream_set_eager(s, true), 0);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_read(&io, s, &byte, 1), WEFT_MS(5))),
             -ETIMEDOUT); /* the poll is armed */
    check_eq(RUN(rt, late, .stream = s, .peer = fd), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(drained, an_end_that_was_told_is_not_forgotten)
{
    weft_runtime       *rt = start(1);
    weft_stream        *s;
    weft_io             io;
    struct weft_timeout limit;
    char                got[16];
    int                 fd = pair(rt, &s);

    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_read(&io, s, got, 1), WEFT_MS(5))),
             -ETIMEDOUT); /* the poll is armed */
    cork(fd, 1);
    raw_write(fd, "last words", 10);
    close(fd);
    pause_ms(20); /* both have been told of, in one event */
    check_eq(weft_stream_set_eager(s, true), 0);
    check_eq(weft_stream_set_eager(s, false), 0);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 10);
    check_eq(
        weft_block_on(rt, weft_timeout(&limit, weft_read(&io, s, got, 1), PATIENCE * test_slow())),
        0);
    weft_stream_close(s);
    stop(rt);
}

Test(drained, a_local_shutdown_is_seen)
{
    fixture f;

    begin(&f, 4096);
    raw_write(f.fd, "last words", 10);
    EVENTUALLY(f.total == 10);
    check_eq(weft_stream_shutdown(f.stream, SHUT_RD), 0);
    end(&f, 0, 10);
    close(f.fd);
}
