/*
 * sockets.h - what the tests of sockets share
 *
 * The runtime under test has one end of each connection. The test's own thread has the other end as
 * a plain blocking socket, so that the test can do one thing at a time and check its effect.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "helpers.h"

#include <poll.h>
#include <sys/time.h>

static inline weft_address loopback(bool v6)
{
    weft_address address;

    check_eq(weft_address_parse(v6 ? "::1" : "127.0.0.1", 0, &address), 0);
    return address;
}

static inline socklen_t size_of(const weft_address *a)
{
    return a->u.any.sa_family == AF_INET6 ? sizeof a->u.v6 : sizeof a->u.v4;
}

/* Listens on a free port of the loopback address, which it writes to *ret. */
static inline int raw_listen(bool v6, int backlog, weft_address *ret)
{
    socklen_t size = sizeof *ret;
    int       fd;

    *ret = loopback(v6);
    fd = socket(ret->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_cmp(fd, >=, 0);
    if (bind(fd, &ret->u.any, size_of(ret)) < 0)
        test_skip("no such loopback address");
    check_eq(listen(fd, backlog), 0);
    check_eq(getsockname(fd, &ret->u.any, &size), 0);
    return fd;
}

/* Reads and writes fail after 20 s instead of hanging. */
static inline void raw_set_patience(int fd)
{
    struct timeval patience = {.tv_sec = 20 * test_slow()};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static inline int raw_connect(const weft_address *to)
{
    int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    check_cmp(fd, >=, 0);
    check_eq(connect(fd, &to->u.any, size_of(to)), 0);
    raw_set_patience(fd);
    return fd;
}

static inline void raw_write(int fd, const void *data, size_t size)
{
    check_eq(send(fd, data, size, MSG_NOSIGNAL), size);
}

static inline void raw_read(int fd, void *data, size_t size)
{
    check_eq(recv(fd, data, size, MSG_WAITALL), size);
}

/* Closes the socket so that the peer gets a reset. */
static inline void raw_reset(int fd)
{
    struct linger now = {.l_onoff = 1};

    check_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

/* A listener of the runtime's on a free loopback port. */
static inline weft_listener *listen_on(weft_runtime *rt, bool v6, weft_address *ret)
{
    weft_address   any = loopback(v6);
    weft_listener *l;
    int            r = weft_listen(rt, &any, NULL, &l);

    if (v6 && r < 0)
        test_skip("no IPv6 loopback");
    check_eq(r, 0);
    check_eq(weft_listener_address(l, ret), 0);
    return l;
}

/* A stream of the runtime's, and the plain socket at its other end. */
static inline int pair(weft_runtime *rt, weft_stream **ret)
{
    weft_address address;
    weft_io      io;
    int          listener = raw_listen(false, 1, &address), fd;

    check_eq(weft_block_on(rt, weft_connect(&io, &address, ret)), 0);
    fd = accept(listener, NULL, NULL);
    check_cmp(fd, >=, 0);
    close(listener);
    raw_set_patience(fd);
    return fd;
}

#endif
