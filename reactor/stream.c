/*
 * stream.c - streams: reading and writing
 *
 * Purpose     The operations that move a stream's bytes.
 * Threads     Any.
 * Invariants  A weft_stream is the handle of a wf_socket. Writing never raises SIGPIPE.
 * Ordering    socket.h.
 * Failure     As the system calls: -errno.
 */
#include "stream.h"

#include "calls.h"
#include "kernel_operation.h"
#include "sigpipe.h"
#include "socket_operation.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define IOV_MOST     1024
#define FILE_PORTION ((size_t)128 << 10)

wf_socket *wf_stream_new(wf_reactor *r, int fd, bool tcp)
{
    /* TCP tells of room only after a write that found none, so there POLLOUT costs nothing, and
     * asking for it at once saves a call. A Unix socket or pipe tells whenever its peer reads. */
    uint16_t   room = tcp ? POLLOUT : 0;
    wf_socket *s = wf_socket_new(r, fd, POLLIN | POLLRDHUP | room);

    if (!s)
        return NULL;
    s->is_tcp = tcp;
    s->always_try = tcp ? 0 : WF_TRY_KIND;
    return s;
}

static int64_t answer(ssize_t n)
{
    return n < 0 ? -errno : n;
}

/* A read shorter than its buffer has emptied the socket: until the next event another would only
 * see EAGAIN. Not before it is watched, nor once events don't tell everything. And only with TCP: a
 * Unix socket stops where descriptors came along, a terminal at the end of a line. */
static bool is_drained(wf_socket *s, uint32_t seq)
{
    return s->drained == (UINT64_C(1) << 32 | seq) &&
           wf_load(&s->always_try, RELAXED) == 0; /* published by seq */
}

static int64_t note_drained(wf_socket *s, uint32_t seq, int64_t n, size_t size)
{
    if (n > 0 && (size_t)n < size && wf_load(&s->asked, RELAXED)) /* a hint */
        s->drained = UINT64_C(1) << 32 | seq;
    return n;
}

/* A file's bytes may have to come from a disk, and the worker waits: a portion at once. */
static size_t at_most(const wf_socket *s, size_t size)
{
    return s->is_file && size > FILE_PORTION ? FILE_PORTION : size;
}

/* ---- pipes and terminals ---- */

/* O_NONBLOCK is a flag of the open file, which other processes may have and may clear: the standard
 * streams above all. So each call says itself that it must not wait. Where the kernel knows that
 * for sockets and for pipes only, a FIFO that was opened by its name and a terminal get the flag
 * back first. It could be cleared in between, which no call can exclude. */
static void insist(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && !(flags & O_NONBLOCK))
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static bool is_refused(ssize_t n)
{
    return n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS);
}

/* A file never waits for another program, and only reads that may wait get what a disk has. */
static int64_t read_at_once(const wf_socket *s, const struct iovec *vector, int n)
{
    ssize_t r = s->is_file ? readv(s->fd, vector, n) : wf_readv_nowait(s->fd, vector, n);

    if (!s->is_file && is_refused(r)) {
        insist(s->fd);
        r = readv(s->fd, vector, n);
    }
    wf_pieces_defined(vector, r);
    return answer(r);
}

static int64_t write_at_once(const wf_socket *s, const struct iovec *vector, int n)
{
    wf_sigpipe quiet;
    ssize_t    r;

    wf_sigpipe_begin(&quiet);
    r = s->is_file ? writev(s->fd, vector, n) : wf_writev_nowait(s->fd, vector, n);
    if (!s->is_file && is_refused(r)) {
        insist(s->fd);
        r = writev(s->fd, vector, n);
    }
    return wf_sigpipe_end(&quiet, r, n == 1 ? vector->iov_len : SIZE_MAX);
}

/* ---- reading ---- */

/* Apart, so that reading a socket needs no room for the vector. */
static WF_SELDOM int64_t read_pipe(const wf_socket *s, void *memory, size_t size)
{
    struct iovec vector = {.iov_base = memory, .iov_len = at_most(s, size)};

    return read_at_once(s, &vector, 1);
}

static int64_t receive(const wf_socket *s, void *memory, size_t size)
{
    if (size == 0)
        return 0; /* recv would wait for data */
    return s->is_socket ? answer(wf_recv(s->fd, memory, size, MSG_DONTWAIT))
                        : read_pipe(s, memory, size);
}

typedef struct transfer {
    void  *memory;
    size_t size;
} transfer;

typedef struct pieces {
    struct iovec *first;
    int           n;
} pieces;

static weft_future *make_transfer(weft_io *io, const wf_socket_op *op, weft_stream *stream,
                                  const void *memory, size_t size)
{
    *WF_ARGS(io, transfer) = (transfer){(void *)(uintptr_t)memory, size};
    return wf_socket_op_init(io, op, stream);
}

static weft_future *make_pieces(weft_io *io, const wf_socket_op *op, weft_stream *stream,
                                const struct iovec *vector, int n)
{
    *WF_ARGS(io, pieces) = (pieces){(struct iovec *)(uintptr_t)vector, n};
    return wf_socket_op_init(io, op, stream);
}

static int64_t attempt_read(weft_io *io, wf_socket *s)
{
    const transfer *args = WF_ARGS(io, transfer);
    uint32_t        seq = wf_socket_seq(&s->in);

    if (is_drained(s, seq) && args->size > 0)
        return -EAGAIN;
    return note_drained(s, seq, receive(s, args->memory, args->size), args->size);
}

const wf_socket_op wf_op_read = {WF_SOCKET_OP("weft_read"), .side = WF_SIDE_IN,
                                 .attempt = attempt_read};

WEFT_API weft_future *weft_read(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    return make_transfer(io, &wf_op_read, stream, buffer, size);
}

static int64_t attempt_read_exact(weft_io *io, wf_socket *s)
{
    const transfer *args = WF_ARGS(io, transfer);
    size_t          left = args->size - io->done;
    int64_t         n;

    if (left == 0)
        return 0;
    n = receive(s, (char *)args->memory + io->done, left);
    if (n < 0)
        return n;
    io->done += (size_t)n;
    if (io->done == args->size)
        return (int64_t)args->size;
    return n == 0 ? WEFT_EOF : WF_IO_MORE;
}

const wf_socket_op wf_op_read_exact = {WF_SOCKET_OP("weft_read_exact"), .side = WF_SIDE_IN,
                                       .attempt = attempt_read_exact};

WEFT_API weft_future *weft_read_exact(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    return make_transfer(io, &wf_op_read_exact, stream, buffer, size);
}

static bool is_empty(const pieces *args)
{
    for (int i = 0; i < args->n; i++)
        if (args->first[i].iov_len > 0)
            return false;
    return true;
}

static int64_t attempt_readv(weft_io *io, wf_socket *s)
{
    const pieces *args = WF_ARGS(io, pieces);
    struct msghdr message = {.msg_iov = args->first, .msg_iovlen = (size_t)args->n};

    if ((unsigned)args->n > IOV_MOST)
        return -EINVAL;
    if (is_empty(args))
        return 0; /* recvmsg would wait for data */
    return s->is_socket ? answer(recvmsg(s->fd, &message, MSG_DONTWAIT))
                        : read_at_once(s, args->first, args->n);
}

const wf_socket_op wf_op_readv = {WF_SOCKET_OP("weft_readv"), .side = WF_SIDE_IN,
                                  .attempt = attempt_readv};

WEFT_API weft_future *weft_readv(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                 int n)
{
    return make_pieces(io, &wf_op_readv, stream, vector, n);
}

static int64_t attempt_peek(weft_io *io, wf_socket *s)
{
    const transfer *args = WF_ARGS(io, transfer);

    if (args->size == 0)
        return 0; /* recv would wait for data */
    return answer(recv(s->fd, args->memory, args->size, MSG_DONTWAIT | MSG_PEEK));
}

const wf_socket_op wf_op_peek = {WF_SOCKET_OP("weft_peek"), .side = WF_SIDE_IN,
                                 .attempt = attempt_peek};

WEFT_API weft_future *weft_peek(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    return make_transfer(io, &wf_op_peek, stream, buffer, size);
}

/* ---- writing ---- */

int64_t wf_stream_transmit(const wf_socket *s, const char *memory, size_t size)
{
    struct iovec vector = {.iov_base = (void *)(uintptr_t)memory, .iov_len = at_most(s, size)};

    return s->is_socket ? answer(wf_send(s->fd, memory, size, MSG_DONTWAIT | MSG_NOSIGNAL))
                        : write_at_once(s, &vector, 1);
}

static int64_t attempt_write(weft_io *io, wf_socket *s)
{
    const transfer *args = WF_ARGS(io, transfer);

    return wf_stream_transmit(s, args->memory, args->size);
}

const wf_socket_op wf_op_write = {WF_SOCKET_OP("weft_write"), .side = WF_SIDE_OUT,
                                  .attempt = attempt_write};

WEFT_API weft_future *weft_write(weft_io *io, weft_stream *stream, const void *buffer, size_t size)
{
    return make_transfer(io, &wf_op_write, stream, buffer, size);
}

static int64_t attempt_write_all(weft_io *io, wf_socket *s)
{
    const transfer *args = WF_ARGS(io, transfer);
    int64_t n = wf_stream_transmit(s, (const char *)args->memory + io->done, args->size - io->done);

    if (n < 0)
        return n;
    io->done += (size_t)n;
    return io->done == args->size ? (int64_t)args->size : WF_IO_MORE;
}

const wf_socket_op wf_op_write_all = {WF_SOCKET_OP("weft_write_all"), .side = WF_SIDE_OUT,
                                      .attempt = attempt_write_all};

WEFT_API weft_future *weft_write_all(weft_io *io, weft_stream *stream, const void *buffer,
                                     size_t size)
{
    return make_transfer(io, &wf_op_write_all, stream, buffer, size);
}

static int64_t attempt_writev(weft_io *io, wf_socket *s)
{
    const pieces *args = WF_ARGS(io, pieces);
    struct msghdr message = {.msg_iov = args->first, .msg_iovlen = (size_t)args->n};

    if ((unsigned)args->n > IOV_MOST)
        return -EINVAL;
    return s->is_socket ? answer(sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL))
                        : write_at_once(s, args->first, args->n);
}

const wf_socket_op wf_op_writev = {WF_SOCKET_OP("weft_writev"), .side = WF_SIDE_OUT,
                                   .attempt = attempt_writev};

WEFT_API weft_future *weft_writev(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                  int n)
{
    return make_pieces(io, &wf_op_writev, stream, vector, n);
}

/* ---- at once or not at all ---- */

/* Without a look at `drained`: an event that has not been taken yet may say otherwise. */
static int64_t read_now(wf_socket *s, void *memory, size_t size)
{
    uint32_t seq = wf_socket_seq(&s->in);

    return note_drained(s, seq, receive(s, memory, size), size);
}

/* The direction is claimed for an operation that is never polled, so that it stays with one
 * caller. */
static int64_t try_transfer(weft_stream *stream, unsigned side, void *memory, size_t size)
{
    weft_io       claim;
    wf_direction *d;
    wf_socket    *s;
    int64_t       n = -EBUSY;

    if (wf_reactor_is_child(wf_socket_of(stream)->reactor))
        return -ECHILD;
    s = wf_socket_ref(stream, side);
    if (!s)
        return -EBADF;
    d = side == WF_SIDE_IN ? &s->in : &s->out;
    if (wf_socket_claim(d, &claim)) {
        do
            n = side == WF_SIDE_IN ? read_now(s, memory, size)
                                   : wf_stream_transmit(s, memory, size);
        while (n == -EINTR);
        wf_socket_let_go(d);
    }
    wf_socket_unref(s);
    return n;
}

WEFT_API int64_t weft_stream_try_read(weft_stream *stream, void *buffer, size_t size)
{
    return try_transfer(stream, WF_SIDE_IN, buffer, size);
}

WEFT_API int64_t weft_stream_try_write(weft_stream *stream, const void *buffer, size_t size)
{
    return try_transfer(stream, WF_SIDE_OUT, (void *)(uintptr_t)buffer, size);
}

/* ---- the kernel writes, from the caller's memory ---- */

typedef struct zero_copy {
    transfer     what;
    weft_stream *stream;
    wf_socket   *socket; /* once it has begun */
} zero_copy;

static int begin_zero_copy(weft_io *io, weft_context *cx)
{
    zero_copy *args = WF_ARGS(io, zero_copy);
    wf_socket *s = wf_socket_ref(args->stream, WF_SIDE_OUT);

    (void)cx;
    if (!s)
        return -EBADF;
    if (wf_socket_claim(&s->out, io)) {
        if (wf_socket_lend(s)) {
            args->socket = s;
            return 0;
        }
        wf_socket_let_go(&s->out);
        wf_socket_unref(s);
        return -EBADF;
    }
    wf_socket_unref(s);
    return -EBUSY;
}

static void prepare_zero_copy(const weft_io *io, struct io_uring_sqe *sqe)
{
    const zero_copy *args = WF_ARGS(io, zero_copy);

    /* WAITALL: the kernel goes on with the rest itself. */
    io_uring_prep_send_zc(sqe, args->socket->fd, args->what.memory, args->what.size,
                          MSG_NOSIGNAL | MSG_WAITALL, 0);
}

static int64_t end_zero_copy(weft_io *io, int64_t result, bool cancelled)
{
    wf_socket *s = WF_ARGS(io, zero_copy)->socket;
    bool       closed = wf_socket_regain(s);

    wf_socket_let_go(&s->out);
    wf_socket_unref(s);
    return result < 0 && (closed || cancelled) ? -ECANCELED : result;
}

const wf_kernel_op wf_op_write_zero_copy = {WF_KERNEL_OP("weft_write_zero_copy"),
                                            .begin = begin_zero_copy, .prepare = prepare_zero_copy,
                                            .needs = WF_RING_SEND_ZC, .end = end_zero_copy};

#define ZERO_COPY_MOST (1u << 30) /* what the submission has room for */

WEFT_API weft_future *weft_write_zero_copy(weft_io *io, weft_stream *stream, const void *buffer,
                                           size_t size)
{
    bool       can = false;
    wf_socket *s;

    if (wf_socket_use(stream, &s) == 0) {
        can = s->is_tcp && s->reactor->ring.features & WF_RING_SEND_ZC;
        wf_socket_unref(s);
    }
    if (!can || size == 0)
        return weft_write(io, stream, buffer, size);
    *WF_ARGS(io, zero_copy) = (zero_copy){
        .what = {(void *)(uintptr_t)buffer, size < ZERO_COPY_MOST ? size : ZERO_COPY_MOST},
        .stream = stream};
    return wf_kernel_op_init(io, &wf_op_write_zero_copy);
}
