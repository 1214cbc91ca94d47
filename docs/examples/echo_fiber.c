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
#include <string.h>
#include <weft.h>

#include "say.h"
#include "serve.h"

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

static int spawn(weft_handle *ret_handle, weft_listener *listener)
{
    return weft_fiber(ret_handle, acceptor, listener);
}

int main(int argc, char **argv)
{
    return serve(argc, argv, "echo_fiber", spawn);
}
