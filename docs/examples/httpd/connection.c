/* connection.c - see connection.h */
#include "connection.h"

#include <stdio.h>
#include <sys/ioctl.h>

#include "answer.h"

/* ---- beginning and end ---- */

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

void connection_begin(struct connection *self, const struct arrival *arrival)
{
    self->in = *arrival;
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
        answer_refusal(self, 503);
}

void connection_end(struct connection *self)
{
    answer_drop_body(self);
    server_leave(self->in.server, self);
}

/* ---- reading ---- */

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
static weft_future *read_in_phase(struct connection *self, enum request_phase phase)
{
    if (phase != self->phase) {
        self->phase = phase;
        self->deadline = weft_now() + time_for(self, phase);
    }
    return weft_timeout_at(&self->limit,
                           weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                           self->deadline + time_earned(self, phase));
}

weft_future *connection_read(struct connection *self)
{
    enum request_phase phase = self->request.phase;

    self->at = self->length = 0;
    atomic_store(&self->idle, !request_has_begun(&self->request));
    if (phase != PHASE_IDLE)
        return read_in_phase(self, phase);
    /* One read ends this phase, so its deadline need not be kept. A duration costs one look at the
     * clock, an instant costs two: one here and one when its timer starts. */
    self->phase = phase;
    return weft_timeout(&self->limit, weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                        time_for(self, phase));
}

void connection_take_input(struct connection *self, int64_t n)
{
    atomic_store(&self->idle, false);
    if (n > 0)
        self->length = (uint16_t)n;
    else if (n == -ETIMEDOUT && request_has_begun(&self->request))
        answer_refusal(self, 408);
    else
        self->closing = true; /* the client has finished or is gone, or its time is up */
}

bool connection_can_answer(const struct connection *self)
{
    return self->at < self->length && !self->closing && output_room(&self->out) >= RESPONSE_ROOM;
}

/* ---- writing ---- */

weft_future *connection_send(struct connection *self)
{
    return weft_timeout(&self->limit,
                        weft_write_all(&self->io, self->in.conn, self->out.bytes, self->out.length),
                        self->in.server->options.write_timeout / SEND_STEPS);
}

weft_future *connection_send_slowly(struct connection *self, const char *bytes, size_t size)
{
    return weft_async(send_rest, &self->rest, .conn = self->in.conn, .bytes = bytes, .size = size,
                      .patience = self->in.server->options.write_timeout,
                      .rate = self->in.server->options.min_rate);
}

weft_future *connection_send_rest(struct connection *self)
{
    return connection_send_slowly(self, self->out.bytes + self->io.done,
                                  self->out.length - self->io.done);
}

weft_future *connection_send_file(struct connection *self)
{
    return weft_async(file_answer, &self->file, .conn = self->in.conn, .out = &self->out,
                      .request = &self->request, .root = self->in.server->options.root,
                      .persistence = self->persistence,
                      .patience = self->in.server->options.write_timeout,
                      .rate = self->in.server->options.min_rate);
}

void connection_file_sent(struct connection *self, int64_t n)
{
    if (n == FILE_CUT_SHORT) { /* its length has been promised, so only a close tells the client */
        self->closing = true;
        self->linger = false;
    }
    if (self->in.server->log)
        answer_log(self, true, self->file.status, self->file.n_sent);
}

/* ---- after the last answer ---- */

/* A client that has asked for the end should send no more, but some send an empty line. One that
 * has got the whole answer, which is the usual case, loses nothing by the reset. */
bool connection_listens_on(const struct connection *self)
{
    int n = 0;

    return self->linger || send_queued(self->in.conn) > 0 ||
           (ioctl(weft_stream_fd(self->in.conn), FIONREAD, &n) == 0 && n > 0);
}

void connection_end_half(struct connection *self)
{
    weft_stream_shutdown(self->in.conn, SHUT_WR);
    self->deadline = weft_now() + self->in.server->options.linger;
}

weft_future *connection_read_on(struct connection *self)
{
    return weft_timeout(&self->limit, weft_read(&self->io, self->in.conn, self->input, INPUT_SIZE),
                        atomic_load(&self->in.server->draining) ? GRACE : LINGER_SILENCE);
}

bool connection_is_overdue(const struct connection *self)
{
    return weft_now() >= self->deadline;
}
