/*
 * listener.c - listening, and accepting connections
 *
 * Purpose     The accept row of the operation table, and what can be asked of a listener.
 * Threads     Any; one accept at a time.
 * Invariants  L1 a connection is taken by accept4 in the poll that delivers it: a cancelled accept has
 *             taken none. L2 out of descriptors or memory, the waiting accept is nudged by a timer.
 * Ordering    socket.h; the timer's lock.
 * Failure     Errors of a connection that died in the queue are skipped; others are answered.
 */
#include "operation.h"
#include "stream.h"
#include "timer.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#define BACKLOG       1024
#define STARVED_PAUSE WEFT_MS(20)

struct weft_listener {
    wf_socket socket;
    bool      no_delay;
    bool      starved; /* the last attempt found no descriptor: the accept's, as are the next two */
    bool      napping; /* the timer has been armed */
    weft_nap  nap;
};

/* ---- waiting for descriptors ---- */

static weft_waker nudge_clone(void *data);

static void *nudge_notify(void *data)
{
    weft_listener *l = data;

    return wf_socket_nudge(&l->socket, &l->socket.in);
}

static void nudge_unused(void *data)
{
    (void)data;
}

/* The timer borrows this waker and fires it in two steps; nobody else sees it. */
static const weft_waker_vtable nudge_vtable = {nudge_clone, nudge_unused, nudge_unused,
                                               nudge_unused, nudge_notify};

static weft_waker nudge_clone(void *data)
{
    return (weft_waker){&nudge_vtable, data};
}

static void stop_napping(weft_listener *l)
{
    if (l->napping)
        wf_timer_disarm(&l->nap);
    l->napping = false;
}

void wf_accept_waits(weft_io *io, wf_socket *s, weft_context *cx)
{
    weft_listener *l = weft_container(s, weft_listener, socket);
    weft_waker     waker = {&nudge_vtable, l};

    (void)io, (void)cx;
    stop_napping(l);
    if (!l->starved)
        return;
    l->starved = false;
    do /* again if we have been kept from the CPU for so long that it is over already */
        l->nap.deadline_ = wf_now() + STARVED_PAUSE;
    while (!wf_timer_arm(s->reactor->rt->timers, &l->nap, &waker));
    l->napping = true;
}

int64_t wf_accept_end(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (io->object_)
        stop_napping(weft_container(io->object_, weft_listener, socket));
    return result;
}

/* ---- accepting ---- */

static int64_t deliver(weft_listener *l, weft_io *io, int fd)
{
    int one = 1, r;

    if (l->no_delay)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* TCP has it */
    r = wf_stream_new(l->socket.reactor, fd, io->out_);
    if (r < 0)
        close(fd);
    return r;
}

int64_t wf_accept_attempt(weft_io *io, wf_socket *s)
{
    weft_listener *l = weft_container(s, weft_listener, socket);
    int            fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        return deliver(l, io, fd);
    switch (errno) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        l->starved = true;
        return -EAGAIN;
    case ECONNABORTED: /* died in the queue; so with the others, see accept(2) */
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
        return WF_IO_MORE;
    default:
        return -errno;
    }
}

WEFT_API weft_future *weft_accept(weft_io *io, weft_listener *listener, weft_stream **ret_stream)
{
    weft_future *future = wf_io_init(io, WF_OP_ACCEPT);

    io->object_ = &listener->socket;
    io->out_ = ret_stream;
    return future;
}

/* ---- listening ---- */

static int set_option(int fd, int level, int option, bool on)
{
    int value = on;

    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int open_socket(const weft_address *address, const weft_listen_options *o)
{
    bool v6 = address->u.any.sa_family == AF_INET6;
    int  fd = socket(address->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int  r = 0;

    if (fd < 0)
        return -errno;
    if (!o->no_reuse_addr)
        r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, true);
    if (r == 0 && o->reuse_port)
        r = set_option(fd, SOL_SOCKET, SO_REUSEPORT, true);
    if (r == 0 && v6)
        r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only);
    if (r == 0 && bind(fd, &address->u.any, wf_address_size(address)) < 0)
        r = -errno;
    if (r == 0 && listen(fd, o->backlog > 0 ? o->backlog : BACKLOG) < 0)
        r = -errno;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

WEFT_API int weft_listen(weft_runtime *rt, weft_listener **ret, const weft_address *address,
                         const weft_listen_options *options)
{
    const weft_listen_options  none = {0};
    const weft_listen_options *o = options ? options : &none;
    weft_listener             *l;
    int                        fd;

    rt = wf_rt_or_current(rt);
    if (!rt)
        return -ENXIO;
    fd = open_socket(address, o);
    if (fd < 0)
        return fd;
    l = wf_alloc(&rt->config.allocator, sizeof *l);
    if (!l) {
        close(fd);
        return -ENOMEM;
    }
    wf_socket_init(&l->socket, rt->reactor, fd, POLLIN, sizeof *l);
    l->no_delay = o->no_delay;
    l->starved = l->napping = false;
    *ret = l;
    return 0;
}

WEFT_API int weft_listener_address(const weft_listener *listener, weft_address *ret)
{
    return wf_address_of(listener->socket.fd, getsockname, ret);
}

WEFT_API void weft_listener_close(weft_listener *listener)
{
    if (listener)
        wf_socket_close(&listener->socket);
}
