/*
 * test_differential.c - an operation on a descriptor does and returns what its system call does
 */
#include "differential_kinds.h"
#include "libc.h"

#include <sys/sendfile.h>

/* ---- operations ---- */

#define MOST (300 << 10) /* more than is copied at once */

typedef struct argument {
    const char *name;
    size_t      size;
    int64_t     offset;
} argument;

typedef struct operation {
    const char *name;
    int64_t (*plain)(int fd, const argument *a, char *buffer);
    weft_future *(*weft)(weft_io *io, int fd, const argument *a, char *buffer);
    weft_future *(*stream)(weft_io *io, weft_stream *s, const argument *a, char *buffer);
    const argument *arguments;
    bool            writes;
} operation;

static const argument transfers[] = {
    {"5 bytes at the position", 5, -1},
    {"0 bytes at the position", 0, -1},
    {"many bytes at the position", MOST, -1},
    {"5 bytes at an offset", 5, 7},
    {"0 bytes at an offset", 0, 7},
    {"many bytes at an offset", MOST, 7},
    {"5 bytes past the end", 5, 5000},
    {"5 bytes at a negative offset", 5, -2},
    {"5 bytes at the largest offset", 5, INT64_MAX},
    {NULL, 0, 0},
};
static const argument at_position[] = {
    {"5 bytes", 5, -1},
    {"0 bytes", 0, -1},
    {"10 bytes", 10, -1},
    {NULL, 0, 0},
};
static const argument sizes[] = {
    {"to 50 bytes", 0, 50},        {"to 0 bytes", 0, 0}, {"to 5000 bytes", 0, 5000},
    {"to a negative size", 0, -1}, {NULL, 0, 0},
};
static const argument ranges[] = {
    {"10 bytes at 200", 10, 200},
    {"0 bytes at 0", 0, 0},
    {"10 bytes at a negative offset", 10, -1},
    {NULL, 0, 0},
};
static const argument none[] = {
    {"-", 0, 0},
    {NULL, 0, 0},
};
static const argument events[] = {
    {"POLLIN", POLLIN, 0},
    {"POLLOUT", POLLOUT, 0},
    {"POLLIN and POLLOUT", POLLIN | POLLOUT, 0},
    {NULL, 0, 0},
};

static int64_t some(bool writes, int fd, char *buffer, size_t size, int64_t offset)
{
    if (offset == -1)
        return answer(writes ? write(fd, buffer, size) : read(fd, buffer, size));
    return answer(writes ? pwrite(fd, buffer, size, offset) : pread(fd, buffer, size, offset));
}

/* Repeats the call until all bytes are moved or it fails. */
static int64_t all(bool writes, int fd, const argument *a, char *buffer)
{
    size_t  done = 0;
    int64_t n;

    do {
        n = some(writes, fd, buffer + done, a->size - done,
                 a->offset == -1 ? -1 : a->offset + (int64_t)done);
        if (n <= 0)
            break;
        done += (size_t)n;
    } while (done < a->size);
    return n < 0 ? n : done == a->size ? (int64_t)done : writes ? -EIO : WEFT_EOF;
}

static int64_t plain_read(int fd, const argument *a, char *buffer)
{
    return some(false, fd, buffer, a->size, a->offset);
}

static int64_t plain_write(int fd, const argument *a, char *buffer)
{
    return some(true, fd, buffer, a->size, a->offset);
}

static int64_t plain_read_exact(int fd, const argument *a, char *buffer)
{
    return all(false, fd, a, buffer);
}

static int64_t plain_write_all(int fd, const argument *a, char *buffer)
{
    return all(true, fd, a, buffer);
}

static const struct iovec *two(const argument *a, char *buffer)
{
    static struct iovec v[2][2]; /* for the two worlds */
    static int          n;
    struct iovec       *r = v[n++ % 2];

    r[0] = (struct iovec){buffer, a->size / 2};
    r[1] = (struct iovec){buffer + a->size / 2, a->size - a->size / 2};
    return r;
}

static int64_t plain_readv(int fd, const argument *a, char *buffer)
{
    const struct iovec *v = two(a, buffer);

    return answer(a->offset == -1 ? readv(fd, v, 2) : preadv(fd, v, 2, a->offset));
}

static int64_t plain_writev(int fd, const argument *a, char *buffer)
{
    const struct iovec *v = two(a, buffer);

    return answer(a->offset == -1 ? writev(fd, v, 2) : pwritev(fd, v, 2, a->offset));
}

static int64_t plain_sync(int fd, const argument *a, char *buffer)
{
    (void)a, (void)buffer;
    return answer(fsync(fd));
}

static int64_t plain_sync_data(int fd, const argument *a, char *buffer)
{
    (void)a, (void)buffer;
    return answer(fdatasync(fd));
}

static int64_t plain_truncate(int fd, const argument *a, char *buffer)
{
    (void)buffer;
    return answer(ftruncate(fd, a->offset));
}

static int64_t plain_allocate(int fd, const argument *a, char *buffer)
{
    (void)buffer;
    return answer(fallocate(fd, 0, a->offset, (off_t)a->size));
}

static int64_t plain_close(int fd, const argument *a, char *buffer)
{
    (void)a, (void)buffer;
    return answer(close(fd));
}

static int64_t plain_ready(int fd, const argument *a, char *buffer)
{
    struct pollfd p = {fd, (short)a->size, 0};

    (void)buffer;
    poll(&p, 1, 0);
    return p.revents & POLLNVAL ? -EBADF : p.revents == 0 ? WAITS : p.revents;
}

static int64_t plain_stat(int fd, const argument *a, char *buffer)
{
    struct statx *st = (struct statx *)buffer;
    int64_t       r = answer(statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, st));

    (void)a;
    return r < 0 ? r : (int64_t)st->stx_size + (st->stx_mode & S_IFMT);
}

static int64_t plain_peek(int fd, const argument *a, char *buffer)
{
    return answer(recv(fd, buffer, a->size, MSG_PEEK));
}

#define FILE_OPERATION(name)                                                                       \
    static weft_future *by_##name(weft_io *io, int fd, const argument *a, char *buffer)            \
    {                                                                                              \
        return weft_file_##name(io, fd, buffer, a->size, a->offset);                               \
    }
#define STREAM_OPERATION(name)                                                                     \
    static weft_future *stream_##name(weft_io *io, weft_stream *s, const argument *a,              \
                                      char *buffer)                                                \
    {                                                                                              \
        return weft_##name(io, s, buffer, a->size);                                                \
    }
FILE_OPERATION(read)
FILE_OPERATION(write)
FILE_OPERATION(read_exact)
FILE_OPERATION(write_all)
STREAM_OPERATION(read)
STREAM_OPERATION(write)
STREAM_OPERATION(read_exact)
STREAM_OPERATION(write_all)
STREAM_OPERATION(peek)
#define OTHER(name, ...)                                                                           \
    static weft_future *by_##name(weft_io *io, int fd, const argument *a, char *buffer)            \
    {                                                                                              \
        (void)a, (void)buffer;                                                                     \
        return __VA_ARGS__;                                                                        \
    }
OTHER(readv, weft_file_readv(io, fd, two(a, buffer), 2, a->offset))
OTHER(writev, weft_file_writev(io, fd, two(a, buffer), 2, a->offset))
OTHER(sync, weft_file_sync(io, fd))
OTHER(sync_data, weft_file_sync_data(io, fd))
OTHER(truncate, weft_file_truncate(io, fd, a->offset))
OTHER(allocate, weft_file_allocate(io, fd, 0, a->offset, (int64_t)a->size))
OTHER(close, weft_file_close(io, fd))
OTHER(ready, weft_fd_ready(io, fd, (unsigned)a->size))
OTHER(stat, weft_file_stat(io, fd, STATX_TYPE | STATX_SIZE, (struct statx *)buffer))

/* ---- calls with more than a buffer ---- */

static int source(void)
{
    static int fd = -1;

    return fd >= 0 ? fd : (fd = file().fd);
}

static int64_t plain_send_file(int fd, const argument *a, char *buffer)
{
    off_t at = 95; /* 5 bytes before the end */

    (void)buffer;
    return answer(sendfile(fd, source(), &at, a->size));
}

static weft_future *stream_send_file(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    (void)buffer;
    return weft_send_file(io, s, source(), 95, a->size);
}

static struct msghdr *message(const argument *a, char *buffer)
{
    static struct msghdr m;
    static struct iovec  piece;

    piece = (struct iovec){buffer, a->size};
    m = (struct msghdr){.msg_iov = &piece, .msg_iovlen = 1};
    return &m;
}

static int64_t plain_receive(int fd, const argument *a, char *buffer)
{
    return answer(recvmsg(fd, message(a, buffer), 0));
}

static int64_t plain_send(int fd, const argument *a, char *buffer)
{
    return answer(sendmsg(fd, message(a, buffer), 0));
}

static weft_future *stream_receive(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    return weft_receive_message(io, s, message(a, buffer), 0);
}

static weft_future *stream_send(weft_io *io, weft_stream *s, const argument *a, char *buffer)
{
    return weft_send_message(io, s, message(a, buffer), 0);
}

static const operation operations[] = {
    {"weft_file_read", plain_read, by_read, NULL, transfers, false},
    {"weft_file_readv", plain_readv, by_readv, NULL, transfers, false},
    {"weft_file_read_exact", plain_read_exact, by_read_exact, NULL, transfers, false},
    {"weft_file_write", plain_write, by_write, NULL, transfers, true},
    {"weft_file_writev", plain_writev, by_writev, NULL, transfers, true},
    {"weft_file_write_all", plain_write_all, by_write_all, NULL, transfers, true},
    {"weft_file_sync", plain_sync, by_sync, NULL, none, false},
    {"weft_file_sync_data", plain_sync_data, by_sync_data, NULL, none, false},
    {"weft_file_truncate", plain_truncate, by_truncate, NULL, sizes, false},
    {"weft_file_allocate", plain_allocate, by_allocate, NULL, ranges, false},
    {"weft_file_stat", plain_stat, by_stat, NULL, none, false},
    {"weft_file_close", plain_close, by_close, NULL, none, false},
    {"weft_fd_ready", plain_ready, by_ready, NULL, events, false},
    {"weft_read", plain_read, NULL, stream_read, at_position, false},
    {"weft_read_exact", plain_read_exact, NULL, stream_read_exact, at_position, false},
    {"weft_write", plain_write, NULL, stream_write, at_position, true},
    {"weft_write_all", plain_write_all, NULL, stream_write_all, at_position, true},
    {"weft_peek", plain_peek, NULL, stream_peek, at_position, false},
    {"weft_send_file", plain_send_file, NULL, stream_send_file, at_position, true},
    {"weft_receive_message", plain_receive, NULL, stream_receive, at_position, false},
    {"weft_send_message", plain_send, NULL, stream_send, at_position, true},
};

/* ---- running them ---- */

static char plain_buffer[MOST + 16], weft_buffer[MOST + 16];

/* Some bytes behind the buffer, too. */
static size_t extent(const operation *op, const argument *a)
{
    return op->plain == plain_stat ? 0 : a->size + 16;
}

static int64_t sent(const operation *op, int64_t result)
{
    return op->writes && result > 0 && result < 1000 ? result : 0;
}

static void run_plain(const operation *op, const argument *a, size_t kind, outcome *ret)
{
    world   w = kinds[kind].make();
    int64_t r;

    fill(plain_buffer, sizeof plain_buffer);
    set_tick(patience_ms);
    r = op->plain(w.fd, a, plain_buffer);
    set_tick(0);
    look(&w, r, sent(op, r), plain_buffer, extent(op, a), ret);
    let_go(&w);
}

static void run_by_weft(weft_runtime *rt, const operation *op, const argument *a, size_t kind,
                        bool waits, outcome *ret)
{
    world        w = kinds[kind].make();
    weft_stream *s = NULL;
    int          flags = fcntl(w.fd, F_GETFL);
    weft_io      io;
    int64_t      r;

    fill(weft_buffer, sizeof weft_buffer);
    if (op->stream)
        check_eq(weft_stream_adopt(rt, w.fd, &s), 0);
    r = run_weft(rt, s ? op->stream(&io, s, a, weft_buffer) : op->weft(&io, w.fd, a, weft_buffer),
                 waits);
    if (op->plain == plain_stat && r == 0)
        r = (int64_t)((struct statx *)weft_buffer)->stx_size +
            (((struct statx *)weft_buffer)->stx_mode & S_IFMT);
    look(&w, r, sent(op, r), weft_buffer, extent(op, a), ret);
    if (s) {
        ret->flags = flags; /* a stream's are weft's */
        weft_stream_close(s);
        w.fd = -1;
    }
    let_go(&w);
}

/* How much of it a terminal or socket takes depends on how fast the system empties it. */
static bool depends_on_time(const operation *op, const argument *a, size_t kind)
{
    const char *name = kinds[kind].name;

    return (op->writes || strstr(op->name, "exact")) && a->size == MOST &&
           (strstr(name, "terminal") || strstr(name, "socket"));
}

/* How many cases of the operation differ and are not listed. */
static int run(weft_runtime *rt, const operation *op)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (const argument *a = op->arguments; a->name; a++) {
            outcome plain, weft;

            if ((op->stream && !kinds[k].stream) || depends_on_time(op, a, k))
                continue;
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
    read_list("`test_differential.c`");
    signal(SIGPIPE, SIG_IGN);
    return start(1);
}

Test(differential, operations_do_what_the_system_calls_do, .timeout = MANY_WAITS)
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

static int64_t one_too_many(int fd, const argument *a, char *buffer)
{
    int64_t n = plain_read(fd, a, buffer);

    return n > 0 ? n + 1 : n;
}

static int64_t another_error(int fd, const argument *a, char *buffer)
{
    int64_t n = plain_read(fd, a, buffer);

    return n == -EBADF ? -EINVAL : n;
}

static int64_t another_byte(int fd, const argument *a, char *buffer)
{
    int64_t n = plain_read(fd, a, buffer);

    buffer[0] ^= n > 0;
    return n;
}

static int64_t a_position_that_moves(int fd, const argument *a, char *buffer)
{
    if (a->offset == -1)
        return plain_read(fd, a, buffer);
    lseek(fd, 1, SEEK_CUR);
    return plain_read(fd, a, buffer);
}

static int64_t another_flag(int fd, const argument *a, char *buffer)
{
    int64_t n = plain_read(fd, a, buffer);

    fcntl(fd, F_SETFL, O_NONBLOCK);
    return n;
}

static int64_t another_byte_written(int fd, const argument *a, char *buffer)
{
    int64_t n;

    buffer[1] ^= 1;
    n = plain_write(fd, a, buffer);
    buffer[1] ^= 1;
    return n;
}

Test(differential, a_difference_is_seen, .timeout = MANY_WAITS)
{
    static const argument few[] = {
        {"5 bytes at the position", 5, -1},
        {"5 bytes at an offset", 5, 7},
        {NULL, 0, 0},
    };
    static const operation wrong[] = {
        {"weft_file_read", one_too_many, by_read, NULL, few, false},
        {"weft_file_read", another_error, by_read, NULL, few, false},
        {"weft_file_read", another_byte, by_read, NULL, few, false},
        {"weft_file_read", a_position_that_moves, by_read, NULL, few, false},
        {"weft_file_read", another_flag, by_read, NULL, few, false},
        {"weft_file_write", another_byte_written, by_write, NULL, few, true},
    };
    weft_runtime *rt = begin();

    wants_differences = true;
    patience_most_ms = 1;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, &wrong[i]), >, 0);
    stop(rt);
}
