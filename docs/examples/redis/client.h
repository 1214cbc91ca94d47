/*
 * client.h - what the commands know of a client
 *
 * Purpose     The state that outlives a command: a transaction, subscriptions, a wait for a list,
 *             and what other clients have for this one.
 * Threads     `out` belongs to the client's task. All else stands under the server's lock.
 * Invariants  C1 Other clients write to `outbox` only, because the task may be writing `out` to its
 *             socket. It moves the outbox to `out` before it runs the next command, so messages and
 *             answers stay in order.
 * Ordering    By the server's lock. weft_notify keeps one permit, so no message is overslept.
 * Failure     A client that takes too little of its outbox is cut off.
 */
#ifndef REDISD_CLIENT_H
#define REDISD_CLIENT_H

#include "server.h"

/* A client's place in the queue of one list that it waits for. */
struct wait_link {
    struct client     *client;
    struct wait_queue *queue;
    struct wait_link  *next, **link;
};

struct client {
    struct server *server;
    weft_stream   *conn; /* NULL while the log is replayed */
    uint64_t       id;
    struct buffer  out;
    bool           closing; /* after the answers so far */
    bool           wrote;   /* one of these answers tells of a change; under the lock */

    /* -- of the command at hand -- */
    bool changed;  /* it has changed something, and must be logged */
    bool replaced; /* it has logged something else than its own arguments */

    /* -- a transaction -- */
    bool          in_multi;
    bool          spoilt; /* a command could not be queued */
    struct buffer queued; /* the requests */
    size_t        n_queued;
    struct watch *watches;

    /* -- from others -- */
    struct buffer outbox;
    weft_notify   ready;   /* there is something in the outbox */
    bool          cut_off; /* it has left too much in the outbox */

    /* -- subscriptions: the values are struct subscription -- */
    struct table channels, patterns;

    /* -- a wait for a list -- */
    struct wait_link *links; /* NULL: it does not wait */
    size_t            n_links;
    enum side         from, to;
    struct string    *target;     /* of BLMOVE */
    int64_t           wait_limit; /* an instant of weft_now; WEFT_FOREVER: none */
};

void client_init(struct client *client, struct server *server, weft_stream *conn);

/* Leaves all queues and channels, and frees everything. Under the lock. */
void client_end(struct client *client);

/* Puts bytes into the outbox of any client. Under the lock. */
void client_send(struct client *client, struct slice bytes);

/* Closes any client, also if it is in the middle of a write. Under the lock. */
void client_cut_off(struct client *client);

/* Whether the client may only subscribe and unsubscribe now. */
static inline bool client_is_subscribed(const struct client *client)
{
    return client->channels.n_entries + client->patterns.n_entries > 0;
}

/*
 * Looks a key up for a command that needs a value of that kind.
 *
 * Returns: true, and *ret_value, which is NULL if there is no such key. false after an answer that
 *          says that the key has a value of another kind.
 */
bool client_find(struct client *client, struct slice key, enum kind kind, struct value **ret_value);

/* The same. If there is no such key, it is made. */
bool client_find_or_make(struct client *client, struct slice key, enum kind kind,
                         struct value **ret_value);

/* Reads a number. Returns false after an answer that says that it is none. */
bool client_number(struct client *client, struct slice text, int64_t *ret_number);

/* Logs these arguments instead of those of the command. It may be called several times. */
void client_log(struct client *client, const struct slice *argv, size_t argc);

#define CLIENT_LOG(client, ...)                                                                    \
    client_log((client), (struct slice[]){__VA_ARGS__},                                            \
               sizeof((struct slice[]){__VA_ARGS__}) / sizeof(struct slice))

#endif
