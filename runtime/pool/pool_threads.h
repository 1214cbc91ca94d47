/*
 * pool_threads.h - the threads of a pool: how many run, which one watches, when they end
 *
 * Purpose     Short jobs need few threads, jobs that block need many, and a job does not say which
 *             it is. So the pool starts with a few threads, and one of them, the watcher, adds more
 *             while the queue does not move.
 * Threads     The pool's: COMING (created or called) -> RUNNING -> IDLE or WATCHING -> COMING or
 *             gone. queued, call: any.
 * Invariants  Q1 While jobs are queued, a thread is coming, or the queue has to wait. It has to
 *             wait while one thread watches and there is no room for another to run. It also has to
 *             wait while all threads that may exist or could be created run jobs. These take the
 *             next jobs when they end.
 *             Q2 At most one thread is coming. It calls the next one if there is still need.
 *             Q3 There is room while n_running - n_stuck < room. `room` starts at `base` and grows
 *             while the queue does not shrink fast enough.
 *             Q4 At most one thread watches. It checks the queue each tick while jobs wait.
 *             Q5 The structs of threads live as long as the pool, so a late wake hits no other
 *             memory.
 * Ordering    The pool's lock. Threads are woken and created, and jobs run and end, without it.
 *             [pool-2] n_ended grows before the closing thread is woken.
 * Failure     If no thread can be created, the queue waits for the existing threads, and creation
 *             is tried again when the next job is queued or ends. While no thread watches, a task
 *             tries it again every 10 ms. If there are no threads, the jobs end with the error.
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
    wf_park park;
    /* -- constant -- */
    weft_pool        *pool;
    struct wf_thread *older; /* in the list of all threads of the pool */
    /* -- under the pool's lock -- */
    struct wf_thread     *next; /* in the list of idle or of unused threads */
    wf_thread_state       state;
    uint32_t              key;   /* from wf_park_prepare */
    int64_t               until; /* when its sleep ends without a wake */
    uint32_t              round; /* the pool's `round` when it took its job */
    int64_t               since; /* when it took its job */
    const weft_job_kind_ *kind;  /* the job's; NULL: it runs none */
    wf_job               *job;
    bool                  left; /* its job was given up */
} wf_thread;

/* A thread to be woken, or to be created. If `create` is set and `thread` is NULL, its struct is to
 * be allocated, too. Zero: none. */
typedef struct wf_call {
    wf_thread *thread;
    bool       create;
} wf_call;

/* Notes that the job that the thread runs was given up. */
void wf_pool_threads_leave_locked(wf_thread *t);
/* After a job was queued. Returns the thread that the queue needs now. */
wf_call wf_pool_threads_queued_locked(weft_pool *p, int64_t now);
/* Wakes or creates that thread. The caller does not hold the lock. */
void wf_pool_threads_call(weft_pool *p, wf_call c);
/* Frees the memory of threads that have ended. */
void wf_pool_threads_free(weft_pool *p);

#endif
