/* keyspace.c - see keyspace.h */
#include "keyspace.h"

#include "save.h"

void value_clear(struct value *value)
{
    if (value->kind == STRING)
        buffer_free(&value->string);
    else if (value->kind == LIST)
        list_free(&value->list);
    else
        table_free(&value->table, memory_give);
}

static void value_free(void *value)
{
    value_clear(value);
    memory_give(value);
}

static bool is_expired(const struct keyspace *keys, const struct value *value)
{
    return value->expires_at > 0 && value->expires_at <= keys->now;
}

static void expire(struct keyspace *keys, struct slice key)
{
    append_log_add(keys->log, (struct slice[]){SLICE("DEL"), key}, 2); /* K2 */
    keys_touch(keys, key);
    keys_remove(keys, key);
    keys->n_expired++;
}

struct value *keys_find(struct keyspace *keys, struct slice key)
{
    struct entry *entry = table_find(&keys->keys, key);

    if (!entry)
        return NULL;
    if (is_expired(keys, entry->value)) {
        expire(keys, key);
        return NULL;
    }
    if (keys->saving.on)
        save_first(keys, key, entry->value); /* V1 */
    return entry->value;
}

struct value *keys_make(struct keyspace *keys, struct slice key, enum kind kind)
{
    struct value *value = memory_take(sizeof *value);

    memset(value, 0, sizeof *value);
    value->kind = kind;
    value->saved = keys->saving.number; /* V1 */
    keys_put(keys, key, value);
    return value;
}

void keys_put(struct keyspace *keys, struct slice key, struct value *value)
{
    bool          is_new;
    struct entry *entry = table_put(&keys->keys, key, &is_new);
    struct value *before = entry->value;

    if (before) {
        keys->n_expiring -= before->expires_at > 0;
        value_free(before);
    }
    entry->value = value;
    keys->n_expiring += value->expires_at > 0;
}

struct value *keys_take(struct keyspace *keys, struct slice key)
{
    bool          was_there;
    struct value *value = table_remove(&keys->keys, key, &was_there);

    if (value)
        keys->n_expiring -= value->expires_at > 0;
    return value;
}

bool keys_remove(struct keyspace *keys, struct slice key)
{
    struct value *value = keys_take(keys, key);

    if (!value)
        return false;
    value_free(value);
    return true;
}

void keys_clear(struct keyspace *keys)
{
    TABLE_EACH(&keys->watched, entry)
    if (table_find(&keys->keys, entry_key(entry)))
        ((struct watched *)entry->value)->n_changes++;
    table_free(&keys->keys, value_free);
    keys->n_expiring = 0;
}

void keys_set_expiry(struct keyspace *keys, struct value *value, int64_t expires_at)
{
    keys->n_expiring -= value->expires_at > 0;
    value->expires_at = expires_at;
    keys->n_expiring += value->expires_at > 0;
}

/* ---- watches ---- */

void keys_touch(struct keyspace *keys, struct slice key)
{
    struct entry *entry = table_find(&keys->watched, key);

    if (entry)
        ((struct watched *)entry->value)->n_changes++;
}

struct watched *keys_watch(struct keyspace *keys, struct slice key)
{
    bool            is_new;
    struct entry   *entry = table_put(&keys->watched, key, &is_new);
    struct watched *watched = entry->value;

    if (is_new) {
        entry->value = watched = memory_take(sizeof *watched);
        *watched = (struct watched){0};
    }
    watched->n_watches++;
    return watched;
}

void keys_unwatch(struct keyspace *keys, struct slice key)
{
    struct watched *watched = table_find(&keys->watched, key)->value;
    bool            was_there;

    if (--watched->n_watches == 0)
        memory_give(table_remove(&keys->watched, key, &was_there));
}

/* ---- sweeping ---- */

void keys_sweep(struct keyspace *keys, size_t n_buckets)
{
    struct entry *entry, *next;

    for (; n_buckets > 0 && keys->n_expiring > 0; n_buckets--) {
        if (keys->swept >= keys->keys.n_buckets)
            keys->swept = 0;
        for (entry = keys->keys.bucket[keys->swept]; entry; entry = next) {
            next = entry->next;
            if (is_expired(keys, entry->value)) {
                /* The key goes with its entry, so its name is copied first. */
                struct string *key = string_make(entry_key(entry));

                expire(keys, string_slice(key));
                memory_give(key);
            }
        }
        keys->swept++;
    }
}
