/*
 * ends.h - the ends of a channel with many receivers
 *
 * Purpose     Watch, broadcast and mpmc count their senders and receivers alike, and let a sender
 *             wait until no receiver is left. Watch and broadcast are fan-outs: each receiver gets
 *             what is sent, and has memory of its own for how far it is.
 * Threads     Any.
 * Invariants  E1 Each end counts once in `n_ends` until its owner has closed it. The thread that
 *             closes the last end frees the channel.
 *             E2 A thread leaves `n_ends` as its last step. Until then it may wake waits on the
 *             channel, and the tasks that it wakes may close their own ends.
 * Ordering    [ends-1] The thread that closes the last end sees all that the others did with the
 *             channel.
 *             The lock of `closing` for `n_receivers`.
 * Failure     None.
 */
#ifndef WF_ENDS_H
#define WF_ENDS_H

#include "alloc.h"
#include "waits.h"

typedef struct wf_ends {
    weft_waits_ closing;     /* senders that wait until there is no receiver */
    size_t      n_receivers; /* written under the lock of `closing`; read also without it */
    bool        stopped;     /* likewise: sends fail, and receivers get what was sent */
    size_t      n_senders;   /* atomic */
    size_t      n_ends;      /* atomic */
} wf_ends;

/* One sender and `n_receivers`, before any other thread knows them. */
static inline wf_ends wf_ends_of(size_t n_receivers)
{
    return (wf_ends){.n_receivers = n_receivers, .n_senders = 1, .n_ends = 1 + n_receivers};
}

/* How many receivers there are. It may be another number a moment later. */
static inline size_t wf_ends_receivers(const wf_ends *ends)
{
    return wf_load(&ends->n_receivers, RELAXED); /* the number alone is used */
}

/* Whether a message that is sent now would reach no receiver. */
static inline bool wf_ends_are_closed(const wf_ends *ends)
{
    return wf_ends_receivers(ends) == 0 ||
           wf_load(&ends->stopped, RELAXED); /* the channel's lock orders it: see mpmc.c */
}

/* Whether all senders are closed. The answer true is final. */
static inline bool wf_ends_no_sender(const wf_ends *ends)
{
    /* The thread that closed the last one takes the lock of the waits afterwards. */
    return wf_load(&ends->n_senders, RELAXED) == 0;
}

void wf_ends_add_sender(wf_ends *ends);
/* The same for a caller that has no sender of its own. Returns false if all senders are closed. */
WEFT_NODISCARD bool wf_ends_try_add_sender(wf_ends *ends);
/* An end that is neither a sender nor a receiver. */
void wf_ends_add_weak(wf_ends *ends);
/* Returns whether it was the last sender. The caller then wakes the receivers. */
WEFT_NODISCARD bool wf_ends_close_sender(wf_ends *ends);
void                wf_ends_add_receiver(wf_ends *ends);
/* Wakes the senders that wait for it if it was the last one. Returns whether it was. */
bool wf_ends_close_receiver(wf_ends *ends);
/* From now on the channel refuses messages. Wakes the senders that wait for it. */
void wf_ends_stop(wf_ends *ends);
/* The end that was closed no longer uses the channel. Returns whether the caller must free it. */
WEFT_NODISCARD bool wf_ends_leave(wf_ends *ends);

/* The poll of a wait whose object is the ends: READY with 0 once the ends are closed. */
weft_poll wf_ends_closed_poll(weft_future *future, weft_context *cx);

/* ---- fan-outs ---- */

/* The first member of the channel. */
typedef struct wf_fanout {
    wf_ends     ends;
    weft_waits_ news; /* receivers that wait */
    /* -- constant -- */
    size_t         bytes; /* of the channel */
    weft_allocator alloc;
} wf_fanout;

/* The first member of a receiver. */
typedef struct wf_fanout_receiver {
    wf_fanout *channel;
    uint64_t   place;   /* how far it is; see the channel's file */
    uint32_t   n_waits; /* the owner's: that are pending */
} wf_fanout_receiver;

/* The end of a poll of a wait of the receiver, the first one if it `was_new`. -EAGAIN: it is
 * pending, and uses the receiver. */
static inline weft_poll wf_fanout_polled(wf_fanout_receiver *r, weft_wait *wait, bool was_new,
                                         int64_t answer)
{
    if (answer == -EAGAIN) {
        r->n_waits += was_new;
        return WEFT_PENDING;
    }
    r->n_waits -= !was_new;
    return weft_ready(&wait->future, answer);
}

/* Makes a channel of `bytes` bytes, with a sender and a receiver whose place is 0. Only its head is
 * written. Returns NULL if there is no memory. */
wf_fanout *wf_fanout_new(size_t bytes, wf_fanout_receiver **ret_receiver);
/* Adds a receiver. Returns 0 or -ENOMEM. */
int wf_fanout_subscribe(wf_fanout *c, uint64_t place, wf_fanout_receiver **ret_receiver);
/* `c` and `r` may be NULL. */
void wf_fanout_close_sender(wf_fanout *c, const wf_wait_kind *receiving);
/* Aborts if the receiver has a wait that is pending. `what` is the kind of channel. */
void wf_fanout_close_receiver(wf_fanout_receiver *r, const char *function, const char *what);
void wf_fanout_close_weak(wf_fanout *c);

#endif
