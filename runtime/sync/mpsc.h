/*
 * mpsc.h - the state of an mpsc channel, and what its files do under its lock
 *
 * Purpose     Messages in order, with back-pressure: a sender waits while the channel is full.
 * Threads     Each end: its owners.
 * Invariants  M1 Senders wait only while there is no room. They are served in the order in which
 *             they began to wait. When the receiver takes a message, it moves the first waiting
 *             sender's message into the buffer. So no room is kept for a sender that may never use
 *             it, unless that sender has asked for permits. The first one collects its places.
 *             M2 The last end to close frees the channel. Senders, the receiver, weak senders and
 *             permits are ends.
 *             M3 Each place of the buffer has a message, belongs to a permit, or is room.
 *             M4 A permit is a sender, too: while it is out, the receiver does not get to the end.
 *             M5 A wait for permits that is kept (keep.h) is not in the queue and has no places.
 *             Its ticket says where it was.
 * Ordering    The lock. A sender that waits for the receiver to close is in a queue with a lock of
 *             its own, which the receiver takes after it has set `receiver_closed`.
 * Failure     -EPIPE when the receiver is closed, WEFT_EOF when all senders are closed.
 */
#ifndef WF_MPSC_H
#define WF_MPSC_H

#include "alloc.h"
#include "line.h"
#include "lock.h"
#include "rt.h"
#include "waits.h"

#include <weft/channel.h>

typedef struct mpsc {
    uint32_t lock;
    /* -- constant -- */
    bool grows; /* the channel is unbounded */
    /* -- under the lock -- */
    bool       receiver_closed; /* sends fail; read also under the lock of `closing` */
    bool       receiver_gone;   /* messages of permits are dropped, too */
    size_t     n_senders;       /* and permits */
    size_t     n_ends;          /* M2 */
    size_t     n_permits;
    size_t     room;
    wf_line    line;
    char      *buffer;
    weft_wait *receiver;
    weft_wait *first, *last; /* senders waiting */
    uint32_t   tickets;      /* counts those that began to wait */
    /* -- under its own lock -- */
    weft_waits_ closing; /* senders that wait until the receiver closes */
    /* -- constant -- */
    weft_allocator alloc;
    /* -- under the lock -- */
    _Alignas(16) char inside[]; /* the buffer of a bounded channel, or the first of another one */
} mpsc;

/* The capacity with which an unbounded channel begins. */
#define WF_MPSC_FIRST 16

/* The states of a sender's wait. */
enum { SEND_NEW, SEND_WAITING, SEND_DONE, SEND_KEPT };

/* n_ of a sender's wait is the number of permits that it asks for, and 0 of a message. While it
 * waits or is kept, answer_ is its ticket, and below that the number of places that it has. */
#define WF_MPSC_TICKET 32

/* An answer of weft's own: the buffer has to grow before the message can be sent. */
#define WF_MPSC_GROW (-ENOBUFS)

/* The size of a buffer that has grown. One of no bytes is memory that can be released, too. */
static inline size_t wf_mpsc_grown_bytes(size_t size, size_t capacity)
{
    return size > 0 ? size * capacity : 1;
}

/* An end is closed. The caller has released the lock, and `last` says that no other end is left. */
void wf_mpsc_leave(mpsc *c, bool last);
/* Sends to an unbounded channel whose buffer was full. Outside the lock. */
int wf_mpsc_send_growing(mpsc *c, const void *message);
/* Releases the large buffer of an unbounded channel that is empty. The receiver calls it, outside
 * the lock. */
void wf_mpsc_shrink(mpsc *c);
/* Serves waiting senders while there is room, and unlocks. */
void wf_mpsc_serve_unlock(mpsc *c, wf_wakes *wakes);

/* ---- under the lock ---- */

/* Whether no message will come any more, once those that are there were taken. */
static inline bool wf_mpsc_at_end(const mpsc *c)
{
    return c->n_senders == 0 || (c->receiver_closed && c->n_permits == 0);
}

static inline void wf_mpsc_wake_receiver(mpsc *c, wf_wakes *wakes)
{
    if (c->receiver)
        wf_waker_fire(&c->receiver->waker_, wakes);
}

static inline void wf_mpsc_unlink_sender(mpsc *c, weft_wait *wait)
{
    WF_ASSERT(wait->prev_ ? wait->prev_->next_ == wait : c->first == wait); /* M1 */
    if (wait->next_)
        wait->next_->prev_ = wait->prev_;
    else
        c->last = wait->prev_;
    if (wait->prev_)
        wait->prev_->next_ = wait->next_;
    else
        c->first = wait->next_;
}

static inline void wf_mpsc_link_sender(mpsc *c, weft_wait *wait)
{
    WF_ASSERT((c->room == 0 || c->first) && !c->receiver_closed); /* M1 */
    wait->answer_ += (int64_t)((uint64_t)c->tickets++ << WF_MPSC_TICKET);
    wait->next_ = NULL;
    wait->prev_ = c->last;
    if (c->last)
        c->last->next_ = wait;
    else
        c->first = wait;
    c->last = wait;
}

/* Takes the first waiting sender off the queue and gives it its answer. */
static inline void wf_mpsc_settle_sender(mpsc *c, int64_t answer, wf_wakes *wakes)
{
    weft_wait *wait = c->first;

    wf_mpsc_unlink_sender(c, wait);
    wf_store(&wait->state_, SEND_DONE, RELAXED); /* under the lock; send_poll reads it without */
    wait->answer_ = answer;
    wf_waker_fire(&wait->waker_, wakes);
}

/* Takes a place for a permit. */
static inline void wf_mpsc_permit(mpsc *c)
{
    WF_ASSERT(c->room > 0); /* M3 */
    c->room--;
    c->n_permits++;
    c->n_senders++; /* M4 */
    c->n_ends++;    /* M2 */
}

/* Takes a place for a message. */
static inline void wf_mpsc_put(mpsc *c, const void *message)
{
    WF_ASSERT(c->room > 0 && c->room + c->line.n + c->n_permits == c->line.capacity); /* M3 */
    c->room--;
    wf_line_put(&c->line, c->buffer, message);
}

/* Takes a place for a permit of the wait. True: it has all. */
static inline bool wf_mpsc_collect(mpsc *c, weft_wait *wait)
{
    wf_mpsc_permit(c);
    wait->answer_++;
    return (uint32_t)wait->answer_ == wait->n_;
}

/* Gives a place to the first waiting sender. */
static inline void wf_mpsc_serve_first(mpsc *c, wf_wakes *wakes)
{
    if (__builtin_expect(c->first->n_ == 0, 1))
        wf_mpsc_put(c, c->first->second_);
    else if (!wf_mpsc_collect(c, c->first))
        return;
    wf_mpsc_settle_sender(c, 0, wakes);
}

/* Gives up `n` places of permits. The sender that has had them is another end: M2. */
static inline void wf_mpsc_give_up(mpsc *c, uint32_t n)
{
    WF_ASSERT(c->n_permits >= n && c->n_senders >= c->n_permits && c->n_ends > n); /* M2 M4 */
    c->n_permits -= n;
    c->n_senders -= n;
    c->n_ends -= n;
    c->room += n;
}

/* Whether a sender gets a place now: 0, -EAGAIN or -EPIPE. */
static inline int wf_mpsc_may_send(const mpsc *c)
{
    if (c->receiver_closed)
        return -EPIPE;
    return c->room == 0 || c->first ? -EAGAIN : 0;
}

static inline int wf_mpsc_try_send(mpsc *c, const void *message, wf_wakes *wakes)
{
    int r = wf_mpsc_may_send(c);

    if (r < 0)
        return r;
    wf_mpsc_put(c, message);
    wf_mpsc_wake_receiver(c, wakes);
    return 0;
}

#endif
