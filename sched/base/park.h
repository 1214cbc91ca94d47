/*
 * park.h - where one worker sleeps: an event count
 *
 * Purpose     A sleep that misses no wake. The worker takes a key, looks for work, and sleeps
 *             unless the key is old. It may also sleep elsewhere in the kernel, where a bell ends
 *             the sleep.
 * Threads     prepare, commit, hang_bell: the worker. wake: any.
 * Invariants  A wake after prepare makes commit return, or rings the bell that is hung up.
 * Ordering    [park-1] wake releases, prepare and commit acquire. [park-2] a worker hangs up its
 *             bell, then looks whether its key is old. A wake makes the key old, then looks for a
 *             bell. All four are SEQ_CST, so either the worker does not sleep or the bell rings.
 * Failure     commit may return early: callers check their own condition. A bell may ring late,
 *             during another sleep.
 */
#ifndef WF_PARK_H
#define WF_PARK_H

#include "bell.h"
#include "futex.h"
#include "order.h"

typedef struct wf_park {
    uint32_t epoch;
    int      bell; /* 0, or 1 + an eventfd */
} wf_park;

static inline uint32_t wf_park_prepare(const wf_park *p)
{
    return wf_load(&p->epoch, ACQUIRE); /* [park-1] */
}

/* Sleeps until a wake. Returns false if the instant came first. */
static inline bool wf_park_commit(wf_park *p, uint32_t key, int64_t until)
{
    return wf_load(&p->epoch, ACQUIRE) != key /* [park-1] */ ||
           wf_futex_wait(&p->epoch, key, until);
}

/* The worker is about to sleep where the bell reaches it. Returns false if it has been woken since
 * it took the key. */
static inline bool wf_park_hang_bell(wf_park *p, int bell, uint32_t key)
{
    wf_store(&p->bell, bell + 1, SEQ_CST);     /* [park-2] */
    return wf_load(&p->epoch, SEQ_CST) == key; /* [park-2] */
}

/* A waking thread that still sees the bell has made the key old before the worker's next sleep. It
 * rings in vain. */
static inline void wf_park_take_bell(wf_park *p)
{
    /* RELAXED: before the next sleep comes hang_bell's SEQ_CST store, or FUTEX_WAIT, which is a
     * full barrier before it looks at the epoch. */
    wf_store(&p->bell, 0, RELAXED);
}

static inline void wf_park_wake(wf_park *p)
{
    int bell;

    wf_add(&p->epoch, 1, SEQ_CST);     /* [park-1] [park-2] */
    bell = wf_load(&p->bell, SEQ_CST); /* [park-2] */
    if (bell != 0)
        wf_bell_ring(bell - 1);
    else
        wf_futex_wake(&p->epoch, 1);
}

#endif
