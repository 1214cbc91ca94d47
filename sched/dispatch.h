/*
 * dispatch.h - where a task goes: queueing, and waking workers
 *
 * Purpose     Puts tasks into the right queue for any calling thread, and ensures that a worker
 *             takes them.
 * Threads     Any, unless said otherwise.
 * Invariants  T1 in task.h, S3 in visit.h, S4 in executor.h.
 * Ordering    [idle-1], [worker-1], [worker-3]; [visit-1] in visit.h.
 * Failure     None: tasks that do not fit into a queue go to the injection queue.
 */
#ifndef WF_DISPATCH_H
#define WF_DISPATCH_H

#include "executor.h"

struct wf_task;

/* Queues a NOTIFIED task on the caller's worker if that belongs to the same runtime, else for all
 * workers. */
void wf_dispatch_queue(struct wf_task *t);
/* Queues a chain of NOTIFIED tasks in that way. */
void wf_dispatch_queue_chain(struct wf_task *t);
/* Queues a task that was woken during its poll. It goes behind all others, on this worker or on the
 * one that it is bound to. */
void wf_dispatch_requeue_owner(wf_worker *w, struct wf_task *t);
/* Queues a task that a task on this worker has woken. It runs next. */
void wf_dispatch_push_woken_owner(wf_worker *w, struct wf_task *t);
/* Queues a task behind all others of this worker. */
void wf_dispatch_push_behind_owner(wf_worker *w, struct wf_task *t);
/* Queues a new task as a child of this worker. */
void wf_dispatch_push_child_owner(wf_worker *w, struct wf_task *t);
/* Queues a chain of n tasks for all workers, and wakes one if needed. Only for the runtime's own
 * threads and for visitors. */
void wf_dispatch_inject_any(wf_executor *s, struct wf_task *first, struct wf_task *last,
                            uint32_t n);
/* Queues a chain of n tasks for the worker that they are bound to, and wakes it. Returns whether it
 * slept. */
bool wf_dispatch_mail_any(wf_executor *s, struct wf_task *first, struct wf_task *last, uint32_t n);
/* Queues a chain of n tasks that are all bound to one worker, or all for any: by
 * wf_dispatch_mail_any or wf_dispatch_inject_any. */
void wf_dispatch_push_any(wf_executor *s, struct wf_task *first, struct wf_task *last, uint32_t n);
/* There is new work. Wakes a worker unless one is searching already. Returns whether it did. */
bool wf_dispatch_notify_any(wf_executor *s);
/* How many tasks wait in queues from which any worker may take them. */
uint64_t wf_dispatch_backlog(const wf_executor *s);

#endif
