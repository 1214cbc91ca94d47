/*
 * look.h - the word of an object that changes without the queue's lock as long as no wait is queued
 *
 * Purpose     Semaphore and rwlock are taken and given back by one compare-and-swap. A bit of the
 *             word says that there may be waits. Then the lock is needed.
 * Threads     Any. The caller holds the lock of the queue.
 * Invariants  K1 The bit is set before a wait is queued, or a kept one (keep.h) is polled again,
 *             under the lock. While it is set, only holders of the lock change the word.
 * Ordering    [look-1] What was released without the lock is acquired by the thread that sets the
 *             bit.
 * Failure     None.
 */
#ifndef WF_LOOK_H
#define WF_LOOK_H

#include "order.h"

/* Sets the bit, so that the word changes only under the lock from now on, and needs no CAS there.
 * Returns the word without the bit. */
static inline uint64_t wf_look(uint64_t *word, uint64_t bit)
{
    uint64_t seen = wf_load(word, RELAXED); /* with the bit it is the lock's */

    if (!(seen & bit))
        seen = wf_or(word, bit, ACQUIRE); /* [look-1] K1 */
    return seen & ~bit;
}

#endif
