/* hashes.c - commands for hashes */
#include "commands.h"

static struct string *field_of(const struct value *value, struct slice field)
{
    struct entry *entry = value ? table_find(&value->table, field) : NULL;

    return entry ? entry->value : NULL;
}

/* Returns whether the field is new. */
static bool put_field(struct value *value, struct slice field, struct slice bytes)
{
    bool          is_new;
    struct entry *entry = table_put(&value->table, field, &is_new);

    memory_give(entry->value);
    entry->value = string_make(bytes);
    return is_new;
}

static void put_string(struct client *client, const struct string *string)
{
    if (string)
        put_bulk(&client->out, string_slice(string));
    else
        put_nil(&client->out);
}

void hset_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       n = 0;

    if (argc % 2 != 0) {
        put_error(&client->out, "ERR wrong number of arguments for 'hset' command");
        return;
    }
    if (!client_find_or_make(client, argv[1], HASH, &value))
        return;
    for (size_t i = 2; i < argc; i += 2)
        n += put_field(value, argv[i], argv[i + 1]);
    client->changed = true;
    put_number(&client->out, n);
}

void hsetnx_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (!client_find_or_make(client, argv[1], HASH, &value))
        return;
    client->changed = !field_of(value, argv[2]);
    if (client->changed)
        put_field(value, argv[2], argv[3]);
    put_number(&client->out, client->changed);
}

void hget_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], HASH, &value))
        put_string(client, field_of(value, argv[2]));
}

void hmget_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    if (!client_find(client, argv[1], HASH, &value))
        return;
    put_array(&client->out, argc - 2);
    for (size_t i = 2; i < argc; i++)
        put_string(client, field_of(value, argv[i]));
}

void hdel_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       n = 0;
    bool          was_there;

    if (!client_find(client, argv[1], HASH, &value))
        return;
    for (size_t i = 2; value && i < argc; i++) {
        memory_give(table_remove(&value->table, argv[i], &was_there));
        n += was_there;
    }
    client->changed = n > 0;
    if (value && value->table.n_entries == 0)
        keys_remove(&client->server->keys, argv[1]);
    put_number(&client->out, n);
}

void hlen_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], HASH, &value))
        put_number(&client->out, value ? (int64_t)value->table.n_entries : 0);
}

/* HGETALL, HKEYS and HVALS. */
void hgetall_command(struct client *client, const struct slice *argv, size_t argc)
{
    bool          with_keys = !slice_is(argv[0], "hvals");
    bool          with_values = !slice_is(argv[0], "hkeys");
    struct value *value;

    (void)argc;
    if (!client_find(client, argv[1], HASH, &value))
        return;
    if (!value) {
        put_array(&client->out, 0);
        return;
    }
    put_array(&client->out, value->table.n_entries * (with_keys + with_values));
    TABLE_EACH(&value->table, entry)
    {
        if (with_keys)
            put_bulk(&client->out, entry_key(entry));
        if (with_values)
            put_bulk(&client->out, string_slice(entry->value));
    }
}

void hexists_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], HASH, &value))
        put_number(&client->out, field_of(value, argv[2]) != NULL);
}

void hincrby_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value  *value;
    struct string *before;
    int64_t        number = 0, more;
    char           text[NUMBER_TEXT];

    (void)argc;
    if (!client_number(client, argv[3], &more) || !client_find(client, argv[1], HASH, &value))
        return;
    before = field_of(value, argv[2]);
    if (before && !slice_number(string_slice(before), &number)) {
        put_error(&client->out, "ERR hash value is not an integer");
    } else if (__builtin_add_overflow(number, more, &number)) {
        put_error(&client->out, "ERR increment or decrement would overflow");
    } else {
        if (!value)
            value = keys_make(&client->server->keys, argv[1], HASH);
        put_field(value, argv[2], number_text(number, text));
        client->changed = true;
        put_number(&client->out, number);
    }
}
