/* lists.c - commands for lists; those that wait are in blocked.c */
#include "blocked.h"
#include "commands.h"

/* Removes the key of a list, hash or set that has become empty (K1). */
static void settle(struct client *client, struct slice key, const struct list *list)
{
    client->changed = true;
    if (list->n == 0)
        keys_remove(&client->server->keys, key);
}

static enum side side_of(struct slice name)
{
    char first = name.data[0] == 'b' || name.data[0] == 'B' ? name.data[1] : name.data[0];

    return first == 'l' || first == 'L' ? LEFT : RIGHT;
}

void push_command(struct client *client, const struct slice *argv, size_t argc)
{
    enum side     side = side_of(argv[0]);
    struct value *value;

    if (!client_find_or_make(client, argv[1], LIST, &value))
        return;
    for (size_t i = 2; i < argc; i++)
        list_push(&value->list, side, string_make(argv[i]));
    client->changed = true;
    put_number(&client->out, (int64_t)value->list.n);
}

void put_popped(struct client *client, struct slice key, struct value *value, enum side side)
{
    struct string *item = list_pop(&value->list, side);

    put_bulk(&client->out, string_slice(item));
    memory_give(item);
    settle(client, key, &value->list);
}

/* LPOP and RPOP, with a count or without. */
void pop_command(struct client *client, const struct slice *argv, size_t argc)
{
    enum side     side = side_of(argv[0]);
    struct value *value;
    int64_t       count = 1;

    if (argc > 3) {
        put_error(&client->out, "ERR wrong number of arguments for '%s' command",
                  side == LEFT ? "lpop" : "rpop");
        return;
    }
    if (argc == 3 && (!slice_number(argv[2], &count) || count < 0)) {
        put_error(&client->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!client_find(client, argv[1], LIST, &value))
        return;
    if (argc == 2) {
        if (value)
            put_popped(client, argv[1], value, side);
        else
            put_nil(&client->out);
    } else if (!value) {
        put_nil_array(&client->out);
    } else {
        count = count < (int64_t)value->list.n ? count : (int64_t)value->list.n;
        put_array(&client->out, (size_t)count);
        for (; count > 0; count--)
            put_popped(client, argv[1], value, side);
    }
}

void llen_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], LIST, &value))
        put_number(&client->out, value ? (int64_t)value->list.n : 0);
}

void lrange_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       first, last, n;

    (void)argc;
    if (!client_number(client, argv[2], &first) || !client_number(client, argv[3], &last) ||
        !client_find(client, argv[1], LIST, &value))
        return;
    if (!value || !slice_range((int64_t)value->list.n, &first, &last, &n))
        n = 0;
    put_array(&client->out, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        put_bulk(&client->out, string_slice(*list_at(&value->list, (size_t)(first + i))));
}

/* The place with that index, where -1 is the last one. NULL if there is none. */
static struct string **place_of(struct value *value, int64_t index)
{
    int64_t n = value ? (int64_t)value->list.n : 0;

    if (index < 0)
        index += n;
    return index >= 0 && index < n ? list_at(&value->list, (size_t)index) : NULL;
}

void lindex_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct string **place;
    struct value   *value;
    int64_t         index = 0;

    (void)argc;
    if (!client_find(client, argv[1], LIST, &value) ||
        (value && !client_number(client, argv[2], &index)))
        return;
    place = place_of(value, index);
    if (place)
        put_bulk(&client->out, string_slice(*place));
    else
        put_nil(&client->out);
}

void lset_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct string **place;
    struct value   *value;
    int64_t         index = 0;

    (void)argc;
    if (!client_find(client, argv[1], LIST, &value) ||
        (value && !client_number(client, argv[2], &index)))
        return;
    place = place_of(value, index);
    if (!place) {
        put_error(&client->out, value ? "ERR index out of range" : "ERR no such key");
        return;
    }
    memory_give(*place);
    *place = string_make(argv[3]);
    client->changed = true;
    put_ok(&client->out);
}

void lrem_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       count;
    size_t        most, n = 0;

    (void)argc;
    if (!client_number(client, argv[2], &count) || !client_find(client, argv[1], LIST, &value))
        return;
    if (value) {
        most = count == 0 ? SIZE_MAX : count < 0 ? -(size_t)count : (size_t)count;
        n = list_remove(&value->list, count < 0 ? RIGHT : LEFT, most, argv[3]);
        if (n > 0)
            settle(client, argv[1], &value->list);
    }
    put_number(&client->out, (int64_t)n);
}

void ltrim_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    int64_t       first, last, n;

    (void)argc;
    if (!client_number(client, argv[2], &first) || !client_number(client, argv[3], &last) ||
        !client_find(client, argv[1], LIST, &value))
        return;
    if (value) {
        if (!slice_range((int64_t)value->list.n, &first, &last, &n))
            first = (int64_t)value->list.n, n = 0;
        for (; first > 0; first--)
            memory_give(list_pop(&value->list, LEFT));
        while ((int64_t)value->list.n > n)
            memory_give(list_pop(&value->list, RIGHT));
        settle(client, argv[1], &value->list);
    }
    put_ok(&client->out);
}

/* ---- moving ---- */

bool read_sides(struct client *client, const struct slice *argv, enum side *ret_from,
                enum side *ret_to)
{
    for (int i = 0; i < 2; i++)
        if (!slice_is(argv[i], "left") && !slice_is(argv[i], "right")) {
            put_syntax_error(client);
            return false;
        }
    *ret_from = side_of(argv[0]);
    *ret_to = side_of(argv[1]);
    return true;
}

void move_item(struct client *client, struct slice source, struct value *value, enum side from,
               struct slice target, enum side to)
{
    struct string *item;
    struct value  *target_value;

    if (!client_find_or_make(client, target, LIST, &target_value))
        return; /* it has its answer, and the item stays */
    item = list_pop(&value->list, from);
    put_bulk(&client->out, string_slice(item));
    list_push(&target_value->list, to, item);
    settle(client, source, &value->list);
}

void lmove_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    enum side     from, to;

    (void)argc;
    if (!read_sides(client, argv + 3, &from, &to) || !client_find(client, argv[1], LIST, &value))
        return;
    if (value)
        move_item(client, argv[1], value, from, argv[2], to);
    else
        put_nil(&client->out);
}
