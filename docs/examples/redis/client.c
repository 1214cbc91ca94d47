/* client.c - see client.h */
#include "client.h"

#include "blocked.h"
#include "pubsub.h"
#include "transaction.h"

void client_init(struct client *client, struct server *server, weft_stream *conn)
{
    memset(client, 0, sizeof *client);
    client->server = server;
    client->conn = conn;
}

void client_end(struct client *client)
{
    blocked_leave(client);
    pubsub_leave(client);
    transaction_end(client);
    buffer_free(&client->out);
    buffer_free(&client->outbox);
}

void client_send(struct client *client, struct slice bytes)
{
    bool first = client->outbox.size == 0;

    buffer_add(&client->outbox, bytes);
    if (first)
        weft_notify_one(&client->ready);
}

void client_cut_off(struct client *client)
{
    client->cut_off = true;
    weft_stream_shutdown(client->conn, SHUT_RDWR);
    weft_notify_one(&client->ready);
}

bool client_find(struct client *client, struct slice key, enum kind kind, struct value **ret_value)
{
    struct value *value = keys_find(&client->server->keys, key);

    if (value && value->kind != kind) {
        put_error(&client->out,
                  "WRONGTYPE Operation against a key holding the wrong kind of value");
        return false;
    }
    *ret_value = value;
    return true;
}

bool client_find_or_make(struct client *client, struct slice key, enum kind kind,
                         struct value **ret_value)
{
    if (!client_find(client, key, kind, ret_value))
        return false;
    if (!*ret_value)
        *ret_value = keys_make(&client->server->keys, key, kind);
    return true;
}

bool client_number(struct client *client, struct slice text, int64_t *ret_number)
{
    if (slice_number(text, ret_number))
        return true;
    put_error(&client->out, "ERR value is not an integer or out of range");
    return false;
}

void client_log(struct client *client, const struct slice *argv, size_t argc)
{
    client->changed = client->replaced = true;
    append_log_add(&client->server->log, argv, argc);
}
