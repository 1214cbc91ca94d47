/*
 * clients.h - how many connections each client has: an IPv4 address, or an IPv6 network of 64 bits
 */
#ifndef HTTPD_CLIENTS_H
#define HTTPD_CLIENTS_H

#include <weft.h>

#define CLIENTS_BUCKETS 1024

struct client; /* a client that has connections now */

struct clients {
    struct client *bucket[CLIENTS_BUCKETS];
};

/* Counts one more connection of this client, which is added if it is new. NULL: no memory, or the
 * client is not of the internet. The caller holds a lock, as for clients_remove. */
struct client *clients_add(struct clients *clients, const weft_address *peer);

/* How many connections it has. */
int64_t clients_count(const struct client *client);

/* Counts one connection less. NULL is fine. */
void clients_remove(struct clients *clients, struct client *client);

#endif
