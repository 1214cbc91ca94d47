/*
 * connect.c - connecting streams
 *
 * Purpose     Makes a socket and connects it.
 * Threads     Any.
 * Invariants  The operation owns the socket until it succeeds. Then the caller owns it as a stream.
 * Ordering    socket.h.
 * Failure     -errno, after the socket has been closed.
 */
#include "descriptor.h"
#include "retry_timer.h"
#include "socket_operation.h"
#include "stream.h"

#include <string.h>
#include <unistd.h>

#define FULL_PAUSE_MS 5

typedef struct connect_args {
    const weft_address *address;
    weft_stream       **ret;
} connect_args;

static int begin_connect(weft_io *io, weft_context *cx)
{
    const weft_address *address = WF_ARGS(io, connect_args)->address;
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
    io->target_ = wf_socket_handle(s);
    return 0;
}

/* If no socket listens at the port, and the port is in the ephemeral range, the kernel may choose
 * the same port for this end. TCP's simultaneous open then connects the socket with itself. The
 * ports are compared first, because that takes one call and usually decides. */
static bool is_connected_with_itself(const wf_socket *s, const weft_address *to)
{
    weft_address local, peer;

    if (!s->is_tcp || wf_address_local(s->fd, &local) < 0 ||
        weft_address_port(&local) != weft_address_port(to) || wf_address_peer(s->fd, &peer) < 0)
        return false;
    if (local.u.any.sa_family == AF_INET)
        return local.u.v4.sin_addr.s_addr == peer.u.v4.sin_addr.s_addr;
    return memcmp(&local.u.v6.sin6_addr, &peer.u.v6.sin6_addr, sizeof local.u.v6.sin6_addr) == 0;
}

/* A reset frees the port at once, because a server may be about to listen there. Without it TCP
 * would keep the port for a while. */
static int64_t refuse_itself(const wf_socket *s)
{
    struct linger reset = {.l_onoff = 1};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* best effort */
    return -ECONNREFUSED;
}

static int64_t attempt_connect(weft_io *io, wf_socket *s)
{
    const weft_address *address = WF_ARGS(io, connect_args)->address;

    if (connect(s->fd, &address->u.any, wf_address_size(address)) == 0 || errno == EISCONN)
        return is_connected_with_itself(s, address) ? refuse_itself(s) : 0;
    if (errno == EAGAIN) /* the queue of a Unix listener is full */
        return wf_retry_timer_again(s, FULL_PAUSE_MS);
    return errno == EINPROGRESS || errno == EALREADY ? -EAGAIN : -errno;
}

static int64_t end_connect(weft_io *io, int64_t result, bool cancelled)
{
    void *stream = io->target_ ? wf_socket_handle(io->target_) : NULL;

    wf_retry_timer_end(io, result, cancelled);
    if (result == 0)
        *WF_ARGS(io, connect_args)->ret = stream;
    else if (stream)
        wf_socket_close(stream);
    return result;
}

const wf_socket_op wf_op_connect = {WF_SOCKET_OP("weft_connect"),  .side = WF_SIDE_OUT,
                                    .begin = begin_connect,        .attempt = attempt_connect,
                                    .waits = wf_retry_timer_waits, .end = end_connect};

WEFT_API weft_future *weft_connect(weft_io *io, const weft_address *address,
                                   weft_stream **ret_stream)
{
    *WF_ARGS(io, connect_args) = (connect_args){address, ret_stream};
    return wf_socket_op_init(io, &wf_op_connect, NULL);
}
