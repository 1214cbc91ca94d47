/*
 * listener.c - listening, and accepting connections
 *
 * Purpose     Makes listeners, and accepts connections.
 * Threads     Any; one accept at a time.
 * Invariants  A1 accept4 takes a connection in the poll that delivers it. So a cancelled accept has
 *             taken none. A2 if there are no descriptors or no memory, a retry timer repeats the
 *             accept.
 * Ordering    socket.h.
 * Failure     Errors of a connection that died in the queue are skipped. Others are the result.
 */
#include "descriptor.h"
#include "retry_timer.h"
#include "socket_operation.h"
#include "stream.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG          1024
#define STARVED_PAUSE_MS 20

/* ---- accepting ---- */

typedef struct accept_args {
    weft_stream **ret;
} accept_args;

static int64_t deliver(wf_socket *l, weft_io *io, int fd, const struct sockaddr *peer)
{
    wf_socket *s;

    s = wf_stream_new(l->reactor, fd, l->is_tcp);
    if (!s) {
        close(fd);
        return -ENOMEM;
    }
    /* Kept, because the kernel forgets the address when the peer resets. */
    wf_peer_note(&s->peer, peer);
    *WF_ARGS(io, accept_args)->ret = wf_socket_handle(s);
    return 0;
}

/* Accepts a connection. Returns a descriptor or -errno. accept4 has no flag against waiting, so it
 * is called only if the listener is known to have O_NONBLOCK. */
static int take(const wf_socket *l, struct sockaddr *peer, socklen_t *size)
{
    int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, fd;

    if (wf_socket_may_wait(l)) {
        fd = wf_accept_ring_accept(&l->reactor->accept_ring, l->fd, peer, size, flags);
        if (fd < 0)
            return fd;
    } else {
        fd = accept4(l->fd, peer, size, flags);
    }
    fd = wf_descriptor(fd);
    return fd < 0 ? -errno : fd;
}

static int64_t attempt_accept(weft_io *io, wf_socket *l)
{
    union {
        struct sockaddr     any; /* of a Unix peer, the beginning of its address */
        struct sockaddr_in6 v6;
    } peer = {.any.sa_family = AF_UNSPEC};
    socklen_t size = sizeof peer;
    bool      ended = wf_message_ended(l);
    int       fd = take(l, &peer.any, &size);

    if (fd >= 0)
        return deliver(l, io, fd, &peer.any);
    switch (-fd) {
    case EAGAIN:
        return ended ? -EINVAL : fd;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return wf_retry_timer_again(l, STARVED_PAUSE_MS);
    /* All of these say that the connection died in the queue, see accept(2). */
    case ECONNABORTED:
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
        return fd;
    }
}

const wf_socket_op wf_op_accept = {WF_SOCKET_OP("weft_accept"), .side = WF_SIDE_IN,
                                   .attempt = attempt_accept, WF_NUDGED};

WEFT_API weft_future *weft_accept(weft_io *io, weft_listener *listener, weft_stream **ret_stream)
{
    *WF_ARGS(io, accept_args) = (accept_args){ret_stream};
    return wf_socket_op_init(io, &wf_op_accept, listener);
}

/* ---- listening ---- */

/* Whether no socket is bound to the file. A datagram socket tries to connect, since no server sees
 * a connection then. If a stream socket is bound that does not listen yet, the result is
 * EPROTOTYPE. A stream socket would get ECONNREFUSED, as it does from a file without a socket. */
static bool is_stale(const weft_address *address)
{
    int  fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool stale;

    if (fd < 0)
        return false;
    stale = connect(fd, &address->u.any, wf_address_size(address)) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

/* Another server may have replaced the file since it was found stale. So this renames the file to a
 * name that no other thread uses, and puts it back if it is not the file that `file` has open. */
static bool remove_file(const char *path, int file, const struct stat *st)
{
    /* Zeroed for MSan, which may not see that lstat writes it. */
    struct stat now = {0};
    char        aside[sizeof((struct sockaddr_un *)0)->sun_path + 64];

    snprintf(aside, sizeof aside, "%s.stale-%d-%d", path, (int)getpid(), file);
    if (rename(path, aside) < 0)
        return false;
    if (lstat(aside, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino)
        return unlink(aside) == 0;
    if (link(aside, path) == 0 || errno == EEXIST)
        unlink(aside);
    else
        (void)!rename(aside, path); /* the file system has no hard links */
    return false;
}

/* Removes the file of a Unix address if no socket is bound to it. Returns true if it did. The open
 * descriptor keeps the inode's number from being used again meanwhile. */
static bool remove_stale(const weft_address *address)
{
    const char *path = address->u.un.sun_path;
    struct stat st = {0};
    bool        removed;
    int         file;

    if (address->u.any.sa_family != AF_UNIX || !path[0])
        return false;
    file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0)
        return false;
    removed = fstat(file, &st) == 0 && S_ISSOCK(st.st_mode) && is_stale(address) &&
              remove_file(path, file, &st);
    close(file);
    return removed;
}

static int bind_to(int fd, const weft_address *address, const weft_listen_options *o)
{
    socklen_t size = wf_address_size(address);
    int       r;

    if (bind(fd, &address->u.any, size) == 0)
        return 0;
    r = -errno;
    if (r != -EADDRINUSE || !o->replace_stale || !remove_stale(address))
        return r;
    return bind(fd, &address->u.any, size) < 0 ? -errno : 0;
}

static int open_socket(const weft_address *address, const weft_listen_options *o)
{
    bool v6 = address->u.any.sa_family == AF_INET6;
    int  r = 0, fd;

    fd = wf_descriptor(
        socket(address->u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return -errno;
    if (!o->no_reuse_addr)
        r = wf_stream_switch(fd, SOL_SOCKET, SO_REUSEADDR, true);
    if (r == 0 && o->reuse_port)
        r = wf_stream_switch(fd, SOL_SOCKET, SO_REUSEPORT, true);
    if (r == 0 && v6)
        r = wf_stream_switch(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only);
    if (r == 0 && o->no_delay && wf_address_is_ip(address)) /* accepted connections inherit it */
        r = wf_stream_switch(fd, IPPROTO_TCP, TCP_NODELAY, true);
    if (r == 0)
        r = bind_to(fd, address, o);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (listen(fd, o->backlog > 0 ? o->backlog : BACKLOG) == 0)
        return fd;
    r = -errno;
    wf_address_unbind(fd, address);
    return r;
}

wf_socket *wf_listener_new(wf_reactor *r, int fd, bool tcp)
{
    wf_socket *l = wf_socket_new(r, fd, POLLIN | POLLRDHUP);

    if (!l)
        return NULL;
    l->is_tcp = tcp;
    /* Allocated now, because A2 needs it when memory is short. */
    if (wf_retry_timer_have(l) == 0)
        return l;
    l->fd = -1; /* the caller still owns it */
    wf_socket_close(wf_socket_handle(l));
    return NULL;
}

WEFT_API int weft_listen(weft_runtime *rt, const weft_address *address,
                         const weft_listen_options *options, weft_listener **ret_listener)
{
    const weft_listen_options  none = {0};
    const weft_listen_options *o = options ? options : &none;
    wf_reactor                *r;
    wf_socket                 *l;
    int                        fd = wf_reactor_of(rt, &r);

    if (fd < 0)
        return fd;
    fd = open_socket(address, o);
    if (fd < 0)
        return fd;
    l = wf_listener_new(r, fd, wf_address_is_ip(address));
    if (!l) {
        wf_address_unbind(fd, address);
        return -ENOMEM;
    }
    *ret_listener = wf_socket_handle(l);
    return 0;
}
