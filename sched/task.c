/*
 * task.c - a task: its header, and the one word that says what it is doing
 *
 * Purpose     See task.h.
 * Threads     See task.h.
 * Invariants  See task.h.
 * Ordering    See task.h.
 * Failure     See task.h.
 */
#include "task.h"

#include "executor.h"

#include <ck_backoff.h>
#include <sched.h>
#include <string.h>

static size_t task_size(const weft_future_ops *ops)
{
    return offsetof(wf_task, frame) + ops->size;
}

wf_task *wf_task_new(weft_runtime *rt, const weft_future_ops *ops, uint32_t at, const void *args,
                     size_t size, const char *site, unsigned n_refs)
{
    wf_task *t = wf_alloc(&rt->config.allocator, task_size(ops));

    if (!t)
        return NULL;
    t->next = NULL;
    t->state = WF_TASK_NOTIFIED | (uint64_t)n_refs * WF_TASK_REF;
    t->rt = rt;
    t->site = site;
    t->joiner = (weft_waker){0};
    weft_frame_init_(&t->frame, ops, at, args, size);
    return t;
}

void wf_task_unref(wf_task *t)
{
    uint64_t was = wf_sub(&t->state, WF_TASK_REF, ACQ_REL); /* [task-3] */

    if (was / WF_TASK_REF == 1)
        t->memory.release(t->memory.arg, t, task_size(t->frame.future.ops));
}

wf_task_wake_result wf_task_to_notified(wf_task *t)
{
    uint64_t was = wf_or(&t->state, WF_TASK_NOTIFIED, ACQ_REL); /* [task-1] */

    return was & (WF_TASK_RUNNING | WF_TASK_NOTIFIED | WF_TASK_COMPLETE) ? WF_TASK_WAKE_NOTHING
                                                                         : WF_TASK_WAKE_QUEUE;
}

wf_task_wake_result wf_task_to_cancelled(wf_task *t)
{
    uint64_t was = wf_or(&t->state, WF_TASK_NOTIFIED | WF_TASK_CANCEL, ACQ_REL); /* [task-1] */

    return was & (WF_TASK_RUNNING | WF_TASK_NOTIFIED | WF_TASK_COMPLETE) ? WF_TASK_WAKE_NOTHING
                                                                         : WF_TASK_WAKE_QUEUE;
}

bool wf_task_to_running(wf_task *t)
{
    /* NOTIFIED is set and RUNNING is not (T1): one addition flips both. [task-1] */
    return wf_add(&t->state, (uint64_t)WF_TASK_RUNNING - WF_TASK_NOTIFIED, ACQ_REL) &
           WF_TASK_CANCEL;
}

void wf_task_discard(wf_task *t)
{
    wf_release(&t->rt->config.allocator, t, task_size(t->frame.future.ops));
}

wf_task_idle_result wf_task_to_idle(wf_task *t)
{
    uint64_t was = wf_sub(&t->state, WF_TASK_RUNNING, ACQ_REL); /* [task-1] */

    return was & WF_TASK_NOTIFIED ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;
}

/* Takes JLOCK and returns the state it was taken in. Held for a few instructions. */
static uint64_t joiner_lock(wf_task *t)
{
    ck_backoff_t backoff = 8;
    uint64_t     was;

    while ((was = wf_or(&t->state, WF_TASK_JLOCK, ACQ_REL)) & WF_TASK_JLOCK) { /* [task-2] */
        if (backoff >= 512)
            sched_yield(); /* the kernel has preempted the holder */
        else
            ck_backoff_eb(&backoff);
    }
    return was;
}

void wf_task_to_complete(wf_task *t)
{
    uint64_t state = wf_load(&t->state, RELAXED); /* the CAS below checks it */
    wf_wakes wakes = {0};

    while (!(state & (WF_TASK_JOINER | WF_TASK_JLOCK)))
        if (wf_cas(&t->state, &state, (state | WF_TASK_COMPLETE) & ~(uint64_t)WF_TASK_RUNNING,
                   ACQ_REL)) /* [task-2] */
            return;
    joiner_lock(t);
    wf_waker_fire(&t->joiner, &wakes);
    wf_or(&t->state, WF_TASK_COMPLETE, RELEASE); /* [task-2] */
    wf_and(&t->state, ~(uint64_t)(WF_TASK_RUNNING | WF_TASK_JOINER | WF_TASK_JLOCK),
           RELEASE); /* [task-2] */
    wf_wakes_flush(&wakes);
}

bool wf_task_join(wf_task *t, const weft_waker *waker)
{
    if (wf_task_is_complete(t))
        return true;
    if (joiner_lock(t) & WF_TASK_COMPLETE) {
        wf_and(&t->state, ~(uint64_t)WF_TASK_JLOCK, RELEASE); /* [task-2] */
        return true;
    }
    wf_waker_store(&t->joiner, waker);
    wf_or(&t->state, WF_TASK_JOINER, RELEASE);            /* [task-2] */
    wf_and(&t->state, ~(uint64_t)WF_TASK_JLOCK, RELEASE); /* [task-2] */
    return false;
}

void wf_task_unjoin(wf_task *t)
{
    joiner_lock(t);
    wf_waker_forget(&t->joiner);
    wf_and(&t->state, ~(uint64_t)(WF_TASK_JLOCK | WF_TASK_JOINER), RELEASE); /* [task-2] */
}

static weft_waker task_clone(void *data)
{
    wf_task *t = data;

    wf_add(&t->state, WF_TASK_REF, RELAXED); /* the caller's waker holds a reference meanwhile */
    return (weft_waker){&wf_task_vtable, t};
}

static void task_wake_by_ref(void *data)
{
    wf_task *t = data;

    if (wf_task_to_notified(t) == WF_TASK_WAKE_QUEUE)
        wf_executor_queue(t);
}

static void task_drop(void *data)
{
    wf_task_unref(data);
}

static void task_wake(void *data)
{
    task_wake_by_ref(data);
    wf_task_unref(data);
}

static void *task_notify(void *data)
{
    return wf_task_to_notified(data) == WF_TASK_WAKE_QUEUE ? data : NULL;
}

const weft_waker_vtable wf_task_vtable = {task_clone, task_wake, task_wake_by_ref, task_drop,
                                          task_notify};
