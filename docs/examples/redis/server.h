/*
 * server.h - what all connections share: one lock, and what stands under it
 *
 * Purpose     All state of the server stands under one thread's mutex. A connection takes it once
 *             for all requests that one read has brought, and never holds it across an await.
 *             README.md says why.
 * Threads     Any worker.
 * Invariants  S1 Nothing under the lock waits or makes a system call that may wait.
 * Ordering    By the lock.
 * Failure     None.
 */
#ifndef REDISD_SERVER_H
#define REDISD_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <weft.h>

#include "append_log.h"
#include "keyspace.h"
#include "resp.h"
#include "table.h"

enum exit_status {
    EXIT_STOPPED = 0,
    EXIT_ERROR = 1,
    EXIT_CUT_OFF = 3, /* stopped, but some connections did not end in time */
};

/* All times in nanoseconds. */
struct options {
    const char        *address_text, *sync_text;
    weft_address       address;
    const char        *append_only; /* the file; NULL: none */
    enum sync          sync;
    int64_t            rewrite_growth;   /* in percent; 0: never by itself */
    int64_t            rewrite_min_size; /* bytes */
    int64_t            port;
    int64_t            threads;     /* 1: a current-thread runtime */
    int64_t            max_clients; /* more get an error */
    int64_t            max_memory;  /* beyond, commands that need more are refused; 0: no limit */
    int64_t            max_backlog; /* bytes that others may have for a client that does not read */
    int64_t            timeout;     /* without a request; 0: none */
    int64_t            write_timeout; /* in which a client must take a byte of its answers */
    int64_t            grace;         /* from SIGTERM to the end, at most */
    struct resp_limits limits;
};

struct server {
    struct options options; /* immutable once the server listens */
    weft_token     stop;
    weft_tracker   tasks;
    weft_event     stop_asked; /* by SHUTDOWN */

    pthread_mutex_t    lock; /* of all that follows */
    struct keyspace    keys;
    struct append_log  log;        /* its header says which parts */
    struct table       channels;   /* their subscribers: pubsub.h */
    struct table       patterns;   /* the same */
    struct table       queues;     /* of clients that wait for a list: blocked.h */
    struct wait_queue *ready;      /* queues whose list may have got something, in that order */
    struct wait_queue *last_ready; /* of them; of no meaning if there is none */
    bool               in_exec;    /* a transaction is running */
    int64_t            n_clients, n_blocked;
    uint64_t           n_commands, n_connections, n_refused;
    uint64_t           last_id;
    int64_t            started; /* in ms since 1970 */
};

/* Takes the lock, and sets the time that all commands below it see. */
void server_lock(struct server *server);

static inline void server_unlock(struct server *server)
{
    pthread_mutex_unlock(&server->lock);
}

/* Fills `options` from the command line; exits with a message if it is wrong. */
void options_parse(struct options *options, int argc, char **argv);

/* Reads the log and runs its commands: an async function, before the server listens. Its result is
 * 0, or an error that has been said. */
struct replay {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    struct client *client;
    struct buffer  input;
    struct request request;
    weft_io        io;
    int64_t        read;     /* bytes of the file */
    size_t         at;       /* of `input`: where the next request begins */
    int64_t        complete; /* bytes of the file behind which no request or group is torn */
    uint64_t       n_run;
};
WEFT_DECLARE_EXTERN(replay);

/* Takes connections: an async function, until the server stops. */
struct acceptor {
    WEFT_FRAME;
    struct {
        struct server *server;
        weft_listener *listener;
    } in;
    weft_deferred         leave;
    struct weft_token_run run;
    weft_io               io;
    struct weft_sleep     nap;
    weft_stream          *conn;
    bool                  failing; /* and this has been said */
};
WEFT_DECLARE_EXTERN(acceptor);

/* Removes expired keys now and then: an async function, until the server stops. */
struct sweeper {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_deferred         leave;
    weft_interval         every;
    struct weft_token_run run;
};
WEFT_DECLARE_EXTERN(sweeper);

#endif
