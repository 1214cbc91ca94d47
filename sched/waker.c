/* waker.c - see waker.h */
#include "waker.h"

#include "dispatch.h"
#include "invariant.h"
#include "lock.h"
#include "task.h"

/* A clone may have another vtable than the waker that it was cloned from. The clone of a task's
 * waker says by its vtable that it holds a reference: W5. */
static weft_waker clone_counted(const weft_waker *waker)
{
    weft_waker clone = weft_waker_clone(waker);

    if (clone.vtable == &wf_task_vtable)
        clone.vtable = &wf_task_counted_vtable;
    return clone;
}

void wf_waker_store(weft_waker *slot, const weft_waker *waker)
{
    if (slot->vtable == waker->vtable && slot->data == waker->data)
        return;
    wf_waker_forget(slot);
    if (wf_waker_is_borrowed(waker)) {
        *slot = *waker;
    } else {
        wf_lock_none_held("a waker's clone");
        *slot = clone_counted(waker);
    }
}

void wf_waker_forget(weft_waker *slot)
{
    if (slot->vtable && !wf_waker_is_borrowed(slot)) {
        wf_lock_none_held("a waker's drop");
        weft_waker_drop(*slot);
    }
    slot->vtable = NULL;
}

void wf_wakes_add(wf_wakes *wakes, struct wf_task *t)
{
    t->next = NULL;
    if (wakes->last)
        wakes->last->next = t;
    else
        wakes->first = t;
    wakes->last = t;
}

void wf_waker_fire(weft_waker *slot, wf_wakes *wakes)
{
    struct wf_task *t;

    if (!slot->vtable)
        return;
    if (wf_waker_is_borrowed(slot)) {
        t = slot->vtable->notify_(slot->data);
        if (t)
            wf_wakes_add(wakes, t);
    } else {
        WF_ASSERT(wakes->n_foreign < sizeof wakes->foreign / sizeof *wakes->foreign); /* W4 */
        wakes->foreign[wakes->n_foreign++] = *slot;
    }
    slot->vtable = NULL;
}

void wf_wakes_flush_some(wf_wakes *wakes)
{
    struct wf_task *t = wakes->first;

    wakes->first = wakes->last = NULL;
    if (t)
        wf_dispatch_queue_chain(t);
    wf_wakes_flush_foreign(wakes);
}

/* Another executor's code may spawn. The task that this worker has just run may have ended, and
 * then no task keeps the runtime alive. So for that time the thread is no worker (S3 in
 * visit.h). */
WF_SELDOM static void wake_foreign(wf_wakes *wakes)
{
    struct wf_worker *worker = wf_current_thread.worker;

    wf_lock_none_held("a waker's wake");
    wf_current_thread.worker = NULL;
    while (wakes->n_foreign > 0)
        weft_waker_wake(wakes->foreign[--wakes->n_foreign]);
    wf_current_thread.worker = worker;
}

void wf_wakes_flush_foreign(wf_wakes *wakes)
{
    if (wakes->n_foreign > 0)
        wake_foreign(wakes);
}
