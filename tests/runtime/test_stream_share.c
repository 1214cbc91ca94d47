/*
 * test_stream_share.c - one stream and several tasks; descriptors that come back
 */
#include "../sockets.h"

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
    WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->buffer, sizeof self->buffer));
    WEFT_END(n);
}

struct write_once {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        const char  *data;
        size_t       size;
    } in;
    weft_io io;
};
WEFT_ASYNC(write_once)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->in.data, self->in.size));
    WEFT_END(n);
}

Test(stream_share, a_second_reader_is_busy)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    int           fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, &h, read_once, .stream = s), 0);
    pause_ms(10);
    check_eq(RUN(rt, read_once, .stream = s), -EBUSY);
    raw_write(fd, "x", 1);
    check_eq(join(rt, &h), 1);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

/* The bytes belong to the read that came first, also in the moment between the event and its
 * poll. */
struct steal {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          peer;
    } in;
    weft_handle    first;
    weft_io        io;
    struct counter turn;
    int64_t        second;
    char           buffer[8];
};
WEFT_ASYNC(steal)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn_bound(NULL, &self->first, 0, read_once, .stream = self->in.stream), 0);
    WEFT_AWAIT(n, counter(&self->turn, 20));
    raw_write(self->in.peer, "x", 1);
    pause_ms(20); /* on worker 0: the first reader is woken, and can't run */
    WEFT_AWAIT(self->second, weft_read(&self->io, self->in.stream, self->buffer, 8));
    if (self->second > 0)
        weft_cancel(&self->first);
    WEFT_AWAIT(n, weft_join(&self->first));
    check_eq(n, 1);
    WEFT_END(self->second);
}

Test(stream_share, a_second_reader_does_not_get_the_firsts_bytes)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    int           fd = pair(rt, &s);

    check_eq(RUN(rt, steal, .stream = s, .peer = fd), -EBUSY);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(stream_share, a_second_writer_is_busy)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_handle   h;
    char         *data = calloc(1, 8 << 20), *got = malloc(8 << 20);
    int           fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, &h, write_once, .stream = s, .data = data, .size = 8 << 20), 0);
    pause_ms(20);
    check_eq(RUN(rt, write_once, .stream = s, .data = "x", .size = 1), -EBUSY);
    raw_read(fd, got, 8 << 20);
    check_eq(join(rt, &h), 8 << 20);
    weft_stream_close(s);
    free(data);
    free(got);
    close(fd);
    stop(rt);
}

/* ---- reading and writing at once ---- */

#define FLOOD (4 << 20)

struct read_flood {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io       io;
    size_t        total;
    unsigned char buffer[5000];
};
WEFT_ASYNC(read_flood)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->total = 0; self->total < FLOOD; self->total += (size_t)n) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->buffer, sizeof self->buffer));
        check_cmp(n, >, 0);
        for (int64_t i = 0; i < n; i++)
            check_eq(self->buffer[i], (unsigned char)((self->total + (size_t)i) * 7 >> 3));
    }
    WEFT_END(0);
}

static void *echo_flood(void *arg)
{
    char    buffer[10000];
    size_t  total = 0;
    ssize_t n;
    int     fd = *(int *)arg;

    while (total < FLOOD && (n = recv(fd, buffer, sizeof buffer, 0)) > 0) {
        raw_write(fd, buffer, (size_t)n);
        total += (size_t)n;
    }
    return NULL;
}

Test(stream_share, one_task_reads_and_another_writes_the_same_stream)
{
    weft_runtime  *rt = start(2);
    weft_stream   *s;
    weft_handle    reader, writer;
    unsigned char *data = malloc(FLOOD);
    int            fd = pair(rt, &s);
    pthread_t      thread;

    for (size_t i = 0; i < FLOOD; i++)
        data[i] = (unsigned char)(i * 7 >> 3);
    check_eq(pthread_create(&thread, NULL, echo_flood, &fd), 0);
    check_eq(weft_spawn_on(rt, &reader, read_flood, .stream = s), 0);
    check_eq(
        weft_spawn_on(rt, &writer, write_once, .stream = s, .data = (char *)data, .size = FLOOD),
        0);
    check_eq(join(rt, &writer), FLOOD);
    check_eq(join(rt, &reader), 0);
    pthread_join(thread, NULL);
    weft_stream_close(s);
    free(data);
    close(fd);
    stop(rt);
}

/* ---- descriptors that come back ---- */

/* Sends to each connection the word that it sent, many times. */
struct parrot {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io  io;
    uint32_t word[64];
};
WEFT_ASYNC(parrot)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->in.stream, self->word, sizeof *self->word));
    for (int i = 1; i < 64; i++)
        self->word[i] = self->word[0];
    while (n > 0)
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->word, sizeof self->word));
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

struct parrots {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(parrots)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        if (n < 0)
            break;
        check_eq(weft_spawn(NULL, parrot, .stream = self->stream), 0);
    }
    WEFT_END(n);
}

#define MUCH 50000

/* One long read, until its stream is closed under it; all words must be its own. */
struct listen_to {
    WEFT_FRAME;
    struct {
        weft_stream    *stream;
        uint32_t        word;
        struct watched *polls;
    } in;
    weft_io  io;
    uint32_t got[MUCH];
};
WEFT_ASYNC(listen_to)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls, weft_read_exact(&self->io, self->in.stream, self->got,
                                                          sizeof self->got)));
    for (size_t i = 0; i < self->io.done / 4; i++)
        check_eq(self->got[i], self->in.word);
    WEFT_END(n);
}

struct reconnect {
    WEFT_FRAME;
    struct {
        const weft_address *address;
        uint32_t            word;
        int64_t             n;
    } in;
    weft_io        io;
    weft_stream   *stream;
    weft_handle    reader;
    struct watched polls;
    struct counter turn;
    uint32_t       seed;
};
WEFT_ASYNC(reconnect)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->seed = self->in.word; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, weft_connect(&self->io, self->in.address, &self->stream));
        check_eq(n, 0);
        self->in.word += 256;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->stream, &self->in.word, 4));
        check_eq(n, 4);
        self->polls.n_polls = 0;
        check_eq(weft_spawn(&self->reader, listen_to, .stream = self->stream, .word = self->in.word,
                            .polls = &self->polls),
                 0);
        WEFT_AWAIT(n, counter(&self->turn, rnd(&self->seed) % 30));
        weft_stream_close(self->stream); /* the reader lets go of it when it gets to */
        WEFT_AWAIT(n, weft_join(&self->reader));
        check(n == -ECANCELED || n == -EBADF || n == MUCH * 4);
    }
    WEFT_END(0);
}

Test(stream_share, a_descriptor_that_comes_back_gets_no_bytes_of_its_past)
{
    weft_runtime  *rt = start(3);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_handle    server, client[8];
    int            n = n_fds();

    check_eq(weft_spawn_on(rt, &server, parrots, .listener = l), 0);
    for (uint32_t i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &client[i], reconnect, .address = &address, .word = i + 1,
                               .n = test_scaled(150)),
                 0);
    for (int i = 0; i < 8; i++)
        check_eq(join(rt, &client[i]), 0);
    EVENTUALLY(counters(rt).streams_open == 1 && n_fds() == n);
    weft_cancel(&server);
    check_eq(join(rt, &server), -ECANCELED);
    weft_listener_close(l);
    stop(rt);
}
