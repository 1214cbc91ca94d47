/*
 * keyspace.h - the keys, their values, and when they expire
 *
 * Purpose     One table of all keys. An expired key is gone for each command that looks for it. A
 *             sweep removes those that no command looks for.
 * Threads     Those that hold the server's lock.
 * Invariants  K1 No value is an empty list, hash or set: the command that takes the last item
 *             removes the key.
 *             K2 Whatever removes a key because it has expired logs a DEL of it. So the log says
 *             when keys went, and nothing expires while it is replayed (`now` is 0 then).
 *             K3 Whatever changes, makes or removes a key that a client watches counts that.
 * Ordering    By the server's lock.
 * Failure     None.
 */
#ifndef REDISD_KEYSPACE_H
#define REDISD_KEYSPACE_H

#include "append_log.h"
#include "list.h"
#include "table.h"

enum kind { STRING, LIST, HASH, SET };

struct value {
    enum kind kind;
    uint32_t  saved;      /* the number of the last saving that is done with it */
    int64_t   expires_at; /* in ms since 1970; 0: never */
    union {
        struct buffer string;
        struct list   list;
        struct table  table; /* hash: the values are struct string. set: they are NULL. */
    };
};

/* A key that clients watch, whether it is there or not. */
struct watched {
    size_t   n_watches;
    uint64_t n_changes;
};

/* All keys are being saved: save.h. */
struct saving {
    bool          on;
    uint32_t      number;  /* of this saving, or of the last one */
    size_t        bucket;  /* the next one to be saved */
    struct buffer records; /* the requests so far that have not been taken */
};

struct keyspace {
    struct table       keys;
    struct append_log *log;
    int64_t            now;     /* in ms since 1970; set when the lock is taken */
    struct table       watched; /* the values are struct watched */
    size_t             n_expiring;
    size_t             swept; /* the bucket where the next sweep begins */
    uint64_t           n_expired;
    struct saving      saving;
};

/* The value of a key, or NULL. */
struct value *keys_find(struct keyspace *keys, struct slice key);

/* Makes an empty value for a key that has none. */
struct value *keys_make(struct keyspace *keys, struct slice key, enum kind kind);

/* Puts an existing value at a key, in place of that key's own. */
void keys_put(struct keyspace *keys, struct slice key, struct value *value);

/* Takes the value out of the keyspace, and does not free it. NULL if there is none. */
struct value *keys_take(struct keyspace *keys, struct slice key);

/* Removes a key. Returns false if there is none. */
bool keys_remove(struct keyspace *keys, struct slice key);

/* Removes all keys. */
void keys_clear(struct keyspace *keys);

/* Sets when a value expires, in ms since 1970. 0: never. */
void keys_set_expiry(struct keyspace *keys, struct value *value, int64_t expires_at);

/* Counts a change of a key if a client watches it (K3). */
void keys_touch(struct keyspace *keys, struct slice key);

/* Begins and ends a watch of a key. The counts stay in place as long as it lasts. */
struct watched *keys_watch(struct keyspace *keys, struct slice key);
void            keys_unwatch(struct keyspace *keys, struct slice key);

/* Empties a value and frees what it holds. */
void value_clear(struct value *value);

/* Removes expired keys from the next `n_buckets` buckets. */
void keys_sweep(struct keyspace *keys, size_t n_buckets);

#endif
