/*
 * connection.h - one client's task: read, run, log, write, and again
 *
 * Purpose     A round is one read, one time under the lock, and one write, however many requests
 *             the read has brought. No answer is written before the log is settled as far as it
 *             tells.
 * Threads     The worker that polls it. Other clients reach `client` under the lock.
 * Invariants  See client.h.
 * Ordering    By the server's lock.
 * Failure     After a protocol error the client is told and closed. A client that takes nothing for
 *             a while, or does not read what was published, is closed.
 */
#ifndef REDISD_CONNECTION_H
#define REDISD_CONNECTION_H

#include "client.h"

/* Writes what a client takes slowly. */
struct send_slowly {
    WEFT_FRAME;
    struct {
        struct connection *connection;
        size_t             at; /* of client.out */
    } in;
    struct weft_timeout limit;
    size_t              at;
};

struct connection {
    WEFT_FRAME;
    struct {
        struct server *server;
        weft_stream   *conn;
        bool           refused; /* there are too many clients: it is told so */
    } in;
    weft_deferred         leave;
    struct client         client;
    struct request        request;
    struct buffer         input;
    size_t                at;                  /* of `input`: where the next request begins */
    uint64_t              mark;                /* of the log: what the answers tell */
    bool                  blocked, subscribed; /* after the last round */
    bool                  more;     /* there are more requests, and they wait for room in `out` */
    bool                  reads;    /* what is awaited includes a read */
    int64_t               deadline; /* of the last reads */
    weft_io               io;
    weft_wait             wait;
    struct weft_select    select;
    struct weft_timeout   limit;
    struct weft_token_run run;
    union { /* one at a time */
        struct settle_log  settle;
        struct send_slowly slow;
    };
};
WEFT_DECLARE_EXTERN(connection);

#endif
