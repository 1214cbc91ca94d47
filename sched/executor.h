/*
 * executor.h - the workers of a runtime, and all of its tasks
 *
 * Purpose     Starts and stops the workers, queues tasks wherever the caller stands, keeps the list of
 *             tasks for stopping.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 a task is in the list from before it is queued until just before COMPLETE. S2 workers
 *             end only when the list is empty. S3 a thread that is not the runtime's own counts itself
 *             in n_visitors while it touches the runtime on behalf of a task: the task may end, and
 *             the runtime be stopped, in mid-call.
 * Ordering    [executor-1] n_visitors is left before the runtime is freed. [executor-2] `stopping` is set
 *             before the workers are woken. [executor-3] the count of ended tasks wakes who stops.
 * Failure     Starting fails as pthread_create does, and nothing is left behind.
 */
#ifndef WF_EXECUTOR_H
#define WF_EXECUTOR_H

#include "idle.h"
#include "inject.h"
#include "rt.h"
#include "waker.h"
#include "worker.h"

#define WF_EXECUTOR_SHARDS 16

struct wf_task;

typedef struct wf_shard {
    WF_ALIGNED uint32_t lock;
    bool                closed;
    uint64_t            n;
    struct wf_task     *first;
} wf_shard;

typedef struct wf_executor {
    weft_runtime *rt;
    wf_worker   **workers;
    uint32_t      n_started;
    bool          stopping; /* the workers end */
    uint32_t      n_ended;  /* counts ended tasks while somebody waits for the last */
    bool          closing;
    uint64_t      n_visitors;
    uint64_t      foreign_spawned;
    uint32_t      poll_ns; /* how long a poll takes, about: written by any worker */
    wf_idle       idle;
    wf_inject     inject;
    wf_shard      shard[WF_EXECUTOR_SHARDS];
} wf_executor;

/* Sets rt->executor: rt->config.workers workers, without threads yet. 0 or -ENOMEM. */
int wf_executor_new(weft_runtime *rt);
/* Starts the threads. 0 or -errno, and then none runs. */
int wf_executor_start(wf_executor *s);
/* Refuses new tasks, cancels all. Any number of times. */
void wf_executor_close(wf_executor *s);
/* Waits until no task is left; false at the instant. */
bool wf_executor_wait_empty(wf_executor *s, int64_t until);
/* Names every task that is left, in the log. */
void wf_executor_report(wf_executor *s);
/* Ends the workers; no task may be left. */
void wf_executor_stop(wf_executor *s);
void wf_executor_free(wf_executor *s);

/* A new task's first step into the runtime: 0, or -ESHUTDOWN (the caller frees it). */
int wf_executor_spawn(wf_executor *s, struct wf_task *t);
/* Takes a task that has ended out of the list. */
void wf_executor_forget_task(wf_executor *s, struct wf_task *t);

/* Queues a NOTIFIED task on the caller's worker if it is of the same runtime, else for all workers. */
void wf_executor_queue(struct wf_task *t);
/* The same for a chain. */
void wf_executor_queue_chain(struct wf_task *t);
/* Queues a chain of n for all workers and wakes one if needed. The runtime's own threads only. */
void wf_executor_inject_any(wf_executor *s, struct wf_task *first, struct wf_task *last,
                            uint32_t n);
/* There is new work: wakes a worker unless one is searching already. */
void wf_executor_notify_any(wf_executor *s);

/* For the reactor: queues this runtime's tasks without waking anybody, other runtimes' as usual.
 * True if there was one of ours. */
bool wf_executor_hand_over(wf_executor *s, wf_wakes *wakes);
/* Whether what waits in the queues would take the workers longer than waking one more takes. */
bool wf_executor_wants_help(const wf_executor *s);
/* How many tasks wait in the queues. */
uint64_t wf_executor_backlog(const wf_executor *s);

/* Creates a thread that takes no signals. 0 or -errno. */
int wf_executor_thread(pthread_t *thread, void *(*body)(void *), void *arg, const char *name);

uint64_t wf_executor_alive(wf_executor *s);

static inline bool wf_executor_is_stopping(const wf_executor *s)
{
    return wf_load(&s->stopping, ACQUIRE); /* [executor-2] */
}

#endif
