/* task_spawn.c - see task_spawn.h */
#include "task_spawn.h"

#include "dispatch.h"
#include "task.h"
#include "tasks.h"
#include "visit.h"

int wf_task_spawn_owner(wf_worker *w, const wf_task_origin *from, weft_handle *ret_handle)
{
    wf_executor *s = w->executor;
    wf_task     *t;

    if (__builtin_expect(wf_load(&s->closing, RELAXED), 0)) /* a second look follows */
        return -ESHUTDOWN;
    if (__builtin_expect(wf_executor_is_child(s), 0))
        return -ECHILD;
    t = wf_task_new_owner(&w->heap, from, ret_handle != NULL);
    if (__builtin_expect(!t, 0))
        return -ENOMEM;
    if (ret_handle)
        ret_handle->task_ = t;
    wf_store(&w->counters.spawned, w->counters.spawned + 1, RELEASE); /* [tasks-2] */
    if (__builtin_expect(from->pin != 0, 0))
        (void)wf_dispatch_mail_any(s, t, t, 1);
    else
        wf_dispatch_push_child_owner(w, t);
    if (__builtin_expect(wf_load(&s->closing, SEQ_CST), 0)) /* [tasks-1] after it was queued */
        wf_tasks_cancel_all(s);
    return 0;
}

static int spawn_visiting(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    wf_task *t;

    if (wf_load(&s->closing, SEQ_CST)) /* [tasks-1] */
        return -ESHUTDOWN;
    t = wf_task_init(wf_shared_heap_take_any(&s->shared, wf_task_slot_size(from)), from,
                     ret != NULL);
    if (!t)
        return -ENOMEM;
    if (ret)
        ret->task_ = t;
    wf_add(&s->foreign_spawned, 1, RELEASE); /* [tasks-2] */
    wf_dispatch_push_any(s, t, t, 1);
    if (wf_load(&s->closing, SEQ_CST)) /* [tasks-1] */
        wf_tasks_cancel_all(s);
    return 0;
}

/* The caller is in no poll of a task of this runtime, so it must be a visitor, even if it is a
 * thread of the runtime (S3). The first look at `closing` lets threads that spawn again and again
 * not hold up the stopping thread. */
static int spawn_foreign(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    int r;

    if (wf_executor_is_child(s))
        return -ECHILD;
    if (wf_load(&s->closing, RELAXED)) /* a second look follows */
        return -ESHUTDOWN;
    wf_visit_enter(s);
    r = spawn_visiting(s, from, ret);
    wf_visit_leave(s);
    return r;
}

int wf_task_spawn_any(wf_executor *s, const wf_task_origin *from, weft_handle *ret_handle)
{
    wf_worker *w = wf_current_thread.rt == s->rt ? wf_current_thread.worker : NULL;

    if (from->pin > s->idle.n_workers)
        return wf_load(&s->closing, RELAXED) ? -ESHUTDOWN : -EINVAL; /* either is true */
    return w ? wf_task_spawn_owner(w, from, ret_handle) : spawn_foreign(s, from, ret_handle);
}
