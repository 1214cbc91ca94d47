/* connection.c - see connection.h */
#include "connection.h"

#include "blocked.h"
#include "commands.h"

#define INPUT     (8 * 1024)   /* bytes of a read, at least */
#define OUTPUT    (64 * 1024)  /* answers beyond this are written before more commands run */
#define LINGER    WEFT_S(1)    /* how long a client is listened to after its last answer */
#define READ_MOST (256 * 1024) /* bytes that are read ahead while the client is blocked */

/* ---- running what has come ---- */

/* Runs one request. Returns false if there is none, or if it has to wait. */
static bool run_one(struct connection *self)
{
    struct client *client = &self->client;
    const char    *error;

    if (client->closing || is_blocked(client))
        return false;
    if (client->out.size > OUTPUT) {
        self->more = true;
        return false;
    }
    switch (request_parse(&self->request, self->input.data + self->at, self->input.size - self->at,
                          &client->server->options.limits, &error)) {
    case REQUEST_MORE:
        return false;
    case REQUEST_WRONG:
        put_error(&client->out, "%s", error);
        client->closing = true;
        return false;
    default:
        if (self->request.argc > 0)
            command_answer(client, self->request.argv, self->request.argc);
        self->at += self->request.at;
        request_next(&self->request);
        return true;
    }
}

/* Takes what others have for the client, and the end of its wait. Under the lock. */
static void take_outbox(struct connection *self)
{
    struct client *client = &self->client;

    if (client->outbox.size > 0) {
        buffer_add(&client->out, buffer_slice(&client->outbox));
        buffer_clear(&client->outbox, OUTPUT);
    }
    if (is_blocked(client) && weft_now() >= client->wait_limit)
        blocked_time_out(client);
    if (client->cut_off)
        client->closing = true;
}

static void run_input(struct connection *self)
{
    struct server *server = self->in.server;
    struct client *client = &self->client;

    self->more = false;
    server_lock(server);
    take_outbox(self);
    while (run_one(self))
        ;
    self->blocked = is_blocked(client);
    self->subscribed = client_is_subscribed(client);
    /* While the log can't be written, nothing new can be told but what was read. */
    self->mark = client->wrote || !atomic_load(&server->log.broken) ? server->log.added : 0;
    client->wrote = false;
    server_unlock(server);

    /* An incomplete request moves to the front, unless the requests before it are still there. */
    if (self->at > 0 && !self->more) {
        buffer_drop(&self->input, self->at);
        self->at = 0;
        if (self->input.size == 0)
            buffer_clear(&self->input, INPUT);
    }
}

/* ---- reading ---- */

static weft_future *read_input(struct connection *self)
{
    buffer_reserve(&self->input, self->input.room == 0 ? INPUT : INPUT / 2);
    return weft_read(&self->io, self->in.conn, self->input.data + self->input.size,
                     self->input.room - self->input.size);
}

/* The next thing that can happen: input, something from others, the end of a wait, a stop. */
static weft_future *next_event(struct connection *self)
{
    struct client *client = &self->client;
    int64_t        timeout = self->in.server->options.timeout;
    weft_future   *future;

    self->reads = !self->blocked || self->input.size < READ_MOST;
    if (!self->reads)
        future = weft_notify_wait(&self->wait, &client->ready);
    else if (self->blocked || self->subscribed)
        future = weft_select(&self->select, weft_notify_wait(&self->wait, &client->ready),
                             read_input(self));
    else
        future = read_input(self);
    if (self->blocked)
        future = weft_timeout_at(&self->limit, future, client->wait_limit);
    else if (timeout > 0 && !self->subscribed)
        future = weft_timeout(&self->limit, future, timeout);
    return weft_token_run(&self->run, &self->in.server->stop, future);
}

/* The server stops. The client leaves its queues, so that no item is handed to it any more. Returns
 * whether there is something that it has been handed before: that is sent first. */
static bool stop_waiting(struct connection *self)
{
    bool has_more;

    server_lock(self->in.server);
    blocked_leave(&self->client);
    has_more = self->client.outbox.size > 0;
    server_unlock(self->in.server);
    return has_more;
}

/* Something has happened. Returns whether the connection goes on. */
static bool take_event(struct connection *self, int64_t n)
{
    int64_t n_read = -ECANCELED;

    if (self->reads && weft_future_is_ready(&self->io.future))
        n_read = weft_future_result(&self->io.future);
    if (n_read > 0)
        self->input.size += (size_t)n_read;
    if (n_read > 0 || (n >= 0 && n_read == -ECANCELED))
        return true; /* a select whose read has lost ends with -ECANCELED in the read */
    if (n == -ECANCELED)
        return stop_waiting(self);
    return n == -ETIMEDOUT && self->blocked; /* else it is the end of the stream, or ours */
}

/* ---- writing ---- */

/* A client must take something within the time limit, again and again. */
WEFT_ASYNC(send_slowly)
{
    struct connection   *connection = self->in.connection;
    const struct buffer *out = &connection->client.out;
    int64_t              n;

    WEFT_BEGIN();
    for (self->at = self->in.at; self->at < out->size; self->at += (size_t)n) {
        WEFT_AWAIT(n, weft_timeout(&self->limit,
                                   weft_write(&connection->io, connection->in.conn,
                                              out->data + self->at, out->size - self->at),
                                   connection->in.server->options.write_timeout));
        if (n < 0)
            WEFT_RETURN(n);
    }
    WEFT_END(0);
}

/* Writes what the socket takes at once. Returns how much, or an error. */
static int64_t send_at_once(struct connection *self)
{
    const struct buffer *out = &self->client.out;
    int64_t              n;

    if (out->size == 0)
        return 0;
    n = weft_stream_try_write(self->in.conn, out->data, out->size);
    return n == -EAGAIN ? 0 : n;
}

/* Closing while the client still sends would reset the connection, and the client might never see
 * its last answer. So we end our half, and read until the client has ended its own. */
static weft_future *listen_on(struct connection *self)
{
    self->input.size = 0;
    buffer_reserve(&self->input, INPUT);
    return weft_token_run(
        &self->run, &self->in.server->stop,
        weft_timeout_at(&self->limit, weft_read(&self->io, self->in.conn, self->input.data, INPUT),
                        self->deadline));
}

/* ---- the task ---- */

static void begin(struct connection *self)
{
    struct server *server = self->in.server;

    client_init(&self->client, server, self->in.conn);
    self->request = (struct request){0};
    self->input = (struct buffer){0};
    self->at = 0;
    if (self->in.refused) {
        put_error(&self->client.out, "ERR max number of clients reached");
        self->client.closing = true;
    }
    server_lock(server);
    self->client.id = ++server->last_id;
    server_unlock(server);
}

/* Also after a panic, so that no table refers to a client that is gone. */
static void end(void *connection)
{
    struct connection *self = connection;
    struct server     *server = self->in.server;

    server_lock(server);
    client_end(&self->client);
    server->n_clients--;
    server_unlock(server);
    buffer_free(&self->input);
    request_free(&self->request);
    weft_stream_close(self->in.conn);
    weft_tracker_leave(&server->tasks);
}

WEFT_ASYNC_EXTERN(connection)
{
    struct append_log *log = &self->in.server->log; /* an alias: set again at every poll */
    struct client     *client = &self->client;
    int64_t            n;

    WEFT_BEGIN();
    begin(self);
    weft_defer(&self->leave, end, self);
    for (;;) {
        run_input(self);
        if (append_log_owes(log, self->mark)) {
            WEFT_CALL(n, settle_log, &self->settle, .log = log, .mark = self->mark);
            if (n < 0)
                break; /* what the answers tell is not safe, so there are none */
        }
        n = send_at_once(self);
        if (n >= 0 && (size_t)n < client->out.size)
            WEFT_CALL(n, send_slowly, &self->slow, .connection = self, .at = (size_t)n);
        if (n < 0)
            break;
        if (client->closing) {
            weft_stream_shutdown(self->in.conn, SHUT_WR);
            self->deadline = weft_now() + LINGER;
            do
                WEFT_AWAIT(n, listen_on(self));
            while (n > 0);
            break;
        }
        buffer_clear(&client->out, OUTPUT);
        if (self->more) {
            WEFT_YIELD(); /* it has not awaited anything since the last round, perhaps */
            continue;
        }
        WEFT_AWAIT(n, next_event(self));
        if (!take_event(self, n))
            break;
    }
    WEFT_END(0);
}
