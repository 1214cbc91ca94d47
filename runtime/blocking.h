/*
 * blocking.h - the pool of threads for calls that block
 *
 * Purpose     Runs jobs on threads that come when needed and leave when idle.
 * Threads     Any; start and stop: whoever starts and stops the runtime.
 * Invariants  B1 a job's memory has two holders, the pool and the awaiting future; the last frees it.
 *             B2 the arguments are the job's own copy.
 * Ordering    The pool's mutex; a job's lock.
 * Failure     No thread to be had: the queue waits for those there are; without any, the job ends
 *             with the error.
 */
#ifndef WF_BLOCKING_H
#define WF_BLOCKING_H

#include "rt.h"

#include <weft/blocking.h>

/* Sets rt->pool; no thread yet. 0 or -errno. */
int wf_pool_start(weft_runtime *rt);
/* Waits for running jobs until the instant, then ends all threads: 0, or -ETIMEDOUT, logged. */
int wf_pool_stop(weft_runtime *rt, int64_t until);
/* A job of any size: its arguments are copied from `from` at the first poll. */
weft_future *wf_job_init(weft_job *job, int64_t (*run)(void *), const void *from, size_t size,
                         void *ret);
void         wf_pool_count(weft_runtime *rt, weft_counters *counters);

#endif
