/*
 * differential_datagrams.h - the kinds and states of datagram sockets that operations are tried on
 *
 * A scene is a socket and its peer, made anew for each try.
 */
#ifndef DIFFERENTIAL_DATAGRAMS_H
#define DIFFERENTIAL_DATAGRAMS_H

#include "differential_scenes.h"

/* ---- kinds of sockets ---- */

typedef struct kind {
    const char *name;
    const char *at; /* an IP address, or where a Unix name begins; NULL: socketpair(2) */
    int         type;
    bool        connected;
} kind;

static const kind kinds[] = {
    {"UDP socket", "127.0.0.1", SOCK_DGRAM, false},
    {"connected UDP socket", "127.0.0.1", SOCK_DGRAM, true},
    {"IPv6 UDP socket", "::1", SOCK_DGRAM, false},
    {"connected IPv6 UDP socket", "::1", SOCK_DGRAM, true},
    {"Unix socket", "@", SOCK_DGRAM, false},
    {"connected Unix socket", "@", SOCK_DGRAM, true},
    {"Unix socket with a path", "/", SOCK_DGRAM, false},
    {"Unix pair", NULL, SOCK_DGRAM, true},
    {"SEQPACKET pair", NULL, SOCK_SEQPACKET, true},
    {"closed", NULL, 0, false},
};

typedef struct scene {
    const kind  *kind;
    int          fd, peer;
    weft_address at, peer_at;
    size_t       first; /* bytes of the first datagram that waits */
    char         dir[32];
} scene;

static int bound(const scene *s, const char *name)
{
    char         text[64];
    weft_address a;

    snprintf(text, sizeof text, "%s/%s", s->dir, name);
    a = parsed(s->dir[0] ? text : s->kind->at[0] == '@' ? "" : s->kind->at);
    return bound_to(&a, SOCK_DGRAM);
}

static scene make(const kind *k)
{
    scene s = {.kind = k, .fd = 900, .peer = -1};
    int   fd[2];

    if (k->type == 0)
        return s;
    if (k->at) {
        if (k->at[0] == '/')
            make_directory(s.dir);
        s.fd = bound(&s, "own");
        s.peer = bound(&s, "peer");
    } else {
        check_eq(socketpair(AF_UNIX, k->type | SOCK_CLOEXEC, 0, fd), 0);
        s.fd = fd[0];
        s.peer = fd[1];
    }
    s.at = named(s.fd);
    s.peer_at = named(s.peer);
    if (k->at && k->connected) {
        check_eq(connect(s.fd, &s.peer_at.u.any, size_of_any(&s.peer_at)), 0);
        check_eq(connect(s.peer, &s.at.u.any, size_of_any(&s.at)), 0);
        s.at = named(s.fd);
    }
    return s;
}

static void close_peer(scene *s)
{
    if (s->peer >= 0)
        close(s->peer);
    s->peer = -1;
}

static void let_go(scene *s)
{
    close_peer(s);
    if (s->fd != 900)
        close(s->fd);
    if (!s->dir[0])
        return;
    unlink(s->at.u.un.sun_path);
    unlink(s->peer_at.u.un.sun_path);
    rmdir(s->dir);
}

/* ---- what has happened before: false, where that can't be ---- */

static char sample[70000];

/* The memory that queued datagrams take in an IP socket: poll(2) does not report a second one. */
static uint32_t memory_used(int fd)
{
    uint32_t  value[16] = {0};
    socklen_t size = sizeof value;

    check_eq(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, value, &size), 0);
    return value[0];
}

static void arrives(scene *s, size_t size)
{
    const struct sockaddr *to = s->kind->connected ? NULL : &s->at.u.any;
    uint32_t               before = memory_used(s->fd);

    check_eq(sendto(s->peer, sample, size, 0, to, to ? size_of_any(&s->at) : 0), size);
    if (s->at.u.any.sa_family != AF_UNIX) /* that has arrived when it is sent */
        EVENTUALLY(memory_used(s->fd) > before);
    if (s->first == 0)
        s->first = size;
}

static bool nothing(scene *s)
{
    (void)s;
    return true;
}

static bool one(scene *s)
{
    arrives(s, 10);
    return true;
}

static bool an_empty_one(scene *s)
{
    arrives(s, 0);
    return true;
}

static bool two(scene *s)
{
    arrives(s, 10);
    arrives(s, 3);
    return true;
}

static bool a_large_one(scene *s)
{
    arrives(s, 60000);
    return true;
}

static bool peer_closed(scene *s)
{
    close_peer(s);
    return true;
}

static bool one_and_peer_closed(scene *s)
{
    arrives(s, 10);
    close_peer(s);
    return true;
}

static bool refused(scene *s)
{
    if (!s->kind->connected || s->at.u.any.sa_family == AF_UNIX)
        return false;
    close_peer(s);
    check_eq(send(s->fd, sample, 5, 0), 5);
    check_cmp(poll(&(struct pollfd){s->fd, POLLERR, 0}, 1, 5000), >, 0);
    return true;
}

static bool shut(scene *s, int how)
{
    (void)shutdown(s->fd, how); /* it has effects where it fails */
    return true;
}

static bool shut_for_reading(scene *s)
{
    return shut(s, SHUT_RD);
}

static bool shut_for_writing(scene *s)
{
    return shut(s, SHUT_WR);
}

static bool one_and_shut(scene *s)
{
    arrives(s, 10);
    return shut(s, SHUT_RDWR);
}

static bool shut_by_peer(scene *s)
{
    (void)shutdown(s->peer, SHUT_RDWR);
    return s->kind->connected;
}

static bool non_blocking(scene *s)
{
    check_eq(fcntl(s->fd, F_SETFL, O_NONBLOCK), 0);
    return true;
}

/* UDP drops a datagram that finds no room, so that only Unix sockets are ever full. */
static bool full(scene *s)
{
    if (!s->kind->connected || s->at.u.any.sa_family != AF_UNIX)
        return false;
    while (send(s->fd, sample, 1000, MSG_DONTWAIT) > 0)
        ;
    return true;
}

static bool full_non_blocking(scene *s)
{
    return non_blocking(s) && full(s);
}

static const struct state {
    const char *name;
    bool (*prepare)(scene *s);
} states[] = {
    {"empty", nothing},
    {"with a datagram", one},
    {"with an empty datagram", an_empty_one},
    {"with two datagrams", two},
    {"with a large datagram", a_large_one},
    {"peer closed", peer_closed},
    {"with a datagram, peer closed", one_and_peer_closed},
    {"refused", refused},
    {"shut down for reading", shut_for_reading},
    {"shut down for writing", shut_for_writing},
    {"with a datagram, shut down", one_and_shut},
    {"shut down by the peer", shut_by_peer},
    {"O_NONBLOCK", non_blocking},
    {"peer full", full},
    {"O_NONBLOCK, peer full", full_non_blocking},
};

/* ---- addresses to send to ---- */

typedef enum target {
    CONNECTED,
    PEER,
    NOBODY,
    OTHER_FAMILY,
    PORT_0,
    BROADCAST,
    UNSPECIFIED
} target;

static weft_address nobody(const scene *s)
{
    weft_address a = parsed(s->kind->at && s->kind->at[0] != '/' ? s->kind->at : "/none/such");

    if (a.u.any.sa_family == AF_UNIX && !a.u.un.sun_path[0])
        return parsed("@weft-test-nobody");
    if (a.u.any.sa_family != AF_UNIX) /* a port that programs do not get by chance */
        check_eq(weft_address_set_port(&a, 1), 0);
    return a;
}

static const weft_address *address_of(const scene *s, target to)
{
    static weft_address a;

    switch (to) {
    case CONNECTED:
        return NULL;
    case PEER:
        a = s->peer_at;
        break;
    case NOBODY:
        a = nobody(s);
        break;
    case OTHER_FAMILY:
        a = parsed(s->at.u.any.sa_family == AF_INET ? "[::1]:9" : "127.0.0.1:9");
        break;
    case PORT_0:
        a = parsed(s->at.u.any.sa_family == AF_INET6 ? "::1" : "127.0.0.1");
        break;
    case BROADCAST:
        a = parsed("255.255.255.255:9");
        break;
    case UNSPECIFIED:
        a = (weft_address){.u.any.sa_family = AF_UNSPEC};
    }
    return &a;
}

#endif
