/*
 * blocked.h - clients that wait for a list: BLPOP, BRPOP, BLMOVE
 *
 * Purpose     A client that finds all of its lists empty takes its place in a queue for each of
 *             them. The command that makes such a list hands the item over itself, to the client
 *             that has waited longest, before any other command runs.
 * Threads     Those that hold the server's lock.
 * Invariants  B1 A queue whose `is_ready` is set is not freed. Any other one has at least one link.
 *             B2 Between two commands no client waits for a list that has an item.
 * Ordering    By the server's lock. client_send wakes the client's task.
 * Failure     None.
 */
#ifndef REDISD_BLOCKED_H
#define REDISD_BLOCKED_H

#include "client.h"

/* The clients that wait for one list. The key is that of the entry in server->queues. */
struct wait_queue {
    struct wait_link  *first, **end;
    struct wait_queue *next_ready;
    bool               is_ready;
    struct string     *key;
};

/* Whether the client waits. */
static inline bool is_blocked(const struct client *client)
{
    return client->links != NULL;
}

/* The key has changed. Whether a client waits for it is looked at by blocked_serve. */
void blocked_note(struct server *server, struct slice key);

/* Hands items over, unless a transaction is running. */
void blocked_serve(struct server *server);

/* Ends the client's wait. It gets nothing. */
void blocked_leave(struct client *client);

/* The time of a blocked client is up: answers it. */
void blocked_time_out(struct client *client);

/* ---- from lists.c: of commands that wait and commands that do not ---- */

/* Answers with an item from the end of a list, and removes the list if it is empty then. */
void put_popped(struct client *client, struct slice key, struct value *value, enum side side);

/* Reads two arguments that are LEFT or RIGHT. Returns false after an answer. */
bool read_sides(struct client *client, const struct slice *argv, enum side *ret_from,
                enum side *ret_to);

/* Moves an item from the list `value` at `source` to the list at `target`, and answers with it. */
void move_item(struct client *client, struct slice source, struct value *value, enum side from,
               struct slice target, enum side to);

#endif
