/*
 * datagram.c - UDP and Unix datagram sockets
 *
 * Purpose     Makes datagram sockets, and moves datagrams.
 * Threads     Any.
 * Invariants  A weft_datagram is the handle of a wf_socket. MSG_TRUNC makes the kernel return the
 *             whole size of a datagram, even if the buffer is smaller.
 * Ordering    socket.h.
 * Failure     -errno of the system calls.
 */
#include "calls.h"
#include "descriptor.h"
#include "retry_timer.h"
#include "socket_operation.h"
#include "stream.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <weft/datagram.h>

/* ---- one datagram ---- */

typedef struct one {
    void         *memory;
    size_t        size;
    weft_address *address; /* the destination, or room for the source; or NULL */
    int           flags;
} one;

static int64_t attempt_receive(weft_io *io, wf_socket *s)
{
    const one    *args = WF_ARGS(io, one);
    weft_address *from = args->address;
    struct iovec  room = {.iov_base = args->memory, .iov_len = args->size};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1};
    bool          ended = wf_message_ended(s);
    ssize_t       n;

    if (from) {
        message.msg_name = &from->u;
        message.msg_namelen = sizeof from->u;
    }
    n = recvmsg(s->fd, &message, args->flags | MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0)
        n = wf_message_missed(ended, &message);
    if (n < 0)
        return n;
    if (from)
        from->size_ = message.msg_namelen;
    if (from && message.msg_namelen == 0)
        /* An unnamed Unix socket has no address. A UDP socket always has one. */
        from->u.any.sa_family = AF_UNIX;
    io->done = (size_t)n;
    return io->done < args->size ? n : (int64_t)args->size;
}

const wf_socket_op wf_op_receive_from = {WF_SOCKET_OP("weft_receive_from"), .side = WF_SIDE_IN,
                                         .attempt = attempt_receive};

WEFT_API weft_future *weft_receive_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                        size_t size, weft_address *ret_from)
{
    *WF_ARGS(io, one) = (one){buffer, size, ret_from, 0};
    return wf_socket_op_init(io, &wf_op_receive_from, datagram);
}

WEFT_API weft_future *weft_peek_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                     size_t size, weft_address *ret_from)
{
    *WF_ARGS(io, one) = (one){buffer, size, ret_from, MSG_PEEK};
    return wf_socket_op_init(io, &wf_op_receive_from, datagram);
}

static int64_t attempt_send(weft_io *io, wf_socket *s)
{
    const one             *args = WF_ARGS(io, one);
    const weft_address    *to = args->address;
    const struct sockaddr *name = to ? &to->u.any : NULL;
    ssize_t n = sendto(s->fd, args->memory, args->size, MSG_DONTWAIT | MSG_NOSIGNAL, name,
                       to ? wf_address_size(to) : 0);

    if (n >= 0)
        return n;
    return errno == EAGAIN ? wf_message_blocked(s, name) : -errno;
}

const wf_socket_op wf_op_send_to = {WF_SOCKET_OP("weft_send_to"), .side = WF_SIDE_OUT,
                                    .attempt = attempt_send, WF_NUDGED};

WEFT_API weft_future *weft_send_to(weft_io *io, weft_datagram *datagram, const void *buffer,
                                   size_t size, const weft_address *address)
{
    *WF_ARGS(io, one) = (one){.memory = (void *)(uintptr_t)buffer,
                              .size = size,
                              .address = (weft_address *)(uintptr_t)address};
    return wf_socket_op_init(io, &wf_op_send_to, datagram);
}

/* ---- many ---- */

typedef struct packet_list {
    weft_packet *first;
    int          n;
} packet_list;

typedef struct batch {
    struct mmsghdr message[WEFT_BATCH_MOST];
    struct iovec   memory[WEFT_BATCH_MOST];
} batch;

/* How many packets of the operation one call moves, or -EINVAL. */
static int batch_size(const packet_list *args)
{
    if (args->n < 0)
        return -EINVAL;
    return args->n < WEFT_BATCH_MOST ? args->n : WEFT_BATCH_MOST;
}

static struct msghdr *batch_add(batch *b, int i, const weft_packet *packet)
{
    struct msghdr *message = &b->message[i].msg_hdr;

    b->memory[i] = (struct iovec){.iov_base = packet->data, .iov_len = packet->size};
    *message = (struct msghdr){.msg_iov = &b->memory[i], .msg_iovlen = 1};
    return message;
}

static int64_t attempt_receive_batch(weft_io *io, wf_socket *s)
{
    const packet_list *args = WF_ARGS(io, packet_list);
    weft_packet       *packet = args->first;
    bool               ended = wf_message_ended(s);
    batch              b;
    int                n = batch_size(args);

    if (n <= 0)
        return n;
    for (int i = 0; i < n; i++) {
        struct msghdr *message = batch_add(&b, i, &packet[i]);

        message->msg_name = &packet[i].address.u;
        message->msg_namelen = sizeof packet[i].address.u;
    }
    n = recvmmsg(s->fd, b.message, (unsigned)n, MSG_DONTWAIT | MSG_TRUNC, NULL);
    /* A socket that is shut down for reading delivers an empty datagram. */
    if (n < 0) {
        n = wf_message_missed(ended, &b.message[0].msg_hdr);
        if (n < 0)
            return n;
        b.message[0].msg_len = 0;
        n = 1;
    }
    for (int i = 0; i < n; i++) {
        packet[i].length = b.message[i].msg_len;
        packet[i].address.size_ = b.message[i].msg_hdr.msg_namelen;
        if (packet[i].address.size_ == 0)
            packet[i].address.u.any.sa_family = AF_UNIX; /* an unnamed Unix socket */
    }
    return n;
}

const wf_socket_op wf_op_receive_batch = {WF_SOCKET_OP("weft_receive_batch"), .side = WF_SIDE_IN,
                                          .attempt = attempt_receive_batch};

WEFT_API weft_future *weft_receive_batch(weft_io *io, weft_datagram *datagram, weft_packet *packets,
                                         int n)
{
    *WF_ARGS(io, packet_list) = (packet_list){packets, n};
    return wf_socket_op_init(io, &wf_op_receive_batch, datagram);
}

static int64_t attempt_send_batch(weft_io *io, wf_socket *s)
{
    const packet_list *args = WF_ARGS(io, packet_list);
    const weft_packet *packet = args->first;
    batch              b;
    int                n = batch_size(args);

    if (n <= 0)
        return n;
    for (int i = 0; i < n; i++) {
        struct msghdr *message = batch_add(&b, i, &packet[i]);

        if (packet[i].address.u.any.sa_family == AF_UNSPEC)
            continue;
        message->msg_name = (void *)(uintptr_t)&packet[i].address.u;
        message->msg_namelen = wf_address_size(&packet[i].address);
    }
    n = wf_send_batch(s->fd, b.message, (unsigned)n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? wf_message_blocked(s, b.message[0].msg_hdr.msg_name) : -errno;
}

const wf_socket_op wf_op_send_batch = {WF_SOCKET_OP("weft_send_batch"), .side = WF_SIDE_OUT,
                                       .attempt = attempt_send_batch, WF_NUDGED};

WEFT_API weft_future *weft_send_batch(weft_io *io, weft_datagram *datagram,
                                      const weft_packet *packets, int n)
{
    *WF_ARGS(io, packet_list) = (packet_list){(weft_packet *)(uintptr_t)packets, n};
    return wf_socket_op_init(io, &wf_op_send_batch, datagram);
}

/* ---- making one ---- */

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29 /* Linux 4.20; older C libraries do not name it */
#endif

/* By default the kernel gives a socket the datagrams of all groups that any socket of the machine
 * has joined. An IPv6 socket may join groups of both families, so both options are set. A kernel
 * that lacks one (Linux before 4.20, emulators) does not stop a socket that may never join any. */
static int only_own_groups(int fd, int family)
{
    int r = 0;

    if (family == AF_INET6)
        r = wf_stream_switch(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, false);
    if ((r == 0 || r == -ENOPROTOOPT) && (family == AF_INET || family == AF_INET6))
        r = wf_stream_switch(fd, IPPROTO_IP, IP_MULTICAST_ALL, false);
    return r == -ENOPROTOOPT ? 0 : r;
}

static int open_socket(const weft_address *address, const weft_datagram_options *o)
{
    int fd = wf_descriptor(
        socket(address->u.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    int r = 0;

    if (fd < 0)
        return -errno;
    if (o->reuse_addr)
        r = wf_stream_switch(fd, SOL_SOCKET, SO_REUSEADDR, true);
    if (r == 0 && o->reuse_port)
        r = wf_stream_switch(fd, SOL_SOCKET, SO_REUSEPORT, true);
    if (r == 0 && address->u.any.sa_family == AF_INET6)
        r = wf_stream_switch(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->v6_only);
    if (r == 0)
        r = only_own_groups(fd, address->u.any.sa_family);
    if (r == 0 && bind(fd, &address->u.any, wf_address_size(address)) < 0)
        r = -errno;
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}

WEFT_API int weft_datagram_bind(weft_runtime *rt, const weft_address *address,
                                const weft_datagram_options *options, weft_datagram **ret_datagram)
{
    const weft_datagram_options none = {0};
    wf_reactor                 *r;
    wf_socket                  *s;
    int                         fd = wf_reactor_of(rt, &r);

    if (fd < 0)
        return fd;
    fd = open_socket(address, options ? options : &none);
    if (fd < 0)
        return fd;
    s = wf_socket_new(r, fd, WF_DATAGRAM_EVENTS);
    if (!s) {
        wf_address_unbind(fd, address);
        return -ENOMEM;
    }
    *ret_datagram = wf_socket_handle(s);
    return 0;
}

/* If the kernel had chosen the port in bind(2), it releases the port when the socket is
 * disconnected. Peers know the port, so the socket is bound to it again. The local address may have
 * changed, because a connected socket has the one that leads to its peer. */
static int disconnect(int fd)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    weft_address                 before, after;
    socklen_t                    size = sizeof before.u;

    if (getsockname(fd, &before.u.any, &size) < 0 || connect(fd, &nowhere, sizeof nowhere) < 0)
        return -errno;
    size = sizeof after.u;
    if (getsockname(fd, &after.u.any, &size) < 0)
        return -errno;
    if (weft_address_port(&after) == weft_address_port(&before))
        return 0;
    if (after.u.any.sa_family == AF_INET6)
        after.u.v6.sin6_port = before.u.v6.sin6_port;
    else
        after.u.v4.sin_port = before.u.v4.sin_port;
    return bind(fd, &after.u.any, size) < 0 ? -errno : 0;
}

WEFT_API int weft_datagram_connect(weft_datagram *datagram, const weft_address *address)
{
    wf_socket *s;
    int        r = wf_socket_use(datagram, &s);

    if (r < 0)
        return r;
    if (!address)
        r = disconnect(s->fd);
    else
        r = connect(s->fd, &address->u.any, wf_address_size(address)) < 0 ? -errno : 0;
    wf_socket_unref(s);
    return r;
}

/* ---- setting ---- */

WEFT_API int weft_datagram_set_broadcast(weft_datagram *datagram, bool on)
{
    int value = on;

    return wf_socket_set(datagram, SOL_SOCKET, SO_BROADCAST, &value, sizeof value);
}

static int set_membership(weft_datagram *datagram, int option, const weft_address *group,
                          unsigned interface)
{
    int              level = group->u.any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    struct group_req request = {.gr_interface = interface};

    if (!wf_address_is_ip(group))
        return -EINVAL;
    memcpy(&request.gr_group, &group->u, wf_address_size(group));
    return wf_socket_set(datagram, level, option, &request, sizeof request);
}

WEFT_API int weft_datagram_join(weft_datagram *datagram, const weft_address *group,
                                unsigned interface)
{
    return set_membership(datagram, MCAST_JOIN_GROUP, group, interface);
}

WEFT_API int weft_datagram_leave(weft_datagram *datagram, const weft_address *group,
                                 unsigned interface)
{
    return set_membership(datagram, MCAST_LEAVE_GROUP, group, interface);
}

/* There is one option for each family. An IPv6 socket may send to IPv4 groups, so both are set
 * there. */
static int set_multicast(weft_datagram *datagram, int option, int option_v6, int value)
{
    int domain, r = wf_socket_get(datagram, SOL_SOCKET, SO_DOMAIN, &domain);

    if (r == 0 && domain != AF_INET && domain != AF_INET6)
        r = -EINVAL;
    if (r == 0 && domain == AF_INET6)
        r = wf_socket_set(datagram, IPPROTO_IPV6, option_v6, &value, sizeof value);
    if (r < 0)
        return r;
    if (option == IP_MULTICAST_IF) {
        struct ip_mreqn request = {.imr_ifindex = value};

        return wf_socket_set(datagram, IPPROTO_IP, option, &request, sizeof request);
    }
    return wf_socket_set(datagram, IPPROTO_IP, option, &value, sizeof value);
}

WEFT_API int weft_datagram_set_multicast_interface(weft_datagram *datagram, unsigned interface)
{
    if (interface > INT32_MAX)
        return -EINVAL;
    return set_multicast(datagram, IP_MULTICAST_IF, IPV6_MULTICAST_IF, (int)interface);
}

WEFT_API int weft_datagram_set_multicast_hops(weft_datagram *datagram, int hops)
{
    if (hops < 0 || hops > 255)
        return -EINVAL;
    return set_multicast(datagram, IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, hops);
}

WEFT_API int weft_datagram_set_multicast_loop(weft_datagram *datagram, bool on)
{
    return set_multicast(datagram, IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP, on);
}
