/* save.c - see save.h */
#include "save.h"

#include "resp.h"

#define ITEMS   64          /* of a value in one request; even, so that a field is with its value */
#define BUCKETS 512         /* of one step, at most */
#define ENOUGH  (64 * 1024) /* bytes of one step, after which it ends */

/* ---- one value ---- */

/* A request that adds items to a value: the command, the key, the items. */
struct adding {
    struct buffer *out;
    struct slice   argv[2 + ITEMS];
    size_t         argc;
};

static void flush(struct adding *adding)
{
    if (adding->argc > 2)
        put_request(adding->out, adding->argv, adding->argc);
    adding->argc = 2;
}

static void add_item(struct adding *adding, struct slice item)
{
    if (adding->argc == 2 + ITEMS)
        flush(adding);
    adding->argv[adding->argc++] = item;
}

static void save_value(struct buffer *out, struct slice key, const struct value *value)
{
    static const struct slice commands[] = {
        [STRING] = {"SET", 3}, [LIST] = {"RPUSH", 5}, [HASH] = {"HSET", 4}, [SET] = {"SADD", 4}};
    struct adding adding = {.out = out, .argv = {commands[value->kind], key}, .argc = 2};
    char          text[NUMBER_TEXT];

    if (value->kind == STRING) {
        add_item(&adding, buffer_slice(&value->string));
    } else if (value->kind == LIST) {
        for (size_t i = 0; i < value->list.n; i++)
            add_item(&adding, string_slice(*list_at(&value->list, i)));
    } else {
        TABLE_EACH(&value->table, item)
        {
            add_item(&adding, entry_key(item));
            if (value->kind == HASH)
                add_item(&adding, string_slice(item->value));
        }
    }
    flush(&adding);
    if (value->expires_at > 0)
        put_request(out,
                    (struct slice[]){SLICE("PEXPIREAT"), key, number_text(value->expires_at, text)},
                    3);
}

/* ---- all of them ---- */

void save_first(struct keyspace *keys, struct slice key, struct value *value)
{
    if (value->saved == keys->saving.number)
        return;
    value->saved = keys->saving.number;
    save_value(&keys->saving.records, key, value);
}

void save_begin(struct keyspace *keys)
{
    keys->saving.on = true;
    keys->saving.number++;
    keys->saving.bucket = 0;
}

bool save_some(struct keyspace *keys)
{
    struct saving *saving = &keys->saving;

    for (size_t n = 0; n < BUCKETS && saving->records.size < ENOUGH; n++) {
        if (saving->bucket >= keys->keys.n_buckets) {
            saving->on = false;
            return true;
        }
        for (struct entry *entry = keys->keys.bucket[saving->bucket]; entry; entry = entry->next)
            save_first(keys, entry_key(entry), entry->value);
        saving->bucket++;
    }
    return false;
}

void save_give_up(struct keyspace *keys)
{
    keys->saving.on = false;
    buffer_free(&keys->saving.records);
}
