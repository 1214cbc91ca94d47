/*
 * echo_epoll.c - echo and stream on one thread with bare epoll: the floor for these benchmarks
 *
 * What a runtime adds to these system calls is its own cost. `echo_epoll server echo|stream PORT`
 * prints "listening PORT" and serves 127.0.0.1 until it is killed.
 */
#include "servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int     fd;
    ssize_t have, sent; /* of the buffer: filled, and sent back; of a stream: sent of the piece */
    char    buffer[SERVER_BUFFER];
};

static bool streaming;
static char piece[SERVER_PIECE];

static void check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "echo_epoll: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void watch(int epoll, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};

    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = malloc(sizeof *c);

        check(c != NULL, "malloc");
        c->fd = fd;
        c->have = c->sent = 0;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(epoll, fd, streaming ? EPOLLOUT : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c);
    }
    check(errno == EAGAIN || errno == ECONNABORTED, "accept");
}

/* Echoes until the socket would block; an edge of either direction continues. A read that did not
 * fill the buffer has emptied the socket, so unless the peer has ended (`ended`) the next one would
 * only tell what the next edge will. */
static void echo(struct connection *c, int ended)
{
    ssize_t n;

    for (;;) {
        while (c->sent < c->have) {
            n = send(c->fd, c->buffer + c->sent, (size_t)(c->have - c->sent), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN)
                return;
            if (n < 0)
                goto gone;
            c->sent += n;
        }
        n = c->have;
        c->have = c->sent = 0;
        if (n > 0 && n < (ssize_t)sizeof c->buffer && !ended)
            return;
        n = recv(c->fd, c->buffer, sizeof c->buffer, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            goto gone;
        c->have = n;
    }
gone:
    close(c->fd);
    free(c);
}

/* Sends once for each event, so that all have their turn. */
static void stream(struct connection *c)
{
    ssize_t n = send(c->fd, piece + c->sent, (size_t)(SERVER_PIECE - c->sent), MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        close(c->fd);
        free(c);
    } else if (n > 0) {
        c->sent = (c->sent + n) % SERVER_PIECE;
    }
}

int main(int argc, char **argv)
{
    static struct epoll_event events[1024];
    struct sockaddr_in        address = {.sin_family = AF_INET};
    socklen_t                 size = sizeof address;
    int                       epoll, listener, one = 1, n;

    if (argc != 4 || strcmp(argv[1], "server") != 0 ||
        (strcmp(argv[2], "echo") != 0 && strcmp(argv[2], "stream") != 0)) {
        fputs("usage: echo_epoll server echo|stream PORT\n", stderr);
        return 2;
    }
    streaming = argv[2][0] == 's';
    server_fill(piece);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(argv[3]));
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check(listener >= 0, "socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
    check(listen(listener, SERVER_BACKLOG) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    epoll = epoll_create1(EPOLL_CLOEXEC);
    check(epoll >= 0, "epoll_create1");
    watch(epoll, listener, EPOLLIN | EPOLLET, NULL);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        n = epoll_wait(epoll, events, sizeof events / sizeof *events, -1);
        check(n >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                accept_all(epoll, listener);
            else if (streaming)
                stream(events[i].data.ptr);
            else
                echo(events[i].data.ptr, (events[i].events & (EPOLLRDHUP | EPOLLHUP)) != 0);
        }
    }
}
