/* list.c - see list.h */
#include "list.h"

static void grow(struct list *list)
{
    size_t          room = list->room > 0 ? 2 * list->room : 4;
    struct string **ring = memory_take(room * sizeof *ring);

    for (size_t i = 0; i < list->n; i++)
        ring[i] = *list_at(list, i);
    memory_give(list->ring);
    list->ring = ring;
    list->room = room;
    list->first = 0;
}

void list_push(struct list *list, enum side side, struct string *item)
{
    if (list->n == list->room)
        grow(list);
    if (side == LEFT)
        list->first--; /* list_at takes it modulo `room` */
    list->n++;
    *list_at(list, side == LEFT ? 0 : list->n - 1) = item;
}

struct string *list_pop(struct list *list, enum side side)
{
    struct string *item = *list_at(list, side == LEFT ? 0 : list->n - 1);

    list->first += side == LEFT;
    list->n--;
    return item;
}

size_t list_remove(struct list *list, enum side from, size_t most, struct slice slice)
{
    size_t n = list->n, n_kept = 0, n_removed = 0;

    /* The items that stay move towards the end from which the search goes. */
    for (size_t i = 0; i < n; i++) {
        struct string **place = list_at(list, from == LEFT ? i : n - 1 - i);

        if (n_removed < most && slice_equal(string_slice(*place), slice)) {
            memory_give(*place);
            n_removed++;
        } else {
            *list_at(list, from == LEFT ? n_kept : n - 1 - n_kept) = *place;
            n_kept++;
        }
    }
    if (from == RIGHT)
        list->first += n_removed;
    list->n = n_kept;
    return n_removed;
}

void list_free(struct list *list)
{
    for (size_t i = 0; i < list->n; i++)
        memory_give(*list_at(list, i));
    memory_give(list->ring);
    *list = (struct list){0};
}
