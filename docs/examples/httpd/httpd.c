/*
 * httpd.c - an HTTP/1.1 server: start, accept, drain, report
 *
 *     httpd.c        this: the main task, the acceptor, stopping
 *     options.c      the command line
 *     connection.c   one client: read, parse, answer, write
 *     request.c      one request at a time; limits of a body
 *     quick.c        plain requests without the parser
 *     head.c         the parser: heads and trailers
 *     target.c       the parser: hosts and request targets
 *     chunk.c        the parser: chunked bodies
 *     response.c     composing answers
 *     files.c        static files
 *
 * Stopping, on SIGINT or SIGTERM: the listener is closed; every answer from then on is its
 * connection's last; idle connections are closed after a moment of grace; what is still there when
 * the drain time is up is cut off. The process ends with 0 if nothing has leaked.
 */
#include <stdio.h>
#include <string.h>

#include "server.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))

/* ---- who is there ---- */

enum admission { ADMITTED, REFUSED, TURNED_AWAY };

/* Counts a new connection. Beyond the limit some are told (503), the rest are just closed. */
static enum admission server_admit(struct server *server)
{
    int64_t        max = server->options.max_connections;
    enum admission admission = ADMITTED;

    pthread_mutex_lock(&server->lock);
    server->n_accepted++;
    if (server->n_connections >= max) {
        server->n_refused++;
        admission = server->n_connections < max + max / 8 + 8 ? REFUSED : TURNED_AWAY;
    }
    if (admission != TURNED_AWAY)
        server->n_connections++;
    pthread_mutex_unlock(&server->lock);
    return admission;
}

static void server_forget_locked(struct server *server)
{
    if (--server->n_connections > 0 || !server->ended)
        return;
    weft_oneshot_send(server->ended, "");
    server->ended = NULL;
}

void server_enter(struct server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    connection->next = server->connections;
    connection->link = &server->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    server->connections = connection;
    pthread_mutex_unlock(&server->lock);
}

void server_leave(struct server *server, struct connection *connection)
{
    pthread_mutex_lock(&server->lock);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    server->n_requests += connection->n_requests;
    weft_stream_close(connection->in.conn); /* never waits */
    server_forget_locked(server);
    pthread_mutex_unlock(&server->lock);
}

/* Ends idle connections (a read on them answers 0), or all. How many. */
static unsigned server_shut(struct server *server, bool all)
{
    struct connection *connection;
    unsigned           n = 0;

    pthread_mutex_lock(&server->lock);
    for (connection = server->connections; connection; connection = connection->next) {
        if (!all && !atomic_load(&connection->idle))
            continue;
        weft_stream_shutdown(connection->in.conn, all ? SHUT_RDWR : SHUT_RD);
        n++;
    }
    pthread_mutex_unlock(&server->lock);
    return n;
}

/* ---- accepting ---- */

struct acceptor {
    WEFT_FRAME;
    struct {
        struct server *server;
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *conn;
};
WEFT_ASYNC(acceptor)
{
    struct server *server = self->in.server; /* an alias: set again at every poll */
    enum admission admission;
    int64_t        n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        if (n < 0)
            break; /* -ECANCELED: we stop */
        admission = server_admit(server);
        if (admission == TURNED_AWAY) {
            weft_stream_close(self->conn);
        } else if (weft_spawn(NULL, connection, .server = server, .conn = self->conn,
                              .refused = admission == REFUSED) < 0) {
            weft_stream_close(self->conn);
            pthread_mutex_lock(&server->lock);
            server_forget_locked(server);
            pthread_mutex_unlock(&server->lock);
        }
    }
    WEFT_END(n == -ECANCELED ? 0 : n);
}

/* ---- stopping ---- */

/* Ends when the last connection has ended: with 0, or with -ETIMEDOUT. */
struct drain {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_oneshot_receiver *ended;
    weft_message           wait;
    weft_limit             limit;
    int64_t                deadline;
    char                   message;
};
static weft_future *last_end(struct drain *self, int64_t deadline)
{
    return weft_timeout_at(
        &self->limit, weft_oneshot_receive(&self->wait, self->ended, &self->message), deadline);
}
WEFT_ASYNC(drain)
{
    struct server       *server = self->in.server;
    weft_oneshot_sender *sender;
    unsigned             n_cut;
    int64_t              n;

    WEFT_BEGIN();
    self->deadline = weft_now() + server->options.drain;
    n = weft_oneshot_open(&sender, &self->ended, 1);
    if (n < 0)
        WEFT_RETURN(n);
    atomic_store(&server->draining, true);
    pthread_mutex_lock(&server->lock);
    server->ended = sender;
    server->n_connections++; /* ourselves, so that one place tells of the end */
    server_forget_locked(server);
    pthread_mutex_unlock(&server->lock);

    WEFT_AWAIT(n, last_end(self, weft_now() + GRACE));
    if (n == -ETIMEDOUT) {
        server_shut(server, false);
        WEFT_AWAIT(n, last_end(self, self->deadline));
    }
    if (n == -ETIMEDOUT) {
        n_cut = server_shut(server, true);
        fprintf(stderr, "httpd: %u connections cut off at the drain deadline\n", n_cut);
        WEFT_AWAIT(n, last_end(self, weft_now() + WEFT_S(2)));
    }
    weft_oneshot_receiver_close(self->ended);
    WEFT_END(n);
}

/* ---- the main task ---- */

struct serve {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_listener *listener;
    weft_handle    acceptor;
    weft_signal    signal;
    struct drain   drain;
};
WEFT_ASYNC(serve)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = weft_listen(NULL, &self->listener, &self->in.server->options.address,
                    &(weft_listen_options){.no_delay = true, .backlog = 4096});
    if (n < 0) {
        fprintf(stderr, "httpd: can't listen on %s: %s; choose another --port (0: any free one)\n",
                weft_address_format(&self->in.server->options.address, text), strerror((int)-n));
        WEFT_RETURN(n);
    }
    weft_listener_address(self->listener, &address);
    n = weft_spawn(&self->acceptor, acceptor, .server = self->in.server,
                   .listener = self->listener);
    if (n < 0) {
        weft_listener_close(self->listener);
        WEFT_RETURN(n);
    }
    printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);

    WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
    weft_cancel(&self->acceptor);
    WEFT_AWAIT(n, weft_join(&self->acceptor));
    weft_listener_close(self->listener);
    WEFT_CALL(n, drain, &self->drain, .server = self->in.server);
    WEFT_END(n);
}

/* ---- the report ---- */

/* A task that has closed its stream is a few instructions from its end: gives it a moment. */
static bool has_leaked(weft_runtime *rt, weft_counters *ret)
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

static void print_counters(const struct server *server, const weft_counters *c)
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
    static struct server server = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static struct serve  main_task;
    weft_runtime        *rt;
    weft_counters        counters;
    int64_t              result;
    bool                 leaked;

    weft_signal_block(STOP_SIGNALS); /* before any thread starts: they inherit it */
    options_parse(&server.options, argc, argv);
    if (weft_runtime_start(&rt, NULL) < 0)
        return 1; /* the log has said why */

    result = weft_block_on(rt, weft_async(serve, &main_task, .server = &server));
    leaked = has_leaked(rt, &counters);
    if (server.options.counters)
        print_counters(&server, &counters);
    if (leaked)
        fprintf(stderr, "httpd: leaked %llu tasks, %llu streams\n",
                (unsigned long long)counters.tasks_alive,
                (unsigned long long)counters.streams_open);
    if (weft_runtime_stop(rt, WEFT_S(2)) < 0)
        return 1;
    return result < 0 || leaked;
}
