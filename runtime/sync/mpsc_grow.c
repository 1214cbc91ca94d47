/*
 * mpsc_grow.c - the buffer of an unbounded mpsc channel: see mpsc.h
 *
 * Purpose     A full buffer is replaced by one of twice the size, so that sending never waits. A
 *             large one is released when it is empty, so that a burst does not keep its memory.
 * Threads     Any sender grows it, the receiver shrinks it.
 * Invariants  M3. The allocator is called outside the lock. So another sender may have been faster:
 *             then the new buffer is not used.
 * Ordering    The lock of the channel.
 * Failure     -ENOMEM, and the message has not been sent.
 */
#include "mpsc.h"

/* An empty buffer that is not larger stays. */
#define KEPT_MOST 65536

/* Under the lock: moves the messages to a larger buffer. Returns the old one. */
static char *move(mpsc *c, char *larger, size_t capacity)
{
    wf_line *line = &c->line;
    size_t   n_first = line->capacity - line->head; /* up to the end of the old buffer */
    char    *old = c->buffer;

    if (n_first > line->n)
        n_first = line->n;
    if (line->size > 0) {
        memcpy(larger, old + line->head * line->size, n_first * line->size);
        memcpy(larger + n_first * line->size, old, (line->n - n_first) * line->size);
    }
    c->room += capacity - line->capacity;
    c->buffer = larger;
    line->head = 0;
    line->capacity = capacity;
    return old;
}

/* Doubles the capacity, unless it is another one already. Returns 0, or -ENOMEM. */
static int grow(mpsc *c, size_t capacity)
{
    size_t larger = 2 * capacity, size = c->line.size, bytes;
    size_t n_unused = larger;
    char  *unused;

    if (!wf_line_fits(size, larger, &bytes))
        return -ENOMEM;
    unused = wf_alloc(&c->alloc, wf_mpsc_grown_bytes(size, larger));
    if (!unused)
        return -ENOMEM;
    wf_lock(&c->lock);
    if (c->line.capacity == capacity) {
        unused = move(c, unused, larger);
        n_unused = capacity;
    }
    wf_unlock(&c->lock);
    if (unused != c->inside)
        wf_release(&c->alloc, unused, wf_mpsc_grown_bytes(size, n_unused));
    return 0;
}

int wf_mpsc_send_growing(mpsc *c, const void *message)
{
    size_t capacity;
    int    r;

    do {
        wf_wakes wakes = {0};

        wf_lock(&c->lock);
        capacity = c->line.capacity;
        r = wf_mpsc_try_send(c, message, &wakes);
        wf_unlock(&c->lock);
        wf_wakes_flush(&wakes);
        if (r != -EAGAIN)
            return r;
        r = grow(c, capacity);
    } while (r == 0);
    return r;
}

void wf_mpsc_shrink(mpsc *c)
{
    char  *old = NULL;
    size_t capacity;

    wf_lock(&c->lock);
    capacity = c->line.capacity;
    if (c->line.n == 0 && capacity * c->line.size > KEPT_MOST && c->buffer != c->inside) {
        old = c->buffer;
        c->buffer = c->inside;
        c->line.head = 0;
        c->line.capacity = c->room = WF_MPSC_FIRST;
    }
    wf_unlock(&c->lock);
    if (old)
        wf_release(&c->alloc, old, wf_mpsc_grown_bytes(c->line.size, capacity));
}
