/*
 * list.h - a list of strings: a ring that grows, so both ends and any index take constant time
 *
 * Threads     Those that hold the server's lock.
 * Invariants  The items are n places of the ring from `first` on. `room` is a power of two, or 0.
 */
#ifndef REDISD_LIST_H
#define REDISD_LIST_H

#include "bytes.h"

enum side { LEFT, RIGHT };

/* All zero: empty. */
struct list {
    struct string **ring;
    size_t          first, n, room;
};

/* The place of an item. `i` is below n. */
static inline struct string **list_at(const struct list *list, size_t i)
{
    return &list->ring[(list->first + i) & (list->room - 1)];
}

/* Puts an item at an end. The list owns it then. */
void list_push(struct list *list, enum side side, struct string *item);

/* Takes an item from an end. The list is not empty. The caller owns the item then. */
struct string *list_pop(struct list *list, enum side side);

/* Removes up to `most` items that are equal to `slice`, from that end on. Returns how many. */
size_t list_remove(struct list *list, enum side from, size_t most, struct slice slice);

void list_free(struct list *list);

#endif
