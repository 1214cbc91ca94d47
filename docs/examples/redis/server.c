/* server.c - the lock, taking connections, sweeping; and the commands about the server itself */
#include "server.h"

#include <stdio.h>
#include <time.h>

#include "../say.h"
#include "commands.h"
#include "connection.h"
#include "defers.h"

#define PAUSE      WEFT_MS(100) /* after an error */
#define SWEEP      WEFT_MS(100)
#define SWEEP_LAPS 300     /* sweeps that go through all keys: 30 s */
#define COMPATIBLE "7.0.0" /* the Redis whose commands these are, for clients that ask */
#define SWEEP_FEW  20      /* buckets of a sweep, at least */

void server_lock(struct server *server)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&server->lock);
    server->keys.now = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* ---- taking connections ---- */

/* Closes a connection that gets no task. */
static void turn_away(struct acceptor *self)
{
    struct server *server = self->in.server;

    weft_stream_close(self->conn);
    server_lock(server);
    server->n_clients--;
    server_unlock(server);
}

/* Beyond the limit some clients are told so, and the rest are only closed. */
static void take(struct acceptor *self)
{
    struct server *server = self->in.server;
    int64_t        max = server->options.max_clients, n_clients;

    server_lock(server);
    server->n_connections++;
    n_clients = ++server->n_clients;
    server->n_refused += n_clients > max;
    server_unlock(server);

    if (n_clients > max + max / 8 + 8) {
        turn_away(self);
        return;
    }
    weft_tracker_enter(&server->tasks); /* before the spawn: the connection leaves */
    if (weft_spawn(NULL, connection, .server = server, .conn = self->conn,
                   .refused = n_clients > max) == 0)
        return;
    weft_tracker_leave(&server->tasks);
    turn_away(self);
}

WEFT_ASYNC_EXTERN(acceptor)
{
    struct server *server = self->in.server;
    int64_t        n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave_tracker, &server->tasks);
    self->failing = false;
    for (;;) {
        WEFT_AWAIT(n, weft_token_run(&self->run, &server->stop,
                                     weft_accept(&self->io, self->in.listener, &self->conn)));
        if (n == -ECANCELED)
            break;
        if (n < 0) {
            /* The system lacks a resource for now. A server that gives up takes no more
             * connections. One that tries again at once uses up a CPU. */
            if (!self->failing)
                say("redisd: can't accept: %s; trying again\n", strerror((int)-n));
            self->failing = true;
            WEFT_AWAIT(n, weft_sleep(&self->nap, PAUSE));
            continue;
        }
        self->failing = false;
        take(self);
    }
    weft_listener_close(self->in.listener);
    WEFT_END(0);
}

/* ---- sweeping ---- */

WEFT_ASYNC_EXTERN(sweeper)
{
    struct server *server = self->in.server;
    int64_t        n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave_tracker, &server->tasks);
    weft_interval_start(&self->every, SWEEP, WEFT_INTERVAL_SKIP);
    for (;;) {
        WEFT_AWAIT(n, weft_token_run(&self->run, &server->stop, weft_interval_tick(&self->every)));
        if (n < 0)
            break;
        server_lock(server);
        keys_sweep(&server->keys, SWEEP_FEW + server->keys.keys.n_buckets / SWEEP_LAPS);
        server_unlock(server);
    }
    WEFT_END(0);
}

/* ---- commands about the connection and the server ---- */

void ping_command(struct client *client, const struct slice *argv, size_t argc)
{
    if (argc > 2) {
        put_error(&client->out, "ERR wrong number of arguments for 'ping' command");
    } else if (client_is_subscribed(client)) {
        put_array(&client->out, 2);
        put_text(&client->out, "pong");
        put_bulk(&client->out, argc > 1 ? argv[1] : (struct slice){0});
    } else if (argc > 1) {
        put_bulk(&client->out, argv[1]);
    } else {
        put_status(&client->out, "PONG");
    }
}

void echo_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argc;
    put_bulk(&client->out, argv[1]);
}

void select_command(struct client *client, const struct slice *argv, size_t argc)
{
    int64_t number;

    (void)argc;
    if (!client_number(client, argv[1], &number))
        return;
    if (number == 0)
        put_ok(&client->out);
    else
        put_error(&client->out, "ERR DB index is out of range");
}

void hello_command(struct client *client, const struct slice *argv, size_t argc)
{
    int64_t version = 2;

    if (argc > 1 && (!slice_number(argv[1], &version) || version != 2)) {
        put_error(&client->out, "NOPROTO unsupported protocol version");
        return;
    }
    if (argc > 2) {
        put_error(&client->out, "ERR HELLO takes a version only: there are no users and no names");
        return;
    }
    put_array(&client->out, 14);
    put_text(&client->out, "server"), put_text(&client->out, "redisd");
    put_text(&client->out, "version"), put_text(&client->out, COMPATIBLE);
    put_text(&client->out, "proto"), put_number(&client->out, 2);
    put_text(&client->out, "id"), put_number(&client->out, (int64_t)client->id);
    put_text(&client->out, "mode"), put_text(&client->out, "standalone");
    put_text(&client->out, "role"), put_text(&client->out, "master");
    put_text(&client->out, "modules"), put_array(&client->out, 0);
}

void quit_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    client->closing = true;
    put_ok(&client->out);
}

/* There is no snapshot, so SAVE and NOSAVE make no difference. The log is always written. */
void shutdown_command(struct client *client, const struct slice *argv, size_t argc)
{
    if (argc > 2 || (argc == 2 && !slice_is(argv[1], "save") && !slice_is(argv[1], "nosave"))) {
        put_syntax_error(client);
        return;
    }
    client->closing = true;
    weft_event_set(&client->server->stop_asked);
}

/* redis-cli asks for help texts. There are none. */
void command_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    put_array(&client->out, 0);
}

/* What redis-benchmark and client libraries ask for. Options are set on the command line only. */
void config_command(struct client *client, const struct slice *argv, size_t argc)
{
    static const char *const policies[] = {"no", "everysec", "always"};
    const struct options    *options = &client->server->options;
    const char              *value = NULL;

    if (argc != 3 || !slice_is(argv[1], "get")) {
        put_error(&client->out, "ERR CONFIG knows GET with one name only");
        return;
    }
    if (slice_is(argv[2], "appendonly"))
        value = options->append_only ? "yes" : "no";
    else if (slice_is(argv[2], "appendfsync"))
        value = policies[options->sync];
    else if (slice_is(argv[2], "save"))
        value = "";
    put_array(&client->out, value ? 2 : 0);
    if (value) {
        put_bulk(&client->out, argv[2]);
        put_text(&client->out, value);
    }
}

void info_command(struct client *client, const struct slice *argv, size_t argc)
{
    const struct server *server = client->server;
    char                 text[1024];

    (void)argv;
    (void)argc;
    snprintf(text, sizeof text,
             "# Server\r\nserver:redisd\r\nredis_version:%s\r\nuptime_in_seconds:%lld\r\n"
             "# Clients\r\nconnected_clients:%lld\r\nblocked_clients:%lld\r\n"
             "# Memory\r\nused_memory:%zu\r\nmaxmemory:%lld\r\n"
             "# Persistence\r\naof_enabled:%d\r\naof_current_size:%llu\r\n"
             "aof_synced_size:%llu\r\naof_last_write_status:%s\r\n"
             "aof_rewrite_in_progress:%d\r\naof_last_bgrewrite_status:%s\r\naof_rewrites:%llu\r\n"
             "# Stats\r\ntotal_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
             "rejected_connections:%llu\r\nexpired_keys:%llu\r\n"
             "pubsub_channels:%zu\r\npubsub_patterns:%zu\r\n"
             "# Keyspace\r\ndb0:keys=%zu,expires=%zu\r\n",
             COMPATIBLE, (long long)(server->keys.now - server->started) / 1000,
             (long long)server->n_clients, (long long)server->n_blocked, memory_used(),
             (long long)server->options.max_memory, server->options.append_only != NULL,
             (unsigned long long)append_log_size(&server->log),
             (unsigned long long)(atomic_load(&server->log.synced) - server->log.base),
             atomic_load(&server->log.broken) ? "err" : "ok", server->log.rewriting,
             server->log.rewrite_failed ? "err" : "ok", (unsigned long long)server->log.n_rewrites,
             (unsigned long long)server->n_connections, (unsigned long long)server->n_commands,
             (unsigned long long)server->n_refused, (unsigned long long)server->keys.n_expired,
             server->channels.n_entries, server->patterns.n_entries, server->keys.keys.n_entries,
             server->keys.n_expiring);
    put_text(&client->out, text);
}

/* A web page may make a browser post to this port, and requests could hide in what it posts. No
 * client says these words, which such a post begins with. */
void http_command(struct client *client, const struct slice *argv, size_t argc)
{
    (void)argv;
    (void)argc;
    client->closing = true;
}

/* Libraries tell their names. They are not kept. */
void client_command(struct client *client, const struct slice *argv, size_t argc)
{
    if (argc == 2 && slice_is(argv[1], "id"))
        put_number(&client->out, (int64_t)client->id);
    else if ((argc == 3 && slice_is(argv[1], "setname")) ||
             (argc == 4 && slice_is(argv[1], "setinfo")))
        put_ok(&client->out);
    else
        put_error(&client->out, "ERR CLIENT knows ID, SETNAME and SETINFO only");
}
