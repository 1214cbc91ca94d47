/*
 * server.h - what the connections share: options, who is there, whether we are stopping
 */
#ifndef HTTPD_SERVER_H
#define HTTPD_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <weft.h>

#include "files.h"
#include "request.h"
#include "response.h"

#define INPUT_SIZE 8192

/* A client that has a request under way when we stop gets to send it: idle connections are closed
 * only this much later. It also bounds how long we listen to a client that we have nothing more to
 * say. */
#define GRACE WEFT_MS(200)

/* All times in nanoseconds. */
struct options {
    weft_address address;
    const char  *root; /* NULL: no files are served */
    int64_t      port;
    int64_t      max_connections; /* more get 503 */
    int64_t      max_body;        /* longer ones get 413 */
    int64_t      header_timeout;  /* for a whole head, from its first byte on: 408 */
    int64_t      body_timeout;    /* for a whole body: 408 */
    int64_t      idle_timeout;    /* between requests; the connection is closed */
    int64_t      write_timeout;   /* for a write of up to OUTPUT_SIZE bytes; the same */
    int64_t      drain;           /* from SIGTERM to the end, at most */
    bool         counters;
    bool         parser_only; /* for tests: no request is read by quick.c */
};

struct server {
    struct options       options; /* immutable once the server listens */
    atomic_bool          draining;
    pthread_mutex_t      lock; /* of what follows; held for moments, and never across an await */
    struct connection   *connections;
    weft_oneshot_sender *ended; /* while draining: tells that the last connection has ended */
    int64_t              n_connections;
    uint64_t             n_accepted, n_refused, n_requests; /* requests: of ended connections */
};

/* One client: its task's frame. */
struct connection {
    WEFT_FRAME;
    struct {
        struct server *server;
        weft_stream   *conn;
        bool           refused; /* one too many: it gets a 503 */
    } in;
    struct connection *next, **link; /* the server's list; under its lock */
    atomic_bool        idle;         /* waits for the first byte of a request */
    bool               closing;      /* no more requests are read */
    bool               linger;       /* the client may be sending still */
    uint16_t           at, length;   /* of `input`: parsed up to, read up to */
    enum persistence   persistence;  /* of the answer at hand */
    enum request_phase phase;        /* that `deadline` is for */
    int64_t            deadline;
    uint64_t           n_requests;
    weft_io            io;
    weft_limit         limit;
    struct file_answer file;
    struct request     request;
    struct output      out;
    char               input[INPUT_SIZE];
};
WEFT_DECLARE_EXTERN(connection);

/* Fills `options` from the command line; exits with a message if it is wrong. */
void options_parse(struct options *options, int argc, char **argv);

/* Enters and leaves the list; leaving closes the stream. */
void server_enter(struct server *server, struct connection *connection);
void server_leave(struct server *server, struct connection *connection);

#endif
