/*
 * worker.h - one thread that polls tasks
 *
 * Purpose     The loop: take a task, poll it, and when there is none steal, then sleep.
 * Threads     The fields say.
 * Invariants  R1 tasks woken leave `woken` at the top, oldest first, for the owner too; tasks spawned
 *             leave `children` at the bottom for the owner and at the top for thieves. R2 `lifo` is the
 *             task that the running task woke last; at most WF_LIFO_RUN of those run in a row.
 * Ordering    deque.h, inject.h, idle.h.
 * Failure     A deque that can't grow: the task goes to the injection queue.
 */
#ifndef WF_WORKER_H
#define WF_WORKER_H

#include "deque.h"
#include "park.h"
#include "rt.h"

#include <pthread.h>

#define WF_LIFO_RUN 3

struct wf_executor;
struct wf_task;

/* One writer, the worker; anybody reads. */
typedef struct wf_worker_counters {
    uint64_t polls, steals, lifo_hits, parks, spawned, ended;
} wf_worker_counters;

typedef struct wf_worker {
    wf_deque woken, children; /* owner and thieves */

    WF_ALIGNED wf_park park; /* any */

    WF_ALIGNED struct wf_executor *executor; /* constant */
    uint32_t                       index;    /* constant */
    pthread_t                      thread;

    struct wf_task *lifo; /* owner, and so on below */
    uint32_t        lifo_run;
    uint32_t        tick;
    uint32_t        random;
    bool            searching;
    bool            polling;
    int64_t         busy_since; /* when the clock was last looked at, and how many polls ago */
    uint32_t        busy_polls;

    WF_ALIGNED wf_worker_counters counters;
} wf_worker;

/* The thread's body. */
void *wf_worker_main(void *worker);

/* Queues a task that a task on this worker has woken: runs next. */
void wf_worker_push_woken_owner(wf_worker *w, struct wf_task *t);
/* Queues a new task. */
void wf_worker_push_child_owner(wf_worker *w, struct wf_task *t);

#endif
