/*
 * commands.h - the table of commands, and running one
 *
 * A command reads its arguments, looks at the keyspace, and writes one answer to client->out. It
 * sets client->changed if it has changed something. The caller holds the server's lock, has checked
 * the number of arguments, and logs the command afterwards.
 */
#ifndef REDISD_COMMANDS_H
#define REDISD_COMMANDS_H

#include "client.h"

typedef void command_run(struct client *client, const struct slice *argv, size_t argc);

enum command_flags {
    WRITES = 1,     /* may change the keyspace */
    GROWS = 2,      /* may need memory, so --max-memory refuses it */
    AT_ONCE = 4,    /* is not queued by MULTI */
    NOT_QUEUED = 8, /* is refused in a transaction */
    LISTENS = 16,   /* allowed to a client that has subscribed */
};

struct command {
    const char  *name; /* in lower case */
    command_run *run;
    int          arity; /* how many arguments with the name; -n: at least n */
    unsigned     flags;
    /* The keys that have changed if it has changed something. last < 0: counted from the end. 0:
     * it has none, or calls keys_touch itself. */
    int first, last, step;
};

/* Makes the table. Call it once, before any command. */
void commands_init(void);

/* The command of that name, or NULL. */
const struct command *command_find(struct slice name);

/* Whether the command takes so many arguments. */
bool command_takes(const struct command *command, size_t argc);

/* Answers a request of a client. */
void command_answer(struct client *client, const struct slice *argv, size_t argc);

/* Runs a command without looking at transactions and subscriptions. */
void command_execute(struct client *client, const struct command *command, const struct slice *argv,
                     size_t argc);

void put_syntax_error(struct client *client);

/* Keys. */
command_run del_command, exists_command, type_command, rename_command, keys_command, scan_command,
    dbsize_command, flushall_command, expire_command, ttl_command, persist_command;
/* Strings. */
command_run set_command, setnx_command, setex_command, get_command, getset_command, getdel_command,
    mget_command, mset_command, append_command, strlen_command, incr_command, incrby_command,
    getrange_command, setrange_command;
/* Lists. */
command_run push_command, pop_command, llen_command, lrange_command, lindex_command, lset_command,
    lrem_command, ltrim_command, lmove_command, blocking_pop_command, blmove_command;
/* Hashes. */
command_run hset_command, hsetnx_command, hget_command, hmget_command, hdel_command, hlen_command,
    hgetall_command, hexists_command, hincrby_command;
/* Sets. */
command_run sadd_command, srem_command, sismember_command, smembers_command, scard_command,
    spop_command, combine_command;
/* Messages. */
command_run subscribe_command, unsubscribe_command, publish_command;
/* Transactions. */
command_run multi_command, exec_command, discard_command, watch_command, unwatch_command;
/* The connection and the server. */
command_run ping_command, echo_command, select_command, hello_command, quit_command,
    shutdown_command, bgrewriteaof_command, command_command, config_command, info_command,
    client_command, http_command;

#endif
