/*
 * connection.h - one client: read, parse, answer, write, and again
 *
 * In the common case a round is one read and one write, however many requests were in the read, and
 * allocates nothing. One deadline guards each read: what it is depends on what we wait for (the
 * next request, the rest of a head, the rest of a body), and it is not renewed by a trickle of
 * bytes. A body has to come with a rate, and an answer has to be taken with progress (send.h).
 *
 * The loop that awaits is there twice, once in each style: as an async function
 * (connection_async.c) and as a fiber (connection_fiber.c). Both await the futures that are made
 * here, and know nothing of HTTP.
 */
#ifndef HTTPD_CONNECTION_H
#define HTTPD_CONNECTION_H

#include <stdatomic.h>
#include <weft.h>

#include "files.h"
#include "request.h"
#include "response.h"
#include "send.h"
#include "server.h"

#define INPUT_SIZE 8192

/* A stream that has been accepted: what the task of a connection is given. */
struct arrival {
    struct server *server;
    weft_stream   *conn;
    struct client *client;  /* that it is counted for; NULL: for none */
    bool           refused; /* beyond the limit: it gets a 503 */
};

struct connection {
    struct arrival      in;
    struct connection  *next, **link; /* the server's list; under its lock */
    atomic_bool         idle;         /* waits for the first byte of a request */
    bool                cut;          /* when stopping; under the lock */
    bool                closing;      /* no more requests are read */
    bool                linger;       /* the client may be sending still */
    uint16_t            at, length;   /* of `input`: parsed up to, read up to */
    enum persistence    persistence;  /* of the answer at hand */
    enum request_phase  phase;        /* that `deadline` is for */
    int64_t             deadline;
    size_t              body_held; /* what the body at hand takes, as far as it has been counted */
    uint64_t            n_requests;
    weft_io             io;
    struct weft_timeout limit;
    struct send_rest    rest;
    struct file_answer  file;
    struct request      request;
    struct output       out;
    char                input[INPUT_SIZE];
    char                peer[WEFT_ADDRESS_TEXT]; /* for the access log */
};

/* Spawn a task for a connection, in either style. 0 or -errno: the stream is still the caller's. */
int connection_async_spawn(const struct arrival *arrival);
int connection_fiber_spawn(const struct arrival *arrival);

/* The first and the last call of a task. The last one closes the stream. */
void connection_begin(struct connection *self, const struct arrival *arrival);
void connection_end(struct connection *self);

/* Reads input within the time that the client has; connection_take_input is told the result. */
weft_future *connection_read(struct connection *self);
void         connection_take_input(struct connection *self, int64_t n);

/* Whether answer_next has input, and room for an answer. */
bool connection_can_answer(const struct connection *self);

/* Sends what is in the output buffer. -ETIMEDOUT: the client is slow, and connection_send_rest
 * continues. The caller empties the buffer. */
weft_future *connection_send(struct connection *self);
weft_future *connection_send_rest(struct connection *self);

/* Sends bytes to a client that may be slow. */
weft_future *connection_send_slowly(struct connection *self, const char *bytes, size_t size);

/* Answers with a file; connection_file_sent is told the result. */
weft_future *connection_send_file(struct connection *self);
void         connection_file_sent(struct connection *self, int64_t n);

/* After the last answer. Closing while the client still sends would reset the connection, and the
 * client might never see our answer. So, if connection_listens_on, connection_end_half ends our
 * half, and what comes is read until the client has ended its own, is silent, or
 * connection_is_overdue. */
bool         connection_listens_on(const struct connection *self);
void         connection_end_half(struct connection *self);
weft_future *connection_read_on(struct connection *self);
bool         connection_is_overdue(const struct connection *self);

#endif
