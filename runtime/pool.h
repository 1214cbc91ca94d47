/*
 * pool.h - a pool of threads: the queue they take jobs from, its life and its counters
 *
 * Purpose     Jobs run in the order they were queued, on threads that come when needed
 *             (pool_threads.h).
 * Threads     Any; take: the pool's own.
 * Invariants  L1 a job is on the queue (`queued`) or somebody's. L2 the pool's memory stays until
 *             nobody awaits a job of it any more.
 * Ordering    The pool's lock. [pool-1] the last reference to the pool. [pool-2] in pool_threads.h.
 *             [pool-3] a job's end has been told, and whom it woke is queued, when n_telling falls.
 * Failure     A pool that is closing or full refuses jobs: -errno, and nothing has happened.
 */
#ifndef WF_POOL_H
#define WF_POOL_H

#include "job.h"

#include <pthread.h>

struct wf_thread;

struct weft_pool {
    weft_runtime  *rt; /* constant, and so on below */
    weft_allocator alloc;
    char           name[16];
    int64_t        most_threads, most_jobs, keep;
    int64_t        base; /* how many run at once, at least */
    weft_pool     *next; /* under the lock of the runtime's list */
    uint64_t       refs; /* futures that await jobs; the pool itself until it is closed */

    WF_ALIGNED uint32_t       lock;    /* guards all below */
    uint32_t                  n_ended; /* what who closes sleeps on */
    bool                      closing;
    wf_job                   *first, *last;
    struct wf_thread         *idle; /* the last to come first */
    struct wf_thread         *watcher, *unused, *newest;
    int64_t                   n_threads; /* those being created, too */
    int64_t                   n_running, n_stuck, room;
    int64_t                   n_left;      /* of those that run: with jobs that were given up */
    bool                      left_behind; /* threads may run after the pool's end */
    uint32_t                  n_telling;   /* [pool-3] threads that have run a job and tell of it */
    bool                      coming;
    uint32_t                  round;      /* how often those that ran were found to be stuck */
    int64_t                   last_taken; /* when */
    uint64_t                  n_seen;     /* jobs taken before the watcher's last look */
    int64_t                   failed;     /* when no thread could be created, or 0 */
    pthread_t                 corpse;     /* the thread that ended last, not yet joined */
    bool                      has_corpse;
    struct weft_pool_counters counters; /* but for `threads` and `running` */
};

/* A pool for so many CPUs. 0 or -ENOMEM. */
int wf_pool_new(weft_runtime *rt, const weft_pool_config *complete, int64_t cpus, weft_pool **ret);
/* References. */
void wf_pool_hold(weft_pool *p);
void wf_pool_drop(weft_pool *p);

/* Queues the job. 0 or -errno: then it stays the caller's. */
int wf_pool_submit(weft_pool *p, wf_job *job);
/* Takes it off the queue; false: a thread has it. */
bool wf_pool_withdraw(weft_pool *p, wf_job *job);
/* The same; if a thread runs it, that runs for itself from now on (n_left). */
bool wf_pool_abandon(weft_pool *p, wf_job *job);
/* The first job; there must be one. All jobs, linked by next. */
wf_job *wf_pool_take_locked(weft_pool *p, int64_t now);
wf_job *wf_pool_take_all_locked(weft_pool *p);

/* Refuses new jobs; waits for the others and ends all threads. False at the instant. With `leave`
 * it does not wait for threads whose jobs were given up: they may go on after it, and the pool must
 * stay. */
bool wf_pool_end(weft_pool *p, int64_t until, bool leave);
/* Whether no job is queued or runs, and those that ran have been told of. */
bool wf_pool_is_quiet(weft_pool *p);
/* Logs the jobs that run. */
void wf_pool_report(weft_pool *p, const char *what);
void wf_pool_count(weft_pool *p, struct weft_pool_counters *ret);

#endif
