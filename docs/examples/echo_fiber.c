/*
 * echo_fiber.c - echo.c once more, by fibers: echo_fiber [PORT]
 *
 * Each connection is a fiber, a plain function with a stack of its own. What an async function
 * keeps in its frame stands in local variables here, and every await is a function call.
 *
 *     $ echo_fiber 7000 &
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

static int64_t echo(void *argument)
{
    weft_stream *conn = argument;
    weft_io      io;
    char         buffer[4096];
    int64_t      n;

    /* The peer has finished (0) or is gone, or the fiber is cancelled (-ECANCELED). */
    while ((n = weft_await(weft_read(&io, conn, buffer, sizeof buffer))) > 0)
        if ((n = weft_await(weft_write_all(&io, conn, buffer, (size_t)n))) < 0)
            break;
    weft_stream_close(conn);
    return n;
}

static int64_t acceptor(void *argument)
{
    weft_listener *listener = argument;
    weft_stream   *conn;
    weft_io        io;
    bool           failing = false; /* and this has been reported */
    int64_t        n;

    for (;;) {
        n = weft_await(weft_accept(&io, listener, &conn));
        if (n == -ECANCELED)
            return n; /* the fiber is cancelled */
        if (n < 0) {
            /* The system lacks a resource for now. A server that gives up takes no more
             * connections. */
            if (!failing)
                say("echo_fiber: can't accept: %s; trying again\n", strerror((int)-n));
            failing = true;
            n = weft_fiber_sleep(ACCEPT_PAUSE);
            if (n < 0)
                return n;
            continue;
        }
        failing = false;
        if (weft_fiber(NULL, echo, conn) < 0) /* NULL: no task will join it */
            weft_stream_close(conn);
    }
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

    n = weft_fiber(&self->acceptor, acceptor, self->listener);
    if (n < 0) {
        weft_listener_close(self->listener);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
    say("echo_fiber: signal %d, stopping\n", (int)n);
    weft_cancel(&self->acceptor); /* as in echo.c */
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
        fprintf(stderr,
                "echo_fiber: PORT is '%s', expected 0 (any free one) to 65535: echo_fiber [PORT]\n",
                text);
        return 2;
    }
    say_open();
    weft_signal_block(STOP_SIGNALS); /* from here on they are kept for weft_signal_wait */
    return weft_main(server, .port = (uint16_t)port);
}
