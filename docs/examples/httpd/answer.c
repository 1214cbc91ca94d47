/* answer.c - see answer.h */
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the access log ---- */

void answer_log(const struct connection *self, bool is_request, int status, int64_t bytes)
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

    answer_log(self, is_request, atoi(head + sizeof "HTTP/1.1"),
               body ? (int64_t)size - (body + 4 - head) : 0);
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

void answer_drop_body(struct connection *self)
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

__attribute__((cold)) void answer_refusal(struct connection *self, int status)
{
    uint32_t at = self->out.length;

    self->closing = true;
    self->linger = true;
    output_status(&self->out, status, PERSIST_CLOSE, status == 503 ? "Retry-After: 1\r\n" : NULL,
                  request_is(&self->request, HTTP_HEAD));
    if (self->in.server->log)
        log_output(self, false, at);
    answer_drop_body(self);
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
    answer_drop_body(self);
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
        answer_refusal(self, 503);
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
        answer_log(self, true, 200, (int64_t)self->request.body_size);
    /* A file is logged when it has been sent. */
}

enum wanted answer_next(struct connection *self)
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
            answer_refusal(self, 503);
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
        answer_refusal(self, event);
        return WANT_NOTHING;
    }
}
