/*
 * job.h - one call on a pool thread, and the future that awaits it
 *
 * Purpose     Copies arguments to the pool and the result back. The thread or the future may leave
 *             first.
 * Threads     finish: the thread that took the job off the queue. The future: its owner.
 * Invariants  B1 The arguments are the job's own copy.
 *             B2 A queued job belongs to the queue. The thread that takes it off, or the future
 *             that withdraws it, owns it from then on.
 *             B3 A thread that has run a job checks, under the job's lock, whether a future still
 *             awaits it. The second of the two to leave frees the job.
 *             B4 An awaited job keeps the pool's memory.
 *             B5 Only a detachable job is left to its thread. Any other job may use memory that its
 *             caller has lent to it.
 * Ordering    The pool's lock and the job's lock.
 * Failure     -errno from a future whose pool refuses the job.
 */
#ifndef WF_JOB_H
#define WF_JOB_H

#include "rt.h"

#include <weft/blocking.h>

typedef struct wf_job {
    /* -- the queue: under the pool's lock -- */
    struct wf_job    *next, *prev;
    bool              queued;
    struct wf_thread *thread; /* the thread that runs it, or NULL */
    int64_t           since;  /* when it was queued */
    /* -- constant -- */
    weft_pool            *pool;
    const weft_job_kind_ *kind;
    /* -- the end: under `lock` -- */
    uint32_t   lock;
    bool       panicked;   /* written by the thread, before it takes the lock to set `done` */
    bool       done, left; /* `done` is set by the thread, `left` by the future */
    int64_t    result;
    weft_waker waker;
    /* -- the job's owner -- */
    _Alignas(16) char args[];
} wf_job;

/* Stores the result and wakes the task that awaits the job. The job may be freed when this returns.
 * The caller holds no lock. */
void wf_job_finish(wf_job *job, int64_t result);
/* A job with arguments of any size: they are copied from `from` at the first poll. */
weft_future *wf_job_init(struct weft_spawn_blocking *job, weft_pool *pool,
                         const weft_job_kind_ *kind, const void *from, void *ret);

#endif
