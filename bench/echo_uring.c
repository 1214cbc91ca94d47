/*
 * echo_uring.c - echo server on one thread with bare io_uring: the floor for the echo benchmarks
 *
 * Multishot accept, one receive or send per connection at a time, and one io_uring_enter for all
 * that a batch of completions asks for. `echo_uring server echo PORT` prints "listening PORT" and
 * serves 127.0.0.1 until it is killed.
 */
#include "servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct connection {
    int    fd;
    size_t have, sent; /* of the buffer: filled, and sent back; both 0: receiving */
    char   buffer[SERVER_BUFFER];
};

static struct io_uring ring;

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "echo_uring: %s: %s\n", what, strerror(-result));
        exit(1);
    }
}

static int result_of(int r)
{
    return r < 0 ? -errno : r;
}

static struct io_uring_sqe *next_entry(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (!sqe) {
        check(io_uring_submit(&ring), "io_uring_submit");
        sqe = io_uring_get_sqe(&ring);
    }
    return sqe;
}

static void start_accept(int listener)
{
    struct io_uring_sqe *sqe = next_entry();

    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, NULL);
}

static void proceed(struct connection *c)
{
    struct io_uring_sqe *sqe = next_entry();

    if (c->have > 0)
        io_uring_prep_send(sqe, c->fd, c->buffer + c->sent, c->have - c->sent, MSG_NOSIGNAL);
    else
        io_uring_prep_recv(sqe, c->fd, c->buffer, sizeof c->buffer, 0);
    io_uring_sqe_set_data(sqe, c);
}

static void accepted(int listener, const struct io_uring_cqe *cqe)
{
    struct connection *c;
    int                one = 1;

    if (!(cqe->flags & IORING_CQE_F_MORE))
        start_accept(listener);
    if (cqe->res == -ECONNABORTED)
        return;
    check(cqe->res, "accept");
    c = malloc(sizeof *c);
    check(c ? 0 : -ENOMEM, "malloc");
    c->fd = cqe->res;
    c->have = c->sent = 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    proceed(c);
}

static void completed(struct connection *c, int result)
{
    if (result <= 0) {
        close(c->fd);
        free(c);
        return;
    }
    if (c->have == 0) {
        c->have = (size_t)result;
    } else {
        c->sent += (size_t)result;
        if (c->sent == c->have)
            c->have = c->sent = 0;
    }
    proceed(c);
}

static void start_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN,
                                     .cq_entries = 32768};
    int                    r = io_uring_queue_init_params(1024, &ring, &params);

    if (r == -EINVAL) { /* before Linux 6.1 */
        params.flags = IORING_SETUP_CQSIZE;
        r = io_uring_queue_init_params(1024, &ring, &params);
    }
    check(r, "io_uring_queue_init");
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t          size = sizeof address;
    int                listener, one = 1, r;

    if (argc != 4 || strcmp(argv[1], "server") != 0 || strcmp(argv[2], "echo") != 0) {
        fputs("usage: echo_uring server echo PORT\n", stderr);
        return 2;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)atoi(argv[3]));
    listener = result_of(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    check(listener, "socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    check(result_of(bind(listener, (struct sockaddr *)&address, size)), "bind");
    check(result_of(listen(listener, SERVER_BACKLOG)), "listen");
    check(result_of(getsockname(listener, (struct sockaddr *)&address, &size)), "getsockname");
    start_ring();
    start_accept(listener);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);

    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned             head, n = 0;

        r = io_uring_submit_and_wait(&ring, 1);
        if (r != -EINTR)
            check(r, "io_uring_submit_and_wait");
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            struct connection *c = io_uring_cqe_get_data(cqe);

            if (c)
                completed(c, cqe->res);
            else
                accepted(listener, cqe);
            n++;
        }
        io_uring_cq_advance(&ring, n);
    }
}
