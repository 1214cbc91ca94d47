/*
 * echo.c - a TCP echo server: echo [PORT]
 *
 * One task per connection, each in straight code; the runtime's workers share them. Three tasks
 * meet: `server` (the main task) waits for SIGINT or SIGTERM, `acceptor` takes connections, and
 * every `echo` serves one. Compare libuv's echo server, where each await is a callback with a
 * malloc, or Tokio's, where the frame is the same and hidden.
 *
 *     $ echo 7000 &
 *     listening on 127.0.0.1:7000
 *     $ nc 127.0.0.1 7000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "say.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define ACCEPT_PAUSE WEFT_MS(100) /* after an error */

struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
    } in;
    weft_io io; /* one operation at a time, so one slot for all of them */
    char    buffer[4096];
};
WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.conn, self->buffer, sizeof self->buffer));
        /* The peer has finished (0) or is gone, or the task is cancelled (-ECANCELED). */
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, self->buffer, (size_t)n));
        if (n < 0)
            break;
    }
    weft_stream_close(self->in.conn);
    WEFT_END(n);
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io           io;
    struct weft_sleep nap;
    weft_stream      *conn;
    bool              failing; /* and this has been reported */
};
WEFT_ASYNC(acceptor)
{
    int64_t n;

    WEFT_BEGIN();
    self->failing = false;
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        if (n == -ECANCELED)
            break; /* the task is cancelled */
        if (n < 0) {
            /* The system lacks a resource for now. A server that gives up takes no more
             * connections. One that tries again at once uses up a CPU. */
            if (!self->failing)
                say("echo: can't accept: %s; trying again\n", strerror((int)-n));
            self->failing = true;
            WEFT_AWAIT(n, weft_sleep(&self->nap, ACCEPT_PAUSE));
            if (n < 0)
                break;
            continue;
        }
        self->failing = false;
        if (weft_spawn(NULL, echo, .conn = self->conn) < 0) /* NULL: no task will join it */
            weft_stream_close(self->conn);
    }
    WEFT_END(n);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
    } in;
    weft_listener          *listener;
    weft_handle             acceptor;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(server)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = weft_address_parse("127.0.0.1", self->in.port, &address);
    if (n == 0)
        n = weft_listen(NULL, &address, NULL, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    weft_listener_address(self->listener, &address);
    printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);

    n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener);
    if (n < 0) {
        weft_listener_close(self->listener);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
    say("echo: signal %d, stopping\n", (int)n);

    /* Cancelling ends the acceptor's await. We close what the acceptor uses only when it has
     * ended. The connections end in the same way when weft_main stops the runtime: it cancels
     * each task. */
    weft_cancel(&self->acceptor);
    WEFT_AWAIT(n, weft_join(&self->acceptor));
    weft_listener_close(self->listener);
    WEFT_END(0);
}

int main(int argc, char **argv)
{
    const char   *text = argc > 1 ? argv[1] : "7000";
    char         *end;
    unsigned long port = strtoul(text, &end, 10);

    if (argc > 2 || *text < '0' || *text > '9' || *end || port > 65535) {
        fprintf(stderr, "echo: PORT is '%s', expected 0 (any free one) to 65535: echo [PORT]\n",
                text);
        return 2;
    }
    say_open();
    weft_signal_block(STOP_SIGNALS); /* from here on they are kept for weft_signal_wait */
    return weft_main(server, .port = (uint16_t)port);
}
