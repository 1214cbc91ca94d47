/*
 * pubsub.h - messages to all that have subscribed to a channel or to a pattern
 *
 * Purpose     A channel is the list of its subscribers. PUBLISH writes the message into the outbox
 *             of each (client.h). So a client gets the messages of all its channels in the order in
 *             which they were published, and one write sends all that have come meanwhile.
 * Threads     Those that hold the server's lock.
 * Invariants  P1 A channel has at least one subscriber, or it is not in the table.
 * Ordering    By the server's lock.
 * Failure     None.
 */
#ifndef REDISD_PUBSUB_H
#define REDISD_PUBSUB_H

#include "client.h"

/* Ends all subscriptions of a client, without an answer. */
void pubsub_leave(struct client *client);

#endif
