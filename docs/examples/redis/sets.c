/* sets.c - commands for sets */
#include "commands.h"

static bool has(const struct value *value, struct slice member)
{
    return value && table_find(&value->table, member);
}

/* Removes the key of a set that has become empty (K1). */
static void settle(struct client *client, struct slice key, const struct value *value)
{
    client->changed = true;
    if (value->table.n_entries == 0)
        keys_remove(&client->server->keys, key);
}

void sadd_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       n = 0;
    bool          is_new;

    if (!client_find_or_make(client, argv[1], SET, &value))
        return;
    for (size_t i = 2; i < argc; i++) {
        table_put(&value->table, argv[i], &is_new);
        n += is_new;
    }
    client->changed = n > 0;
    put_number(&client->out, n);
}

void srem_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       n = 0;
    bool          was_there;

    if (!client_find(client, argv[1], SET, &value))
        return;
    for (size_t i = 2; value && i < argc; i++) {
        table_remove(&value->table, argv[i], &was_there);
        n += was_there;
    }
    if (n > 0)
        settle(client, argv[1], value);
    put_number(&client->out, n);
}

void sismember_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], SET, &value))
        put_number(&client->out, has(value, argv[2]));
}

void smembers_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (!client_find(client, argv[1], SET, &value))
        return;
    put_array(&client->out, value ? value->table.n_entries : 0);
    if (!value)
        return;
    TABLE_EACH(&value->table, entry)
    put_bulk(&client->out, entry_key(entry));
}

void scard_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], SET, &value))
        put_number(&client->out, value ? (int64_t)value->table.n_entries : 0);
}

/* Takes a member by chance. The log gets its name, because a replay would choose another one. */
static void pop(struct client *client, struct slice key, struct value *value)
{
    struct string *member = string_make(entry_key(table_random(&value->table)));
    bool           was_there;

    put_bulk(&client->out, string_slice(member));
    CLIENT_LOG(client, SLICE("SREM"), key, string_slice(member));
    table_remove(&value->table, string_slice(member), &was_there);
    memory_give(member);
    settle(client, key, value);
}

void spop_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       count = 1;

    if (argc > 3) {
        put_syntax_error(client);
        return;
    }
    if (argc == 3 && (!slice_number(argv[2], &count) || count < 0)) {
        put_error(&client->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!client_find(client, argv[1], SET, &value))
        return;
    if (argc == 2) {
        if (value)
            pop(client, argv[1], value);
        else
            put_nil(&client->out);
        return;
    }
    if (!value)
        count = 0;
    else if (count > (int64_t)value->table.n_entries)
        count = (int64_t)value->table.n_entries;
    put_array(&client->out, (size_t)count);
    for (; count > 0; count--)
        pop(client, argv[1], value);
}

/* SINTER, SUNION and SDIFF: of the members of the first set, or of all, those that belong to the
 * result. */
void combine_command(struct client *client, const struct slice *argv, size_t argc)
{
    bool          inter = slice_is(argv[0], "sinter"), diff = slice_is(argv[0], "sdiff");
    struct table  result = {0};
    struct value *value;
    bool          ignored;

    for (size_t i = 1; i < argc; i++) /* a key of another kind answers before anything is done */
        if (!client_find(client, argv[i], SET, &value))
            return;
    for (size_t i = 1; i < (inter || diff ? 2 : argc); i++) {
        value = keys_find(&client->server->keys, argv[i]);
        if (!value)
            continue;
        TABLE_EACH(&value->table, entry)
        table_put(&result, entry_key(entry), &ignored);
    }
    for (size_t i = 2; (inter || diff) && i < argc && result.n_entries > 0; i++) {
        struct table left = {0};

        value = keys_find(&client->server->keys, argv[i]);
        TABLE_EACH(&result, entry)
        if (has(value, entry_key(entry)) == inter)
            table_put(&left, entry_key(entry), &ignored);
        table_free(&result, NULL);
        result = left;
    }
    put_array(&client->out, result.n_entries);
    TABLE_EACH(&result, entry)
    put_bulk(&client->out, entry_key(entry));
    table_free(&result, NULL);
}
