/*
 * connection.c - one client: read, parse, answer, write, and again
 *
 * In the common case a round is one read and one write, however many requests were in the read, and
 * allocates nothing. One deadline guards each read: what it is depends on what we wait for (the
 * next request, the rest of a head, the rest of a body), and it is not renewed by a trickle of
 * bytes. A body has to come with a rate, and an answer has to be taken with progress (send.h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

/* What an answer needs that can't be done without waiting. */
enum wanted { WANT_NOTHING, WANT_FILE, WANT_BODY };

/* ---- the access log ---- */

static void log_answer(const struct connection *self, bool is_request, int status, int64_t bytes)
{
    const struct request     *request = &self->request;
    const struct access_entry entry = {.peer = self->peer,
                                       .method =
                                           is_request ? head_method_name(request->method) : NULL,
                                       .url = request->url,
                                       .url_size = request->url_size,
                                       .is_1_0 = is_request && request->is_1_0,
                                       .status = status,
                                       .bytes = bytes};

    access_log_add(self->in.server->log, &entry);
}

/* Logs the answer that begins at `at` of the output buffer, where its status and size can be
 * read. */
static __attribute__((cold)) void log_output(const struct connection *self, bool is_request,
                                             uint32_t at)
{
    const char *head = self->out.bytes + at;
    size_t      size = self->out.length - at;
    const char *body = memmem(head, size, "\r\n\r\n", 4);

    log_answer(self, is_request, atoi(head + sizeof "HTTP/1.1"),
               body ? (int64_t)size - (body + 4 - head) : 0);
}

/* The client's address without its port; "-" for one that came by a Unix socket. */
static __attribute__((cold)) void log_peer(struct connection *self)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    char        *colon;

    strcpy(self->peer, "-");
    if (weft_stream_peer_address(self->in.conn, &address) < 0 || weft_address_port(&address) == 0)
        return;
    weft_address_format(&address, text);
    colon = strrchr(text, ':');
    if (colon && text[0] == '[') /* "[::1]:80" */
        snprintf(self->peer, sizeof self->peer, "%.*s", (int)(colon - text) - 2, text + 1);
    else if (colon)
        snprintf(self->peer, sizeof self->peer, "%.*s", (int)(colon - text), text);
}

/* ---- answering ---- */

static bool path_is(const char *path, size_t size, const char *expected)
{
    return size == strlen(expected) && !memcmp(path, expected, size);
}

static bool is_last(const struct connection *self)
{
    /* When stopping, requests that have been read already are answered before we close. */
    return !self->request.keep_alive ||
           (atomic_load(&self->in.server->draining) && self->at == self->length);
}

/* Decides how the answer at hand leaves the connection. */
static void settle_persistence(struct connection *self)
{
    if (is_last(self)) {
        self->closing = true;
        self->linger = self->request.keep_alive; /* it has not asked for the end */
        self->persistence = PERSIST_CLOSE;
    } else {
        self->persistence = request_is_1_0(&self->request) ? PERSIST_SAID : PERSIST;
    }
}

static bool is_echo(const struct request *request)
{
    const char *path;
    size_t      size;

    if (!request_is(request, HTTP_POST) && !request_is(request, HTTP_PUT))
        return false;
    path = request_path(request, &size);
    return path_is(path, size, "/echo");
}

/* Gives the memory of a body back. */
static void drop_body(struct connection *self)
{
    request_drop_body(&self->request);
    if (self->body_held > 0)
        bodies_resize(&self->in.server->bodies, self->body_held, 0);
    self->body_held = 0;
}

/* Counts the memory of the body at hand. False: all bodies together take too much. */
static bool body_fits(struct connection *self)
{
    size_t before = self->body_held;

    self->body_held = self->request.body ? self->request.body_room : 0;
    return self->body_held == before ||
           bodies_resize(&self->in.server->bodies, before, self->body_held);
}

/* Refuses a request that has not been read to its end. The rest of the stream can't be
 * understood. */
static __attribute__((cold)) void refuse(struct connection *self, int status)
{
    uint32_t at = self->out.length;

    self->closing = true;
    self->linger = true;
    output_status(&self->out, status, PERSIST_CLOSE, status == 503 ? "Retry-After: 1\r\n" : NULL,
                  request_is(&self->request, HTTP_HEAD));
    if (self->in.server->log)
        log_output(self, false, at);
    drop_body(self);
}

static void answer_counters(struct connection *self, struct response *response, bool head_only)
{
    struct server               *server = self->in.server;
    struct weft_runtime_counters c;
    char                         text[512];

    weft_runtime_counters(weft_runtime_current(), &c);
    pthread_mutex_lock(&server->lock);
    snprintf(text, sizeof text,
             "{\"connections\":%lld,\"accepted\":%llu,\"refused\":%llu,\"tasks_alive\":%llu,"
             "\"streams_open\":%llu,\"tasks_spawned\":%llu,\"polls\":%llu,\"steals\":%llu,"
             "\"parks\":%llu,\"reactor_enters\":%llu,\"completions\":%llu,\"timers_fired\":%llu}\n",
             (long long)server->n_connections, (unsigned long long)server->n_accepted,
             (unsigned long long)server->n_refused, (unsigned long long)c.tasks_alive,
             (unsigned long long)c.streams_open, (unsigned long long)c.tasks_spawned,
             (unsigned long long)c.polls, (unsigned long long)c.steals, (unsigned long long)c.parks,
             (unsigned long long)c.reactor_enters, (unsigned long long)c.completions,
             (unsigned long long)c.timers_fired);
    pthread_mutex_unlock(&server->lock);
    response->type = "application/json";
    output_text(&self->out, response, text, head_only);
}

static enum wanted answer_echo(struct connection *self, struct response *response)
{
    struct request *request = &self->request;

    response->type = "application/octet-stream";
    response->length = (int64_t)request->body_size;
    output_head(&self->out, response);
    if (request->body_size > output_room(&self->out))
        return WANT_BODY;
    if (request->body)
        output_put(&self->out, request->body, request->body_size);
    drop_body(self);
    return WANT_NOTHING;
}

/* The routes. */
static enum wanted answer(struct connection *self)
{
    struct request *request = &self->request;
    struct response response = {.status = 200};
    bool            head = request_is(request, HTTP_HEAD);
    bool            reads = head || request_is(request, HTTP_GET);
    const char     *path;
    size_t          size;

    path = request_path(request, &size);
    settle_persistence(self);
    response.persistence = self->persistence;
    self->phase = PHASE_IDLE;
    self->n_requests++;

    if (reads && path_is(path, size, "/plaintext")) {
        response.type = "text/plain";
        output_text(&self->out, &response, "Hello, World!", head);
    } else if (path_is(path, size, "/echo")) {
        if (request_is(request, HTTP_POST) || request_is(request, HTTP_PUT))
            return answer_echo(self, &response);
        output_status(&self->out, 405, response.persistence, "Allow: POST, PUT\r\n", head);
    } else if (!reads) {
        output_status(&self->out, 405, response.persistence, "Allow: GET, HEAD\r\n", false);
    } else if (path_is(path, size, "/json")) {
        response.type = "application/json";
        output_text(&self->out, &response, "{\"message\":\"Hello, World!\"}", head);
    } else if (self->in.server->options.counters && path_is(path, size, "/counters")) {
        answer_counters(self, &response, head);
    } else if (self->in.server->options.root >= 0) {
        return WANT_FILE;
    } else {
        output_status(&self->out, 404, response.persistence, NULL, head);
    }
    return WANT_NOTHING;
}

/* A head has come and a body will. Decides whether to keep it, and whether to ask for it. */
static void expect_body(struct connection *self)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct request   *request = &self->request;

    if (is_echo(request) && (request_keep_body(request) < 0 || !body_fits(self)))
        refuse(self, 503);
    else if (request->expects_continue && self->at == self->length)
        output_put(&self->out, go_on, sizeof go_on - 1);
}

/* Logs an answer that begins at `at` of the output buffer. */
static __attribute__((cold)) void log_wanted(const struct connection *self, enum wanted wanted,
                                             uint32_t at)
{
    if (wanted == WANT_NOTHING)
        log_output(self, true, at);
    else if (wanted == WANT_BODY)
        log_answer(self, true, 200, (int64_t)self->request.body_size);
    /* A file is logged when it has been sent. */
}

/* Parses to the next event in the input and acts on it. */
static enum wanted advance(struct connection *self)
{
    size_t      used;
    uint32_t    at = self->out.length;
    enum wanted wanted;
    int         event = request_parse(&self->request, self->input + self->at,
                                      (size_t)(self->length - self->at), &used);

    self->at += (uint16_t)used;
    switch (event) {
    case REQUEST_MORE:
        if (self->request.phase == PHASE_BODY && !body_fits(self))
            refuse(self, 503);
        return WANT_NOTHING;
    case REQUEST_HEAD:
        expect_body(self);
        return WANT_NOTHING;
    case REQUEST_COMPLETE:
        wanted = answer(self);
        if (self->in.server->log)
            log_wanted(self, wanted, at);
        return wanted;
    default:
        refuse(self, event);
        return WANT_NOTHING;
    }
}

/* ---- reading and writing ---- */

/* Returns how long a client may take from now to the end of the phase. */
static int64_t time_for(const struct connection *self, enum request_phase phase)
{
    const struct options *options = &self->in.server->options;

    if (phase == PHASE_BODY)
        return options->body_timeout;
    if (phase == PHASE_IDLE && atomic_load(&self->in.server->draining))
        return GRACE;
    if (phase == PHASE_IDLE && self->n_requests > 0)
        return options->idle_timeout;
    return options->header_timeout;
}

/* Returns by how much the part of a body that has come extends the body's deadline. */
static int64_t time_earned(const struct connection *self, enum request_phase phase)
{
    if (phase != PHASE_BODY)
        return 0;
    return (int64_t)(self->request.body_size * (uint64_t)WEFT_MS(1) /
                     (uint64_t)self->in.server->options.min_rate * 1000);
}

/* Reads in a phase that several reads may belong to: its deadline is kept. */
static weft_future *read_on(struct connection *self, enum request_phase phase)
{
    if (phase != self->phase) {
        self->phase = phase;
        self->deadline = weft_now() + time_for(self, phase);
    }
    return weft_timeout_at(&self->limit,
                           weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                           self->deadline + time_earned(self, phase));
}

static weft_future *next_input(struct connection *self)
{
    enum request_phase phase = self->request.phase;

    self->at = self->length = 0;
    atomic_store(&self->idle, !request_has_begun(&self->request));
    if (phase != PHASE_IDLE)
        return read_on(self, phase);
    /* One read ends this phase, so its deadline need not be kept. A duration costs one look at the
     * clock, an instant costs two: one here and one when its timer starts. */
    self->phase = phase;
    return weft_timeout(&self->limit, weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                        time_for(self, phase));
}

static void take_input(struct connection *self, int64_t n)
{
    atomic_store(&self->idle, false);
    if (n > 0)
        self->length = (uint16_t)n;
    else if (n == -ETIMEDOUT && request_has_begun(&self->request))
        refuse(self, 408);
    else
        self->closing = true; /* the client has finished or is gone, or its time is up */
}

static weft_future *send_output(struct connection *self)
{
    return weft_timeout(&self->limit,
                        weft_write_all(&self->io, self->in.conn, self->out.bytes, self->out.length),
                        self->in.server->options.write_timeout / SEND_STEPS);
}

/* Sends bytes to a client that may be slow. */
static weft_future *send_slowly(struct connection *self, const char *bytes, size_t size)
{
    return weft_async(send_rest, &self->rest, .conn = self->in.conn, .bytes = bytes, .size = size,
                      .patience = self->in.server->options.write_timeout,
                      .rate = self->in.server->options.min_rate);
}

static weft_future *send_file(struct connection *self)
{
    return weft_async(file_answer, &self->file, .conn = self->in.conn, .out = &self->out,
                      .request = &self->request, .root = self->in.server->options.root,
                      .persistence = self->persistence,
                      .patience = self->in.server->options.write_timeout,
                      .rate = self->in.server->options.min_rate);
}

/* Sends what is in the output buffer, and the body of the request after it. */
WEFT_ASYNC(body_answer)
{
    struct connection *connection = self->in.connection;
    int64_t            n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, send_slowly(connection, connection->out.bytes, connection->out.length));
    connection->out.length = 0;
    if (n >= 0)
        WEFT_AWAIT(
            n, send_slowly(connection, connection->request.body, connection->request.body_size));
    drop_body(connection);
    WEFT_END(n);
}

static void file_sent(struct connection *self, int64_t n)
{
    if (n == FILE_CUT_SHORT) { /* its length has been promised, so only a close tells the client */
        self->closing = true;
        self->linger = false;
    }
    if (self->in.server->log)
        log_answer(self, true, self->file.status, self->file.n_sent);
}

/* ---- the task ---- */

static void begin(struct connection *self)
{
    atomic_init(&self->idle, false);
    self->cut = self->closing = self->linger = false;
    self->at = self->length = 0;
    self->phase = PHASE_IDLE;
    self->n_requests = 0;
    self->body_held = 0;
    request_init(&self->request, (uint64_t)self->in.server->options.max_body,
                 self->in.server->options.parser_only);
    output_init(&self->out);
    if (self->in.server->log)
        log_peer(self);
    server_enter(self->in.server, self);
    if (self->in.refused)
        refuse(self, 503);
}

/* Closing while the client still sends would reset the connection, and the client might never see
 * our answer. So we end our half, and read until the client has ended its own, is silent, or its
 * time is up. */
WEFT_ASYNC(last_words)
{
    struct connection *connection = self->in.connection;
    struct server     *server = connection->in.server;
    int64_t            n;

    WEFT_BEGIN();
    weft_stream_shutdown(connection->in.conn, SHUT_WR);
    self->deadline = weft_now() + server->options.linger;
    do
        WEFT_AWAIT(n, weft_timeout(&connection->limit,
                                   weft_read(&connection->io, connection->in.conn,
                                             connection->input, INPUT_SIZE),
                                   atomic_load(&server->draining) ? GRACE : LINGER_SILENCE));
    while (n > 0 && weft_now() < self->deadline);
    WEFT_END(0);
}

static void end(struct connection *self)
{
    drop_body(self);
    server_leave(self->in.server, self);
}

WEFT_ASYNC_EXTERN(connection)
{
    enum wanted wanted;
    int64_t     n;

    WEFT_BEGIN();
    begin(self);
    for (;;) {
        if (self->out.length > 0) {
            WEFT_AWAIT(n, send_output(self));
            if (n == -ETIMEDOUT)
                WEFT_AWAIT(n, send_slowly(self, self->out.bytes + self->io.done,
                                          self->out.length - self->io.done));
            self->out.length = 0;
            if (n < 0)
                goto out;
        }
        if (self->closing)
            break;
        if (self->at == self->length) {
            WEFT_AWAIT(n, next_input(self));
            take_input(self, n);
        }
        while (self->at < self->length && !self->closing &&
               output_room(&self->out) >= RESPONSE_ROOM) {
            wanted = advance(self);
            if (wanted == WANT_NOTHING)
                continue;
            if (wanted == WANT_FILE) {
                WEFT_AWAIT(n, send_file(self));
                file_sent(self, n);
            } else {
                WEFT_CALL(n, body_answer, &self->body, .connection = self);
            }
            if (n < 0)
                goto out;
        }
    }
    if (self->linger)
        WEFT_CALL(n, last_words, &self->last, .connection = self);
out:
    end(self);
    WEFT_END(0);
}
