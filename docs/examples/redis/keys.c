/* keys.c - commands for keys of any kind */
#include "commands.h"
#include "glob.h"

void del_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace *keys = &client->server->keys;
    int64_t          n = 0;

    for (size_t i = 1; i < argc; i++)
        if (keys_find(keys, argv[i]) && keys_remove(keys, argv[i])) {
            keys_touch(keys, argv[i]);
            n++;
        }
    client->changed = n > 0;
    put_number(&client->out, n);
}

void exists_command(struct client *client, const struct slice *argv, size_t argc)
{
    int64_t n = 0;

    for (size_t i = 1; i < argc; i++)
        n += keys_find(&client->server->keys, argv[i]) != NULL;
    put_number(&client->out, n);
}

void type_command(struct client *client, const struct slice *argv, size_t argc)
{
    static const char *const names[] = {"string", "list", "hash", "set"};
    const struct value      *value = keys_find(&client->server->keys, argv[1]);

    (void)argc;
    put_status(&client->out, value ? names[value->kind] : "none");
}

void rename_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace *keys = &client->server->keys;

    (void)argc;
    if (!keys_find(keys, argv[1])) {
        put_error(&client->out, "ERR no such key");
        return;
    }
    if (!slice_equal(argv[1], argv[2])) {
        keys_put(keys, argv[2], keys_take(keys, argv[1]));
        client->changed = true;
    }
    put_ok(&client->out);
}

/* ---- all keys ---- */

static bool is_gone(struct client *client, const struct entry *entry)
{
    const struct value *value = entry->value;

    return value->expires_at > 0 && value->expires_at <= client->server->keys.now;
}

void keys_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct buffer found = {0};
    size_t        n = 0;

    (void)argc;
    TABLE_EACH(&client->server->keys.keys, entry)
    if (!is_gone(client, entry) && glob_match(argv[1], entry_key(entry))) {
        put_bulk(&found, entry_key(entry));
        n++;
    }
    put_array(&client->out, n);
    buffer_add(&client->out, buffer_slice(&found));
    buffer_free(&found);
}

/* The cursor is the next bucket. A key that is there all the time is found, because keys only move
 * to buckets that are still to come (T2). It may be found twice. */
void scan_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct table *table = &client->server->keys.keys;
    struct slice  pattern = SLICE("*");
    struct buffer found = {0};
    int64_t       cursor, count = 10;
    size_t        n = 0, bucket;

    if (!slice_number(argv[1], &cursor) || cursor < 0) {
        put_error(&client->out, "ERR invalid cursor");
        return;
    }
    for (size_t i = 2; i < argc; i += 2) {
        if (i + 1 < argc && slice_is(argv[i], "match")) {
            pattern = argv[i + 1];
        } else if (i + 1 < argc && slice_is(argv[i], "count")) {
            if (!client_number(client, argv[i + 1], &count))
                return;
        } else {
            put_syntax_error(client);
            return;
        }
        if (count < 1) {
            put_syntax_error(client);
            return;
        }
    }
    bucket = (size_t)cursor;
    for (; bucket < table->n_buckets && count > 0; bucket++, count--)
        for (struct entry *entry = table->bucket[bucket]; entry; entry = entry->next)
            if (!is_gone(client, entry) && glob_match(pattern, entry_key(entry))) {
                put_bulk(&found, entry_key(entry));
                n++;
            }
    put_array(&client->out, 2);
    put_bulk(&client->out,
             number_text(bucket < table->n_buckets ? (int64_t)bucket : 0, (char[NUMBER_TEXT]){0}));
    put_array(&client->out, n);
    buffer_add(&client->out, buffer_slice(&found));
    buffer_free(&found);
}

void dbsize_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    put_number(&client->out, (int64_t)client->server->keys.keys.n_entries);
}

void flushall_command(struct client *client, const struct slice *argv, size_t argc)
{
    if (argc > 2 || (argc == 2 && !slice_is(argv[1], "sync") && !slice_is(argv[1], "async"))) {
        put_syntax_error(client);
        return;
    }
    keys_clear(&client->server->keys);
    client->changed = true;
    put_ok(&client->out);
}

/* ---- expiry ---- */

/* EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT. The log gets the instant, because a replay comes later. */
void expire_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace *keys = &client->server->keys;
    struct value    *value;
    bool             in_seconds = argv[0].data[0] == 'e' || argv[0].data[0] == 'E';
    bool             from_now = slice_is(argv[0], "expire") || slice_is(argv[0], "pexpire");
    int64_t          at;
    char             text[NUMBER_TEXT];

    (void)argc;
    if (!client_number(client, argv[2], &at))
        return;
    if ((in_seconds && __builtin_mul_overflow(at, 1000, &at)) ||
        (from_now && __builtin_add_overflow(at, keys->now, &at))) {
        put_error(&client->out, "ERR invalid expire time in '%s' command",
                  command_find(argv[0])->name);
        return;
    }
    value = keys_find(keys, argv[1]);
    if (value && at <= keys->now) {
        keys_remove(keys, argv[1]);
        CLIENT_LOG(client, SLICE("DEL"), argv[1]);
    } else if (value) {
        keys_set_expiry(keys, value, at);
        CLIENT_LOG(client, SLICE("PEXPIREAT"), argv[1], number_text(at, text));
    }
    put_number(&client->out, value != NULL);
}

void ttl_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace    *keys = &client->server->keys;
    const struct value *value = keys_find(keys, argv[1]);
    bool                in_seconds = argv[0].data[0] == 't' || argv[0].data[0] == 'T';
    int64_t             left;

    (void)argc;
    if (!value || value->expires_at == 0) {
        put_number(&client->out, value ? -1 : -2);
        return;
    }
    left = value->expires_at - keys->now;
    put_number(&client->out, in_seconds ? (left + 500) / 1000 : left);
}

void persist_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace *keys = &client->server->keys;
    struct value    *value = keys_find(keys, argv[1]);

    (void)argc;
    client->changed = value && value->expires_at > 0;
    if (client->changed)
        keys_set_expiry(keys, value, 0);
    put_number(&client->out, client->changed);
}
