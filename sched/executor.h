/*
 * executor.h - the workers of a runtime, from start to stop
 *
 * Purpose     Starts and stops the workers, cancels and counts all tasks; lends the core of a
 *             current-thread runtime.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 a task counts as spawned before it is queued and as ended before it is COMPLETE.
 *             S2 workers end only when no task is alive. S3 a thread that touches the runtime while
 *             no task, and no thread that is joined, keeps it there is a visitor, and is counted: a
 *             thread that is not the runtime's own and wakes a task, which may end, and the runtime
 *             be stopped, in mid-call; and each thread that spawns, but for a worker in the poll of
 *             a task. A blocking job may outlive its task, and a worker that wakes another
 *             executor's task may have ended its own: it is no worker meanwhile (waker.c).
 *             S4 in a forked child nothing here is touched.
 * Ordering    [executor-1] a visitor leaves by a release, and touches nothing after it: the runtime
 *             may be freed. The stopping thread sleeps on the word, in which it has said so: the
 *             visitor that leaves as the last one wakes it. [executor-2] `stopping` is set before
 *             the workers are woken. [executor-3] the stopping thread sets `closing`, then visits
 *             all tasks; a spawner looks at `closing` behind its spawn. A spawner that is no worker
 *             is a visitor, which is a full barrier, and is waited for: one of the two sees the
 *             other. A worker queues children without a barrier ([worker-3]), so both may miss; the
 *             stopping thread visits once more 10 ms later, when such a store has left its core
 *             since long. [executor-4] the stopping thread reads the mask of sleepers, then counts;
 *             a worker that runs dry enters the mask, then looks at `closing` and wakes the
 *             stopping thread. [executor-5] the core of a current-thread runtime is released to the
 *             next; done.
 * Failure     Starting fails as pthread_create does, and nothing is left behind.
 */
#ifndef WF_EXECUTOR_H
#define WF_EXECUTOR_H

#include "idle.h"
#include "inject.h"
#include "load.h"
#include "monitor.h"
#include "rt.h"
#include "slab.h"
#include "thread.h"
#include "waker.h"
#include "worker.h"

#include <weft/task.h>

enum { WF_VISITORS_AWAITED = 1, WF_VISITOR = 2 };

typedef struct wf_executor {
    weft_runtime *rt;
    wf_worker   **workers;
    bool          stopping; /* the workers end */
    bool          closing;
    uint32_t      n_dry;    /* grows whenever a worker runs dry during a stop */
    uint32_t      core;     /* a current-thread runtime: 1 while some thread is its worker; */
    uint32_t      n_core;   /* grows when that ends, and when a caller's `done` is set */
    uint32_t      visitors; /* WF_VISITOR for each, and whether the stopping thread waits */
    wf_load_stats load;
    const char   *is_parent; /* a page that forked children find wiped: 0 there */
    wf_idle       idle;
    wf_inject     inject;
    wf_monitor    monitor;
    wf_memory     memory;

    wf_thread_host host; /* constant */

    WF_ALIGNED uint32_t shared_lock;
    wf_heap             shared; /* under shared_lock: for threads that are not workers */
    uint64_t            foreign_spawned;
} wf_executor;

/* Sets rt->executor: rt->config.workers workers, without threads yet. 0 or -ENOMEM. */
int wf_executor_new(weft_runtime *rt);
/* Starts the threads. 0 or -errno, and then none runs. */
int wf_executor_start(wf_executor *s);
/* Refuses new tasks, cancels all. Any number of times. */
void wf_executor_close(wf_executor *s);
/* Cancels all that are alive. */
void wf_executor_cancel_all(wf_executor *s);
/* All is quiet: gives back what memory the tasks that have ended since do not need any more. */
void wf_executor_tidy(wf_executor *s);
/* Waits until no task is left; false at the instant. */
bool wf_executor_wait_empty(wf_executor *s, int64_t until);
/* Ends the workers and warns of open handles; no task may be left. */
void wf_executor_stop(wf_executor *s);
void wf_executor_free(wf_executor *s);

/* A worker has run dry and is in the mask of sleepers. */
void wf_executor_ran_dry(wf_executor *s);

/* A current-thread runtime: polls tasks on the calling thread until *done, or while another thread
 * does that sleeps until *done or until that one has left. */
void wf_executor_run_core(wf_executor *s, uint32_t *done);
/* Sets *done, for whoever waits. */
void wf_executor_core_done(wf_executor *s, uint32_t *done);

/* Starts the thread of a worker. 0 or -errno. */
int wf_executor_start_worker(wf_executor *s, uint32_t index);

/* Not less than how many tasks are alive; exact when none is spawned or ends meanwhile. */
uint64_t wf_executor_alive(wf_executor *s);

/* Whether no task is queued or being polled, and somebody would poll one. If wf_executor_progress
 * is the same before and after, nothing has happened in between. */
bool     wf_executor_is_quiet(const wf_executor *s);
uint64_t wf_executor_progress(const wf_executor *s);

static inline bool wf_executor_is_stopping(const wf_executor *s)
{
    return wf_load(&s->stopping, ACQUIRE); /* [executor-2] */
}

/* The process has forked, and this is the child: nothing of the runtime works here. */
static inline bool wf_executor_is_child(const wf_executor *s)
{
    return *s->is_parent == 0;
}

/* The calling thread is one of a runtime's. A child that a task has forked goes on with a copy of a
 * worker's thread, which is no runtime's any more. */
static inline bool wf_executor_owns_caller(void)
{
    return wf_current_thread.owned && !wf_executor_is_child(wf_current_thread.rt->executor);
}

static inline void wf_executor_hook(const wf_executor *s, weft_thread_event event, uint32_t index)
{
    const weft_config *config = &s->rt->config;

    if (config->thread_hook)
        config->thread_hook(config->thread_hook_arg, event, index);
}

#endif
