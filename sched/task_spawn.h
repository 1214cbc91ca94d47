/*
 * task_spawn.h - new tasks
 *
 * Purpose     Makes a task from where the caller stands, and queues it.
 * Threads     Any, unless said otherwise.
 * Invariants  S1 in tasks.h, S3 in visit.h, S4 in executor.h.
 * Ordering    [tasks-1], [tasks-2] in tasks.h.
 * Failure     -errno, and nothing has happened.
 */
#ifndef WF_TASK_SPAWN_H
#define WF_TASK_SPAWN_H

#include "executor.h"

struct wf_task_origin;

/* Spawns a task: 0; -ESHUTDOWN, -ENOMEM, -EINVAL (the pin), -ECHILD, and then nothing has
 * happened. */
int wf_task_spawn_any(wf_executor *s, const struct wf_task_origin *from, weft_handle *ret_handle);
/* The same from a task of the worker; a pin must be one of its workers. */
int wf_task_spawn_owner(wf_worker *w, const struct wf_task_origin *from, weft_handle *ret_handle);

#endif
