/*
 * transaction.h - MULTI, EXEC, WATCH: several commands that run together
 *
 * Purpose     MULTI keeps the requests of a client, and EXEC runs them under the lock. WATCH
 *             remembers how often keys had changed (K3), and EXEC runs nothing if one has changed
 *             since.
 * Threads     Those that hold the server's lock.
 * Invariants  None.
 * Ordering    By the server's lock.
 * Failure     A command that fails does not undo those before it, as in Redis. The log gets the
 *             changes of a transaction as one group.
 */
#ifndef REDISD_TRANSACTION_H
#define REDISD_TRANSACTION_H

#include "client.h"

/* Keeps a request until EXEC. */
void transaction_queue(struct client *client, const struct slice *argv, size_t argc);

/* Ends a transaction and forgets the watched keys. */
void transaction_end(struct client *client);

#endif
