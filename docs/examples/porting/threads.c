/*
 * threads.c - notes with a thread for each connection: notes_threads CERTIFICATE KEY FILE IDLE-MS
 *
 * What a port begins with: calls that block, a mutex around the file. fibers.c is the same program
 * after its port; docs/porting.md goes through the differences.
 */
#include <fcntl.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notes.h"

static struct {
    pthread_mutex_t lock; /* held while a line is written */
    int             fd;
    int             n_lines;
} file = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A connection is a descriptor, passed on as a pointer. */
static int fd_of(void *conn)
{
    return (int)(intptr_t)conn;
}

/* ---- what notes.c and mbedTLS call ---- */

int notes_send(void *conn, const unsigned char *bytes, size_t size)
{
    ssize_t n = send(fd_of(conn), bytes, size, MSG_NOSIGNAL);

    return n < 0 ? MBEDTLS_ERR_NET_SEND_FAILED : (int)n;
}

int notes_receive(void *conn, unsigned char *to, size_t size, uint32_t ms)
{
    struct pollfd readable = {.fd = fd_of(conn), .events = POLLIN};
    ssize_t       n;

    if (poll(&readable, 1, (int)ms) == 0)
        return MBEDTLS_ERR_SSL_TIMEOUT;
    n = recv(fd_of(conn), to, size, 0);
    return n < 0 ? MBEDTLS_ERR_NET_RECV_FAILED : (int)n;
}

int notes_add(const char *line, size_t size)
{
    int n = -1;

    pthread_mutex_lock(&file.lock);
    if (write(file.fd, line, size) == (ssize_t)size)
        n = ++file.n_lines;
    pthread_mutex_unlock(&file.lock);
    return n;
}

/* ---- connections ---- */

static void *connection(void *conn)
{
    notes_serve(conn);
    close(fd_of(conn));
    return NULL;
}

static void *acceptor(void *listener)
{
    pthread_t thread;
    int       conn;

    for (;;) {
        conn = accept4(fd_of(listener), NULL, NULL, SOCK_CLOEXEC);
        if (conn < 0)
            usleep(100000); /* the system lacks a resource for now */
        else if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)conn) == 0)
            pthread_detach(thread);
        else
            close(conn);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int       fd;

    if (argc != 5 || notes_open(argv[1], argv[2], (uint32_t)atoi(argv[4])) < 0)
        return 2;
    file.fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    notes_block_signals();
    fd = notes_listen();
    if (file.fd < 0 || fd < 0 || pthread_create(&thread, NULL, acceptor, (void *)(intptr_t)fd) != 0)
        return 1;
    notes_wait_for_signal();
    return 0; /* which ends all threads */
}
