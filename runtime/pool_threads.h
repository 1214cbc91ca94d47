/*
 * pool_threads.h - the threads of a pool: how many run, who watches, who leaves
 *
 * Purpose     A short queue of short jobs needs few threads, jobs that block need many, and nobody
 *             says which they are; so a few threads begin, and somebody watches how fast they come
 *             back for more.
 * Threads     The pool's: COMING (created or called) -> RUNNING -> IDLE or WATCHING -> COMING or
 *             gone. queued, call: any.
 * Invariants  Q1 while jobs are queued a thread is coming, or one watches and there is no room for
 *             another to run, or all that may exist or could be created run jobs, and take the next
 *             when they end. Q2 at most one thread is coming: it calls the next if there is still
 *             need. Q3 there is room while n_running - n_stuck < room; room is `base`, and grows
 *             while the queue does not shrink fast enough. Q4 one watches at most: it looks at the
 *             queue each tick while there is one. Q5 the structs of threads live as long as the
 *             pool: late wakes hit no other memory.
 * Ordering    The pool's lock. Threads are woken and created, and jobs run and end, outside of it.
 *             [pool-2] n_ended grows before who closes is woken.
 * Failure     No thread to be had: the queue waits for those there are, and a new one is tried for
 *             later; without any, the jobs end with the error.
 */
#ifndef WF_POOL_THREADS_H
#define WF_POOL_THREADS_H

#include "park.h"
#include "pool.h"

typedef enum wf_thread_state {
    WF_THREAD_COMING,
    WF_THREAD_RUNNING,
    WF_THREAD_IDLE,
    WF_THREAD_WATCHING,
} wf_thread_state;

typedef struct wf_thread {
    wf_park               park;
    weft_pool            *pool;  /* constant, as is the next */
    struct wf_thread     *older; /* of all */
    struct wf_thread     *next; /* among the idle, or the unused: under the lock, as are the next */
    wf_thread_state       state;
    uint32_t              key;   /* to sleep with, and ... */
    int64_t               until; /* ... so long at most */
    uint32_t              round; /* the pool's when it took its job */
    int64_t               since; /* when that was */
    const weft_job_kind_ *kind;  /* the job's; NULL: it runs none */
    wf_job               *job;
    bool                  left; /* it was given up */
} wf_thread;

/* A thread to be woken, or to be created. If `create` is set and `thread` is NULL, its struct is to
 * be allocated, too. Zero: none. */
typedef struct wf_call {
    wf_thread *thread;
    bool       create;
} wf_call;

/* The job that the thread runs was given up. */
void wf_pool_threads_leave_locked(wf_thread *t);
/* A job has been queued. */
wf_call wf_pool_threads_queued_locked(weft_pool *p, int64_t now);
/* Outside of the lock. */
void wf_pool_threads_call(weft_pool *p, wf_call c);
/* Frees the memory of threads that have ended. */
void wf_pool_threads_free(weft_pool *p);

#endif
