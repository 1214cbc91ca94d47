/*
 * adopt.c - adopting and releasing descriptors, pairs and halves of streams
 *
 * Purpose     Lets weft own a descriptor of the program, and gives one back. Splits a stream into
 *             two halves.
 * Threads     Any.
 * Invariants  A descriptor that could not be adopted is unchanged. A released descriptor is not
 *             watched any more, and no reference leads to it.
 * Ordering    socket.h.
 * Failure     -errno.
 */
#include "descriptor.h"
#include "own.h"
#include "socket_operation.h"
#include "stream.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>
#include <weft/datagram.h>

/* ---- adopting ---- */

static int int_option(int fd, int level, int option)
{
    int       value = 0;
    socklen_t size = sizeof value;

    return getsockopt(fd, level, option, &value, &size) < 0 ? -errno : value;
}

static bool is_socket(int kind)
{
    return kind < WF_OWN_PIPE;
}

/* Whether this is TCP without a protocol on top of it. Reads stop early with kernel TLS. */
static bool is_plain_tcp(int fd)
{
    char      above[16];
    socklen_t size = sizeof above;

    return int_option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP &&
           (getsockopt(fd, IPPROTO_TCP, TCP_ULP, above, &size) < 0 || size == 0);
}

/* Returns 0 if the descriptor is a stream that can be read or written now, else -errno. *ret_peer
 * is the peer of a socket. */
static int check_stream(int fd, int kind, weft_address *ret_peer)
{
    if (!is_socket(kind))
        return 0;
    if (kind != SOCK_STREAM || int_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 0)
        return -EINVAL;
    return wf_address_peer(fd, ret_peer);
}

/* The last step of adopting. It changes the descriptor's flags, so nothing that can fail comes
 * after it. */
static int adopt(wf_socket *s, int kind, void **ret)
{
    int r = wf_own_begin(s, kind);

    s->is_shared = true;
    *ret = wf_socket_handle(s);
    if (r == 0)
        return 0;
    s->fd = -1; /* the caller still owns it */
    wf_socket_close(*ret);
    return r;
}

WEFT_API int weft_stream_adopt(weft_runtime *rt, int fd, weft_stream **ret_stream)
{
    weft_address peer = {.u.any.sa_family = AF_UNSPEC};
    wf_reactor  *reactor;
    int          kind, r = wf_reactor_of(rt, &reactor);
    wf_socket   *s;
    void        *handle;

    if (r < 0)
        return r;
    kind = wf_own_kind(fd);
    r = kind < 0 ? kind : check_stream(fd, kind, &peer);
    if (r < 0)
        return r;
    s = wf_stream_new(reactor, fd, is_socket(kind) && is_plain_tcp(fd));
    if (!s)
        return -ENOMEM;
    s->is_socket = is_socket(kind);
    wf_peer_note(&s->peer, &peer.u.any);
    r = adopt(s, kind, &handle);
    if (r == 0)
        *ret_stream = handle;
    return r;
}

WEFT_API int weft_listener_adopt(weft_runtime *rt, int fd, weft_listener **ret_listener)
{
    wf_reactor *reactor;
    int         kind, r = wf_reactor_of(rt, &reactor);
    wf_socket  *s;
    void       *handle;

    if (r < 0)
        return r;
    kind = wf_own_kind(fd);
    if (kind < 0)
        return kind;
    if (kind != SOCK_STREAM || int_option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
        return -EINVAL;
    s = wf_listener_new(reactor, fd, is_plain_tcp(fd));
    if (!s)
        return -ENOMEM;
    r = adopt(s, kind, &handle);
    if (r == 0)
        *ret_listener = handle;
    return r;
}

WEFT_API int weft_datagram_adopt(weft_runtime *rt, int fd, weft_datagram **ret_datagram)
{
    wf_reactor *reactor;
    int         kind, r = wf_reactor_of(rt, &reactor);
    wf_socket  *s;
    void       *handle;

    if (r < 0)
        return r;
    kind = wf_own_kind(fd);
    if (kind < 0)
        return kind;
    if (kind != SOCK_DGRAM && kind != SOCK_SEQPACKET)
        return -EINVAL;
    s = wf_socket_new(reactor, fd, WF_DATAGRAM_EVENTS);
    if (!s)
        return -ENOMEM;
    r = adopt(s, kind, &handle);
    if (r == 0)
        *ret_datagram = handle;
    return r;
}

static int pair_of(weft_runtime *rt, const int fd[2], weft_stream *ret[2])
{
    int r = weft_stream_adopt(rt, fd[0], &ret[0]);

    if (r < 0)
        return r;
    r = weft_stream_adopt(rt, fd[1], &ret[1]);
    /* The caller closes both descriptors, so the stream must not close fd[0]. */
    if (r < 0) {
        wf_socket_of(ret[0])->fd = -1;
        weft_stream_close(ret[0]);
    }
    return r;
}

WEFT_API int weft_stream_pair(weft_runtime *rt, weft_stream **ret_a, weft_stream **ret_b)
{
    weft_stream *both[2];
    int          fd[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) < 0)
        return -errno;
    fd[0] = wf_descriptor(fd[0]);
    fd[1] = wf_descriptor(fd[1]);
    r = fd[0] < 0 || fd[1] < 0 ? -EMFILE : pair_of(rt, fd, both);
    if (r < 0) {
        close(fd[0]);
        close(fd[1]);
        return r;
    }
    *ret_a = both[0];
    *ret_b = both[1];
    return 0;
}

/* ---- releasing ---- */

static int64_t attempt_release(weft_io *io, wf_socket *s)
{
    /* The operation has `in` already. With `out` it has both directions, so no other operation can
     * wait. RELAXED: only this operation stores `io` there. */
    if (wf_load(&s->out.owner, RELAXED) != io && !wf_socket_claim(&s->out, io))
        return -EBUSY;
    return wf_socket_take_fd(s);
}

static int64_t end_release(weft_io *io, int64_t result, bool cancelled)
{
    wf_socket *s = io->target_;

    (void)cancelled;
    if (s && wf_load(&s->out.owner, RELAXED) == io) /* only this operation stores `io` there */
        wf_socket_let_go(&s->out);
    return result;
}

const wf_socket_op wf_op_stream_release = {WF_SOCKET_OP("weft_stream_release"),
                                           .side = WF_SIDE_BOTH, .attempt = attempt_release,
                                           .end = end_release};

static weft_future *release(weft_io *io, void *handle)
{
    return wf_socket_op_init(io, &wf_op_stream_release, handle);
}

WEFT_API weft_future *weft_stream_release(weft_io *io, weft_stream *stream)
{
    return release(io, stream);
}

WEFT_API weft_future *weft_listener_release(weft_io *io, weft_listener *listener)
{
    return release(io, listener);
}

WEFT_API weft_future *weft_datagram_release(weft_io *io, weft_datagram *datagram)
{
    return release(io, datagram);
}

/* ---- halves ---- */

WEFT_API int weft_stream_split(weft_stream *stream, weft_stream **ret_reader,
                               weft_stream **ret_writer)
{
    wf_socket *s;

    if (wf_reactor_is_child(wf_socket_of(stream)->reactor))
        return -ECHILD;
    s = wf_socket_ref(stream, WF_SIDE_BOTH);
    if (!s)
        return -EBADF;
    /* The low bits of a handle are the sides that it may not use. */
    *ret_reader = (weft_stream *)((uintptr_t)stream | WF_SIDE_OUT);
    *ret_writer = (weft_stream *)((uintptr_t)stream | WF_SIDE_IN);
    wf_socket_unref(s);
    return 0;
}
