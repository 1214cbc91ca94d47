/*
 * fibers.c - notes with a fiber for each connection: notes_fibers CERTIFICATE KEY FILE IDLE-MS
 *
 * threads.c after its port: where a call blocked, there is an await. docs/porting.md goes through
 * the differences.
 */
#include <fcntl.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

#include "notes.h"

static struct {
    weft_mutex lock; /* held while a line is written */
    int        fd;
    int        n_lines;
} file;

/* ---- what notes.c and mbedTLS call ---- */

int notes_send(void *conn, const unsigned char *bytes, size_t size)
{
    weft_io io;
    int64_t n = weft_await(weft_write(&io, conn, bytes, size));

    return n < 0 ? MBEDTLS_ERR_NET_SEND_FAILED : (int)n;
}

int notes_receive(void *conn, unsigned char *to, size_t size, uint32_t ms)
{
    struct weft_timeout limit;
    weft_io             io;
    int64_t             n;

    n = weft_await(weft_timeout(&limit, weft_read(&io, conn, to, size), WEFT_MS(ms)));
    if (n == -ETIMEDOUT)
        return MBEDTLS_ERR_SSL_TIMEOUT;
    return n < 0 ? MBEDTLS_ERR_NET_RECV_FAILED : (int)n;
}

int notes_add(const char *line, size_t size)
{
    weft_wait wait;
    weft_io   io;
    int       n = -1;

    if (weft_await(weft_mutex_lock(&wait, &file.lock)) < 0)
        return n; /* the fiber is cancelled, and does not hold the lock */
    if (weft_await(weft_file_write_all(&io, file.fd, line, size, -1)) >= 0)
        n = ++file.n_lines;
    weft_mutex_unlock(&file.lock);
    return n;
}

/* ---- connections ---- */

static int64_t connection(void *conn)
{
    notes_serve(conn);
    weft_stream_close(conn);
    return 0;
}

static int64_t acceptor(void *listener)
{
    weft_stream *conn;
    weft_io      io;
    int64_t      n;

    while ((n = weft_await(weft_accept(&io, listener, &conn))) != -ECANCELED) {
        if (n < 0)
            weft_fiber_sleep(WEFT_MS(100)); /* the system lacks a resource for now */
        else if (weft_fiber(NULL, connection, conn) < 0)
            weft_stream_close(conn);
    }
    weft_listener_close(listener);
    return 0;
}

int main(int argc, char **argv)
{
    weft_listener *listener;
    weft_runtime  *rt;
    int            fd;

    if (argc != 5 || notes_open(argv[1], argv[2], (uint32_t)atoi(argv[4])) < 0)
        return 2;
    file.fd = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    notes_block_signals();
    fd = notes_listen();
    if (file.fd < 0 || fd < 0 || weft_fiber_catch_overflow() < 0 ||
        weft_runtime_start(NULL, &rt) < 0 || weft_listener_adopt(rt, fd, &listener) < 0 ||
        weft_fiber_on(rt, NULL, acceptor, listener) < 0)
        return 1;
    notes_wait_for_signal();
    return weft_runtime_stop(rt, WEFT_S(5)) < 0; /* it cancels what is awaited */
}
