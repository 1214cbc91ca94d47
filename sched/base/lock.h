/*
 * lock.h - a lock in four bytes, and one in a bit of a state word
 *
 * Purpose     Guards a few fields for a few nanoseconds, inside structs that exist by the million.
 *             One is held longer: see accept_ring.c.
 * Threads     Any.
 * Invariants  The word is 0: free, 1: held, 2: held and a thread sleeps. The holder never calls
 *             user code. Where invariants are checked (invariant.h) the locks that a thread holds
 *             are counted, so that wf_lock_none_held can check it.
 * Ordering    [lock-1] unlock releases what the next lock acquires.
 * Failure     If the kernel has preempted the holder, a waiting thread sleeps. It neither spins nor
 *             yields: a SCHED_FIFO thread that yields would get its CPU back before a holder of
 *             lower priority.
 */
#ifndef WF_LOCK_H
#define WF_LOCK_H

#include "futex.h"
#include "order.h"

#include <ck_backoff.h>
#include <time.h>

#if defined(WF_ASSERTIONS) && !defined(EXPLORE_H)
#define WF_LOCKS_ARE_COUNTED
extern _Thread_local uint32_t wf_locks_held;
#define wf_lock_took() ((void)wf_locks_held++)
#define wf_lock_gave() ((void)wf_locks_held--)
/* Aborts if the thread holds a lock of weft. The foreign code that it is about to call may need
 * that lock. */
void wf_lock_none_held(const char *what);
#else
#define wf_lock_took()          ((void)0)
#define wf_lock_gave()          ((void)0)
#define wf_lock_none_held(what) ((void)(what))
#endif

/* How long a thread that finds the lock held waits at first, and when it goes to sleep, in rounds
 * of ck_backoff: 0.2 and 2 us. The first is longer than most hold a lock, so a thread that uses one
 * again and again does several turns while the memory is in its cache. */
#define WF_LOCK_FIRST 512
#define WF_LOCK_LAST  8192
#define WF_LOCK_NAP   50000 /* ns: the holder has been preempted, or will be done soon */

static inline void wf_lock(uint32_t *lock)
{
    ck_backoff_t backoff = WF_LOCK_FIRST;
    uint32_t     seen = 0;

    wf_lock_took();
    if (wf_cas(lock, &seen, 1, ACQUIRE)) /* [lock-1] */
        return;
    while (backoff < WF_LOCK_LAST) {
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
    wf_lock_gave();
    if (wf_swap(lock, 0, RELEASE) == 2) /* [lock-1] */
        wf_futex_wake(lock, 1);
}

/* Sets the bit, waiting while another thread has it set. Returns the word without the bit. The
 * holder clears the bit together with its other changes to the word, by a read-modify-write that
 * releases, and calls wf_lock_gave(). It is inlined because a call would cost 16 instructions more
 * where a waiter is woken. */
static inline __attribute__((always_inline)) uint64_t wf_lock_bit(uint64_t *word, uint64_t bit)
{
    ck_backoff_t backoff = 8;
    uint64_t     was;

    while ((was = wf_or(word, bit, ACQ_REL)) & bit) { /* [lock-1] */
        if (backoff >= WF_LOCK_LAST)
            nanosleep(&(struct timespec){.tv_nsec = WF_LOCK_NAP}, NULL);
        else
            ck_backoff_eb(&backoff);
    }
    wf_lock_took();
    return was;
}

#endif
