/*
 * dispatch.h - where a task goes: queueing, and waking workers
 *
 * Purpose     Puts tasks into the right queue wherever the caller stands, and sees to it that a
 *             worker takes them.
 * Threads     Any, unless said otherwise.
 * Invariants  T1 in task.h, S3 in visit.h, S4 in executor.h.
 * Ordering    [idle-1], [worker-1], [worker-3]; [visit-1] in visit.h.
 * Failure     None: what a queue has no room for goes to the injection queue.
 */
#ifndef WF_DISPATCH_H
#define WF_DISPATCH_H

#include "executor.h"

struct wf_task;

/* Queues a NOTIFIED task on the caller's worker if it is of the same runtime, else for all
 * workers. */
void wf_dispatch_queue(struct wf_task *t);
/* The same for a chain. */
void wf_dispatch_queue_chain(struct wf_task *t);
/* Queues a task that was woken during its poll behind all others, wherever it may run. */
void wf_dispatch_requeue_owner(wf_worker *w, struct wf_task *t);
/* Queues a task that a task on this worker has woken: runs next. */
void wf_dispatch_push_woken_owner(wf_worker *w, struct wf_task *t);
/* Queues a task behind all others of this worker. */
void wf_dispatch_push_behind_owner(wf_worker *w, struct wf_task *t);
/* Queues a new task. */
void wf_dispatch_push_child_owner(wf_worker *w, struct wf_task *t);
/* Queues a chain of n for all workers and wakes one if needed. The runtime's own threads only. */
void wf_dispatch_inject_any(wf_executor *s, struct wf_task *first, struct wf_task *last,
                            uint32_t n);
/* Queues a chain of n for the worker that they are bound to, and wakes it; whether it slept. */
bool wf_dispatch_mail_any(wf_executor *s, struct wf_task *first, struct wf_task *last, uint32_t n);
/* Queues a chain of n that are all for one worker, or all for any: one of the two above. */
void wf_dispatch_push_any(wf_executor *s, struct wf_task *first, struct wf_task *last, uint32_t n);
/* There is new work: wakes a worker unless one is searching already; whether it did. */
bool wf_dispatch_notify_any(wf_executor *s);
/* How many tasks wait in the queues for any worker. */
uint64_t wf_dispatch_backlog(const wf_executor *s);

#endif
