/*
 * stream.c - TCP streams: reading, writing, connecting, closing
 *
 * Purpose     The rows of the operation table that move bytes, and what can be asked of a stream.
 * Threads     Any.
 * Invariants  A weft_stream is a wf_socket. Writing never raises SIGPIPE.
 * Ordering    socket.h.
 * Failure     As the system calls: -errno.
 */
#include "stream.h"

#include "operation.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#define IOV_MOST 1024

struct weft_stream {
    wf_socket socket;
};

int wf_stream_new(wf_reactor *r, int fd, weft_stream **ret)
{
    weft_stream *stream = wf_alloc(&r->rt->config.allocator, sizeof *stream);

    if (!stream)
        return -ENOMEM;
    wf_socket_init(&stream->socket, r, fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, sizeof *stream);
    *ret = stream;
    return 0;
}

static int64_t answer(ssize_t n)
{
    return n < 0 ? -errno : n;
}

/* ---- reading ---- */

/* A read shorter than its buffer has emptied the socket: until the next event another would only see
 * EAGAIN. Not before the poll is armed, nor once events don't tell everything. */
static bool is_drained(wf_socket *s, uint32_t seq)
{
    return s->drained == (UINT64_C(1) << 32 | seq) &&
           !wf_load(&s->always_try, RELAXED); /* published by seq */
}

static int64_t note_drained(wf_socket *s, uint32_t seq, int64_t n, size_t size)
{
    if (n > 0 && (size_t)n < size && wf_load(&s->asked, RELAXED)) /* a hint */
        s->drained = UINT64_C(1) << 32 | seq;
    return n;
}

int64_t wf_stream_read(weft_io *io, wf_socket *s)
{
    uint32_t seq = wf_socket_seq(&s->in);

    if (io->size_ == 0)
        return 0; /* recv would wait for data */
    if (is_drained(s, seq))
        return -EAGAIN;
    return note_drained(s, seq, answer(recv(s->fd, io->memory_, io->size_, MSG_DONTWAIT)),
                        io->size_);
}

int64_t wf_stream_read_exact(weft_io *io, wf_socket *s)
{
    size_t  left = io->size_ - io->done;
    int64_t n;

    if (left == 0)
        return 0; /* recv would wait for data */
    n = answer(recv(s->fd, (char *)io->memory_ + io->done, left, MSG_DONTWAIT));
    if (n < 0)
        return n;
    io->done += (size_t)n;
    if (io->done == io->size_)
        return (int64_t)io->size_;
    return n == 0 ? -EPIPE : WF_IO_MORE;
}

static bool is_empty(const struct iovec *vector, size_t n)
{
    while (n > 0)
        if (vector[--n].iov_len > 0)
            return false;
    return true;
}

int64_t wf_stream_readv(weft_io *io, wf_socket *s)
{
    struct msghdr message = {.msg_iov = io->memory_, .msg_iovlen = io->size_};

    if (io->size_ > IOV_MOST)
        return -EINVAL;
    if (is_empty(io->memory_, io->size_))
        return 0; /* recvmsg would wait for data */
    return answer(recvmsg(s->fd, &message, MSG_DONTWAIT));
}

/* ---- writing ---- */

int64_t wf_stream_write(weft_io *io, wf_socket *s)
{
    return answer(send(s->fd, io->memory_, io->size_, MSG_DONTWAIT | MSG_NOSIGNAL));
}

int64_t wf_stream_write_all(weft_io *io, wf_socket *s)
{
    int64_t n = answer(send(s->fd, (const char *)io->memory_ + io->done, io->size_ - io->done,
                            MSG_DONTWAIT | MSG_NOSIGNAL));

    if (n < 0)
        return n;
    io->done += (size_t)n;
    return io->done == io->size_ ? (int64_t)io->size_ : WF_IO_MORE;
}

int64_t wf_stream_writev(weft_io *io, wf_socket *s)
{
    struct msghdr message = {.msg_iov = io->memory_, .msg_iovlen = io->size_};

    if (io->size_ > IOV_MOST)
        return -EINVAL;
    return answer(sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static weft_future *transfer(weft_io *io, int op, weft_stream *stream, const void *memory,
                             size_t size)
{
    weft_future *future = wf_io_init(io, op);

    io->object_ = &stream->socket;
    io->memory_ = (void *)(uintptr_t)memory;
    io->size_ = size;
    return future;
}

WEFT_API weft_future *weft_read(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    return transfer(io, WF_OP_READ, stream, buffer, size);
}

WEFT_API weft_future *weft_read_exact(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    return transfer(io, WF_OP_READ_EXACT, stream, buffer, size);
}

WEFT_API weft_future *weft_readv(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                 int n)
{
    return transfer(io, WF_OP_READV, stream, vector, n < 0 ? SIZE_MAX : (size_t)n);
}

WEFT_API weft_future *weft_write(weft_io *io, weft_stream *stream, const void *buffer, size_t size)
{
    return transfer(io, WF_OP_WRITE, stream, buffer, size);
}

WEFT_API weft_future *weft_write_all(weft_io *io, weft_stream *stream, const void *buffer,
                                     size_t size)
{
    return transfer(io, WF_OP_WRITE_ALL, stream, buffer, size);
}

WEFT_API weft_future *weft_writev(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                  int n)
{
    return transfer(io, WF_OP_WRITEV, stream, vector, n < 0 ? SIZE_MAX : (size_t)n);
}

/* ---- connecting ---- */

int wf_connect_begin(weft_io *io, weft_context *cx)
{
    const weft_address *address = io->memory_;
    weft_stream        *stream;
    int                 fd, r;

    if (!cx->runtime)
        return -ENXIO;
    fd = socket(address->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = wf_stream_new(cx->runtime->reactor, fd, &stream);
    if (r < 0)
        close(fd);
    else
        io->object_ = &stream->socket;
    return r;
}

int64_t wf_connect_attempt(weft_io *io, wf_socket *s)
{
    const weft_address *address = io->memory_;

    if (connect(s->fd, &address->u.any, wf_address_size(address)) == 0 || errno == EISCONN)
        return 0;
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : -errno;
}

int64_t wf_connect_end(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result == 0)
        *(weft_stream **)io->out_ = io->object_;
    else if (io->object_)
        wf_socket_close(io->object_);
    return result;
}

WEFT_API weft_future *weft_connect(weft_io *io, weft_stream **ret_stream,
                                   const weft_address *address)
{
    weft_future *future = wf_io_init(io, WF_OP_CONNECT);

    io->memory_ = (void *)(uintptr_t)address;
    io->out_ = ret_stream;
    return future;
}

/* ---- the rest ---- */

WEFT_API int weft_stream_shutdown(weft_stream *stream, int how)
{
    return shutdown(stream->socket.fd, how) < 0 ? -errno : 0;
}

WEFT_API void weft_stream_close(weft_stream *stream)
{
    if (stream)
        wf_socket_close(&stream->socket);
}

WEFT_API int weft_stream_set_no_delay(weft_stream *stream, bool on)
{
    int value = on;

    return setsockopt(stream->socket.fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) < 0
               ? -errno
               : 0;
}

WEFT_API int weft_stream_peer_address(const weft_stream *stream, weft_address *ret)
{
    return wf_address_of(stream->socket.fd, getpeername, ret);
}

WEFT_API int weft_stream_local_address(const weft_stream *stream, weft_address *ret)
{
    return wf_address_of(stream->socket.fd, getsockname, ret);
}

WEFT_API int weft_stream_fd(const weft_stream *stream)
{
    return stream->socket.fd;
}
