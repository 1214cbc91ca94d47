/* blocked.c - see blocked.h */
#include "blocked.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "commands.h"

#define MAX_WAIT 1e9  /* seconds; a longer wait has no end */
#define MAX_TIME 9e15 /* seconds; a longer time is an error, as in Redis */

/* ---- queues ---- */

static void queue_free(struct server *server, struct wait_queue *queue)
{
    bool was_there;

    table_remove(&server->queues, string_slice(queue->key), &was_there);
    memory_give(queue->key);
    memory_give(queue);
}

static struct wait_queue *queue_of(struct server *server, struct slice key)
{
    bool               is_new;
    struct entry      *entry = table_put(&server->queues, key, &is_new);
    struct wait_queue *queue = entry->value;

    if (is_new) {
        entry->value = queue = memory_take(sizeof *queue);
        *queue = (struct wait_queue){.end = &queue->first, .key = string_make(key)};
    }
    return queue;
}

static void enter(struct wait_link *link, struct client *client, struct wait_queue *queue)
{
    *link = (struct wait_link){.client = client, .queue = queue, .link = queue->end};
    *queue->end = link;
    queue->end = &link->next;
}

void blocked_leave(struct client *client)
{
    for (size_t i = 0; i < client->n_links; i++) {
        struct wait_link  *link = &client->links[i];
        struct wait_queue *queue = link->queue;

        *link->link = link->next;
        if (link->next)
            link->next->link = link->link;
        else
            queue->end = link->link;
        if (!queue->first && !queue->is_ready)
            queue_free(client->server, queue);
    }
    client->server->n_blocked -= is_blocked(client);
    memory_give(client->links);
    memory_give(client->target);
    client->links = NULL;
    client->target = NULL;
    client->n_links = 0;
}

void blocked_time_out(struct client *client)
{
    put_nil_array(&client->out);
    blocked_leave(client);
}

/* ---- handing over ---- */

/* Takes an item for a client. Its answer is written by `agent`, because the client's own `out` may
 * be in use (C1). */
static void hand_over(struct client *agent, const struct client *client, struct slice key,
                      struct value *value)
{
    struct server *server = client->server;
    struct slice   target;

    if (client->target) {
        target = string_slice(client->target);
        move_item(agent, key, value, client->from, target, client->to);
        if (!agent->changed)
            return; /* the target is no list, and the answer says so */
        CLIENT_LOG(agent, SLICE("LMOVE"), key, target,
                   client->from == LEFT ? SLICE("LEFT") : SLICE("RIGHT"),
                   client->to == LEFT ? SLICE("LEFT") : SLICE("RIGHT"));
        keys_touch(&server->keys, target);
        blocked_note(server, target);
    } else {
        put_array(&agent->out, 2);
        put_bulk(&agent->out, key);
        put_popped(agent, key, value, client->from);
        CLIENT_LOG(agent, client->from == LEFT ? SLICE("LPOP") : SLICE("RPOP"), key);
    }
    keys_touch(&server->keys, key);
}

static void serve_queue(struct server *server, struct wait_queue *queue)
{
    struct slice   key = string_slice(queue->key);
    struct client *client;
    struct client  agent;
    struct value  *value;

    while (queue->first) {
        value = keys_find(&server->keys, key);
        if (!value || value->kind != LIST)
            break;
        client = queue->first->client;
        client_init(&agent, server, NULL);
        hand_over(&agent, client, key, value);
        blocked_leave(client);
        client->wrote = true;
        client_send(client, buffer_slice(&agent.out));
        buffer_free(&agent.out);
    }
}

void blocked_note(struct server *server, struct slice key)
{
    struct entry      *entry = table_find(&server->queues, key);
    struct wait_queue *queue = entry ? entry->value : NULL;

    if (!queue || queue->is_ready)
        return;
    queue->is_ready = true;
    queue->next_ready = NULL;
    if (server->ready)
        server->last_ready->next_ready = queue;
    else
        server->ready = queue;
    server->last_ready = queue;
}

void blocked_serve(struct server *server)
{
    struct wait_queue *queue;

    while ((queue = server->ready) && !server->in_exec) {
        server->ready = queue->next_ready;
        serve_queue(server, queue); /* it counts as ready meanwhile, so it is not freed (B1) */
        queue->is_ready = false;
        if (!queue->first)
            queue_free(server, queue);
    }
}

/* ---- the commands ---- */

/* Reads a time limit in seconds, where 0 is none. Returns false after an answer. */
static bool read_limit(struct client *client, struct slice text, int64_t *ret_limit)
{
    char        copy[512];
    char       *end;
    long double seconds;
    const char *wrong = NULL;

    if (text.size >= sizeof copy)
        text.size = 0;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    seconds = strtold(copy, &end);
    if (text.size == 0 || end != copy + text.size || isspace((unsigned char)*copy) || errno != 0 ||
        isnan(seconds))
        wrong = "ERR timeout is not a float or out of range";
    else if (seconds < 0)
        wrong = "ERR timeout is negative";
    else if (seconds > MAX_TIME)
        wrong = "ERR timeout is out of range";
    if (wrong) {
        put_error(&client->out, "%s", wrong);
        return false;
    }
    *ret_limit =
        seconds > 0 && seconds <= MAX_WAIT ? weft_now() + (int64_t)(seconds * 1e9) : WEFT_FOREVER;
    return true;
}

/* Makes the client wait for lists. In a transaction it gets nothing at once. */
static void block(struct client *client, const struct slice *keys, size_t n, int64_t limit)
{
    if (client->server->in_exec) {
        if (client->target)
            put_nil(&client->out);
        else
            put_nil_array(&client->out);
        blocked_leave(client);
        return;
    }
    client->links = memory_take(n * sizeof *client->links);
    client->n_links = n;
    client->server->n_blocked++;
    client->wait_limit = limit;
    for (size_t i = 0; i < n; i++)
        enter(&client->links[i], client, queue_of(client->server, keys[i]));
}

/* BLPOP and BRPOP. */
void blocking_pop_command(struct client *client, const struct slice *argv, size_t argc)
{
    enum side     side = argv[0].data[1] == 'l' || argv[0].data[1] == 'L' ? LEFT : RIGHT;
    struct value *value;
    int64_t       limit;

    if (!read_limit(client, argv[argc - 1], &limit))
        return;
    for (size_t i = 1; i < argc - 1; i++) {
        if (!client_find(client, argv[i], LIST, &value))
            return;
        if (!value)
            continue;
        put_array(&client->out, 2);
        put_bulk(&client->out, argv[i]);
        put_popped(client, argv[i], value, side);
        CLIENT_LOG(client, side == LEFT ? SLICE("LPOP") : SLICE("RPOP"), argv[i]);
        keys_touch(&client->server->keys, argv[i]);
        return;
    }
    client->from = side;
    block(client, argv + 1, argc - 2, limit);
}

void blmove_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct value *value;
    enum side     from, to;
    int64_t       limit;

    (void)argc;
    if (!read_sides(client, argv + 3, &from, &to) || !read_limit(client, argv[5], &limit) ||
        !client_find(client, argv[1], LIST, &value))
        return;
    if (value) {
        move_item(client, argv[1], value, from, argv[2], to);
        if (client->changed)
            CLIENT_LOG(client, SLICE("LMOVE"), argv[1], argv[2], argv[3], argv[4]);
        return;
    }
    client->from = from;
    client->to = to;
    client->target = string_make(argv[2]);
    block(client, argv + 1, 1, limit);
}
