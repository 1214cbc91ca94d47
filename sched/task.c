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

#include "copy.h"
#include "dispatch.h"
#include "lock.h"

#include <stdio.h>
#include <string.h>

#define NOT_IDLE (WF_TASK_RUNNING | WF_TASK_NOTIFIED | WF_TASK_COMPLETE)

static bool is_only_ref(uint64_t state)
{
    return (state & WF_TASK_REFS_MASK) == WF_TASK_REF;
}

static void task_free(wf_task *t)
{
    wf_heap_free_any(wf_current_thread.heap, t);
}

wf_task *wf_task_new_owner(wf_heap *h, const wf_task_origin *from, bool handle)
{
    wf_task *t = wf_heap_take_owner(h, offsetof(wf_task, frame) + from->ops->size);
    uint64_t state = WF_TASK_RUNNING | WF_TASK_REF | (uint64_t)from->pin << WF_TASK_PIN_SHIFT;

    if (!t)
        return NULL;
    wf_store(&t->site, from->site, RELAXED);            /* constants; visitors read whichever */
    weft_frame_init_(&t->frame, from->ops, 0, from, 0); /* the arguments follow */
    wf_copy((char *)&t->frame + from->at, from->args, from->size);
    wf_store(&t->state, handle ? state + WF_TASK_REF + WF_TASK_HANDLE : state,
             RELEASE); /* [task-1] to visitors */
    return t;
}

void wf_task_discard(wf_task *t)
{
    task_free(t);
}

static inline void unref(wf_task *t, uint64_t what)
{
    /* With the only reference nobody else can make one. */
    if (is_only_ref(wf_load(&t->state, ACQUIRE)) ||    /* [task-3] */
        is_only_ref(wf_sub(&t->state, what, ACQ_REL))) /* [task-3] */
        task_free(t);
}

void wf_task_unref(wf_task *t)
{
    unref(t, WF_TASK_REF);
}

void wf_task_unref_handle(wf_task *t)
{
    unref(t, WF_TASK_REF + WF_TASK_HANDLE);
}

static wf_task_wake_result notify(wf_task *t, uint64_t how)
{
    return wf_or(&t->state, how, ACQ_REL) & NOT_IDLE ? WF_TASK_WAKE_NOTHING /* [task-1] */
                                                     : WF_TASK_WAKE_QUEUE;
}

wf_task_wake_result wf_task_to_notified(wf_task *t)
{
    return notify(t, WF_TASK_NOTIFIED);
}

wf_task_wake_result wf_task_to_cancelled(wf_task *t)
{
    return notify(t, WF_TASK_NOTIFIED | WF_TASK_CANCEL);
}

wf_task_wake_result wf_task_to_notified_visitor(wf_task *t, bool cancel)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-1] */
    uint64_t how = cancel ? WF_TASK_NOTIFIED | WF_TASK_CANCEL : WF_TASK_NOTIFIED;

    while (state != 0 && !(state & WF_TASK_COMPLETE) && (cancel || !(state & NOT_IDLE)))
        if (wf_cas(&t->state, &state, state | how, ACQ_REL)) /* [task-1] */
            return state & NOT_IDLE ? WF_TASK_WAKE_NOTHING : WF_TASK_WAKE_QUEUE;
    return WF_TASK_WAKE_NOTHING;
}

uint64_t wf_task_to_running(wf_task *t)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-1] */

    if (state & WF_TASK_RUNNING)
        return state;
    /* NOTIFIED is set (T1): one addition flips both. [task-1] */
    return wf_add(&t->state, (uint64_t)WF_TASK_RUNNING - WF_TASK_NOTIFIED, ACQ_REL);
}

wf_task_idle_result wf_task_to_idle(wf_task *t)
{
    uint64_t was = wf_sub(&t->state, WF_TASK_RUNNING, ACQ_REL); /* [task-1] */

    return was & WF_TASK_NOTIFIED ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;
}

void wf_task_to_panicked(wf_task *t, const char *message)
{
    wf_store(&t->site, message, RELAXED);     /* both are constants */
    wf_or(&t->state, WF_TASK_PANIC, RELAXED); /* COMPLETE publishes both */
}

const char *wf_task_text(char text[WF_TASK_TEXT], const char *name)
{
    const char *where = wf_task_where(name);

    if (*where)
        snprintf(text, WF_TASK_TEXT, "task %s (spawned at %s)", name, where);
    else
        snprintf(text, WF_TASK_TEXT, "a task that panicked (%s)", name);
    return text;
}

const char *wf_task_panic(const wf_task *t)
{
    return wf_load(&t->state, ACQUIRE) & WF_TASK_PANIC ? t->site : NULL; /* [task-2] */
}

/* Somebody joins: their waker is fired under JLOCK, while their future can't end. */
WF_SELDOM static void complete_joined(wf_task *t)
{
    const uint64_t gone = WF_TASK_RUNNING + WF_TASK_JOINER + WF_TASK_JLOCK + WF_TASK_REF;
    wf_wakes       wakes = {0};
    uint64_t       was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    if (was & WF_TASK_JOINER) {
        wf_waker_fire(&t->joiner->waker_, &wakes);
        was = wf_add(&t->state, WF_TASK_COMPLETE - gone, ACQ_REL); /* [task-2] [task-3] */
    } else {                                                       /* it has just been withdrawn */
        was = wf_add(&t->state, WF_TASK_COMPLETE + WF_TASK_JOINER - gone, ACQ_REL); /* as above */
    }
    wf_lock_gave();
    if (is_only_ref(was))
        task_free(t);
    wf_wakes_flush(&wakes);
}

void wf_task_to_complete(wf_task *t)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-3] */

    if (is_only_ref(state)) {
        task_free(t);
        return;
    }
    while (!(state & (WF_TASK_JOINER | WF_TASK_JLOCK))) {
        if (!wf_cas(&t->state, &state, state + WF_TASK_COMPLETE - WF_TASK_RUNNING - WF_TASK_REF,
                    ACQ_REL)) /* [task-2] [task-3] */
            continue;
        if (is_only_ref(state))
            task_free(t);
        return;
    }
    complete_joined(t);
}

bool wf_task_to_complete_in_place(wf_task *t)
{
    const uint64_t looked_at = WF_TASK_REFS_MASK | WF_TASK_HANDLE | WF_TASK_JOINER | WF_TASK_JLOCK;
    uint64_t       state = wf_load(&t->state, ACQUIRE); /* [task-3] */

    if (__builtin_expect((state & looked_at) == (2 * WF_TASK_REF | WF_TASK_HANDLE), 1)) /* T4 */
        return true;
    wf_task_to_complete(t);
    return false;
}

/* The slot may be being fired. */
static bool join_locked(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker), before = {0};
    uint64_t   was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    if (was & WF_TASK_COMPLETE)
        before = wf_waker_take(&handle->waker_);
    else
        wf_waker_exchange(&handle->waker_, &next);
    wf_sub(&t->state, WF_TASK_JLOCK, RELEASE); /* [task-2] */
    wf_lock_gave();
    wf_waker_discard(before);
    wf_waker_discard(next);
    return was & WF_TASK_COMPLETE;
}

bool wf_task_join(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-2] */

    if (state & WF_TASK_COMPLETE)
        return true;
    if (state & WF_TASK_JOINER)
        return join_locked(t, handle, waker);
    /* The slot is nobody else's until JOINER says that it is filled. */
    t->joiner = handle;
    wf_waker_store(&handle->waker_, waker);
    state = wf_or(&t->state, WF_TASK_JOINER, ACQ_REL); /* [task-2] */
    if (state &
        (WF_TASK_COMPLETE | WF_TASK_JLOCK)) /* it has ended, or ends without having seen us */
        return join_locked(t, handle, waker);
    return false;
}

void wf_task_unjoin(wf_task *t)
{
    weft_waker before = {0};
    uint64_t   was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    if ((was & WF_TASK_JOINER) && !(was & WF_TASK_COMPLETE))
        before = wf_waker_take(&t->joiner->waker_);
    wf_sub(&t->state, WF_TASK_JLOCK + (was & WF_TASK_JOINER), RELEASE); /* [task-2] */
    wf_lock_gave();
    wf_waker_discard(before);
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
        wf_dispatch_queue(t);
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

const weft_waker_vtable wf_task_counted_vtable = {task_clone, task_wake, task_wake_by_ref,
                                                  task_drop, task_notify};
