/* pubsub.c - see pubsub.h */
#include "pubsub.h"

#include "commands.h"
#include "glob.h"

struct subscription {
    struct client       *client;
    struct subscription *next, **link; /* of the channel */
};

/* The value of a channel in server->channels, or of a pattern. */
struct audience {
    struct subscription *first;
};

static bool is_for_patterns(struct slice name)
{
    return name.data[0] == 'p' || name.data[0] == 'P';
}

/* ---- subscribing ---- */

static void subscribe(struct client *client, struct table *own, struct table *all,
                      struct slice name)
{
    bool                 is_new;
    struct entry        *mine = table_put(own, name, &is_new), *channel;
    struct subscription *subscription;
    struct audience     *audience;

    if (!is_new)
        return;
    channel = table_put(all, name, &is_new);
    if (is_new) {
        channel->value = memory_take(sizeof *audience);
        ((struct audience *)channel->value)->first = NULL;
    }
    audience = channel->value;
    mine->value = subscription = memory_take(sizeof *subscription);
    *subscription =
        (struct subscription){.client = client, .next = audience->first, .link = &audience->first};
    if (audience->first)
        audience->first->link = &subscription->next;
    audience->first = subscription;
}

static void unsubscribe(struct table *own, struct table *all, struct slice name)
{
    bool                 was_there;
    struct subscription *subscription = table_remove(own, name, &was_there);
    struct audience     *audience;

    if (!was_there)
        return;
    *subscription->link = subscription->next;
    if (subscription->next)
        subscription->next->link = subscription->link;
    memory_give(subscription);
    audience = table_find(all, name)->value;
    if (!audience->first)
        memory_give(table_remove(all, name, &was_there)); /* P1 */
}

void pubsub_leave(struct client *client)
{
    struct server *server = client->server;

    /* A name is freed with its entry, so it is copied first. */
    for (int patterns = 0; patterns < 2; patterns++) {
        struct table *own = patterns ? &client->patterns : &client->channels;

        while (own->n_entries > 0) {
            struct string *name = string_make(entry_key(table_random(own)));

            unsubscribe(own, patterns ? &server->patterns : &server->channels, string_slice(name));
            memory_give(name);
        }
        table_free(own, NULL);
    }
}

/* ---- the commands ---- */

static void put_change(struct client *client, const char *what, struct slice name)
{
    put_array(&client->out, 3);
    put_text(&client->out, what);
    if (name.data)
        put_bulk(&client->out, name);
    else
        put_nil(&client->out);
    put_number(&client->out, (int64_t)(client->channels.n_entries + client->patterns.n_entries));
}

/* SUBSCRIBE and PSUBSCRIBE: an answer for each name. */
void subscribe_command(struct client *client, const struct slice *argv, size_t argc)
{
    bool patterns = is_for_patterns(argv[0]);

    for (size_t i = 1; i < argc; i++) {
        if (patterns)
            subscribe(client, &client->patterns, &client->server->patterns, argv[i]);
        else
            subscribe(client, &client->channels, &client->server->channels, argv[i]);
        put_change(client, patterns ? "psubscribe" : "subscribe", argv[i]);
    }
}

/* UNSUBSCRIBE and PUNSUBSCRIBE: of the names, or of all. */
void unsubscribe_command(struct client *client, const struct slice *argv, size_t argc)
{
    bool          patterns = is_for_patterns(argv[0]);
    struct table *own = patterns ? &client->patterns : &client->channels;
    struct table *all = patterns ? &client->server->patterns : &client->server->channels;
    const char   *what = patterns ? "punsubscribe" : "unsubscribe";

    for (size_t i = 1; i < argc; i++) {
        unsubscribe(own, all, argv[i]);
        put_change(client, what, argv[i]);
    }
    if (argc == 1 && own->n_entries == 0)
        put_change(client, what, (struct slice){0});
    while (argc == 1 && own->n_entries > 0) {
        struct string *name = string_make(entry_key(table_random(own)));

        unsubscribe(own, all, string_slice(name));
        put_change(client, what, string_slice(name));
        memory_give(name);
    }
}

/* A client that does not read its messages must not take all memory. */
static void send_one(struct client *client, struct slice message)
{
    if (client->outbox.size + message.size <= (size_t)client->server->options.max_backlog)
        client_send(client, message);
    else if (!client->cut_off)
        client_cut_off(client);
}

/* Sends to all subscribers of a channel or pattern. Returns how many there are. */
static int64_t send_all(const struct audience *audience, const struct buffer *message)
{
    const struct subscription *first = audience->first;
    int64_t                    n = 0;

    for (; first; first = first->next, n++)
        send_one(first->client, buffer_slice(message));
    return n;
}

void publish_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct server *server = client->server;
    struct entry  *channel = table_find(&server->channels, argv[1]);
    struct buffer  message = {0};
    int64_t        n = 0;

    (void)argc;
    if (channel) {
        put_request(&message, (struct slice[]){SLICE("message"), argv[1], argv[2]}, 3);
        n += send_all(channel->value, &message);
    }
    TABLE_EACH(&server->patterns, pattern)
    if (glob_match(entry_key(pattern), argv[1])) {
        message.size = 0;
        put_request(&message,
                    (struct slice[]){SLICE("pmessage"), entry_key(pattern), argv[1], argv[2]}, 4);
        n += send_all(pattern->value, &message);
    }
    buffer_free(&message);
    put_number(&client->out, n);
}
