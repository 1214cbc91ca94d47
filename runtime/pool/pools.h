/*
 * pools.h - the pools of a runtime
 *
 * Purpose     The two pools that every runtime has, the pools that its users open, and the sums of
 *             their counters.
 * Threads     open, close, count: any. start, stop: the thread that starts or stops the runtime.
 * Invariants  P1 A pool is in the list until it has ended.
 * Ordering    The list's lock.
 * Failure     -errno, and then nothing has happened.
 */
#ifndef WF_POOLS_H
#define WF_POOLS_H

#include "pool.h"

typedef struct wf_pools {
    /* -- constant -- */
    weft_pool *standard, *dns;
    int64_t    cpus; /* of the runtime: a worker with CPU affinity would see only one */
    /* -- the list -- */
    uint32_t   lock;
    weft_pool *first;
} wf_pools;

/* Makes the two pools and sets rt->pools. Starts no thread. 0 or -errno. */
int wf_pools_start(weft_runtime *rt);
/* Waits for running jobs, ends all threads, and waits until futures have seen the ends of their
 * jobs: 0. If `until` comes first: -ETIMEDOUT, logged. With `leave` it does not wait for jobs that
 * were given up. If some of these run on, it returns 1, and the pools' memory stays and must stay.
 */
int wf_pools_stop(weft_runtime *rt, int64_t until, bool leave);
/* Logs the running jobs. No pool may be opened or closed meanwhile. */
void wf_pools_report(weft_runtime *rt, const char *what);
/* Whether no pool has anything to do. */
bool wf_pools_are_quiet(weft_runtime *rt);
/* Adds up the counters of all pools. */
void wf_pools_count(weft_runtime *rt, struct weft_runtime_counters *counters);

#endif
