/*
 * table.h - a hash table from bytes to a pointer: keys, fields, members, channels
 *
 * Purpose     Linear hashing: the table grows by one bucket for each entry. So no single insert
 *             pays for moving everything, which would hold all clients up.
 * Threads     Those that hold the server's lock.
 * Invariants  T1 There are between room / 2 and room buckets, and room is a power of two. A bucket
 *             beyond n_buckets has its entries in the bucket with the same number less room / 2.
 *             T2 Buckets are added at the end, and never removed. An entry only moves to a bucket
 *             with a higher number, so a walk by rising numbers misses no entry that stays.
 * Ordering    By the server's lock.
 * Failure     Hashes are keyed with a random seed. A client can't choose keys that share a bucket.
 */
#ifndef REDISD_TABLE_H
#define REDISD_TABLE_H

#include "bytes.h"

struct entry {
    struct entry *next;
    uint64_t      hash;
    void         *value; /* the caller's */
    size_t        size;
    char          key[];
};

/* All zero: empty. */
struct table {
    struct entry **bucket;
    size_t         n_buckets, room, n_entries;
};

static inline struct slice entry_key(const struct entry *entry)
{
    return (struct slice){entry->key, entry->size};
}

/* Chooses the seed of all hashes. Call it first. */
void table_seed(void);

/* The entry of the key, or NULL. */
struct entry *table_find(const struct table *table, struct slice key);

/* The entry of the key. Without one, a new entry is made, whose value is NULL. */
struct entry *table_put(struct table *table, struct slice key, bool *ret_is_new);

/* Removes and frees the entry of the key. Returns its value, and NULL if there is none. */
void *table_remove(struct table *table, struct slice key, bool *ret_was_there);

/* An entry by chance, or NULL if the table is empty. */
struct entry *table_random(const struct table *table);

/* Frees the entries, but not what their values point to. `free_value` may be NULL. */
void table_free(struct table *table, void (*free_value)(void *value));

/* Walks through all entries. The body may remove nothing. */
#define TABLE_EACH(table, each)                                                                    \
    for (size_t bucket_ = 0; bucket_ < (table)->n_buckets; bucket_++)                              \
        for (struct entry *each = (table)->bucket[bucket_]; each; each = each->next)

#endif
