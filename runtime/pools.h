/*
 * pools.h - the pools of a runtime
 *
 * Purpose     The two that every runtime has, those that are opened, and what they count together.
 * Threads     open, close, count: any. start, stop: whoever starts and stops the runtime.
 * Invariants  Y1 all pools are in the list until they have ended.
 * Ordering    The list's lock.
 * Failure     -errno, and then nothing has happened.
 */
#ifndef WF_POOLS_H
#define WF_POOLS_H

#include "pool.h"

typedef struct wf_pools {
    weft_pool *standard, *dns; /* constant, as is the next */
    int64_t    cpus;           /* for the runtime: a worker with CPU affinity sees but one */
    uint32_t   lock;
    weft_pool *first;
} wf_pools;

/* Sets rt->pools; no thread yet. 0 or -errno. */
int wf_pools_start(weft_runtime *rt);
/* Waits for running jobs until the instant, then ends all threads: 0, or -ETIMEDOUT, logged. With
 * `leave` it does not wait for jobs that were given up: 1 if some run on. Then the pools' memory
 * stays, and must. */
int wf_pools_stop(weft_runtime *rt, int64_t until, bool leave);
/* Logs the jobs that run. While no pool is opened or closed. */
void wf_pools_report(weft_runtime *rt, const char *what);
/* Whether no pool has anything to do. */
bool wf_pools_are_quiet(weft_runtime *rt);
/* Adds up what all pools count. */
void wf_pools_count(weft_runtime *rt, struct weft_runtime_counters *counters);

#endif
