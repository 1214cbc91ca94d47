/*
 * waits.h - waits on an object, in a queue: what all of weft/sync.h stands on
 *
 * Purpose     One queue and one poll function for mutexes, semaphores and their like. The object
 *             says by `take` whether a wait gets its answer now, and nothing else.
 * Threads     Any; the queue's lock guards the object's fields, too.
 * Invariants  S1 only the first wait of the queue is asked to take, and a new one only where the
 *             queue is empty: so waits are served in the order of their first polls. S2 a wait is
 *             queued by its first poll, also when that poll has no budget left. S3 an answer is
 *             given under the lock, where its wait's waker is fired; so the wait can't end before
 *             that. S4 a cancelled wait gives back what it was granted, and asks the next one.
 * Ordering    The queue's lock: what was written before an unlock is seen behind the lock that
 *             follows.
 * Failure     None.
 */
#ifndef WF_WAITS_H
#define WF_WAITS_H

#include "lock.h"
#include "waker.h"

#include <weft/sync.h>

/* What an object answers to its waits, each under the lock. */
typedef struct wf_wait_kind {
    /* The wait's answer if it can have one now, with all that changes in the object, else
     * -EAGAIN. */
    int64_t (*take)(void *object, weft_wait *wait);
    /* A cancelled wait has not been polled since it got its answer: true if the object took that
     * back, false if the answer stands. */
    bool (*give_back)(void *object, weft_wait *wait);
    /* A cancelled wait leaves the queue without an answer. May be NULL. */
    void (*leave)(void *object, weft_wait *wait);
    /* A new wait is asked to take although others wait: the object counts them. */
    bool counts;
} wf_wait_kind;

/* Makes an unpolled wait. */
static inline weft_future *wf_wait_init(weft_wait *wait, const weft_future_ops *ops, void *object,
                                        uint32_t n)
{
    *wait = (weft_wait){.object_ = object, .n_ = n};
    weft_future_init(&wait->future, ops);
    return &wait->future;
}

/* Polls a wait. -EAGAIN: it is PENDING. */
int64_t wf_wait_poll(weft_wait *wait, const weft_context *cx, bool cancelled, bool has_budget,
                     weft_waits_ *waits, const wf_wait_kind *kind);
/* The whole poll function of a wait: with its budget, and its future's answer. */
weft_poll wf_wait_poll_future(weft_future *future, weft_context *cx, weft_waits_ *waits,
                              const wf_wait_kind *kind);
/* Gives waits their answers as long as the first one can have one. Under the lock, which it gives
 * back. */
void wf_wait_settle_unlock(weft_waits_ *waits, const wf_wait_kind *kind, void *object);

/* Whether the wait has not been polled before. Its owner. */
static inline bool wf_wait_is_new(const weft_wait *wait)
{
    return wf_load(&wait->state_, RELAXED) == 0; /* only its owner's polls end that state */
}

/* Makes a wait that has its answer new again, for another object. Its owner. */
static inline void wf_wait_renew(weft_wait *wait)
{
    wf_store(&wait->state_, 0, RELAXED); /* no other thread knows the wait */
}

/* Whether the wait was first asked in a round before this one. Sets its round at the first ask; for
 * kinds that keep the round in n_, and ask each new wait. */
static inline bool wf_wait_is_of_past_round(weft_wait *wait, uint32_t round)
{
    uint32_t stamp = round | UINT32_C(1) << 31;

    if (wait->n_ == 0)
        wait->n_ = stamp;
    return wait->n_ != stamp;
}

/* The next poll withdraws it. */
void wf_wait_cancel(weft_future *future);

#endif
