/*
 * line.h - messages in a buffer, first in, first out
 *
 * Purpose     The buffer of a bounded channel: `capacity` messages of `size` bytes.
 * Threads     The caller holds the lock of the channel.
 * Invariants  R1 The oldest message lies in place `head`, and `n` messages are there.
 * Ordering    The lock of the channel.
 * Failure     None.
 */
#ifndef WF_LINE_H
#define WF_LINE_H

#include "copy.h"
#include "invariant.h"

#include <stdbool.h>

#define WF_LINE_BYTES_MOST ((size_t)1 << 40)

typedef struct wf_line {
    size_t size, capacity; /* constant */
    size_t head, n;
} wf_line;

/* Whether a queue may be so large. If so, *ret_bytes is the size of its buffer. */
static inline bool wf_line_fits(size_t size, size_t capacity, size_t *ret_bytes)
{
    return capacity > 0 && !__builtin_mul_overflow(size, capacity, ret_bytes) &&
           *ret_bytes <= WF_LINE_BYTES_MOST;
}

/* Maps a place to the buffer. It must be less than twice the capacity. A division would take
 * longer. */
static inline size_t wf_line_wrap(const wf_line *r, size_t place)
{
    return place < r->capacity ? place : place - r->capacity;
}

/* Adds a message. There must be room. */
static inline void wf_line_put(wf_line *r, char *buffer, const void *message)
{
    WF_ASSERT(r->n < r->capacity && r->head < r->capacity); /* R1 */
    wf_copy(buffer + wf_line_wrap(r, r->head + r->n) * r->size, message, r->size);
    r->n++;
}

/* Takes the oldest message. There must be one. */
static inline void wf_line_take(wf_line *r, const char *buffer, void *ret_message)
{
    WF_ASSERT(r->n > 0 && r->head < r->capacity); /* R1 */
    wf_copy(ret_message, buffer + r->head * r->size, r->size);
    r->head = wf_line_wrap(r, r->head + 1);
    r->n--;
}

#endif
