/*
 * waits.h - a queue of waits on an object, the base of all of weft/sync.h
 *
 * Purpose     One queue and one poll function for mutexes, semaphores and their like. The object
 *             only decides, in `take`, whether a wait gets its answer now.
 * Threads     Any. The queue's lock also guards the object's fields.
 * Invariants  S1 Only the first wait of the queue that is not kept is asked to take, and a new wait
 *             only if the queue has no such wait. So waits are served in the order of their first
 *             polls.
 *             S2 A wait is queued by its first poll, even if that poll has no budget left.
 *             S3 An answer is given, and the waker of its wait is fired, under the lock. So the
 *             wait can't end before that.
 *             S4 A cancelled wait gives back what it was granted, and the next wait is asked.
 *             S5 A thread that answers waits does not use the object after its unlock. So the owner
 *             of the last wait may free the object once that is READY. Where more than 64 waits of
 *             other executors are answered at once, the object must stay until that has ended. An
 *             unlock or a release that finds no wait to answer frees the object before it leaves
 *             it, so the next holder may not free its memory until that call has returned.
 *             S6 A kept wait (keep.h) has its place in the queue and no answer. What it had been
 *             given and its task had not seen was given back. Its next poll asks it.
 *             S7 A mutex or rwlock that is free, and permits of a semaphore, are left by a poll
 *             that has no budget, the first one or the first since the wait was kept. Its task
 *             yields, and would hold what it can't use meanwhile. All others would queue for it,
 *             and once there is a queue each unlock is a switch of tasks. If it is not free, S2
 *             holds.
 * Ordering    The queue's lock: a thread that takes it sees all that was written before the last
 *             unlock. [waits-1] An answer is released to the poll that finds it without the lock.
 * Failure     None.
 */
#ifndef WF_WAITS_H
#define WF_WAITS_H

#include "invariant.h"
#include "lock.h"
#include "waker.h"

#include <weft/sync.h>

/* What an object decides for its waits. Each function is called under the lock. */
typedef struct wf_wait_kind {
    /* Returns the wait's answer and changes the object accordingly, or returns -EAGAIN: no answer
     * yet. */
    int64_t (*take)(void *object, weft_wait *wait);
    /* Called for a wait that has an answer and has not been polled since, and is cancelled or kept.
     * True: the object took the answer back. False: the answer stands, which is not allowed of
     * kinds whose waits are kept. */
    bool (*give_back)(void *object, weft_wait *wait);
    /* Called for a cancelled wait that leaves the queue without an answer. Returns its answer,
     * mostly -ECANCELED. May be NULL. */
    int64_t (*leave)(void *object, weft_wait *wait);
    /* Called when the owner of the wait gets its answer, after which it is not given back. May be
     * NULL. */
    void (*seen)(void *object, weft_wait *wait);
    /* The object counts its waits: a new one is asked to take even if others wait. */
    bool counts;
    /* A poll without budget leaves what it could have: S7. An answer of 0 can be given back. */
    bool needs_budget;
    /* The poll that finds an answer changes nothing in the object, so it does without the lock. */
    bool ends_alone;
} wf_wait_kind;

/* Aborts: the caller has broken a rule of the object, which is a `what`, "mutex". */
__attribute__((noreturn, cold)) void wf_sync_misuse(const char *function, const char *rule,
                                                    const char *what, const void *object);

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
/* The complete poll function of a wait: spends budget, and completes the future with the answer. */
weft_poll wf_wait_poll_future(weft_future *future, weft_context *cx, weft_waits_ *waits,
                              const wf_wait_kind *kind);
/* Gives waits their answers until the first one can't have one, or until the caller must flush
 * `wakes` outside the lock. True: the caller must do that, and call it again for the waits that are
 * left. The caller holds the lock, and flushes in the end. */
bool wf_wait_settle_some(weft_waits_ *waits, const wf_wait_kind *kind, void *object,
                         wf_wakes *wakes);
/* wf_wait_settle_unlock where waits are queued. */
void wf_wait_settle_queue_unlock(weft_waits_ *waits, const wf_wait_kind *kind, void *object);
/* Gives waits their answers as long as the first one can have one, then unlocks. The caller holds
 * the lock. */
static inline void wf_wait_settle_unlock(weft_waits_ *waits, const wf_wait_kind *kind, void *object)
{
    if (waits->first_)
        wf_wait_settle_queue_unlock(waits, kind, object);
    else
        wf_unlock(&waits->lock_);
}

/* Whether the wait has not been polled yet. Only for its owner. */
static inline bool wf_wait_is_new(const weft_wait *wait)
{
    return wf_load(&wait->state_, RELAXED) == 0; /* only its owner's polls end that state */
}

/* Whether the wait is in the queue, and its task polls it. Under the lock. */
bool wf_wait_is_queued(const weft_wait *wait);

/* Whether the wait is kept: S6. Only for its owner. */
bool wf_wait_is_kept(const weft_wait *wait);

/* The first wait that is not kept. Under the lock. */
weft_wait *wf_wait_first_polled(const weft_waits_ *waits);
/* The first wait that is asked to take, or NULL. Under the lock. */
static inline weft_wait *wf_wait_first(const weft_waits_ *waits)
{
    return __builtin_expect(waits->n_kept_ == 0, 1) ? waits->first_ : wf_wait_first_polled(waits);
}

/* The pending wait is kept from now on: S6. The rest of what wf_outer_ops.keep is to do. */
bool wf_wait_keep(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind);

/* Makes an answered wait new again, for another object. Only for its owner. */
static inline void wf_wait_renew(weft_wait *wait)
{
    wf_store(&wait->state_, 0, RELAXED); /* no other thread knows the wait */
}

/* In n_ beside a round, so that it is not 0. */
#define WF_WAIT_STAMP (UINT32_C(1) << 31)

/* Whether the wait was first asked in an earlier round. The first call stores the round in n_. For
 * kinds that ask each new wait. */
static inline bool wf_wait_is_of_past_round(weft_wait *wait, uint32_t round)
{
    uint32_t stamp = round | WF_WAIT_STAMP;

    if (wait->n_ == 0)
        wait->n_ = stamp;
    return wait->n_ != stamp;
}

/* The cancel of every wait: it does nothing, and the next poll withdraws the wait. */
void wf_wait_cancel(weft_future *future);

#endif
