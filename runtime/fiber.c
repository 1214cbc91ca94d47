/*
 * fiber.c - see weft/fiber.h
 *
 * Purpose     The public side of fibers, and what their functions do outside of one.
 * Threads     Any.
 * Invariants  See sched/fiber.h.
 * Ordering    None.
 * Failure     Spawning: -errno, and nothing has happened.
 */
#include "fiber.h"

#include "executor.h"
#include "local_values.h"
#include "overflow.h"
#include "switch.h"
#include "task.h"
#include "task_spawn.h"

#include <weft/blocking.h>
#include <weft/time.h>

/* ---- spawning ---- */

/* The spawn has failed. Unless the caller is one of its workers, the runtime may have been stopped
 * meanwhile, so nothing of it is used any more. */
WF_SELDOM static void give_back(wf_worker *w, wf_stack *stack)
{
    if (w)
        wf_stack_give(&w->stacks, &w->executor->stacks, stack);
    else
        (void)wf_stack_free(stack);
}

WF_FLATTEN WEFT_API int weft_fiber_spawn_(weft_runtime *rt, weft_handle *ret_handle,
                                          const weft_fiber_options *options,
                                          weft_fiber_function *function, void *argument,
                                          const char *site)
{
    static const weft_fiber_options none;
    struct wf_fiber_in              in = {.function = function, .argument = argument};
    wf_task_origin from = {&wf_fiber_ops, &in, sizeof in, offsetof(wf_fiber, in), 0, site};
    wf_worker     *w = wf_current_thread.worker;
    size_t         size;
    int            r;

    options = options ? options : &none;
    rt = wf_rt_or_current(rt);
    if (!WF_SWITCH_EXISTS)
        return -ENOSYS;
    if (!rt)
        return -ENXIO;
    if (wf_executor_is_child(rt->executor))
        return -ECHILD;
    size = options->stack_size ? options->stack_size : (size_t)rt->config.fiber_stack << 10;
    if (size > WF_STACK_MOST || (options->bound && options->worker >= WF_WORKERS_MAX))
        return -EINVAL;
    from.pin = options->bound ? options->worker + 1 : 0;
    w = w && w->executor == rt->executor ? w : NULL;
    in.stack = wf_stack_take(w ? &w->stacks : NULL, &rt->executor->stacks, size);
    if (!in.stack)
        return -ENOMEM;
    r = w && !from.pin ? wf_task_spawn_owner(w, &from, ret_handle)
                       : wf_task_spawn_any(rt->executor, &from, ret_handle);
    if (r < 0)
        give_back(w, in.stack);
    return r;
}

/* ---- awaiting ---- */

/* The thread is in a poll: an async function, a combinator or the like has called. A function that
 * weft_block_in_place calls may block, but not the tasks of a current-thread runtime that it
 * polls. */
static void refuse_poll(const char *function, const weft_future *future)
{
    if (wf_current_thread.catch &&
        (wf_current_thread.worker || (!wf_current_thread.owned && !wf_current_thread.lent)))
        weft_misuse_(function, "called in a poll, where WEFT_AWAIT belongs; is this no fiber?",
                     future->ops->name);
}

WEFT_API int64_t weft_await(weft_future *future)
{
    wf_fiber *fiber = wf_current_thread.fiber;

    future = wf_local_values_around(future);
    if (__builtin_expect(fiber != NULL, 1))
        return wf_fiber_await(fiber, future);
    refuse_poll("weft_await", future);
    return weft_block_on(NULL, future);
}

WEFT_API int64_t weft_await_cancel(weft_future *future)
{
    if (weft_poll_is_ready(weft_future_cancel(future)))
        return future->result;
    return weft_await(future);
}

WEFT_API void weft_fiber_yield(void)
{
    if (wf_current_thread.fiber)
        wf_fiber_yield(wf_current_thread.fiber);
}

WEFT_API int64_t weft_fiber_sleep(int64_t duration)
{
    struct weft_sleep nap;

    return weft_await(weft_sleep(&nap, duration));
}

WEFT_API bool weft_fiber_is_cancelled(void)
{
    return wf_current_thread.fiber && wf_fiber_is_cancelled(wf_current_thread.fiber);
}

WEFT_API bool weft_fiber_is_current(void)
{
    return wf_current_thread.fiber != NULL;
}

/* ---- overflows ---- */

WEFT_API int weft_fiber_catch_overflow(void)
{
    return wf_overflow_catch();
}

/* ---- deferred calls ---- */

WEFT_API void weft_fiber_defer_(weft_deferred *node)
{
    if (wf_current_thread.fiber)
        wf_fiber_defer(wf_current_thread.fiber, node);
}

WEFT_API void weft_fiber_run_deferred_(weft_deferred *node)
{
    if (wf_current_thread.fiber)
        wf_fiber_run_deferred(wf_current_thread.fiber, node);
    else
        node->call_(node->arg_);
}
