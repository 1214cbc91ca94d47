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
#include "socket_operation.h"
#include "write_signal.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define IOV_MOST     1024
#define FILE_PORTION ((size_t)128 << 10)

wf_socket *wf_stream_new(wf_reactor *r, int fd, bool tcp)
{
    /* TCP reports room only after a write that found none. So POLLOUT costs nothing there, and
     * requesting it at once saves a call. A Unix socket or pipe reports room whenever its peer
     * reads. */
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

/* A read that was shorter than its buffer has emptied the socket, so until the next event another
 * read would only see EAGAIN. That saves a call for each request. It holds only while the socket is
 * watched and events tell everything. It holds for TCP only, since a read of a Unix socket stops
 * where descriptors were passed, and one of a terminal stops at the end of a line. */
static bool is_drained(wf_socket *s, uint32_t seq)
{
    return s->drained == (UINT64_C(1) << 32 | seq) &&
           wf_load(&s->always_try, RELAXED) == 0; /* published by seq */
}

static int64_t note_drained(wf_socket *s, uint32_t seq, int64_t n, size_t size)
{
    if (n > 0 && (size_t)n < size && wf_load(&s->asked, RELAXED)) /* a racy hint */
        s->drained = UINT64_C(1) << 32 | seq;
    return n;
}

/* A worker waits while a file's bytes come from a disk, so one call reads a limited portion. */
static size_t at_most(const wf_socket *s, size_t size)
{
    return s->is_file && size > FILE_PORTION ? FILE_PORTION : size;
}

/* ---- pipes and terminals ---- */

/* O_NONBLOCK is a flag of the open file. Other processes may share that file, most likely a
 * standard stream, and may clear the flag. So each call says itself that it must not wait. The
 * kernel supports that for sockets and pipes only. For a terminal, and a FIFO that was opened by
 * name, the flag is set again before the call. Another process could still clear it in between,
 * which no call can prevent. */
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

/* A file needs no flag, because it never waits for another program. A read with RWF_NOWAIT would
 * not get bytes that are only on the disk. */
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

/* A function of its own, so that writing to a socket needs no stack for the signals. */
static WF_SELDOM int64_t write_at_once(const wf_socket *s, const struct iovec *vector, int n)
{
    wf_write_signal quiet;
    ssize_t         r;

    wf_write_signal_begin(&quiet, s->is_file ? SIGXFSZ : SIGPIPE);
    r = s->is_file ? writev(s->fd, vector, n) : wf_writev_nowait(s->fd, vector, n);
    if (!s->is_file && is_refused(r)) {
        insist(s->fd);
        r = writev(s->fd, vector, n);
    }
    return wf_write_signal_end(&quiet, r, n == 1 ? vector->iov_len : SIZE_MAX);
}

static int64_t move_pieces(const wf_socket *s, const struct iovec *vector, int n, bool writes)
{
    return writes ? write_at_once(s, vector, n) : read_at_once(s, vector, n);
}

/* Moves the first pieces of a vector that is valid: so many that they are a portion at most, or a
 * part of one that is longer. */
static int64_t move_portion(const wf_socket *s, const struct iovec *vector, int n, bool writes)
{
    struct iovec part;
    size_t       size = 0;
    int          n_whole = 0;

    while (n_whole < n && vector[n_whole].iov_len <= FILE_PORTION - size)
        size += vector[n_whole++].iov_len;
    if (size > 0 || n_whole == n)
        return move_pieces(s, vector, n_whole, writes);
    part = (struct iovec){.iov_base = vector[n_whole].iov_base, .iov_len = FILE_PORTION};
    return move_pieces(s, &part, 1, writes);
}

/* Moves the bytes of a vector where there is no socket. */
static int64_t move_vector(const wf_socket *s, const struct iovec *vector, int n, bool writes)
{
    return s->is_file ? move_portion(s, vector, n, writes) : move_pieces(s, vector, n, writes);
}

/* ---- reading ---- */

/* A function of its own, so that reading a socket needs no stack for the vector. */
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
                        : move_vector(s, args->first, args->n, false);
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
                        : move_vector(s, args->first, args->n, true);
}

const wf_socket_op wf_op_writev = {WF_SOCKET_OP("weft_writev"), .side = WF_SIDE_OUT,
                                   .attempt = attempt_writev};

WEFT_API weft_future *weft_writev(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                  int n)
{
    return make_pieces(io, &wf_op_writev, stream, vector, n);
}

/* ---- at once or not at all ---- */

/* Reads even if `drained` says that the socket is empty. No thread may have taken the event yet
 * that says otherwise, and this call does not wait for it. */
static int64_t read_now(wf_socket *s, void *memory, size_t size)
{
    uint32_t seq = wf_socket_seq(&s->in);

    return note_drained(s, seq, receive(s, memory, size), size);
}

/* Claims the direction for an operation that is never polled, so that no other caller can have it
 * during the call. */
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

/* ---- zero-copy writes ---- */

typedef struct zero_copy {
    const char  *memory;
    wf_reactor  *reactor; /* the stream's */
    weft_stream *stream;
    wf_socket   *socket; /* valid once the operation has begun */
    unsigned     size;
    bool         copies; /* the kernel can't do without a copy */
} zero_copy;

/* The stream's reactor may have another kind of ring than that of the runtime that polls. */
static wf_reactor *zero_copy_reactor(const weft_io *io)
{
    return WF_ARGS(io, zero_copy)->reactor;
}

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
    int              fd = args->socket->fd;

    if (args->copies)
        io_uring_prep_send(sqe, fd, args->memory, args->size, MSG_NOSIGNAL);
    else
        /* With MSG_WAITALL the kernel continues after a short write by itself. */
        io_uring_prep_send_zc(sqe, fd, args->memory, args->size, MSG_NOSIGNAL | MSG_WAITALL, 0);
}

/* -EOPNOTSUPP says that this can't be done without a copy: the socket has kernel TLS, or the ring
 * has been lost. Then the operation is done once more, with one. */
static int64_t end_zero_copy(weft_io *io, int64_t result, bool cancelled)
{
    zero_copy *args = WF_ARGS(io, zero_copy);
    wf_socket *s = args->socket;
    bool       closed;

    if (result == -EOPNOTSUPP && !cancelled && !args->copies) {
        args->copies = true;
        return WF_IO_MORE;
    }
    closed = wf_socket_regain(s);
    wf_socket_let_go(&s->out);
    wf_socket_unref(s);
    return result < 0 && (closed || cancelled) ? -ECANCELED : result;
}

const wf_kernel_op wf_op_write_zero_copy = {
    WF_KERNEL_OP("weft_write_zero_copy"), .needs = WF_RING_SEND_ZC,
    .reactor = zero_copy_reactor,         .begin = begin_zero_copy,
    .prepare = prepare_zero_copy,         .end = end_zero_copy};

/* A submission entry has room for this size. */
#define ZERO_COPY_MOST (1u << 30)

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
    *WF_ARGS(io, zero_copy) =
        (zero_copy){.memory = buffer,
                    .reactor = wf_socket_of(stream)->reactor,
                    .stream = stream,
                    .size = size < ZERO_COPY_MOST ? (unsigned)size : ZERO_COPY_MOST};
    return wf_kernel_op_init(io, &wf_op_write_zero_copy);
}
