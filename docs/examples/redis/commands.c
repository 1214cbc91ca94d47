/* commands.c - see commands.h */
#include "commands.h"

#include <stdio.h>

#include "blocked.h"
#include "transaction.h"

#define LONGEST 16  /* bytes in the name of a command, at most */
#define SHOWN   128 /* bytes of a command that is not known, and of its arguments, in the answer */

static const struct command commands[] = {
    /* name, function, arity, flags, keys: first, last, step */
    {"del", del_command, -2, WRITES, 0, 0, 0},
    {"unlink", del_command, -2, WRITES, 0, 0, 0},
    {"exists", exists_command, -2, 0, 1, -1, 1},
    {"type", type_command, 2, 0, 1, 1, 1},
    {"rename", rename_command, 3, WRITES, 1, 2, 1},
    {"keys", keys_command, 2, 0, 0, 0, 0},
    {"scan", scan_command, -2, 0, 0, 0, 0},
    {"dbsize", dbsize_command, 1, 0, 0, 0, 0},
    {"flushall", flushall_command, -1, WRITES, 0, 0, 0},
    {"flushdb", flushall_command, -1, WRITES, 0, 0, 0},
    {"expire", expire_command, 3, WRITES, 1, 1, 1},
    {"pexpire", expire_command, 3, WRITES, 1, 1, 1},
    {"expireat", expire_command, 3, WRITES, 1, 1, 1},
    {"pexpireat", expire_command, 3, WRITES, 1, 1, 1},
    {"ttl", ttl_command, 2, 0, 1, 1, 1},
    {"pttl", ttl_command, 2, 0, 1, 1, 1},
    {"persist", persist_command, 2, WRITES, 1, 1, 1},

    {"set", set_command, -3, WRITES | GROWS, 1, 1, 1},
    {"setnx", setnx_command, 3, WRITES | GROWS, 1, 1, 1},
    {"setex", setex_command, 4, WRITES | GROWS, 1, 1, 1},
    {"psetex", setex_command, 4, WRITES | GROWS, 1, 1, 1},
    {"get", get_command, 2, 0, 1, 1, 1},
    {"getset", getset_command, 3, WRITES | GROWS, 1, 1, 1},
    {"getdel", getdel_command, 2, WRITES, 1, 1, 1},
    {"mget", mget_command, -2, 0, 1, -1, 1},
    {"mset", mset_command, -3, WRITES | GROWS, 1, -1, 2},
    {"append", append_command, 3, WRITES | GROWS, 1, 1, 1},
    {"strlen", strlen_command, 2, 0, 1, 1, 1},
    {"incr", incr_command, 2, WRITES | GROWS, 1, 1, 1},
    {"decr", incr_command, 2, WRITES | GROWS, 1, 1, 1},
    {"incrby", incrby_command, 3, WRITES | GROWS, 1, 1, 1},
    {"decrby", incrby_command, 3, WRITES | GROWS, 1, 1, 1},
    {"getrange", getrange_command, 4, 0, 1, 1, 1},
    {"setrange", setrange_command, 4, WRITES | GROWS, 1, 1, 1},

    {"lpush", push_command, -3, WRITES | GROWS, 1, 1, 1},
    {"rpush", push_command, -3, WRITES | GROWS, 1, 1, 1},
    {"lpop", pop_command, -2, WRITES, 1, 1, 1},
    {"rpop", pop_command, -2, WRITES, 1, 1, 1},
    {"llen", llen_command, 2, 0, 1, 1, 1},
    {"lrange", lrange_command, 4, 0, 1, 1, 1},
    {"lindex", lindex_command, 3, 0, 1, 1, 1},
    {"lset", lset_command, 4, WRITES | GROWS, 1, 1, 1},
    {"lrem", lrem_command, 4, WRITES, 1, 1, 1},
    {"ltrim", ltrim_command, 4, WRITES, 1, 1, 1},
    {"lmove", lmove_command, 5, WRITES | GROWS, 1, 2, 1},
    {"blpop", blocking_pop_command, -3, WRITES, 0, 0, 0},
    {"brpop", blocking_pop_command, -3, WRITES, 0, 0, 0},
    {"blmove", blmove_command, 6, WRITES | GROWS, 1, 2, 1},

    {"hset", hset_command, -4, WRITES | GROWS, 1, 1, 1},
    {"hsetnx", hsetnx_command, 4, WRITES | GROWS, 1, 1, 1},
    {"hget", hget_command, 3, 0, 1, 1, 1},
    {"hmget", hmget_command, -3, 0, 1, 1, 1},
    {"hdel", hdel_command, -3, WRITES, 1, 1, 1},
    {"hlen", hlen_command, 2, 0, 1, 1, 1},
    {"hgetall", hgetall_command, 2, 0, 1, 1, 1},
    {"hkeys", hgetall_command, 2, 0, 1, 1, 1},
    {"hvals", hgetall_command, 2, 0, 1, 1, 1},
    {"hexists", hexists_command, 3, 0, 1, 1, 1},
    {"hincrby", hincrby_command, 4, WRITES | GROWS, 1, 1, 1},

    {"sadd", sadd_command, -3, WRITES | GROWS, 1, 1, 1},
    {"srem", srem_command, -3, WRITES, 1, 1, 1},
    {"sismember", sismember_command, 3, 0, 1, 1, 1},
    {"smembers", smembers_command, 2, 0, 1, 1, 1},
    {"scard", scard_command, 2, 0, 1, 1, 1},
    {"spop", spop_command, -2, WRITES, 1, 1, 1},
    {"sinter", combine_command, -2, 0, 1, -1, 1},
    {"sunion", combine_command, -2, 0, 1, -1, 1},
    {"sdiff", combine_command, -2, 0, 1, -1, 1},

    {"subscribe", subscribe_command, -2, NOT_QUEUED | LISTENS, 0, 0, 0},
    {"psubscribe", subscribe_command, -2, NOT_QUEUED | LISTENS, 0, 0, 0},
    {"unsubscribe", unsubscribe_command, -1, NOT_QUEUED | LISTENS, 0, 0, 0},
    {"punsubscribe", unsubscribe_command, -1, NOT_QUEUED | LISTENS, 0, 0, 0},
    {"publish", publish_command, 3, 0, 0, 0, 0},

    {"multi", multi_command, 1, AT_ONCE, 0, 0, 0},
    {"exec", exec_command, 1, AT_ONCE, 0, 0, 0},
    {"discard", discard_command, 1, AT_ONCE, 0, 0, 0},
    {"watch", watch_command, -2, AT_ONCE, 1, -1, 1},
    {"unwatch", unwatch_command, 1, 0, 0, 0, 0},

    {"ping", ping_command, -1, LISTENS, 0, 0, 0},
    {"echo", echo_command, 2, 0, 0, 0, 0},
    {"select", select_command, 2, 0, 0, 0, 0},
    {"hello", hello_command, -1, NOT_QUEUED, 0, 0, 0},
    {"quit", quit_command, -1, AT_ONCE | LISTENS, 0, 0, 0},
    {"shutdown", shutdown_command, -1, NOT_QUEUED, 0, 0, 0},
    {"bgrewriteaof", bgrewriteaof_command, 1, 0, 0, 0, 0},
    {"command", command_command, -1, 0, 0, 0, 0},
    {"config", config_command, -2, 0, 0, 0, 0},
    {"info", info_command, -1, 0, 0, 0, 0},
    {"client", client_command, -2, 0, 0, 0, 0},

    {"post", http_command, -1, AT_ONCE | LISTENS, 0, 0, 0},
    {"host:", http_command, -1, AT_ONCE | LISTENS, 0, 0, 0},
};

static struct table by_name; /* immutable once it is made; its values point to `commands` */

void commands_init(void)
{
    bool is_new;

    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct slice name = {commands[i].name, strlen(commands[i].name)};

        table_put(&by_name, name, &is_new)->value = (void *)(uintptr_t)&commands[i];
    }
}

const struct command *command_find(struct slice name)
{
    struct entry *entry;
    char          lower[LONGEST];

    if (name.size > LONGEST)
        return NULL;
    for (size_t i = 0; i < name.size; i++)
        lower[i] =
            name.data[i] >= 'A' && name.data[i] <= 'Z' ? (char)(name.data[i] | 0x20) : name.data[i];
    entry = table_find(&by_name, (struct slice){lower, name.size});
    return entry ? entry->value : NULL;
}

bool command_takes(const struct command *command, size_t argc)
{
    return command->arity >= 0 ? argc == (size_t)command->arity : argc >= (size_t)-command->arity;
}

void put_syntax_error(struct client *client)
{
    put_error(&client->out, "ERR syntax error");
}

/* A command has changed something: counts that for its keys, and looks for clients that wait for
 * one of them. */
static void touch_keys(struct server *server, const struct command *command,
                       const struct slice *argv, size_t argc)
{
    size_t last = command->last < 0 ? argc - (size_t)-command->last : (size_t)command->last;

    if (command->first == 0)
        return;
    for (size_t i = (size_t)command->first; i <= last; i += (size_t)command->step) {
        keys_touch(&server->keys, argv[i]);
        blocked_note(server, argv[i]);
    }
}

void command_execute(struct client *client, const struct command *command, const struct slice *argv,
                     size_t argc)
{
    struct server *server = client->server;

    client->changed = client->replaced = false;
    server->n_commands++;
    command->run(client, argv, argc);
    if (!client->changed)
        return;
    client->wrote = true;
    if (!client->replaced)
        append_log_add(&server->log, argv, argc);
    touch_keys(server, command, argv, argc);
}

/* How many bytes of the slice an answer shows. */
static int shown(struct slice slice, size_t most)
{
    return (int)(slice.size < most ? slice.size : most);
}

/* Tells a client that there is no such command, with some of what it has sent. */
static void put_unknown(struct client *client, const struct slice *argv, size_t argc)
{
    char   text[SHOWN + 8] = "";
    size_t n = 0;

    for (size_t i = 1; i < argc && n < SHOWN; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "'%.*s' ", shown(argv[i], SHOWN - n),
                              argv[i].data);
    put_error(&client->out, "ERR unknown command '%.*s', with args beginning with: %s",
              shown(argv[0], SHOWN), argv[0].data, text);
}

/* Returns whether the client may run the command now. If not, it has its answer. */
static bool is_allowed(struct client *client, const struct command *command,
                       const struct slice *argv, size_t argc)
{
    struct server *server = client->server;
    bool           is_exec = command && command->run == exec_command;
    const char    *code = is_exec ? "EXECABORT Transaction discarded because of:" : "ERR";

    if (!command)
        put_unknown(client, argv, argc);
    else if (!command_takes(command, argc))
        put_error(&client->out, "%s wrong number of arguments for '%s' command", code,
                  command->name);
    else if (client_is_subscribed(client) && !(command->flags & LISTENS))
        put_error(&client->out,
                  "%s Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                  "RESET are allowed in this context",
                  code, command->name);
    else if (client->in_multi && command->flags & NOT_QUEUED)
        put_error(&client->out, "ERR Command not allowed inside a transaction");
    else if (command->flags & WRITES && atomic_load(&server->log.broken))
        put_error(&client->out, "MISCONF Errors writing to the append-only file; see the log");
    else if (command->flags & GROWS && server->options.max_memory > 0 && !server->log.replaying &&
             memory_used() > (size_t)server->options.max_memory)
        put_error(&client->out, "OOM command not allowed when used memory > 'maxmemory'.");
    else
        return true;
    client->spoilt |= client->in_multi;
    if (is_exec)
        transaction_end(client);
    return false;
}

void command_answer(struct client *client, const struct slice *argv, size_t argc)
{
    const struct command *command = command_find(argv[0]);

    if (!is_allowed(client, command, argv, argc))
        return;
    if (client->in_multi && !(command->flags & AT_ONCE)) {
        transaction_queue(client, argv, argc);
        return;
    }
    command_execute(client, command, argv, argc);
    blocked_serve(client->server);
}
