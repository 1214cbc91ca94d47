/*
 * dispatch.h - where a task goes: spawning, queueing, waking workers
 *
 * Purpose     Puts tasks into the right queue wherever the caller stands, and sees to it that
 *             somebody takes them.
 * Threads     Any, unless said otherwise.
 * Invariants  T1 in task.h; S1, S3, S4 in executor.h.
 * Ordering    [idle-1]; [worker-1], [worker-3]; [executor-1] and [executor-3] in executor.h.
 * Failure     Queueing can't fail; spawning: -errno, and nothing has happened.
 */
#ifndef WF_DISPATCH_H
#define WF_DISPATCH_H

#include "executor.h"

struct wf_task;
struct wf_task_origin;

/* Spawns a task: 0; -ESHUTDOWN, -ENOMEM, -EINVAL (the pin), -ECHILD, and then nothing has
 * happened. */
int wf_dispatch_spawn(wf_executor *s, const struct wf_task_origin *from, weft_handle *ret_handle);
/* The same from a task of the worker; a pin must be one of its workers. */
int wf_dispatch_spawn_owner(wf_worker *w, const struct wf_task_origin *from,
                            weft_handle *ret_handle);

/* Queues a NOTIFIED task on the caller's worker if it is of the same runtime, else for all
 * workers. */
void wf_dispatch_queue(struct wf_task *t);
/* The same for a chain. */
void wf_dispatch_queue_chain(struct wf_task *t);
/* Queues a task that was woken during its poll behind all others, wherever it may run. */
void wf_dispatch_requeue_owner(wf_worker *w, struct wf_task *t);
/* Queues a task that a task on this worker has woken: runs next. */
void wf_dispatch_push_woken_owner(wf_worker *w, struct wf_task *t);
/* Queues one behind all others of this worker. */
void wf_dispatch_push_behind_owner(wf_worker *w, struct wf_task *t);
/* Queues a new task. */
void wf_dispatch_push_child_owner(wf_worker *w, struct wf_task *t);
/* Queues a chain of n for all workers and wakes one if needed. The runtime's own threads only. */
void wf_dispatch_inject_any(wf_executor *s, struct wf_task *first, struct wf_task *last,
                            uint32_t n);
/* There is new work: wakes a worker unless one is searching already; whether it did. */
bool wf_dispatch_notify_any(wf_executor *s);
/* What was handed over: tasks for any worker, for which none has been woken; tasks that are bound
 * to one; and how many workers slept and were woken for these. */
typedef struct wf_handed {
    uint32_t n_free, n_bound, n_woken;
} wf_handed;

/* For the reactor: queues this runtime's tasks, each worker's own with one wake at most, and other
 * runtimes' as usual. */
wf_handed wf_dispatch_hand_over(wf_executor *s, wf_wakes *wakes);
/* A thread that no task keeps here begins to use the runtime, which is not freed before the thread
 * leaves: S3. False, and nothing is to be left: the runtime stops. */
bool wf_dispatch_visit(wf_executor *s);
void wf_dispatch_leave(wf_executor *s);
/* How many tasks wait in the queues for any worker. */
uint64_t wf_dispatch_backlog(const wf_executor *s);

#endif
