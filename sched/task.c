/* task.c - see task.h */
#include "task.h"

#include "copy.h"
#include "dispatch.h"
#include "join.h"

#include <stdio.h>
#include <string.h>

#define NOT_IDLE (WF_TASK_RUNNING | WF_TASK_NOTIFIED | WF_TASK_COMPLETE)

wf_task *wf_task_init(wf_task *t, const wf_task_origin *from, bool handle)
{
    uint64_t state = WF_TASK_RUNNING | WF_TASK_REF | (uint64_t)from->pin << WF_TASK_BOUND_SHIFT;

    if (!t)
        return NULL;
    wf_store(&t->site, from->site, RELAXED); /* constants; a visitor may read either one */
    weft_frame_init_(&t->frame, from->ops, 0, from, 0); /* the arguments follow */
    wf_copy((char *)&t->frame + from->at, from->args, from->size);
    if (handle)
        state = wf_word_changed(state, 0, WF_TASK_HANDLE, 1);
    wf_store(&t->state, state, RELEASE); /* [task-1] to visitors */
    return t;
}

wf_task *wf_task_new_owner(wf_heap *h, const wf_task_origin *from, bool handle)
{
    return wf_task_init(wf_heap_take_owner(h, wf_task_slot_size(from)), from, handle);
}

static inline void unref(wf_task *t, uint64_t clear)
{
    /* The thread that holds the only reference saves the read-modify-write: no other thread can add
     * a reference. */
    if (wf_word_is_only_ref(wf_load(&t->state, ACQUIRE)) ||                    /* [task-3] */
        wf_word_is_only_ref(wf_word_change(&t->state, clear, 0, -1, ACQ_REL))) /* [task-3] */
        wf_task_discard(t);
}

void wf_task_unref(wf_task *t)
{
    unref(t, 0);
}

void wf_task_unref_handle(wf_task *t)
{
    unref(t, WF_TASK_HANDLE);
}

static wf_task_wake_result notify(wf_task *t, uint64_t how)
{
    uint64_t was = wf_or(&t->state, how, ACQ_REL); /* [task-1] */

    WF_ASSERT((was & WF_TASK_REFS_MASK) > 0); /* T5 in word.h */
    return was & NOT_IDLE ? WF_TASK_WAKE_NOTHING : WF_TASK_WAKE_QUEUE;
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

    WF_ASSERT(!(state & WF_TASK_COMPLETE)); /* T1: it has left the queues */
    if (state & WF_TASK_RUNNING)
        return state;
    return wf_word_change(&t->state, WF_TASK_NOTIFIED, WF_TASK_RUNNING, 0, ACQ_REL); /* [task-1] */
}

wf_task_idle_result wf_task_to_idle(wf_task *t)
{
    uint64_t was = wf_word_change(&t->state, WF_TASK_RUNNING, 0, 0, ACQ_REL); /* [task-1] */

    return was & WF_TASK_NOTIFIED ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;
}

void wf_task_bind(wf_task *t, uint32_t worker)
{
    if (!wf_task_bound_to(t)) /* RELAXED: see wf_task_bound_to */
        (void)wf_word_change(&t->state, 0, (uint64_t)(worker + 1) << WF_TASK_BOUND_SHIFT, 0,
                             RELAXED);
}

void wf_task_to_panicked(wf_task *t, const char *message)
{
    wf_store(&t->site, message, RELAXED); /* both are constants; COMPLETE publishes */
    (void)wf_word_change(&t->state, 0, WF_TASK_PANIC, 0, RELAXED); /* COMPLETE publishes */
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

void wf_task_to_complete(wf_task *t)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-3] */

    /* Without a joiner one compare-and-swap does it. It fails if a joiner comes meanwhile: then the
     * waker must be fired under JLOCK, which is the longer way in wf_join_complete. Without other
     * references no thread can see COMPLETE, and the task is freed at once. */
    WF_ASSERT(state & WF_TASK_RUNNING); /* T2 */
    if (wf_word_is_only_ref(state)) {
        wf_task_discard(t);
        return;
    }
    while (!(state & (WF_TASK_JOINER | WF_TASK_JLOCK))) {
        uint64_t complete = wf_word_changed(state, WF_TASK_RUNNING, WF_TASK_COMPLETE, -1);

        if (!wf_cas(&t->state, &state, complete, ACQ_REL)) /* [task-2] [task-3] */
            continue;
        if (wf_word_is_only_ref(state))
            wf_task_discard(t);
        return;
    }
    wf_join_complete(t);
}

bool wf_task_to_complete_in_place(wf_task *t)
{
    const uint64_t looked_at = WF_TASK_REFS_MASK | WF_TASK_HANDLE | WF_TASK_JOINER | WF_TASK_JLOCK;
    uint64_t       state = wf_load(&t->state, ACQUIRE); /* [task-3] */

    WF_ASSERT(state & WF_TASK_RUNNING);                                                 /* T2 */
    if (__builtin_expect((state & looked_at) == (2 * WF_TASK_REF | WF_TASK_HANDLE), 1)) /* T4 */
        return true;
    wf_task_to_complete(t);
    return false;
}

static weft_waker task_clone(void *data)
{
    wf_task *t = data;

    /* The waker that is cloned holds a reference, so the task can't be freed meanwhile. */
    (void)wf_word_change(&t->state, 0, 0, 1, RELAXED);
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
