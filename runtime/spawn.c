/*
 * spawn.c - spawning tasks, and their handles
 *
 * Purpose     The public side of task.h.
 * Threads     Any.
 * Invariants  H1 a handle holds one reference on its task until it is joined or detached.
 * Ordering    task.h.
 * Failure     Spawning: -ENOMEM, -ESHUTDOWN, -ENXIO, and nothing has happened.
 */
#include "executor.h"
#include "task.h"

#include <weft/task.h>

static weft_poll join_poll(weft_future *future, weft_context *cx)
{
    weft_handle *handle = weft_container(future, weft_handle, future_);
    wf_task     *t = handle->task_;
    int64_t      result;

    if (weft_future_is_cancelled(future)) {
        wf_task_unjoin(t);
        return weft_ready(future, -ECANCELED);
    }
    if (!weft_context_spend(cx) || !wf_task_join(t, cx->waker))
        return WEFT_PENDING;
    result = t->frame.future.result;
    handle->task_ = NULL;
    wf_task_unref(t);
    return weft_ready(future, result);
}

static void join_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

static const weft_future_ops join_ops = {sizeof(weft_handle), WEFT_FUTURE_WITHDRAWS, "weft_join",
                                         join_poll, join_cancel};

static wf_task *task_of(const weft_handle *handle, const char *function)
{
    if (!handle->task_)
        weft_misuse_(function, "the handle is empty: its task was joined or detached before",
                     "weft_handle");
    return handle->task_;
}

WEFT_API weft_future *weft_join(weft_handle *handle)
{
    task_of(handle, "weft_join");
    weft_future_init(&handle->future_, &join_ops);
    return &handle->future_;
}

WEFT_API void weft_detach(weft_handle *handle)
{
    wf_task *t = task_of(handle, "weft_detach");

    handle->task_ = NULL;
    wf_task_unref(t);
}

WEFT_API void weft_cancel(const weft_handle *handle)
{
    wf_task *t = task_of(handle, "weft_cancel");

    if (wf_task_to_cancelled(t) == WF_TASK_WAKE_QUEUE)
        wf_executor_queue(t);
}

WEFT_API bool weft_is_finished(const weft_handle *handle)
{
    return wf_task_is_complete(task_of(handle, "weft_is_finished"));
}

WEFT_API int weft_spawn_(weft_runtime *rt, weft_handle *ret_handle, const weft_future_ops *ops,
                         uint32_t at, const void *args, size_t size, const char *site)
{
    wf_task *t;
    int      r;

    rt = wf_rt_or_current(rt);
    if (!rt)
        return -ENXIO;
    t = wf_task_new(rt, ops, at, args, size, site, ret_handle ? 2 : 1);
    if (!t)
        return -ENOMEM;
    r = wf_executor_spawn(rt->executor, t);
    if (r < 0)
        wf_task_discard(t);
    else if (ret_handle)
        *ret_handle = (weft_handle){.task_ = t};
    return r;
}
