/* transaction.c - see transaction.h */
#include "transaction.h"

#include "commands.h"

struct watch {
    struct watch         *next;
    struct string        *key;
    const struct watched *watched;
    uint64_t              n_changes; /* when the watch began */
};

static void forget_watches(struct client *client)
{
    struct watch *watch;

    while ((watch = client->watches)) {
        client->watches = watch->next;
        keys_unwatch(&client->server->keys, string_slice(watch->key));
        memory_give(watch->key);
        memory_give(watch);
    }
}

void transaction_end(struct client *client)
{
    client->in_multi = client->spoilt = false;
    client->n_queued = 0;
    buffer_free(&client->queued);
    forget_watches(client);
}

void transaction_queue(struct client *client, const struct slice *argv, size_t argc)
{
    const struct server *server = client->server;

    /* In the log, a transaction may take more bytes than a client has sent. */
    if (!server->log.replaying &&
        client->queued.size > (size_t)server->options.limits.max_request) {
        put_error(&client->out, "ERR too many bytes in a transaction");
        client->spoilt = true;
        return;
    }
    put_request(&client->queued, argv, argc);
    client->n_queued++;
    put_status(&client->out, "QUEUED");
}

void multi_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    if (client->in_multi) {
        put_error(&client->out, "ERR MULTI calls can not be nested");
        return;
    }
    client->in_multi = true;
    put_ok(&client->out);
}

static bool has_changed(struct client *client)
{
    for (const struct watch *watch = client->watches; watch; watch = watch->next) {
        keys_find(&client->server->keys, string_slice(watch->key)); /* it may expire now */
        if (watch->watched->n_changes != watch->n_changes)
            return true;
    }
    return false;
}

/* Runs what was queued. It was parsed before, so it can't be wrong. */
static void run_queued(struct client *client)
{
    static const struct resp_limits none = {INT32_MAX, INT64_MAX, INT64_MAX};

    struct server *server = client->server;
    struct request request = {0};
    const char    *error;

    put_array(&client->out, client->n_queued);
    server->in_exec = true;
    append_log_group(&server->log, true);
    for (size_t at = 0; at < client->queued.size; at += request.at, request_next(&request)) {
        if (request_parse(&request, client->queued.data + at, client->queued.size - at, &none,
                          &error) != REQUEST_COMPLETE)
            break;
        command_execute(client, command_find(request.argv[0]), request.argv, request.argc);
    }
    request_free(&request);
    append_log_group(&server->log, false);
    server->in_exec = false;
    client->changed = false; /* the commands have been logged themselves */
}

void exec_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    if (!client->in_multi) { /* the watches stay */
        put_error(&client->out, "ERR EXEC without MULTI");
        return;
    }
    if (client->spoilt || atomic_load(&client->server->log.broken))
        put_error(&client->out, "EXECABORT Transaction discarded because of previous errors.");
    else if (has_changed(client))
        put_nil_array(&client->out);
    else
        run_queued(client);
    transaction_end(client);
}

void discard_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    if (!client->in_multi) {
        put_error(&client->out, "ERR DISCARD without MULTI");
        return;
    }
    transaction_end(client);
    put_ok(&client->out);
}

void watch_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct keyspace *keys = &client->server->keys;
    struct watch    *watch;

    if (client->in_multi) {
        put_error(&client->out, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    for (size_t i = 1; i < argc; i++) {
        watch = memory_take(sizeof *watch);
        watch->key = string_make(argv[i]);
        keys_find(keys, argv[i]); /* if it has expired, it goes before the watch begins */
        watch->watched = keys_watch(keys, argv[i]);
        watch->n_changes = watch->watched->n_changes;
        watch->next = client->watches;
        client->watches = watch;
    }
    put_ok(&client->out);
}

void unwatch_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    forget_watches(client);
    put_ok(&client->out);
}
