/*
 * server.c - the connections that are there, and how they leave when we stop
 *
 * Threads     Any worker. The lock is held for moments.
 */
#include "server.h"

#include "connection.h"

/* ---- coming and going ---- */

enum admission server_admit(struct server *server, weft_stream *conn, struct client **ret_client)
{
    const struct options *options = &server->options;
    int64_t               max = options->max_connections, most;
    enum admission        admission = ADMITTED;
    struct client        *client = NULL;
    weft_address          peer;
    bool                  known;

    known = options->per_client > 0 && weft_stream_peer_address(conn, &peer) == 0;
    pthread_mutex_lock(&server->lock);
    server->n_accepted++;
    if (known && (client = clients_add(&server->clients, &peer))) {
        most = options->per_client;
        if (clients_count(client) > most)
            admission = clients_count(client) <= most + most / 8 + 8 ? REFUSED : TURNED_AWAY;
    }
    if (server->n_connections >= max && admission != TURNED_AWAY)
        admission = server->n_connections < max + max / 8 + 8 ? REFUSED : TURNED_AWAY;
    if (admission != ADMITTED)
        server->n_refused++;
    if (admission == TURNED_AWAY) {
        clients_remove(&server->clients, client);
        client = NULL;
    } else {
        server->n_connections++;
    }
    pthread_mutex_unlock(&server->lock);
    *ret_client = client;
    return admission;
}

static void forget_locked(struct server *server, struct client *client)
{
    clients_remove(&server->clients, client);
    if (--server->n_connections > 0 || !server->ended)
        return;
    weft_oneshot_send(server->ended, "");
    server->ended = NULL;
}

void server_forget(struct server *server, struct client *client)
{
    pthread_mutex_lock(&server->lock);
    forget_locked(server, client);
    pthread_mutex_unlock(&server->lock);
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
    forget_locked(server, connection->in.client);
    pthread_mutex_unlock(&server->lock);
}

/* ---- stopping ---- */

/* Ends idle connections: a read on them answers 0. */
static void close_idle(struct server *server)
{
    struct connection *connection;

    pthread_mutex_lock(&server->lock);
    for (connection = server->connections; connection; connection = connection->next)
        if (atomic_load(&connection->idle))
            weft_stream_shutdown(connection->in.conn, SHUT_RD);
    pthread_mutex_unlock(&server->lock);
}

void server_cut_off(struct server *server)
{
    struct connection *connection;

    pthread_mutex_lock(&server->lock);
    for (connection = server->connections; connection; connection = connection->next) {
        weft_stream_shutdown(connection->in.conn, SHUT_RDWR);
        server->n_cut += !connection->cut;
        connection->cut = true;
    }
    pthread_mutex_unlock(&server->lock);
}

static weft_future *last_end(struct drain *self, int64_t deadline)
{
    return weft_timeout_at(
        &self->limit, weft_oneshot_receive(&self->wait, self->ended, &self->message), deadline);
}

WEFT_ASYNC_EXTERN(drain)
{
    struct server       *server = self->in.server;
    weft_oneshot_sender *sender;
    int64_t              n;

    WEFT_BEGIN();
    self->deadline = weft_now() + server->options.drain;
    n = weft_oneshot_open(1, &sender, &self->ended);
    if (n < 0)
        WEFT_RETURN(n);
    atomic_store(&server->draining, true);
    pthread_mutex_lock(&server->lock);
    server->ended = sender;
    server->n_connections++; /* ourselves, so that only one place reports the end */
    forget_locked(server, NULL);
    pthread_mutex_unlock(&server->lock);

    WEFT_AWAIT(n, last_end(self, weft_now() + GRACE));
    if (n == -ETIMEDOUT) {
        close_idle(server);
        WEFT_AWAIT(n, last_end(self, self->deadline));
    }
    if (n == -ETIMEDOUT) {
        server_cut_off(server);
        WEFT_AWAIT(n, last_end(self, weft_now() + WEFT_S(2)));
    }
    weft_oneshot_receiver_close(self->ended);
    WEFT_END(n);
}
