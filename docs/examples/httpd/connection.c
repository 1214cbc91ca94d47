/*
 * connection.c - one client: read, parse, answer, write, and again
 *
 * In the common case a round is one read and one write, however many requests were in the read, and
 * allocates nothing. One deadline guards each read: what it is depends on what we wait for (the
 * next request, the rest of a head, the rest of a body), and it is not renewed by a trickle of
 * bytes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

/* What an answer needs that can't be done without waiting. */
enum wanted { WANT_NOTHING, WANT_FILE, WANT_BODY };

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

/* Settles how the answer at hand leaves the connection. */
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

/* Refuses a request that has not been read to its end: what follows in the stream can't be told. */
static void refuse(struct connection *self, int status)
{
    self->closing = true;
    self->linger = true;
    output_status(&self->out, status, PERSIST_CLOSE, status == 503 ? "Retry-After: 1\r\n" : NULL,
                  request_is(&self->request, HTTP_HEAD));
}

static void answer_counters(struct connection *self, struct response *response, bool head_only)
{
    struct server *server = self->in.server;
    weft_counters  c;
    char           text[512];

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
    request_drop_body(request);
    return WANT_NOTHING;
}

/* The routes. */
static enum wanted answer(struct connection *self)
{
    struct request *request = &self->request;
    struct response response = {.status = 200};
    bool            head = request_is(request, HTTP_HEAD);
    const char     *path;
    size_t          size;

    path = request_path(request, &size);
    settle_persistence(self);
    response.persistence = self->persistence;
    self->phase = PHASE_IDLE;
    self->n_requests++;

    if (is_echo(request))
        return answer_echo(self, &response);
    if (path_is(path, size, "/echo")) {
        output_status(&self->out, 405, response.persistence, "Allow: POST, PUT\r\n", head);
    } else if (!head && !request_is(request, HTTP_GET)) {
        output_status(&self->out, 405, response.persistence, "Allow: GET, HEAD\r\n", false);
    } else if (path_is(path, size, "/plaintext")) {
        response.type = "text/plain";
        output_text(&self->out, &response, "Hello, World!", head);
    } else if (path_is(path, size, "/json")) {
        response.type = "application/json";
        output_text(&self->out, &response, "{\"message\":\"Hello, World!\"}", head);
    } else if (self->in.server->options.counters && path_is(path, size, "/counters")) {
        answer_counters(self, &response, head);
    } else if (self->in.server->options.root) {
        return WANT_FILE;
    } else {
        output_status(&self->out, 404, response.persistence, NULL, head);
    }
    return WANT_NOTHING;
}

/* A head has come and a body will: whether to keep it, and whether to ask for it. */
static void expect_body(struct connection *self)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct request   *request = &self->request;

    if (is_echo(request) && request_keep_body(request) < 0)
        refuse(self, 503);
    else if (request->expects_continue && self->at == self->length)
        output_put(&self->out, go_on, sizeof go_on - 1);
}

/* Parses to the next event in the input and acts on it. */
static enum wanted advance(struct connection *self)
{
    size_t used;
    int    event = request_parse(&self->request, self->input + self->at,
                                 (size_t)(self->length - self->at), &used);

    self->at += (uint16_t)used;
    switch (event) {
    case REQUEST_MORE:
        return WANT_NOTHING;
    case REQUEST_HEAD:
        expect_body(self);
        return WANT_NOTHING;
    case REQUEST_COMPLETE:
        return answer(self);
    default:
        refuse(self, event);
        return WANT_NOTHING;
    }
}

/* ---- reading and writing ---- */

static weft_future *read_some(struct connection *self)
{
    return weft_timeout_at(
        &self->limit, weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE), self->deadline);
}

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

static weft_future *next_input(struct connection *self)
{
    enum request_phase phase = self->request.phase;

    self->at = self->length = 0;
    atomic_store(&self->idle, phase == PHASE_IDLE);
    if (phase == PHASE_IDLE) {
        /* One read ends this phase, so its deadline need not be kept. A duration costs one look at
         * the clock, an instant costs two: one here and one when its timer starts. */
        self->phase = phase;
        return weft_timeout(&self->limit,
                            weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                            time_for(self, phase));
    }
    if (phase != self->phase) {
        self->phase = phase;
        self->deadline = weft_now() + time_for(self, phase);
    }
    return read_some(self);
}

static void take_input(struct connection *self, int64_t n)
{
    atomic_store(&self->idle, false);
    if (n > 0)
        self->length = (uint16_t)n;
    else if (n == -ETIMEDOUT && self->request.phase != PHASE_IDLE)
        refuse(self, 408);
    else
        self->closing = true; /* the client has finished, or is gone, or time is up */
}

static weft_future *send_bytes(struct connection *self, const void *bytes, size_t size)
{
    return weft_timeout(&self->limit, weft_write_all(&self->io, self->in.conn, bytes, size),
                        self->in.server->options.write_timeout);
}

static weft_future *send_output(struct connection *self)
{
    uint32_t length = self->out.length;

    self->out.length = 0; /* the bytes stay where they are until the write has ended */
    return send_bytes(self, self->out.bytes, length);
}

static weft_future *send_file(struct connection *self)
{
    const char *path;
    size_t      size;

    path = request_path(&self->request, &size);
    return weft_async(file_answer, &self->file, .conn = self->in.conn, .out = &self->out,
                      .path = path, .path_size = size, .persistence = self->persistence,
                      .head_only = request_is(&self->request, HTTP_HEAD),
                      .write_limit = self->in.server->options.write_timeout);
}

/* ---- the task ---- */

static void begin(struct connection *self)
{
    atomic_init(&self->idle, false);
    self->closing = self->linger = false;
    self->phase = PHASE_IDLE;
    self->n_requests = 0;
    request_init(&self->request, (uint64_t)self->in.server->options.max_body,
                 self->in.server->options.parser_only);
    output_init(&self->out);
    server_enter(self->in.server, self);
    if (self->in.refused)
        refuse(self, 503);
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
            if (n < 0)
                goto out;
        }
        if (self->closing)
            break;
        WEFT_AWAIT(n, next_input(self));
        take_input(self, n);

        while (self->at < self->length && !self->closing) {
            wanted = advance(self);
            n = 0;
            if (wanted == WANT_FILE) {
                WEFT_AWAIT(n, send_file(self));
            } else if (wanted == WANT_BODY) {
                WEFT_AWAIT(n, send_output(self));
                if (n >= 0)
                    WEFT_AWAIT(n, send_bytes(self, self->request.body, self->request.body_size));
                request_drop_body(&self->request);
            }
            if (n >= 0 && output_room(&self->out) < RESPONSE_ROOM)
                WEFT_AWAIT(n, send_output(self));
            if (n < 0)
                goto out;
        }
    }
    if (self->linger) {
        /* Closing while the client still sends would reset the connection, and it might never see
         * our answer: end our half, and listen for a moment until it has ended its own. */
        weft_stream_shutdown(self->in.conn, SHUT_WR);
        self->deadline = weft_now() + GRACE;
        do
            WEFT_AWAIT(n, read_some(self));
        while (n > 0 && weft_now() < self->deadline);
    }
out:
    request_drop_body(&self->request);
    server_leave(self->in.server, self);
    WEFT_END(0);
}
