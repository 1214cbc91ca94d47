/*
 * spawn.c - spawning tasks, and their handles
 *
 * Purpose     The public side of task.h.
 * Threads     Any.
 * Invariants  H1 A handle holds one reference to its task until it is joined or detached.
 * Ordering    See task.h.
 * Failure     Spawning: -errno, and nothing has happened.
 */
#include "dispatch.h"
#include "inner.h"
#include "join.h"
#include "run.h"
#include "task.h"
#include "task_spawn.h"

#include <weft/task.h>

/* Tries to run the task on the joiner's stack. It must not have started and must be on top of its
 * worker's stack, and the joiner must be a task with nothing else to do. True: the task has ended,
 * and the caller has all of its references. */
static inline bool run_in_place(wf_task *t, weft_context *cx)
{
    wf_worker *w = wf_current_thread.worker;

    return w && cx->waker->vtable == &wf_task_vtable && wf_run_child_owner(w, t, &cx->budget);
}

static inline int64_t take_result(weft_handle *handle, const wf_task *t)
{
    handle->task_ = NULL;
    handle->panic_ = wf_task_panic(t);
    return t->frame.future.result;
}

WF_SELDOM static weft_poll join_ended(weft_handle *handle, wf_task *t)
{
    int64_t result = take_result(handle, t);

    wf_task_unref_handle(t);
    return weft_ready(&handle->future_, result);
}

static inline weft_poll join_ended_in_place(weft_handle *handle, wf_task *t)
{
    int64_t result = take_result(handle, t);

    wf_task_discard(t);
    return weft_ready(&handle->future_, result);
}

WF_FLATTEN static weft_poll join_poll(weft_future *future, weft_context *cx)
{
    weft_handle *handle = weft_container(future, weft_handle, future_);
    wf_task     *t = handle->task_;

    if (__builtin_expect(weft_future_is_cancelled(future), 0)) {
        wf_join_withdraw(t);
        return weft_ready(future, -ECANCELED);
    }
    if (!weft_context_spend(cx))
        return WEFT_PENDING;
    if (!wf_task_is_complete(t) && run_in_place(t, cx))
        return join_ended_in_place(handle, t);
    return wf_join_await(t, handle, cx->waker) ? join_ended(handle, t) : WEFT_PENDING;
}

static void join_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

static bool find_joined(const weft_future *future, wf_held_by *ret)
{
    *ret = (wf_held_by){NULL,
                        (uint64_t)(uintptr_t)weft_container(future, weft_handle, future_)->task_};
    return true;
}

static const wf_outer_ops join_ops = {.ops = {sizeof(weft_handle),
                                              WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                              "weft_join", join_poll, join_cancel},
                                      .find_holder = find_joined};

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
    weft_future_init(&handle->future_, &join_ops.ops);
    handle->waker_.vtable = NULL;
    return &handle->future_;
}

WEFT_API const char *weft_handle_name(const weft_handle *handle)
{
    return wf_task_name(task_of(handle, "weft_handle_name"));
}

WEFT_API void weft_detach(weft_handle *handle)
{
    wf_task *t = task_of(handle, "weft_detach");

    if (wf_join_is_pending(t))
        weft_misuse_("weft_detach", "a join of the task is pending", wf_task_name(t));
    handle->task_ = NULL;
    handle->panic_ = NULL;
    wf_task_unref_handle(t);
}

WEFT_API void weft_cancel(const weft_handle *handle)
{
    wf_task *t = task_of(handle, "weft_cancel");

    if (wf_task_to_cancelled(t) == WF_TASK_WAKE_QUEUE)
        wf_dispatch_queue(t);
}

WEFT_API bool weft_is_finished(const weft_handle *handle)
{
    return wf_task_is_complete(task_of(handle, "weft_is_finished"));
}

WEFT_API int weft_spawn_(weft_runtime *rt, weft_handle *ret_handle, int64_t pin,
                         const weft_future_ops *ops, uint32_t at, const void *args, size_t size,
                         const char *site)
{
    wf_task_origin from = {ops, args, size, at, pin == WEFT_ANYWHERE_ ? 0 : (uint32_t)pin + 1,
                           site};

    rt = wf_rt_or_current(rt);
    if (pin != WEFT_ANYWHERE_ && (pin < 0 || pin >= WF_WORKERS_MAX))
        return -EINVAL;
    return rt ? wf_task_spawn_any(rt->executor, &from, ret_handle) : -ENXIO;
}

WF_FLATTEN WEFT_API int weft_spawn_here_(weft_handle *ret_handle, const weft_future_ops *ops,
                                         uint32_t at, const void *args, size_t size,
                                         const char *site)
{
    wf_worker     *w = wf_current_thread.worker;
    wf_task_origin from = {ops, args, size, at, 0, site};

    if (__builtin_expect(!w, 0))
        return weft_spawn_(NULL, ret_handle, WEFT_ANYWHERE_, ops, at, args, size, site);
    return wf_task_spawn_owner(w, &from, ret_handle);
}
