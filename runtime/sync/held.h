/*
 * held.h - waits for what one task holds
 *
 * Purpose     Mutexes, rwlocks and once cells name their owner (owner.h). A wait carries the owner
 *             that it would make, because the thread that passes the lock on can't know it. It is
 *             counted by its age, so that the watchdog looks for a cycle when a wait gets old
 *             (lock_waits.h).
 * Threads     poll: the wait's owner.
 * Invariants  E1 answer_ of a wait that has no answer yet is the owner that it would make. E2 n_ of
 *             such a wait is the object's own in its low bits, and its age above them.
 * Ordering    The queue's lock.
 * Failure     A wait that another task polls on is in the name of the task that polled it first.
 */
#ifndef WF_HELD_H
#define WF_HELD_H

#include "inner.h"
#include "owner.h"
#include "waits.h"

#define WF_HELD_OWN_BITS 8 /* of n_ */

/* The owner that the wait would make. Under the lock, while the wait has no answer. */
static inline uint64_t wf_held_owner(const weft_wait *wait)
{
    return (uint64_t)wait->answer_; /* E1 */
}

/* Returns true and the object's word, if the wait is queued. A wait that has its answer waits for
 * no owner: its task will be polled. */
bool wf_held_find(const weft_future *future, weft_waits_ *waits, const uint64_t *word,
                  uint64_t *ret_word);

/* Polls a wait, as wf_wait_poll does. */
int64_t wf_held_poll(weft_wait *wait, const weft_context *cx, bool cancelled, bool has_budget,
                     weft_waits_ *waits, const wf_wait_kind *kind);
/* The first poll of a wait, which has no budget: PENDING. The wait may still be new: S7 in
 * waits.h. */
weft_poll wf_held_begin_unpaid(weft_wait *wait, const weft_context *cx, weft_waits_ *waits,
                               const wf_wait_kind *kind);
/* The complete poll function of a wait, as wf_wait_poll_future. */
weft_poll wf_held_poll_future(weft_future *future, weft_context *cx, weft_waits_ *waits,
                              const wf_wait_kind *kind);

#endif
