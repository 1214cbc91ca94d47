/*
 * serve.h - the main program of a small server, whatever its tasks are written like
 *
 * It listens on 127.0.0.1, at the port that the command line names, has a task take connections,
 * and waits for SIGINT or SIGTERM. Then it cancels that task, and ends.
 */
#ifndef EXAMPLES_SERVE_H
#define EXAMPLES_SERVE_H

#include <stdio.h>
#include <weft.h>

#include "local.h"
#include "say.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))

/* Spawns the task that takes connections, until it is cancelled. 0 or -errno. */
typedef int spawn_acceptor(weft_handle *ret_handle, weft_listener *listener);

struct server {
    WEFT_FRAME;
    struct {
        const char     *name;
        uint16_t        port;
        spawn_acceptor *spawn;
    } in;
    weft_listener          *listener;
    weft_handle             acceptor;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    n = local_listen(self->in.port, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    local_print(self->listener);

    n = self->in.spawn(&self->acceptor, self->listener);
    if (n < 0) {
        weft_listener_close(self->listener);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
    say("%s: signal %d, stopping\n", self->in.name, (int)n);

    /* Cancelling ends the acceptor's await. We close what the acceptor uses only when it has
     * ended. The connections end in the same way when weft_main stops the runtime: it cancels
     * each task. */
    weft_cancel(&self->acceptor);
    WEFT_AWAIT(n, weft_join(&self->acceptor));
    weft_listener_close(self->listener);
    WEFT_END(0);
}

/* Runs the server; main's exit status. */
static int serve(int argc, char **argv, const char *name, spawn_acceptor *spawn)
{
    const char *text = argc > 1 ? argv[1] : "7000";
    int         port = local_port(text);

    if (argc > 2 || port < 0) {
        fprintf(stderr, "%s: PORT is '%s', expected 0 (any free one) to 65535: %s [PORT]\n", name,
                text, name);
        return 2;
    }
    say_open();
    weft_signal_block(STOP_SIGNALS); /* from here on they are kept for weft_signal_wait */
    return weft_main(server, .name = name, .port = (uint16_t)port, .spawn = spawn);
}

#endif
