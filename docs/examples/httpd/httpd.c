/*
 * httpd.c - an HTTP/1.1 server: start, wait for signals, stop, report
 *
 *     httpd.c        this: the main task and its signals
 *     options.c      the command line
 *     acceptor.c     taking connections
 *     server.c       the connections that are there: limits, draining
 *     clients.c      how many connections a client has
 *     connection.c   one client: its deadlines, its reads and writes
 *     connection_async.c   ... in a loop, as an async function ...
 *     connection_fiber.c   ... and the same loop as a fiber, with --fibers
 *     answer.c       routes, refusals, and what is logged of them
 *     send.c         sending to clients that are slow
 *     request.c      one request at a time; limits of a body
 *     quick.c        plain requests without the parser
 *     head.c         the parser: heads and trailers
 *     target.c       the parser: hosts and request targets
 *     chunk.c        the parser: chunked bodies
 *     bytes.c        the parser: which bytes may stand where
 *     fields.c       the header fields that files look at
 *     bodies.c       the memory of request bodies
 *     response.c     composing answers
 *     files.c        static files ...
 *     mime.c         ... their types, ...
 *     conditions.c   ... ETag, Last-Modified and what clients ask of them, ...
 *     range.c        ... and parts of them
 *     access_log.c   a line for each request
 *
 * Stopping, on SIGINT or SIGTERM: the listener is closed; every answer from then on is its
 * connection's last; idle connections are closed after a moment of grace; what is still there when
 * the drain time is up, or at a second signal, is cut off. A last line says how many those were.
 * The exit status is in server.h. SIGHUP opens the access log again.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../say.h"
#include "server.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define ALL_SIGNALS  (STOP_SIGNALS | WEFT_SIGNAL(SIGHUP))

/* ---- signals while we stop ---- */

struct watch {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    struct weft_signal_wait signal;
    struct weft_sleep       nap;
};
WEFT_ASYNC(watch)
{
    int64_t n;

    WEFT_BEGIN();
    do {
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, ALL_SIGNALS));
        if (n == SIGHUP && self->in.server->log)
            access_log_reopen(self->in.server->log);
    } while (n == SIGHUP);
    if (n < 0)
        WEFT_RETURN(n); /* all connections have ended in time: we are cancelled */
    server_cut_off(self->in.server);
    /* Nothing waits for a client any more, so this takes a moment. A disk that does not answer must
     * not delay us. */
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(1)));
    if (n == 0) {
        say("httpd: killed by a second signal\n");
        _exit(EXIT_CUT_OFF);
    }
    WEFT_END(n);
}

/* ---- the main task ---- */

struct serve {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_listener          *listener;
    weft_handle             acceptor, watch;
    struct weft_signal_wait signal;
    weft_io                 io;
    struct drain            drain;
    struct access_log_close log_close;
    int64_t                 result;
    uint64_t                n_lost; /* lines of the access log */
};

/* Listens, and begins to accept. On failure it undoes what it has begun. */
static int64_t open_up(struct serve *self)
{
    struct options     *options = &self->in.server->options;
    weft_listen_options listen = {.no_delay = true, .backlog = 4096};
    char                text[WEFT_ADDRESS_TEXT];
    int64_t             n;

    listen.replace_stale = options->unix_path != NULL;
    n = weft_listen(NULL, &options->address, &listen, &self->listener);
    if (n < 0) {
        say("httpd: can't listen on %s: %s; choose another %s\n",
            weft_address_format(&options->address, text), strerror((int)-n),
            options->unix_path ? "--unix" : "--port (0: any free one)");
        return n;
    }
    weft_listener_address(self->listener, &options->address);
    n = weft_spawn(&self->acceptor, acceptor, .server = self->in.server,
                   .listener = self->listener);
    if (n < 0)
        weft_listener_close(self->listener);
    return n;
}

WEFT_ASYNC(serve)
{
    struct server *server = self->in.server; /* an alias: set again at every poll */
    char           text[WEFT_ADDRESS_TEXT];
    int64_t        n;

    WEFT_BEGIN();
    self->n_lost = 0;
    if (server->options.access_log) {
        n = access_log_open(&server->log, server->options.access_log);
        if (n < 0)
            WEFT_RETURN(n);
    }
    self->result = open_up(self);
    if (self->result == 0) {
        printf("listening on %s\n", weft_address_format(&server->options.address, text));
        fflush(stdout);
        do {
            WEFT_AWAIT(n, weft_signal_wait(&self->signal, ALL_SIGNALS));
            if (n == SIGHUP && server->log)
                access_log_reopen(server->log);
        } while (n == SIGHUP);
        weft_cancel(&self->acceptor);
        WEFT_AWAIT(n, weft_join(&self->acceptor));
        weft_listener_close(self->listener);
        if (server->options.unix_path)
            WEFT_AWAIT(n, weft_path_unlink(&self->io, AT_FDCWD, server->options.unix_path, 0));

        n = weft_spawn(&self->watch, watch,
                       .server = server); /* without it we drain all the same */
        WEFT_CALL(self->result, drain, &self->drain, .server = server);
        if (!weft_handle_is_empty(&self->watch)) {
            weft_cancel(&self->watch);
            WEFT_AWAIT(n, weft_join(&self->watch));
        }
    }
    if (server->log && self->result != -ETIMEDOUT) /* else connections are left that use it */
        WEFT_CALL(self->n_lost, access_log_close, &self->log_close, .log = server->log);
    WEFT_END(self->result);
}

/* ---- the report ---- */

/* A task that has closed its stream is a few instructions from its end: gives it a moment. */
static bool has_leaked(weft_runtime *rt, struct weft_runtime_counters *ret)
{
    struct timespec moment = {.tv_nsec = 1000000};

    for (int i = 0; i < 1000; i++) {
        weft_runtime_counters(rt, ret);
        if (ret->tasks_alive == 0 && ret->streams_open == 0)
            return false;
        nanosleep(&moment, NULL); /* no worker of weft's: this thread may sleep */
    }
    return true;
}

static void print_counters(const struct server *server, const struct weft_runtime_counters *c)
{
    const struct {
        const char *name;
        uint64_t    value;
    } lines[] = {
        {"connections accepted", server->n_accepted},
        {"connections refused", server->n_refused},
        {"requests", server->n_requests},
        {"tasks spawned", c->tasks_spawned},
        {"tasks ended", c->tasks_ended},
        {"polls", c->polls},
        {"steals", c->steals},
        {"lifo hits", c->lifo_hits},
        {"injected", c->injected},
        {"parks", c->parks},
        {"reactor enters", c->reactor_enters},
        {"completions", c->completions},
        {"timers fired", c->timers_fired},
        {"tasks alive", c->tasks_alive},
        {"streams open", c->streams_open},
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        printf("%-20s %12llu\n", lines[i].name, (unsigned long long)lines[i].value);
}

int main(int argc, char **argv)
{
    static struct server         server = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static struct serve          main_task;
    weft_runtime                *rt;
    struct weft_runtime_counters counters;
    int64_t                      result;
    bool                         leaked;

    say_open();
    weft_signal_block(ALL_SIGNALS); /* from here on they are kept for weft_signal_wait */
    signal(SIGPIPE, SIG_IGN);       /* a closed pipe on our output must not end the server */
    tzset(); /* reads a file at its first call, which a worker should not do */
    options_parse(&server.options, argc, argv);
    bodies_init(&server.bodies, (size_t)server.options.max_bodies);
    if (weft_runtime_start(NULL, &rt) < 0)
        return EXIT_ERROR; /* the log has said why */

    result = weft_block_on(rt, weft_async(serve, &main_task, .server = &server));
    leaked = has_leaked(rt, &counters);
    if (server.options.counters)
        print_counters(&server, &counters);
    if (leaked)
        say("httpd: leaked %llu tasks, %llu streams\n", (unsigned long long)counters.tasks_alive,
            (unsigned long long)counters.streams_open);
    if (result >= 0 || server.n_cut > 0)
        say("httpd: stopped after %llu requests, %llu connections cut off, %llu log lines lost\n",
            (unsigned long long)server.n_requests, (unsigned long long)server.n_cut,
            (unsigned long long)main_task.n_lost);
    if (weft_runtime_stop(rt, WEFT_S(2)) < 0 || result < 0 || leaked)
        return EXIT_ERROR;
    return server.n_cut > 0 ? EXIT_CUT_OFF : EXIT_STOPPED;
}
