/*
 * park.h - where one worker sleeps: an event count
 *
 * Purpose     Sleep that no wake can slip past: take a key, look for work, sleep unless the key is old.
 * Threads     prepare, commit: the worker. wake: any.
 * Invariants  A wake after prepare makes commit return.
 * Ordering    [park-1] wake releases, prepare and commit acquire.
 * Failure     commit may return early: callers check their own condition.
 */
#ifndef WF_PARK_H
#define WF_PARK_H

#include "futex.h"
#include "order.h"

typedef struct wf_park {
    uint32_t epoch;
} wf_park;

static inline uint32_t wf_park_prepare(const wf_park *p)
{
    return wf_load(&p->epoch, ACQUIRE); /* [park-1] */
}

/* False: the instant has come. */
static inline bool wf_park_commit(wf_park *p, uint32_t key, int64_t until)
{
    return wf_load(&p->epoch, ACQUIRE) != key /* [park-1] */ ||
           wf_futex_wait(&p->epoch, key, until);
}

static inline void wf_park_wake(wf_park *p)
{
    wf_add(&p->epoch, 1, RELEASE); /* [park-1] */
    wf_futex_wake(&p->epoch, 1);
}

#endif
