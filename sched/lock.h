/*
 * lock.h - a lock in four bytes, and one in a bit of a state word
 *
 * Purpose     Guards a few fields for a few nanoseconds, inside structs that exist by the million.
 * Threads     Any.
 * Invariants  0 free, 1 held, 2 held and somebody sleeps. The holder never calls user code.
 * Ordering    [lock-1] unlock releases what the next lock acquires.
 * Failure     A holder that the kernel has preempted is slept for, not spun on.
 */
#ifndef WF_LOCK_H
#define WF_LOCK_H

#include "futex.h"
#include "order.h"

#include <ck_backoff.h>
#include <sched.h>

static inline void wf_lock(uint32_t *lock)
{
    ck_backoff_t backoff = 8;
    uint32_t     seen = 0;

    if (wf_cas(lock, &seen, 1, ACQUIRE)) /* [lock-1] */
        return;
    while (backoff < 512) {
        ck_backoff_eb(&backoff);
        seen = 0;
        if (wf_cas(lock, &seen, 1, ACQUIRE)) /* [lock-1] */
            return;
    }
    while (wf_swap(lock, 2, ACQUIRE) != 0) /* [lock-1] */
        wf_futex_wait(lock, 2, INT64_MAX);
}

static inline void wf_unlock(uint32_t *lock)
{
    if (wf_swap(lock, 0, RELEASE) == 2) /* [lock-1] */
        wf_futex_wake(lock, 1);
}

/* Takes the bit of a state word: returns the word as it was, then without the bit. Whoever holds it gives it
 * back together with what else changes in the word, by a read-modify-write that releases. */
static inline uint64_t wf_lock_bit(uint64_t *word, uint64_t bit)
{
    ck_backoff_t backoff = 8;
    uint64_t     was;

    while ((was = wf_or(word, bit, ACQ_REL)) & bit) { /* [lock-1] */
        if (backoff >= 512)
            sched_yield(); /* the kernel has preempted the holder */
        else
            ck_backoff_eb(&backoff);
    }
    return was;
}

#endif
