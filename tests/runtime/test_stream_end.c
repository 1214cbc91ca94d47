/*
 * test_stream_end.c - the ends of streams: shutdown, end of file, resets, closing
 */
#include "../sockets.h"

static struct watched polls; /* of the operation that another task waits in */

struct read_once {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    buffer[64];
};
WEFT_ASYNC(read_once)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(&polls, weft_read(&self->io, self->in.stream, self->buffer,
                                            sizeof self->buffer)));
    WEFT_END(n);
}

/* A task that waits in a read by now. */
static weft_handle pending_read(weft_runtime *rt, weft_stream *s)
{
    weft_handle h;

    polls.n_polls = 0;
    check_eq(weft_spawn_on(rt, &h, read_once, .stream = s), 0);
    EVENTUALLY(polls.n_polls == 1);
    check(!weft_is_finished(&h));
    return h;
}

Test(stream_end, a_pending_read_sees_the_end)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          buffer[8];
    int           fd = pair(rt, &s);
    weft_handle   h = pending_read(rt, s);

    close(fd);
    check_eq(join(rt, &h), 0);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 0);
    weft_stream_close(s);
    stop(rt);
}

Test(stream_end, after_the_peer_ends_its_half_we_can_still_write)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          buffer[8];
    int           fd = pair(rt, &s);

    raw_write(fd, "last", 4);
    shutdown(fd, SHUT_WR);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 4);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, s, "answer", 6)), 6);
    raw_read(fd, buffer, 6);
    check_eq(memcmp(buffer, "answer", 6), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream_end, after_we_end_our_half_we_can_still_read)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    char          buffer[8];
    int           fd = pair(rt, &s);

    check_eq(weft_stream_shutdown(s, SHUT_WR), 0);
    check_eq(recv(fd, buffer, sizeof buffer, 0), 0);
    raw_write(fd, "still", 5);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 5);
    check_eq(weft_block_on(rt, weft_write(&io, s, "x", 1)), -EPIPE); /* and no SIGPIPE */
    check_eq(weft_block_on(rt, weft_write_all(&io, s, "x", 1)), -EPIPE);
    check_eq(weft_block_on(rt, weft_writev(&io, s, &(struct iovec){"x", 1}, 1)), -EPIPE);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream_end, shutting_the_reading_half_ends_a_pending_read)
{
    static const int how[] = {SHUT_RD, SHUT_RDWR};

    for (int i = 0; i < 2; i++) {
        weft_runtime *rt = start(1);
        weft_stream  *s;
        int           fd = pair(rt, &s);
        weft_handle   h = pending_read(rt, s);

        check_eq(weft_stream_shutdown(s, how[i]), 0);
        check_eq(join(rt, &h), 0);
        weft_stream_close(s);
        close(fd);
        stop(rt);
    }
}

#define LARGE (8 << 20) /* more than the socket buffers hold */

struct write_large {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    data[LARGE];
};
WEFT_ASYNC(write_large)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->data, 0, LARGE);
    WEFT_AWAIT(n, watched(&polls, weft_write_all(&self->io, self->in.stream, self->data, LARGE)));
    WEFT_END(n);
}

/* Of these only TCP has an event for it. */
static void check_shut_write(weft_runtime *rt, weft_stream *s, int how)
{
    weft_handle h;

    polls.n_polls = 0;
    check_eq(weft_spawn_on(rt, &h, write_large, .stream = s), 0);
    EVENTUALLY(polls.n_polls > 0);
    check(!weft_is_finished(&h));
    check_eq(weft_stream_shutdown(s, how), 0);
    check_eq(join(rt, &h), -EPIPE);
    weft_stream_close(s);
}

Test(stream_end, shutting_the_writing_half_ends_a_pending_write)
{
    static const int how[] = {SHUT_WR, SHUT_RDWR};

    for (int i = 0; i < 2; i++) {
        weft_runtime *rt = start(1);
        weft_stream  *s, *other;
        int           fd = pair(rt, &s);

        check_shut_write(rt, s, how[i]);
        check_eq(weft_stream_pair(rt, &s, &other), 0);
        check_shut_write(rt, s, how[i]);
        weft_stream_close(other);
        close(fd);
        stop(rt);
    }
}

Test(stream_end, shutting_one_half_leaves_the_other)
{
    weft_runtime *rt = start(1);
    weft_stream  *s, *other;
    weft_handle   h;
    weft_io       io;

    check_eq(weft_stream_pair(rt, &s, &other), 0);
    h = pending_read(rt, s);
    check_eq(weft_stream_shutdown(s, SHUT_WR), 0);
    check_eq(weft_block_on(rt, weft_write(&io, other, "x", 1)), 1);
    check_eq(join(rt, &h), 1);
    weft_stream_close(s);
    weft_stream_close(other);
    stop(rt);
}

Test(stream_end, a_reset_ends_a_pending_read_with_econnreset)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s);
    weft_handle   h = pending_read(rt, s);

    raw_reset(fd);
    check_eq(join(rt, &h), -ECONNRESET);
    weft_stream_close(s);
    stop(rt);
}

Test(stream_end, a_reset_ends_a_later_read_with_econnreset)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s);

    raw_reset(fd);
    check_eq(RUN(rt, read_once, .stream = s), -ECONNRESET);
    weft_stream_close(s);
    stop(rt);
}

struct fill {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    data[4096];
};
WEFT_ASYNC(fill)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->data, 0, sizeof self->data);
    do
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->data, sizeof self->data));
    while (n > 0);
    WEFT_END(n);
}

/* A task that waits in a write by now. */
static weft_handle pending_write(weft_runtime *rt, weft_stream *s)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, fill, .stream = s), 0);
    pause_ms(20);
    check(!weft_is_finished(&h));
    return h;
}

Test(stream_end, writing_to_a_peer_that_is_gone_gives_epipe_and_no_signal)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s);
    weft_handle   h = pending_write(rt, s);
    int64_t       n;

    close(fd);
    n = join(rt, &h);
    check(n == -ECONNRESET || n == -EPIPE);
    check_eq(RUN(rt, fill, .stream = s), -EPIPE);
    weft_stream_close(s);
    stop(rt);
}

Test(stream_end, closing_ends_the_read_of_another_task)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s), n;
    weft_handle   h = pending_read(rt, s);
    char          byte;

    n = n_fds();
    weft_stream_close(s);
    check_eq(join(rt, &h), -ECANCELED);
    check_eq(recv(fd, &byte, 1, 0), 0);
    EVENTUALLY(n_fds() == n - 1);
    close(fd);
    stop(rt);
}

Test(stream_end, closing_ends_the_write_of_another_task)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    int           fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, &h, write_large, .stream = s), 0);
    EVENTUALLY(polls.n_polls > 0);
    check(!weft_is_finished(&h));
    weft_stream_close(s);
    check_eq(join(rt, &h), -ECANCELED);
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    stop(rt);
}

Test(stream_end, closing_without_having_waited_closes_at_once)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s;
    weft_address   address;
    weft_io        io;
    weft_listener *l = listen_on(rt, false, &address);
    int            fd = raw_connect(&address), n;
    char           byte;

    check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
    n = n_fds();
    weft_stream_close(s);
    check_eq(n_fds(), n - 1);
    check_eq(recv(fd, &byte, 1, 0), 0);
    weft_stream_close(NULL);
    weft_listener_close(l);
    weft_listener_close(NULL);
    close(fd);
    stop(rt);
}

Test(stream_end, what_was_written_before_close_arrives)
{
    weft_runtime *rt = start(2);

    for (int i = 0; i < 50; i++) {
        weft_stream *s;
        weft_io      io;
        char         got[4];
        int          fd = pair(rt, &s);

        check_eq(weft_block_on(rt, weft_write_all(&io, s, "tail", 4)), 4);
        weft_stream_close(s);
        raw_read(fd, got, 4);
        check_eq(recv(fd, got, 1, 0), 0);
        close(fd);
    }
    stop(rt);
}

static weft_listener *volatile forgotten; /* leaks, and LeakSanitizer is content */

Test(stream_end, streams_left_open_are_told_of_when_stopping)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    weft_address  address;

    forgotten = listen_on(rt, false, &address);
    check_eq(weft_runtime_stop(rt, WEFT_S(1)), 0);
    check_str_contains(log.text, "1 streams or listeners have not been closed");
}

Test(stream_end, three_of_those_left_open_are_named)
{
    static weft_listener *volatile listener;
    static weft_stream *volatile streams[4];
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    weft_address  address;
    weft_stream  *stream;
    weft_io       io;
    char          text[WEFT_ADDRESS_TEXT], wanted[500];

    listener = listen_on(rt, false, &address);
    weft_address_format(&address, text);
    for (int i = 0; i < 4; i++) {
        check_eq(weft_block_on(rt, weft_connect(&io, &address, &stream)), 0);
        streams[i] = stream;
    }
    check_eq(weft_runtime_stop(rt, WEFT_S(1)), 0);
    snprintf(wanted, sizeof wanted,
             "5 streams or listeners have not been closed: a listener on %s, a stream of %s, "
             "a stream of %s, ...; closing them",
             text, text, text);
    check_str_contains(log.text, wanted);
    (void)listener, (void)streams;
}
