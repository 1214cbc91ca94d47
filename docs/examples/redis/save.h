/*
 * save.h - requests that make all keys again, as they were at one instant
 *
 * Purpose     Rewriting the log needs all values of one instant, while commands go on changing
 *             them. So the values are saved a few at a time. A value that a command looks up before
 *             its turn has come is saved first.
 * Threads     Those that hold the server's lock.
 * Invariants  V1 While saving is on, a value whose `saved` is not the saving's `number` is as it
 *             was when the saving began. Values that are made meanwhile get the number at once: the
 *             log has them.
 *             V2 A value that is removed without being looked up, because it expires or all keys
 *             are removed, need not be saved: the log says that it went.
 *             V3 The saving goes through the buckets by rising numbers, so it misses no key (T2).
 * Ordering    By the server's lock.
 * Failure     None. A large value is saved in one go, and holds all clients up meanwhile.
 */
#ifndef REDISD_SAVE_H
#define REDISD_SAVE_H

#include "keyspace.h"

/* Begins to save all keys as they are now. */
void save_begin(struct keyspace *keys);

/* Saves some more keys. The caller takes the requests out of `keys->saving.records`. Returns
 * whether the saving has ended, with all keys saved. */
bool save_some(struct keyspace *keys);

/* Ends a saving, and forgets its requests. */
void save_give_up(struct keyspace *keys);

/* Saves a value that is about to be used, unless that has been done. While saving is on. */
void save_first(struct keyspace *keys, struct slice key, struct value *value);

#endif
