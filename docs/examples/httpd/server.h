/*
 * server.h - what the connections share: options, the connections that are there, and how we stop
 */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <weft.h>

#include "access_log.h"
#include "bodies.h"
#include "clients.h"

/* A client that has a request under way when we stop gets to send it: idle connections are closed
 * only this much later. */
#define GRACE WEFT_MS(200)

/* After the last answer, a client that has been silent for so long is done. */
#define LINGER_SILENCE WEFT_S(1)

enum exit_status {
    EXIT_STOPPED = 0, /* every request that had begun was answered */
    EXIT_ERROR = 1,   /* could not start, or something has leaked */
    EXIT_CUT_OFF = 3, /* stopped, but some connections had to be cut off */
};

/* All times in nanoseconds. */
struct options {
    const char  *address_text;
    weft_address address;
    const char  *unix_path;  /* NULL: by TCP */
    const char  *access_log; /* NULL: none */
    const char  *root_path;  /* NULL: none */
    int          root;       /* the directory whose files are served; -1: none are */
    int64_t      port;
    int64_t      max_connections; /* more get 503 */
    int64_t      per_client;      /* connections of one client; more get 503; 0: any number */
    int64_t      max_body;        /* longer ones get 413 */
    int64_t      max_bodies;      /* bytes of all bodies together; beyond, 503 */
    int64_t      header_timeout;  /* for a whole head, from its first byte on: 408 */
    int64_t      body_timeout;    /* for a body: 408, ... */
    int64_t      min_rate;        /* ... plus a second for so many bytes; the same of an answer */
    int64_t      idle_timeout;    /* between requests; the connection is closed */
    int64_t      write_timeout;   /* without progress, and for an answer: closed */
    int64_t      linger;          /* how long we listen after the last answer, at most */
    int64_t      drain;           /* from SIGTERM to the end, at most */
    bool         counters;
    bool         fibers;      /* connections are fibers; else async functions */
    bool         parser_only; /* for tests: no request is read by quick.c */
};

struct connection; /* connection.h */

struct server {
    struct options       options; /* immutable once the server listens */
    struct access_log   *log;     /* immutable once the server listens; NULL: none */
    struct bodies        bodies;
    atomic_bool          draining;
    pthread_mutex_t      lock; /* of what follows; held for moments, and never across an await */
    struct connection   *connections;
    struct clients       clients;
    weft_oneshot_sender *ended; /* while draining: reports the end of the last connection */
    int64_t              n_connections;
    uint64_t             n_accepted, n_refused, n_requests; /* requests: of ended connections */
    uint64_t             n_cut;                             /* connections cut off when stopping */
};

/* Takes connections: an async function, until it is cancelled. */
struct acceptor {
    WEFT_FRAME;
    struct {
        struct server *server;
        weft_listener *listener;
    } in;
    weft_io           io;
    struct weft_sleep nap;
    weft_stream      *conn;
    bool              failing; /* and this has been reported */
};
WEFT_DECLARE_EXTERN(acceptor);

/* Ends when the last connection has ended: with 0, or with -ETIMEDOUT. */
struct drain {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_oneshot_receiver *ended;
    weft_wait              wait;
    struct weft_timeout    limit;
    int64_t                deadline;
    char                   message;
};
WEFT_DECLARE_EXTERN(drain);

/* Fills `options` from the command line; exits with a message if it is wrong. */
void options_parse(struct options *options, int argc, char **argv);

enum admission { ADMITTED, REFUSED, TURNED_AWAY };

/* Counts a new connection, also for its client. Beyond a limit some connections get a 503, and
 * the rest are only closed. server_forget undoes it for a connection whose task could not be
 * spawned. */
enum admission server_admit(struct server *server, weft_stream *conn, struct client **ret_client);
void           server_forget(struct server *server, struct client *client);

/* Enters and leaves the list; leaving closes the stream. */
void server_enter(struct server *server, struct connection *connection);
void server_leave(struct server *server, struct connection *connection);

/* Cuts off all connections, and counts them. */
void server_cut_off(struct server *server);

#endif
