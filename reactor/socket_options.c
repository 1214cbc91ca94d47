/*
 * socket_options.c - options and addresses of sockets
 *
 * Purpose     Calls on a handle that return without waiting.
 * Threads     Any.
 * Invariants  A call holds a reference while it lasts, so its descriptor cannot be closed and
 *             reused meanwhile.
 * Ordering    socket.h.
 * Failure     -EBADF for a handle that has been closed, -ECHILD in a forked child, or the error of
 *             the system call.
 */
#include "stream.h"

#include <netinet/tcp.h>
#include <unistd.h>
#include <weft/datagram.h>

int wf_stream_switch(int fd, int level, int option, bool on)
{
    int value = on;

    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int wf_socket_set(const void *handle, int level, int option, const void *value, socklen_t size)
{
    wf_socket *s;
    int        r = wf_socket_use(handle, &s);

    if (r < 0)
        return r;
    r = setsockopt(s->fd, level, option, value, size) < 0 ? -errno : 0;
    wf_socket_unref(s);
    return r;
}

static int set_int(const void *handle, int level, int option, int value)
{
    return wf_socket_set(handle, level, option, &value, sizeof value);
}

int wf_socket_get(const void *handle, int level, int option, int *ret)
{
    wf_socket *s;
    socklen_t  size = sizeof *ret;
    int        r = wf_socket_use(handle, &s);

    if (r < 0)
        return r;
    r = getsockopt(s->fd, level, option, ret, &size) < 0 ? -errno : 0;
    wf_socket_unref(s);
    return r;
}

static int fd_of(const void *handle)
{
    wf_socket *s;
    int        fd, r = wf_socket_use(handle, &s);

    if (r < 0)
        return r;
    fd = s->fd;
    wf_socket_unref(s);
    return fd;
}

static int local_address_of(const void *handle, weft_address *ret)
{
    wf_socket *s;
    int        r = wf_socket_use(handle, &s);

    if (r < 0)
        return r;
    r = wf_address_local(s->fd, ret);
    wf_socket_unref(s);
    return r;
}

/* The kernel forgets the address of a peer that has gone, so the socket has kept it. */
static int peer_address_of(const void *handle, weft_address *ret)
{
    wf_socket *s;
    int        r = wf_socket_use(handle, &s);

    if (r < 0)
        return r;
    r = wf_address_peer(s->fd, ret);
    if (r == -ENOTCONN && wf_peer_recall(&s->peer, ret))
        r = 0;
    wf_socket_unref(s);
    return r;
}

/* ---- all kinds of sockets ---- */

WEFT_API int weft_stream_fd(const weft_stream *stream)
{
    return fd_of(stream);
}

WEFT_API int weft_listener_fd(const weft_listener *listener)
{
    return fd_of(listener);
}

WEFT_API int weft_datagram_fd(const weft_datagram *datagram)
{
    return fd_of(datagram);
}

WEFT_API int weft_stream_peer_address(const weft_stream *stream, weft_address *ret_address)
{
    return peer_address_of(stream, ret_address);
}

WEFT_API int weft_stream_local_address(const weft_stream *stream, weft_address *ret_address)
{
    return local_address_of(stream, ret_address);
}

WEFT_API int weft_listener_address(const weft_listener *listener, weft_address *ret_address)
{
    return local_address_of(listener, ret_address);
}

WEFT_API int weft_datagram_peer_address(const weft_datagram *datagram, weft_address *ret_address)
{
    return peer_address_of(datagram, ret_address);
}

WEFT_API int weft_datagram_local_address(const weft_datagram *datagram, weft_address *ret_address)
{
    return local_address_of(datagram, ret_address);
}

static int set_buffers(const void *handle, int receive, int send)
{
    /* The descriptor is asked for an error, which two sizes of 0 would not bring. */
    int r = receive < 0 || send < 0 ? -EINVAL : fd_of(handle);

    if (r >= 0 && receive > 0)
        r = set_int(handle, SOL_SOCKET, SO_RCVBUF, receive);
    if (r >= 0 && send > 0)
        r = set_int(handle, SOL_SOCKET, SO_SNDBUF, send);
    return r < 0 ? r : 0;
}

static int buffers(const void *handle, int *ret_receive, int *ret_send)
{
    int receive, send, r;

    r = wf_socket_get(handle, SOL_SOCKET, SO_RCVBUF, &receive);
    if (r == 0)
        r = wf_socket_get(handle, SOL_SOCKET, SO_SNDBUF, &send);
    if (r < 0)
        return r;
    *ret_receive = receive;
    *ret_send = send;
    return 0;
}

WEFT_API int weft_stream_set_buffers(weft_stream *stream, int receive, int send)
{
    return set_buffers(stream, receive, send);
}

WEFT_API int weft_stream_buffers(const weft_stream *stream, int *ret_receive, int *ret_send)
{
    return buffers(stream, ret_receive, ret_send);
}

WEFT_API int weft_datagram_set_buffers(weft_datagram *datagram, int receive, int send)
{
    return set_buffers(datagram, receive, send);
}

WEFT_API int weft_datagram_buffers(const weft_datagram *datagram, int *ret_receive, int *ret_send)
{
    return buffers(datagram, ret_receive, ret_send);
}

WEFT_API void weft_stream_close(weft_stream *stream)
{
    if (stream)
        wf_socket_close(stream);
}

WEFT_API void weft_listener_close(weft_listener *listener)
{
    if (listener)
        wf_socket_close(listener);
}

WEFT_API void weft_datagram_close(weft_datagram *datagram)
{
    if (datagram)
        wf_socket_close(datagram);
}

/* ---- streams ---- */

WEFT_API int weft_stream_shutdown(weft_stream *stream, int how)
{
    wf_socket *s;
    int        r = wf_socket_use(stream, &s);

    if (r < 0)
        return r;
    r = shutdown(s->fd, how) < 0 ? -errno : 0;
    if (r == 0)
        wf_socket_end(s, how == SHUT_RD ? WF_SIDE_IN : how == SHUT_WR ? WF_SIDE_OUT : WF_SIDE_BOTH);
    wf_socket_unref(s);
    return r;
}

WEFT_API int weft_stream_set_no_delay(weft_stream *stream, bool on)
{
    return set_int(stream, IPPROTO_TCP, TCP_NODELAY, on);
}

WEFT_API int weft_stream_set_eager(weft_stream *stream, bool on)
{
    wf_socket *s;
    int        r = wf_socket_use(stream, &s);

    if (r < 0)
        return r;
    /* RELAXED: the caller sets it before the first read. */
    if (on)
        wf_or(&s->always_try, WF_TRY_EAGER, RELAXED);
    else
        wf_and(&s->always_try, (uint8_t)~WF_TRY_EAGER, RELAXED);
    wf_socket_unref(s);
    return 0;
}

/* The kernel's limits. A value beyond them is refused before any option is set. */
#define KEEP_SECONDS_MOST 32767
#define KEEP_COUNT_MOST   127

static bool is_valid(const weft_keep_alive *keep)
{
    int64_t most = WEFT_S(KEEP_SECONDS_MOST);

    return keep->idle >= 0 && keep->idle <= most && keep->interval >= 0 && keep->interval <= most &&
           keep->count >= 0 && keep->count <= KEEP_COUNT_MOST;
}

static int seconds(int64_t duration)
{
    return (int)(duration / WEFT_S(1) + (duration % WEFT_S(1) > 0));
}

/* Reads the system's default of an option from a new socket. */
static int get_default(int option, int *ret)
{
    socklen_t size = sizeof *ret;
    int       fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

    if (fd < 0)
        return -errno;
    r = getsockopt(fd, IPPROTO_TCP, option, ret, &size) < 0 ? -errno : 0;
    close(fd);
    return r;
}

WEFT_API int weft_stream_set_keep_alive(weft_stream *stream, const weft_keep_alive *keep)
{
    static const int options[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
    int              values[3], r = 0;

    if (!keep)
        return set_int(stream, SOL_SOCKET, SO_KEEPALIVE, false);
    if (!is_valid(keep))
        return -EINVAL;
    values[0] = seconds(keep->idle);
    values[1] = seconds(keep->interval);
    values[2] = keep->count;
    for (int i = 0; i < 3 && r == 0; i++)
        if (values[i] == 0)
            r = get_default(options[i], &values[i]);
    for (int i = 0; i < 3 && r == 0; i++)
        r = set_int(stream, IPPROTO_TCP, options[i], values[i]);
    return r < 0 ? r : set_int(stream, SOL_SOCKET, SO_KEEPALIVE, true);
}

WEFT_API int weft_stream_set_reset(weft_stream *stream, bool on)
{
    struct linger linger = {.l_onoff = on};

    return wf_socket_set(stream, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}
