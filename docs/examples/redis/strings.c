/* strings.c - commands for values that are strings */
#include "commands.h"

#define MAX_STRING (512 << 20) /* bytes that APPEND and SETRANGE may reach */

/* Sets a key to a string, whatever it was. The key loses its expiry unless it is kept. */
static void put_value(struct client *client, struct slice key, struct slice bytes, int64_t expiry)
{
    struct keyspace *keys = &client->server->keys;
    struct value    *value = keys_find(keys, key);

    if (!value) {
        value = keys_make(keys, key, STRING);
    } else if (value->kind != STRING) {
        value_clear(value);
        value->kind = STRING;
        value->string = (struct buffer){0};
    }
    value->string.size = 0;
    if (bytes.size < value->string.room / 4)
        buffer_free(&value->string);
    buffer_add(&value->string, bytes);
    keys_set_expiry(keys, value, expiry);
    client->changed = true;
}

static void put_string(struct client *client, const struct value *value)
{
    if (value)
        put_bulk(&client->out, buffer_slice(&value->string));
    else
        put_nil(&client->out);
}

/* ---- SET and its like ---- */

struct set_options {
    bool         if_new, if_there, keep_expiry, get;
    const char  *unit; /* of the time: an item of `units`; NULL: there is no time */
    struct slice time;
};

static const char *const units[] = {"ex", "px", "exat", "pxat"};

static const char *find_unit(struct slice option)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (slice_is(option, units[i]))
            return units[i];
    return NULL;
}

/* Reads a time in one of the units. Returns false after an answer. */
static bool read_expiry(struct client *client, const char *unit, struct slice text,
                        const char *command, int64_t *ret_expires_at)
{
    bool in_seconds = unit[0] == 'e', from_now = unit[2] == '\0';

    if (!client_number(client, text, ret_expires_at))
        return false;
    if (*ret_expires_at > 0 &&
        !(in_seconds && __builtin_mul_overflow(*ret_expires_at, 1000, ret_expires_at)) &&
        !(from_now &&
          __builtin_add_overflow(*ret_expires_at, client->server->keys.now, ret_expires_at)))
        return true;
    put_error(&client->out, "ERR invalid expire time in '%s' command", command);
    return false;
}

static bool read_options(struct client *client, const struct slice *argv, size_t argc,
                         struct set_options *ret_options)
{
    struct set_options options = {0};

    for (size_t i = 3; i < argc; i++) {
        const char *unit = find_unit(argv[i]);

        if (slice_is(argv[i], "nx") && !options.if_there) {
            options.if_new = true;
        } else if (slice_is(argv[i], "xx") && !options.if_new) {
            options.if_there = true;
        } else if (slice_is(argv[i], "get")) {
            options.get = true;
        } else if (slice_is(argv[i], "keepttl") && !options.unit) {
            options.keep_expiry = true;
        } else if (unit && i + 1 < argc && !options.keep_expiry &&
                   (!options.unit || options.unit == unit)) {
            options.unit = unit;
            options.time = argv[++i];
        } else {
            put_syntax_error(client);
            return false;
        }
    }
    *ret_options = options;
    return true;
}

/* Sets the key and logs what has been done: without conditions, and with the instant of expiry. */
static void set_and_log(struct client *client, struct slice key, struct slice bytes,
                        int64_t expires_at)
{
    char text[NUMBER_TEXT];

    put_value(client, key, bytes, expires_at);
    if (expires_at > 0)
        CLIENT_LOG(client, SLICE("SET"), key, bytes, SLICE("PXAT"), number_text(expires_at, text));
    else
        CLIENT_LOG(client, SLICE("SET"), key, bytes);
}

void set_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct set_options options = {0};
    struct value      *before;
    int64_t            expires_at = 0;

    if (argc == 3) { /* the usual case, and its log is the command itself */
        put_value(client, argv[1], argv[2], 0);
        put_ok(&client->out);
        return;
    }
    if (!read_options(client, argv, argc, &options) ||
        (options.unit && !read_expiry(client, options.unit, options.time, "set", &expires_at)))
        return;
    if (options.get) {
        if (!client_find(client, argv[1], STRING, &before))
            return;
        put_string(client, before);
    } else {
        before = keys_find(&client->server->keys, argv[1]);
    }
    if (options.keep_expiry && before)
        expires_at = before->expires_at;
    if ((options.if_new && before) || (options.if_there && !before)) {
        if (!options.get)
            put_nil(&client->out);
        return;
    }
    set_and_log(client, argv[1], argv[2], expires_at);
    if (!options.get)
        put_ok(&client->out);
}

void setnx_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argc;
    if (!keys_find(&client->server->keys, argv[1]))
        put_value(client, argv[1], argv[2], 0);
    put_number(&client->out, client->changed);
}

/* SETEX and PSETEX. */
void setex_command(struct client *client, const struct slice *argv, size_t argc)
{
    bool    in_seconds = argv[0].size == 5;
    int64_t expires_at;

    (void)argc;
    if (!read_expiry(client, in_seconds ? "ex" : "px", argv[2], in_seconds ? "setex" : "psetex",
                     &expires_at))
        return;
    set_and_log(client, argv[1], argv[3], expires_at);
    put_ok(&client->out);
}

void get_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], STRING, &value))
        put_string(client, value);
}

void getset_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (!client_find(client, argv[1], STRING, &value))
        return;
    put_string(client, value);
    put_value(client, argv[1], argv[2], 0);
}

void getdel_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (!client_find(client, argv[1], STRING, &value))
        return;
    put_string(client, value);
    client->changed = value && keys_remove(&client->server->keys, argv[1]);
}

void mget_command(struct client *client, const struct slice *argv, size_t argc)
{
    const struct value *value;

    put_array(&client->out, argc - 1);
    for (size_t i = 1; i < argc; i++) {
        value = keys_find(&client->server->keys, argv[i]);
        put_string(client, value && value->kind == STRING ? value : NULL);
    }
}

void mset_command(struct client *client, const struct slice *argv, size_t argc)
{
    if (argc % 2 == 0) {
        put_error(&client->out, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    for (size_t i = 1; i < argc; i += 2)
        put_value(client, argv[i], argv[i + 1], 0);
    put_ok(&client->out);
}

/* ---- parts of strings ---- */

void append_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (!client_find(client, argv[1], STRING, &value))
        return;
    if (value && value->string.size + argv[2].size > MAX_STRING) {
        put_error(&client->out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    if (!value)
        value = keys_make(&client->server->keys, argv[1], STRING);
    buffer_add(&value->string, argv[2]);
    client->changed = true;
    put_number(&client->out, (int64_t)value->string.size);
}

void strlen_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;

    (void)argc;
    if (client_find(client, argv[1], STRING, &value))
        put_number(&client->out, value ? (int64_t)value->string.size : 0);
}

void getrange_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    struct slice  part = {0};
    int64_t       first, last, size, n;
    bool          reversed;

    (void)argc;
    if (!client_number(client, argv[2], &first) || !client_number(client, argv[3], &last) ||
        !client_find(client, argv[1], STRING, &value))
        return;
    size = value ? (int64_t)value->string.size : 0;
    reversed = first < 0 && last < 0 && first > last;
    if (last < -size && size > 0)
        last = 0; /* an end before the string is its first byte, for this command only */
    if (value && !reversed && slice_range(size, &first, &last, &n))
        part = (struct slice){value->string.data + first, (size_t)n};
    put_bulk(&client->out, part);
}

void setrange_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value  *value;
    struct buffer *string;
    int64_t        at;
    size_t         end;

    (void)argc;
    if (!client_number(client, argv[2], &at))
        return;
    if (at < 0) {
        put_error(&client->out, "ERR offset is out of range");
        return;
    }
    if (!client_find(client, argv[1], STRING, &value))
        return;
    if (argv[3].size == 0) {
        put_number(&client->out, value ? (int64_t)value->string.size : 0);
    } else if (at > MAX_STRING || (end = (size_t)at + argv[3].size) > MAX_STRING) {
        put_error(&client->out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    } else {
        if (!value)
            value = keys_make(&client->server->keys, argv[1], STRING);
        string = &value->string;
        if (end > string->size) {
            buffer_reserve(string, end - string->size);
            memset(string->data + string->size, 0, end - string->size);
            string->size = end;
        }
        memcpy(string->data + at, argv[3].data, argv[3].size);
        client->changed = true;
        put_number(&client->out, (int64_t)string->size);
    }
}

/* ---- numbers ---- */

static void add(struct client *client, struct slice key, int64_t more)
{
    struct value *value;
    int64_t       number = 0;
    char          text[NUMBER_TEXT];

    if (!client_find(client, key, STRING, &value) ||
        (value && !client_number(client, buffer_slice(&value->string), &number)))
        return;
    if (__builtin_add_overflow(number, more, &number)) {
        put_error(&client->out, "ERR increment or decrement would overflow");
        return;
    }
    if (!value)
        value = keys_make(&client->server->keys, key, STRING);
    value->string.size = 0;
    buffer_add(&value->string, number_text(number, text));
    client->changed = true;
    put_number(&client->out, number);
}

/* INCR and DECR. */
void incr_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argc;
    add(client, argv[1], slice_is(argv[0], "incr") ? 1 : -1);
}

/* INCRBY and DECRBY. */
void incrby_command(struct client *client, const struct slice *argv, size_t argc)
{
    int64_t more;

    (void)argc;
    if (!client_number(client, argv[2], &more))
        return;
    if (slice_is(argv[0], "decrby")) {
        if (more == INT64_MIN) {
            put_error(&client->out, "ERR decrement would overflow");
            return;
        }
        more = -more;
    }
    add(client, argv[1], more);
}
