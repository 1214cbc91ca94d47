/*
 * graceful.c - a server that ends gracefully: graceful PORT [GRACE-MS]
 *
 * It sends back what it reads. On SIGINT or SIGTERM it takes no more connections, lets each session
 * say goodbye, waits for the sessions, but not for ever, and says how many did not end in time.
 * docs/shutdown.md explains the parts: a signal, a token, a tracker and a time limit.
 *
 *     $ graceful 7000 &
 *     listening on 127.0.0.1:7000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "local.h"
#include "say.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define ACCEPT_PAUSE WEFT_MS(100) /* after an error */

/* What all tasks use. Sessions that do not end in time outlive the main task, so this is in no
 * frame. */
static struct {
    weft_token   stop;
    weft_tracker sessions;
} shared;

static void close_stream(void *stream)
{
    weft_stream_close(stream);
}

static void leave(void *tracker)
{
    weft_tracker_leave(tracker);
}

struct session {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
    } in;
    weft_deferred         leave, close;
    struct weft_token_run run;
    weft_io               io;
    char                  buffer[4096];
};
WEFT_ASYNC(session)
{
    weft_future *read;
    int64_t      n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave, &shared.sessions); /* the last call, also after a panic */
    weft_defer(&self->close, close_stream, self->in.conn);
    for (;;) {
        /* Only the wait for a request ends early. An answer that has begun is written. */
        read = weft_read(&self->io, self->in.conn, self->buffer, sizeof self->buffer);
        WEFT_AWAIT(n, weft_token_run(&self->run, &shared.stop, read));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, self->buffer, (size_t)n));
        if (n < 0)
            break;
    }
    /* The token ends the read, and not the task: it can still await. */
    if (n == -ECANCELED && weft_token_is_cancelled(&shared.stop))
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, "bye\n", 4));
    WEFT_END(n);
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_deferred         leave;
    struct weft_token_run run;
    struct weft_sleep     nap;
    weft_io               io;
    weft_stream          *conn;
};
WEFT_ASYNC(acceptor)
{
    weft_future *accept;
    int64_t      n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave, &shared.sessions);
    for (;;) {
        accept = weft_accept(&self->io, self->in.listener, &self->conn);
        WEFT_AWAIT(n, weft_token_run(&self->run, &shared.stop, accept));
        if (n == -ECANCELED)
            break;
        if (n < 0) {
            WEFT_AWAIT(n, weft_sleep(&self->nap, ACCEPT_PAUSE));
            continue;
        }
        weft_tracker_enter(&shared.sessions); /* before the spawn: the session leaves */
        if (weft_spawn(NULL, session, .conn = self->conn) < 0) {
            weft_stream_close(self->conn);
            weft_tracker_leave(&shared.sessions);
        }
    }
    weft_listener_close(self->in.listener);
    WEFT_END(0);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
        int64_t  grace;
    } in;
    weft_listener          *listener;
    struct weft_signal_wait signal;
    struct weft_timeout     limit;
    weft_wait               wait;
};
WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    n = local_listen(self->in.port, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    local_print(self->listener);

    weft_tracker_enter(&shared.sessions); /* the acceptor is one of the tasks to wait for */
    n = weft_spawn(NULL, acceptor, .listener = self->listener);
    if (n < 0) {
        weft_tracker_leave(&shared.sessions);
        weft_listener_close(self->listener);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));

    weft_token_cancel(&shared.stop);
    weft_tracker_close(&shared.sessions);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_tracker_wait(&self->wait, &shared.sessions),
                               self->in.grace));
    if (n == -ETIMEDOUT)
        say("graceful: %llu sessions did not end in time\n",
            (unsigned long long)weft_tracker_count(&shared.sessions));
    WEFT_END(0); /* weft_main stops the runtime, which cancels what is left */
}

/* Returns the milliseconds that the text is, an hour at most, or -1 if it is none. */
static long milliseconds(const char *text)
{
    char *end;
    long  n = strtol(text, &end, 10);

    return *text < '0' || *text > '9' || *end || n > 3600000 ? -1 : n;
}

int main(int argc, char **argv)
{
    int  port = argc > 1 ? local_port(argv[1]) : -1;
    long grace = argc > 2 ? milliseconds(argv[2]) : 5000;

    if (argc > 3 || port < 0 || grace < 0) {
        fprintf(stderr,
                "usage: graceful PORT [GRACE-MS]\n"
                "PORT is 0 (any free one) to 65535, GRACE-MS 0 to 3600000.\n");
        return 2;
    }
    say_open();
    if (weft_signal_block(STOP_SIGNALS) < 0)
        return 1;
    return weft_main(server, .port = (uint16_t)port, .grace = WEFT_MS(grace));
}
