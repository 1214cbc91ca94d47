/*
 * test_differential_streams.c - operations that only streams have do what their system calls do:
 * vectors, writes without a copy, reads and writes that do not wait, shutting down
 */
#include "differential_kinds.h"

#include <sys/uio.h>

/* ---- operations ---- */

#define MOST 64 /* bytes */

typedef struct argument {
    const char *name;
    size_t      size; /* or how to shut down */
    int         n;    /* pieces */
} argument;

typedef struct operation {
    const char *name;
    int64_t (*plain)(int fd, const argument *a, char *buffer);
    weft_future *(*weft)(weft_io *io, weft_stream *s, const argument *a, char *buffer);
    int64_t (*at_once)(weft_stream *s, const argument *a, char *buffer);
    const argument *arguments;
    bool            writes, shuts;
} operation;

static const argument pieces[] = {
    {"5 bytes", 5, 2},        {"0 bytes", 0, 2},        {"10 bytes", 10, 3},  {"no pieces", 5, 0},
    {"1024 pieces", 5, 1024}, {"1025 pieces", 5, 1025}, {"-1 pieces", 5, -1}, {NULL, 0, 0},
};
static const argument some_bytes[] = {
    {"5 bytes", 5, 0},
    {"0 bytes", 0, 0},
    {"10 bytes", 10, 0},
    {NULL, 0, 0},
};
static const argument ways[] = {
    {"SHUT_RD", SHUT_RD, 0}, {"SHUT_WR", SHUT_WR, 0},   {"SHUT_RDWR", SHUT_RDWR, 0},
    {"another way", 7, 0},   {"a negative way", -1, 0}, {NULL, 0, 0},
};

/* One byte in each piece, and the remaining bytes in the last one. */
static const struct iovec *vector(const argument *a, char *buffer)
{
    static struct iovec v[1025];
    size_t              done = 0;

    for (int i = 0; i < a->n; i++) {
        size_t n = done == a->size ? 0 : i + 1 == a->n ? a->size - done : 1;

        v[i] = (struct iovec){buffer + done, n};
        done += n;
    }
    return v;
}

static int64_t plain_readv(int fd, const argument *a, char *buffer)
{
    return answer(readv(fd, vector(a, buffer), a->n));
}

static int64_t plain_writev(int fd, const argument *a, char *buffer)
{
    return answer(writev(fd, vector(a, buffer), a->n));
}

static int64_t plain_write(int fd, const argument *a, char *buffer)
{
    return answer(write(fd, buffer, a->size));
}

/* As by a descriptor with O_NONBLOCK. */
static int64_t try_it(bool writes, int fd, const argument *a, char *buffer)
{
    int     flags = fcntl(fd, F_GETFL);
    int64_t r;

    check_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    r = answer(writes ? write(fd, buffer, a->size) : read(fd, buffer, a->size));
    check_eq(fcntl(fd, F_SETFL, flags), 0);
    return r;
}

static int64_t plain_try_read(int fd, const argument *a, char *buffer)
{
    return try_it(false, fd, a, buffer);
}

static int64_t plain_try_write(int fd, const argument *a, char *buffer)
{
    return try_it(true, fd, a, buffer);
}

static int64_t plain_shutdown(int fd, const argument *a, char *buffer)
{
    (void)buffer;
    return answer(shutdown(fd, (int)a->size));
}

static weft_future *by_readv(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    return weft_readv(io, s, vector(a, buffer), a->n);
}

static weft_future *by_writev(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    return weft_writev(io, s, vector(a, buffer), a->n);
}

static weft_future *by_zero_copy(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    return weft_write_zero_copy(io, s, buffer, a->size);
}

static int64_t by_try_read(weft_stream *s, const argument *a, char *buffer)
{
    return weft_stream_try_read(s, buffer, a->size);
}

static int64_t by_try_write(weft_stream *s, const argument *a, char *buffer)
{
    return weft_stream_try_write(s, buffer, a->size);
}

static int64_t by_shutdown(weft_stream *s, const argument *a, char *buffer)
{
    (void)buffer;
    return weft_stream_shutdown(s, (int)a->size);
}

static const operation operations[] = {
    {"weft_readv", plain_readv, by_readv, NULL, pieces, false, false},
    {"weft_writev", plain_writev, by_writev, NULL, pieces, true, false},
    {"weft_write_zero_copy", plain_write, by_zero_copy, NULL, some_bytes, true, false},
    {"weft_stream_try_read", plain_try_read, NULL, by_try_read, some_bytes, false, false},
    {"weft_stream_try_write", plain_try_write, NULL, by_try_write, some_bytes, true, false},
    {"weft_stream_shutdown", plain_shutdown, NULL, by_shutdown, ways, false, true},
};

/* ---- running them ---- */

static char plain_buffer[MOST], weft_buffer[MOST];

/* Notes how a socket that was shut down behaves at both ends. */
static void look_further(const world *w, const argument *a, outcome *ret)
{
    struct pollfd both[] = {{w->fd, POLLIN | POLLRDHUP, 0}, {w->peer, POLLIN | POLLRDHUP, 0}};
    int           domain = -1;
    char          byte;
    int64_t       r[2];

    getsockopt(w->fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof domain});

    if (ret->result == 0 && a->size != SHUT_RD && domain == AF_INET) /* it may take a moment */
        poll(&both[1], 1, 5000);
    poll(both, 2, 0);
    r[0] = answer(recv(w->fd, &byte, 1, MSG_DONTWAIT));
    r[1] = answer(send(w->fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    ret->content =
        hash(hash((uint64_t)both[0].revents, &both[1].revents, sizeof(short)), r, sizeof r);
}

static void look_at(const world *w, const operation *op, const argument *a, int64_t r,
                    const char *buffer, outcome *ret)
{
    look(w, r, op->writes && r > 0 ? r : 0, buffer, MOST, ret);
    if (op->shuts)
        look_further(w, a, ret);
}

static void run_plain(const operation *op, const argument *a, size_t kind, outcome *ret)
{
    world   w = kinds[kind].make();
    int64_t r;

    fill(plain_buffer, sizeof plain_buffer);
    set_tick(patience_ms);
    r = op->plain(w.fd, a, plain_buffer);
    set_tick(0);
    look_at(&w, op, a, r, plain_buffer, ret);
    let_go(&w);
}

static void run_by_weft(weft_runtime *rt, const operation *op, const argument *a, size_t kind,
                        bool waits, outcome *ret)
{
    world        w = kinds[kind].make();
    int          flags = fcntl(w.fd, F_GETFL);
    weft_stream *s;
    weft_io      io;
    int64_t      r;

    fill(weft_buffer, sizeof weft_buffer);
    check_eq(weft_stream_adopt(rt, w.fd, &s), 0);
    r = op->weft ? run_weft(rt, op->weft(&io, s, a, weft_buffer), waits)
                 : op->at_once(s, a, weft_buffer);
    look_at(&w, op, a, r, weft_buffer, ret);
    ret->flags = flags; /* a stream's are weft's */
    weft_stream_close(s);
    w.fd = -1;
    let_go(&w);
}

/* How many cases of the operation differ and are not listed. */
static int run(weft_runtime *rt, const operation *op)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (const argument *a = op->arguments; a->name && kinds[k].stream; a++) {
            outcome plain, weft;

            do {
                run_plain(op, a, k, &plain);
                run_by_weft(rt, op, a, k, may_wait(kinds[k].name, a->name, op->name, plain.result),
                            &weft);
            } while (needs_patience(&plain, &weft));
            n_bad += compare(kinds[k].name, a->name, op->name, &plain, &weft);
        }
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_streams.c`");
    signal(SIGPIPE, SIG_IGN);
    return start(1);
}

Test(differential_streams, operations_do_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n_bad = 0;

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        n_bad += run(rt, &operations[i]);
    check_eq(n_bad, 0);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t another_order(int fd, const argument *a, char *buffer)
{
    int64_t n = plain_readv(fd, a, buffer);
    char    first = buffer[0];

    buffer[0] = buffer[1];
    buffer[1] = first;
    return n;
}

static int64_t one_byte_less(int fd, const argument *a, char *buffer)
{
    int64_t n = answer(write(fd, buffer, a->size > 0 ? a->size - 1 : 0));

    return n > 0 ? n + 1 : n;
}

static int64_t nothing_shut(int fd, const argument *a, char *buffer)
{
    (void)a, (void)buffer;
    return answer(shutdown(fd, SHUT_RD));
}

Test(differential_streams, a_difference_is_seen, .timeout = MANY_WAITS)
{
    static const argument  five[] = {{"5 bytes", 5, 2}, {NULL, 0, 0}};
    static const argument  write[] = {{"SHUT_WR", SHUT_WR, 0}, {NULL, 0, 0}};
    static const operation wrong[] = {
        {"weft_readv", another_order, by_readv, NULL, five, false, false},
        {"weft_writev", one_byte_less, by_writev, NULL, five, false, false},
        {"weft_stream_shutdown", nothing_shut, NULL, by_shutdown, write, false, true},
    };
    weft_runtime *rt = begin();

    wants_differences = true;
    patience_most_ms = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, &wrong[i]), >, 0);
    stop(rt);
}
