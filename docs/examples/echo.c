/*
 * echo.c - a TCP echo server: echo [PORT]
 *
 * One task per connection, each in straight code; the runtime's workers share them. Three tasks
 * meet: `server` (the main task, in serve.h) waits for SIGINT or SIGTERM, `acceptor` takes
 * connections, and every `echo` serves one. Compare libuv's echo server, where each await is a
 * callback with a malloc, or Tokio's, where the frame is the same and hidden.
 *
 *     $ echo 7000 &
 *     listening on 127.0.0.1:7000
 *     $ nc 127.0.0.1 7000
 */
#include <string.h>
#include <weft.h>

#include "say.h"
#include "serve.h"

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

static int spawn(weft_handle *ret_handle, weft_listener *listener)
{
    return weft_spawn(ret_handle, acceptor, .listener = listener);
}

int main(int argc, char **argv)
{
    return serve(argc, argv, "echo", spawn);
}
