/*
 * executor.h - the workers of a runtime, from start to stop
 *
 * Purpose     The state that the workers share. Starts and ends their threads.
 * Threads     Any, unless said otherwise.
 * Invariants  S2 workers end only when no task is alive. S4 a forked child touches nothing of this.
 *             (S1: tasks.h; S3: visit.h)
 * Ordering    [executor-1] `stopping` is set before the workers are woken.
 * Failure     Starting fails as pthread_create does, and leaves nothing behind.
 */
#ifndef WF_EXECUTOR_H
#define WF_EXECUTOR_H

#include "core.h"
#include "idle.h"
#include "inject.h"
#include "load.h"
#include "monitor.h"
#include "rt.h"
#include "shared_heap.h"
#include "slab.h"
#include "thread.h"
#include "waker.h"
#include "worker.h"

#include <weft/task.h>

typedef struct wf_executor {
    weft_runtime *rt;
    wf_worker   **workers;
    bool          stopping; /* the workers end */
    bool          closing;
    uint32_t      n_dry; /* grows whenever a worker runs dry during a stop */
    wf_core       core;
    uint32_t      visitors; /* see visit.h */
    wf_load_stats load;
    const char   *is_parent; /* a page that the kernel wipes in forked children: 0 there */
    wf_idle       idle;
    wf_inject     inject;
    wf_monitor    monitor;
    wf_memory     memory;
    wf_stacks     stacks; /* shared */

    wf_thread_host host; /* constant */

    WF_ALIGNED wf_shared_heap shared; /* for threads that are not workers */
    uint64_t                  foreign_spawned;
} wf_executor;

/* Sets rt->executor, with rt->config.workers workers but without threads. Returns 0 or -ENOMEM. */
int wf_executor_new(weft_runtime *rt);
/* Starts the threads. Returns 0 or -errno; after an error no thread runs. */
int wf_executor_start(wf_executor *s);
/* Waits until no task is left. Returns false if the instant comes first. */
bool wf_executor_wait_empty(wf_executor *s, int64_t until);
/* Ends the workers and warns of open handles. No task may be left. */
void wf_executor_stop(wf_executor *s);
void wf_executor_free(wf_executor *s);

/* Whether no task is queued or being polled, and a thread would poll one. If wf_executor_progress
 * is the same before and after, nothing has happened in between. */
bool     wf_executor_is_quiet(const wf_executor *s);
uint64_t wf_executor_progress(const wf_executor *s);

static inline bool wf_executor_is_stopping(const wf_executor *s)
{
    return wf_load(&s->stopping, ACQUIRE); /* [executor-1] */
}

/* Whether this is a forked child of the process that started the runtime. Nothing of the runtime
 * works there. */
static inline bool wf_executor_is_child(const wf_executor *s)
{
    return *s->is_parent == 0;
}

/* Whether the calling thread is one of a runtime's own. In a child that a task has forked, the copy
 * of the worker's thread belongs to no runtime any more. */
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
