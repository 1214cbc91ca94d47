/*
 * pool.h - a pool of threads: the queue they take jobs from, its life and its counters
 *
 * Purpose     Jobs run in the order in which they were queued, on threads that are created when
 *             needed (pool_threads.h).
 * Threads     Any. take: the pool's own.
 * Invariants  L1 A job is on the queue (`queued`), or a thread or its future owns it.
 *             L2 The pool's memory stays while a future awaits a job of the pool.
 * Ordering    The pool's lock. [pool-1] The last reference to the pool. [pool-2] See
 *             pool_threads.h.
 *             [pool-3] n_telling falls after the end of a job was reported and the task that it
 *             woke was queued.
 * Failure     A pool that is closing or full refuses jobs with -errno, and nothing has happened.
 */
#ifndef WF_POOL_H
#define WF_POOL_H

#include "job.h"

#include <pthread.h>

struct wf_thread;

struct weft_pool {
    /* -- constant -- */
    weft_runtime  *rt;
    weft_allocator alloc;
    char           name[16];
    int64_t        most_threads, most_jobs, keep;
    int64_t        base; /* how many jobs run at once, at least */
    /* -- under the lock of the runtime's list -- */
    weft_pool *next;
    /* -- any thread -- */
    uint64_t refs; /* held by futures that await jobs, and by the pool until it is closed */

    WF_ALIGNED uint32_t lock;
    uint32_t            n_ended; /* [pool-2] the futex that the closing thread sleeps on */
    /* -- under `lock` -- */
    bool                      closing;
    wf_job                   *first, *last;
    struct wf_thread         *idle; /* a stack: the last to become idle is called first */
    struct wf_thread         *watcher, *unused, *newest;
    int64_t                   n_threads; /* includes those being created */
    int64_t                   n_running, n_stuck, room;
    int64_t                   n_left;      /* running threads whose jobs were given up */
    bool                      left_behind; /* threads may run after the pool's end */
    uint32_t                  n_telling;   /* [pool-3] threads that report the end of a job */
    bool                      coming;      /* a thread is being created or has been called */
    uint32_t                  round;      /* how often the running threads were found to be stuck */
    int64_t                   last_taken; /* when a thread last took a job */
    uint64_t                  n_seen;     /* jobs taken before the watcher's last look */
    int64_t                   failed;     /* when no thread could be created, or 0 */
    bool                      retrying;   /* a task tries to create a thread now and then */
    pthread_t                 corpse;     /* the thread that ended last, not yet joined */
    bool                      has_corpse;
    struct weft_pool_counters counters; /* without `threads` and `running` */
};

/* Makes a pool for that many CPUs. 0 or -ENOMEM. */
int wf_pool_new(weft_runtime *rt, const weft_pool_config *complete, int64_t cpus, weft_pool **ret);
/* Takes and drops a reference. */
void wf_pool_hold(weft_pool *p);
void wf_pool_drop(weft_pool *p);

/* Queues the job: 0. On -errno the caller still owns it. */
int wf_pool_submit(weft_pool *p, wf_job *job);
/* Takes the job off the queue. False: a thread has it. */
bool wf_pool_withdraw(weft_pool *p, wf_job *job);
/* Like wf_pool_withdraw. If a thread runs the job, wf_pool_end with `leave` no longer waits for
 * that thread. */
bool wf_pool_abandon(weft_pool *p, wf_job *job);
/* Takes the first job. The queue must not be empty. */
wf_job *wf_pool_take_locked(weft_pool *p, int64_t now);
/* Takes all jobs, linked by `next`. */
wf_job *wf_pool_take_all_locked(weft_pool *p);

/* Refuses new jobs, waits for the others and ends all threads. False: `until` came first. With
 * `leave` it does not wait for threads whose jobs were given up. They may run on after it, so the
 * pool's memory must stay. */
bool wf_pool_end(weft_pool *p, int64_t until, bool leave);
/* Whether no job is queued or runs, and the end of each one has been reported. */
bool wf_pool_is_quiet(weft_pool *p);
/* Logs the running jobs. Each line begins with `what`. */
void wf_pool_report(weft_pool *p, const char *what);
void wf_pool_count(weft_pool *p, struct weft_pool_counters *ret);

#endif
