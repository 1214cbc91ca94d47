/*
 * job.h - one call on a pool thread, and the future that awaits it
 *
 * Purpose     Copies arguments to the pool and the result back, whoever of the two leaves first.
 * Threads     finish: who took it off the queue. The future: its owner.
 * Invariants  B1 the arguments are the job's own copy. B2 a job that is queued belongs to the
 *             queue; who takes it off, a thread or the future that withdraws it, owns it. B3 a
 *             thread that has run a job looks whether it is still awaited, under the job's lock:
 *             who comes second frees it. B4 an awaited job keeps the pool's memory. B5 only a
 *             detachable job is left to its thread: others may use memory that their caller has
 *             lent them.
 * Ordering    The pool's lock; the job's.
 * Failure     A future of a pool that refuses the job: -errno.
 */
#ifndef WF_JOB_H
#define WF_JOB_H

#include "rt.h"

#include <weft/blocking.h>

typedef struct wf_job {
    struct wf_job        *next, *prev; /* the queue: under the pool's lock, as are the next */
    bool                  queued;
    struct wf_thread     *thread; /* that runs it, or NULL */
    int64_t               since;  /* when it was queued */
    weft_pool            *pool;   /* constant, as is the next */
    const weft_job_kind_ *kind;
    uint32_t              lock;
    bool                  panicked; /* by the thread, before `done` */
    bool       done, left; /* under the lock: by the thread, by the future; and so on below */
    int64_t    result;
    weft_waker waker;
    _Alignas(16) char args[]; /* whoever owns it */
} wf_job;

/* Tells whoever awaits the job; it is gone then. Under no lock. */
void wf_job_finish(wf_job *job, int64_t result);
/* A job with arguments of any size: they are copied from `from` at the first poll. */
weft_future *wf_job_init(struct weft_spawn_blocking *job, weft_pool *pool,
                         const weft_job_kind_ *kind, const void *from, void *ret);

#endif
