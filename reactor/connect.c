/*
 * connect.c - connecting streams
 *
 * Purpose     The connect row of the operation table.
 * Threads     Any.
 * Invariants  The socket is the operation's until it has ended well; then it is its caller's stream.
 * Ordering    socket.h.
 * Failure     -errno; the socket is closed again.
 */
#include "descriptor.h"
#include "nudge.h"
#include "operation.h"
#include "stream.h"

#include <unistd.h>

#define FULL_PAUSE_MS 5

int wf_connect_begin(weft_io *io, weft_context *cx)
{
    const weft_address *address = io->memory_;
    wf_socket          *s;
    int                 fd;

    if (!cx->runtime)
        return -ENXIO;
    if (wf_reactor_is_child(cx->runtime->reactor))
        return -ECHILD;
    fd = wf_descriptor(
        socket(address->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return -errno;
    s = wf_stream_new(cx->runtime->reactor, fd, wf_address_is_ip(address));
    if (!s) {
        close(fd);
        return -ENOMEM;
    }
    wf_peer_note(&s->peer, &address->u.any);
    io->object_ = wf_socket_handle(s);
    return 0;
}

int64_t wf_connect_attempt(weft_io *io, wf_socket *s)
{
    const weft_address *address = io->memory_;

    if (connect(s->fd, &address->u.any, wf_address_size(address)) == 0 || errno == EISCONN)
        return 0;
    if (errno == EAGAIN) /* Unix: the listener's queue is full */
        return wf_nudge_again(s, FULL_PAUSE_MS);
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : -errno;
}

int64_t wf_connect_end(weft_io *io, int64_t result, bool cancelled)
{
    void *stream = io->object_ ? wf_socket_handle(io->object_) : NULL;

    wf_nudge_end(io, result, cancelled);
    if (result == 0)
        *(weft_stream **)io->out_ = stream;
    else if (stream)
        wf_socket_close(stream);
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
