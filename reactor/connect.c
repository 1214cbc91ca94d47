/*
 * connect.c - connecting streams
 *
 * Purpose     Connecting, from the making of the socket.
 * Threads     Any.
 * Invariants  The socket is the operation's until it has ended well; then it is its caller's
 *             stream.
 * Ordering    socket.h.
 * Failure     -errno; the socket is closed again.
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

/* Where no socket listens at a port from which connections go out, the kernel may choose it for
 * this one: the two calls of TCP's simultaneous open are then one and the same, and it is connected
 * with itself. Ports are compared first: that is one call, and mostly all. */
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

/* The port is to be free again at once, not after the time that TCP keeps it: a server wants it. */
static int64_t refuse_itself(const wf_socket *s)
{
    struct linger reset = {.l_onoff = 1};

    setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset); /* as good as it gets */
    return -ECONNREFUSED;
}

static int64_t attempt_connect(weft_io *io, wf_socket *s)
{
    const weft_address *address = WF_ARGS(io, connect_args)->address;

    if (connect(s->fd, &address->u.any, wf_address_size(address)) == 0 || errno == EISCONN)
        return is_connected_with_itself(s, address) ? refuse_itself(s) : 0;
    if (errno == EAGAIN) /* Unix: the listener's queue is full */
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
