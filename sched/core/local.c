/*
 * local.c - an executor in the caller's memory, polled by one thread
 *
 * Purpose     Tasks with a flag each, polled in the order in which they were added.
 * Threads     Owner: init, add, turn, run, and all fields but three. Wakers and cancel: any thread
 *             and any interrupt handler. They touch woken_, cancel_ and any_ and nothing else.
 * Invariants  L1 a task whose flag is up was woken since its last poll began. L2 if a task's flag
 *             is up and no turn is under way, any_ is up or about to be, so the owner never idles
 *             while a task is woken. L3 no waker is counted: the task's memory outlives them all.
 * Ordering    [local-1] a wake raises woken_. The owner takes woken_ before the poll, which so sees
 *             what the waking thread wrote. [local-2] the wake then raises any_. A turn takes any_
 *             before it looks at the tasks, so a wake that it misses leaves any_ up for the next
 *             turn. [local-3] cancel_ is raised before the wake that makes the owner look at it.
 * Failure     None: takes no memory and calls nothing that fails. A turn within a turn aborts.
 */
#include <weft/local.h>

#include "order.h"

static weft_waker task_clone(void *data);
static void       task_wake(void *data);
static void       task_drop(void *data);
static void      *task_notify(void *data);

static const weft_waker_vtable task_vtable = {task_clone, task_wake, task_wake, task_drop,
                                              task_notify};

static weft_waker task_clone(void *data)
{
    return (weft_waker){&task_vtable, data}; /* L3 */
}

static void task_wake(void *data)
{
    weft_local_task       *t = data;
    const weft_local_port *port = t->local_->port_;

    wf_flag_raise(&t->woken_);       /* [local-1] */
    wf_flag_raise(&t->local_->any_); /* [local-2] */
    if (port && port->notify)
        port->notify(port->arg);
}

static void task_drop(void *data)
{
    (void)data;
}

/* The wake is complete here: the caller has nothing to queue. The function exists all the same,
 * since only wakers that have it can be borrowed by futures and marked by select. */
static void *task_notify(void *data)
{
    task_wake(data);
    return NULL;
}

WEFT_API void weft_local_init(weft_local *local, const weft_local_port *port)
{
    *local = (weft_local){.port_ = port, .end_ = &local->first_};
}

WEFT_API void weft_local_add(weft_local *local, weft_local_task *task, weft_future *future)
{
    *task = (weft_local_task){.future = future, .local_ = local};
    *local->end_ = task;
    local->end_ = &task->next_;
    local->n_++;
    task_wake(task);
}

WEFT_API void weft_local_cancel(weft_local_task *task)
{
    wf_flag_raise(&task->cancel_); /* [local-3] */
    task_wake(task);
}

/* Polls the task if it was woken. Returns true if it has ended. */
static bool poll_task(weft_local *local, weft_local_task *t)
{
    weft_waker   waker = {&task_vtable, t};
    weft_context cx;
    bool         ready;

    if (!wf_flag_take(&t->woken_)) /* [local-1] */
        return false;
    if (wf_load(&t->cancel_, ACQUIRE) && /* [local-3] */
        weft_poll_is_ready(weft_future_cancel(t->future)))
        return true;
    weft_context_init(&cx, &waker, NULL);
    cx.random_ = local->random_;
    ready = weft_poll_is_ready(weft_future_poll_inner(t->future, &cx));
    local->random_ = cx.random_;
    return ready;
}

static void unlink_at(weft_local *local, weft_local_task **at)
{
    weft_local_task *t = *at;

    *at = t->next_;
    if (local->end_ == &t->next_)
        local->end_ = at;
    local->n_--;
}

WEFT_API bool weft_local_turn(weft_local *local)
{
    weft_local_task **at = &local->first_;

    if (local->turning_)
        weft_misuse_("weft_local_turn", "a task must not run the executor that polls it", "local");
    local->turning_ = 1;
    (void)wf_flag_take(&local->any_); /* [local-2] */
    for (uint32_t n = local->n_; n > 0; n--) {
        if (poll_task(local, *at))
            unlink_at(local, at);
        else
            at = &(*at)->next_;
    }
    local->turning_ = 0;
    return wf_load(&local->any_, ACQUIRE) != 0; /* [local-2] */
}

/* Waits for an interrupt, unless a wake has come already. Interrupts are masked, so that no wake
 * comes between the look at any_ and the wait. */
static void idle(weft_local *local)
{
    const weft_local_port *port = local->port_;

    if (!port)
        return;
    if (port->mask)
        port->mask(port->arg);
    if (port->idle && !wf_load(&local->any_, ACQUIRE)) /* [local-2] */
        port->idle(port->arg);
    if (port->unmask)
        port->unmask(port->arg);
}

WEFT_API void weft_local_run(weft_local *local)
{
    while (local->n_ > 0)
        if (!weft_local_turn(local) && local->n_ > 0)
            idle(local);
}
