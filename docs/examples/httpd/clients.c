/* clients.c - see clients.h */
#include "clients.h"

#include <stdlib.h>
#include <string.h>

struct client {
    struct client *next;
    uint64_t       key;
    int64_t        n;
};

/* The address as a number; false: it has none. */
static bool key_of(const weft_address *peer, uint64_t *ret)
{
    if (peer->u.any.sa_family == AF_INET) {
        *ret = peer->u.v4.sin_addr.s_addr;
        return true;
    }
    if (peer->u.any.sa_family != AF_INET6)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&peer->u.v6.sin6_addr)) {
        uint32_t v4;

        memcpy(&v4, (const char *)&peer->u.v6.sin6_addr + 12, sizeof v4);
        *ret = v4;
    } else {
        memcpy(ret, &peer->u.v6.sin6_addr, sizeof *ret);
    }
    return true;
}

static struct client **bucket_of(struct clients *clients, uint64_t key)
{
    return &clients->bucket[(key * 0x9e3779b97f4a7c15u) >> 54];
}

struct client *clients_add(struct clients *clients, const weft_address *peer)
{
    struct client **bucket, *client;
    uint64_t        key;

    if (!key_of(peer, &key))
        return NULL;
    bucket = bucket_of(clients, key);
    for (client = *bucket; client && client->key != key; client = client->next)
        continue;
    if (!client) {
        client = malloc(sizeof *client);
        if (!client)
            return NULL;
        *client = (struct client){.next = *bucket, .key = key};
        *bucket = client;
    }
    client->n++;
    return client;
}

int64_t clients_count(const struct client *client)
{
    return client->n;
}

void clients_remove(struct clients *clients, struct client *client)
{
    struct client **link;

    if (!client || --client->n > 0)
        return;
    for (link = bucket_of(clients, client->key); *link != client; link = &(*link)->next)
        continue;
    *link = client->next;
    free(client);
}
