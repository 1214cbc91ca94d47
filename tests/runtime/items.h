/*
 * items.h - sequences of numbers that the tests of sequences share
 */
#ifndef ITEMS_H
#define ITEMS_H

#include "../helpers.h"

/* Gives 0, 1, 2, ... at once, and then ends with `end`. At item `hole` it is PENDING until it is
 * filled, if `hole` is >= 0. */
struct items {
    weft_sequence sequence;
    weft_future   future;
    weft_waker    waker;
    int64_t      *ret_item;
    int64_t       next, n, end, hole;
    int           n_cancels;
    bool          lingers; /* a cancel of a pending wait does not take effect, and it completes */
};

static inline weft_poll items_poll(weft_future *future, weft_context *cx)
{
    struct items *self = weft_container(future, struct items, future);
    bool          cancelled = weft_future_is_cancelled(future);

    if (self->waker.vtable)
        weft_waker_drop(self->waker);
    self->waker.vtable = NULL;
    if (cancelled && !self->lingers)
        return weft_ready(future, -ECANCELED);
    if (!cancelled && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (!cancelled && self->next == self->hole) {
        self->waker = weft_waker_clone(weft_context_waker(cx));
        return WEFT_PENDING;
    }
    if (self->next == self->n)
        return weft_ready(future, self->end);
    *self->ret_item = self->next++;
    return weft_ready(future, 0);
}

static inline void items_cancel(weft_future *future)
{
    weft_container(future, struct items, future)->n_cancels++;
}

static inline weft_future *items_next(weft_sequence *sequence, void *ret_item)
{
    static const weft_future_ops ops = {sizeof(struct items), WEFT_FUTURE_WITHDRAWS, "items",
                                        items_poll, items_cancel};

    struct items *self = weft_container(sequence, struct items, sequence);

    weft_future_init(&self->future, &ops);
    self->ret_item = ret_item;
    return &self->future;
}

/* `n` items, and then WEFT_EOF. */
static inline weft_sequence *items(struct items *self, int64_t n)
{
    *self = (struct items){.sequence = {items_next}, .n = n, .end = WEFT_EOF, .hole = -1};
    return &self->sequence;
}

/* Fills the hole, and makes another one. */
static inline void items_fill(struct items *self, int64_t next_hole)
{
    self->hole = next_hole;
    if (self->waker.vtable)
        weft_waker_wake_by_ref(&self->waker);
}

#endif
