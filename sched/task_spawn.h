/*
 * task_spawn.h - new tasks
 *
 * Purpose     Makes a task and queues it, whichever thread calls.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 in tasks.h, S3 in visit.h, S4 in executor.h.
 * Ordering    [tasks-1], [tasks-2] in tasks.h.
 * Failure     -errno, and nothing has changed.
 */
#ifndef WF_TASK_SPAWN_H
#define WF_TASK_SPAWN_H

#include "executor.h"

struct wf_task_origin;

/* Spawns a task. Returns 0, or -ESHUTDOWN, -ENOMEM, -EINVAL (the pin is no worker) or -ECHILD;
 * after an error nothing has changed. */
int wf_task_spawn_any(wf_executor *s, const struct wf_task_origin *from, weft_handle *ret_handle);
/* Spawns a task from a task that the worker polls. A pin must name a worker of its runtime. */
int wf_task_spawn_owner(wf_worker *w, const struct wf_task_origin *from, weft_handle *ret_handle);

#endif
