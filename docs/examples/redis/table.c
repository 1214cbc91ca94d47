/* table.c - see table.h */
#include "table.h"

#include <stdlib.h>
#include <sys/random.h>

#define FEW 4 /* buckets of a new table */

static uint64_t seed[2];

void table_seed(void)
{
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        abort(); /* the kernel always has 16 bytes once it has started */
}

/* ---- SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012 ---- */

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void mix(uint64_t v[4])
{
    v[0] += v[1], v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0], v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2], v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

static uint64_t hash_of(struct slice key)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
    uint64_t word;
    size_t   at;

    for (at = 0; at + 8 <= key.size; at += 8) {
        memcpy(&word, key.data + at, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    word = (uint64_t)key.size << 56;
    for (size_t i = 0; at + i < key.size; i++)
        word |= (uint64_t)(unsigned char)key.data[at + i] << 8 * i;
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- buckets ---- */

static struct entry **bucket_of(const struct table *table, uint64_t hash)
{
    size_t i = hash & (table->room - 1);

    return &table->bucket[i < table->n_buckets ? i : i - table->room / 2]; /* T1 */
}

/* Adds a bucket, and moves those entries to it that belong there. */
static void add_bucket(struct table *table)
{
    size_t         last = table->n_buckets;
    struct entry **link, *entry;

    if (last == table->room) {
        table->room = last > 0 ? 2 * last : FEW;
        table->bucket = memory_resize(table->bucket, table->room * sizeof(struct entry *));
    }
    table->bucket[last] = NULL;
    table->n_buckets = last + 1;
    if (last < table->room / 2 || last < FEW)
        return; /* the first buckets of a new table */
    for (link = &table->bucket[last - table->room / 2]; (entry = *link);) {
        if ((entry->hash & (table->room - 1)) == last) {
            *link = entry->next;
            entry->next = table->bucket[last];
            table->bucket[last] = entry;
        } else {
            link = &entry->next;
        }
    }
}

static struct entry **link_of(const struct table *table, uint64_t hash, struct slice key)
{
    struct entry **link = bucket_of(table, hash);

    while (*link && !((*link)->hash == hash && slice_equal(entry_key(*link), key)))
        link = &(*link)->next;
    return link;
}

/* ---- entries ---- */

struct entry *table_find(const struct table *table, struct slice key)
{
    return table->n_entries > 0 ? *link_of(table, hash_of(key), key) : NULL;
}

static struct entry *entry_make(struct slice key, uint64_t hash)
{
    struct entry *entry = memory_take(sizeof *entry + key.size);

    entry->hash = hash;
    entry->value = NULL;
    entry->size = key.size;
    if (key.size > 0)
        memcpy(entry->key, key.data, key.size);
    return entry;
}

struct entry *table_put(struct table *table, struct slice key, bool *ret_is_new)
{
    uint64_t       hash = hash_of(key);
    struct entry  *entry = table->n_entries > 0 ? *link_of(table, hash, key) : NULL;
    struct entry **link;

    *ret_is_new = !entry;
    if (entry)
        return entry;
    while (table->n_buckets <= table->n_entries || table->n_buckets < FEW)
        add_bucket(table);
    entry = entry_make(key, hash);
    link = bucket_of(table, hash);
    entry->next = *link;
    *link = entry;
    table->n_entries++;
    return entry;
}

void *table_remove(struct table *table, struct slice key, bool *ret_was_there)
{
    struct entry **link = table->n_entries > 0 ? link_of(table, hash_of(key), key) : NULL;
    struct entry  *entry = link ? *link : NULL;
    void          *value = entry ? entry->value : NULL;

    *ret_was_there = entry != NULL;
    if (entry) {
        *link = entry->next;
        table->n_entries--;
        memory_give(entry);
    }
    return value;
}

struct entry *table_random(const struct table *table)
{
    struct entry *entry, *chosen;
    uint64_t      number;
    size_t        i;
    unsigned      n = 0;

    if (table->n_entries == 0)
        return NULL;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        number = 0;
    for (i = number % table->n_buckets; !table->bucket[i];)
        i = i + 1 < table->n_buckets ? i + 1 : 0;
    chosen = table->bucket[i];
    for (entry = chosen; entry; entry = entry->next) /* each of a bucket with the same chance */
        if ((number >> 32) % ++n == 0)
            chosen = entry;
    return chosen;
}

void table_free(struct table *table, void (*free_value)(void *value))
{
    struct entry *entry, *next;

    for (size_t i = 0; i < table->n_buckets; i++)
        for (entry = table->bucket[i]; entry; entry = next) {
            next = entry->next;
            if (free_value)
                free_value(entry->value);
            memory_give(entry);
        }
    memory_give(table->bucket);
    *table = (struct table){0};
}
