/*
 * task.h - a task: its header, and the one word that says what it is doing
 *
 * Purpose     A future that an executor polls on its own, with its waker and its join handle.
 * Threads     Any, through the transitions below; each field says whose it is.
 *
 *                                                      new --+    +-- it yields
 *                  wake                take from a queue     v    v   |
 *        IDLE -------------> NOTIFIED ------------------->  RUNNING --+----> COMPLETE ---> free (0)
 *          ^                    ^                              |
 *          |  PENDING           |  PENDING, and woken meanwhile|
 *          +--------------------+------------------------------+
 *
 *             RUNNING: it is being polled, or (new, or having yielded) is in a queue and will be
 *             polled without another step.
 *             CANCEL and PANIC may join any state and stay. JOINER and JLOCK: join.h. HANDLE: a
 *             handle is open. Above them references: one for the run (until COMPLETE), one for the
 *             handle, one for each cloned waker; the thread that drops the last one frees the
 *             memory. On top the worker that the task is bound to, plus 1; 0: any may run it. All
 *             of it changes by the helper in word.h.
 * Invariants  T1 a task is in at most one queue: when it is NOTIFIED and not RUNNING, and when it
 *             is RUNNING but not being polled; its run's reference keeps it there. T2 RUNNING: the
 *             frame is the polling worker's alone, or nobody's while it is queued.
 *             T3 COMPLETE: the runtime is not touched any more, so wakers and handles may outlive
 *             it; the frame's result is constant. T4 a task that is shared changes its word by
 *             read-modify-writes. The holder of all references at the end of the last poll may do
 *             without: only visitors (slab.h) come without one, and what they mark is of no use
 *             then.
 * Ordering    [task-1] a wake releases what the waker did; taking the task to RUNNING acquires it.
 *             [task-2] COMPLETE releases the result to the joiner; JLOCK. [task-3] the last
 *             reference.
 * Failure     Out of memory: wf_task_new_owner returns NULL.
 */
#ifndef WF_TASK_H
#define WF_TASK_H

#include "rt.h"
#include "slab.h"
#include "waker.h"
#include "word.h"

#include <string.h>
#include <weft/task.h>

typedef struct wf_task {
    struct wf_task *next;   /* whoever has it in a chain or queue; a free slot's next one */
    uint64_t        state;  /* the transitions below */
    const char     *site;   /* "name\0file.c:12"; PANIC: the message, "...\0" */
    weft_handle    *joiner; /* see JOINER and JLOCK */
    weft_frame      frame;  /* and the rest of the frame behind it */
} wf_task;

_Static_assert(offsetof(wf_task, frame) == 32, "with it, a task of 96 bytes fits 128");

extern const weft_waker_vtable wf_task_vtable;
/* The same for wakers that must be cloned to be stored, and for those clones: the future may be
 * handed to another task, and this one be gone when it is woken. */
extern const weft_waker_vtable wf_task_counted_vtable;

/* Where and what to spawn. */
typedef struct wf_task_origin {
    const weft_future_ops *ops;
    const void            *args; /* copied to `at` in the frame */
    size_t                 size;
    uint32_t               at;
    uint32_t               pin; /* 0, or the worker's index plus 1 */
    const char            *site;
} wf_task_origin;

/* A new task; the caller queues it. `handle`: with a reference for one. NULL: out of
 * memory. The heap's owner. */
wf_task *wf_task_new_owner(wf_heap *h, const wf_task_origin *from, bool handle);
/* Drops a reference: a handle's, a waker's. */
void wf_task_unref(wf_task *t);
/* The same for a handle, which is not open any more. */
void wf_task_unref_handle(wf_task *t);

typedef enum wf_task_wake_result { WF_TASK_WAKE_NOTHING, WF_TASK_WAKE_QUEUE } wf_task_wake_result;
typedef enum wf_task_idle_result { WF_TASK_IDLE_DONE, WF_TASK_IDLE_REQUEUE } wf_task_idle_result;

/* Asks for a poll. QUEUE: the caller must queue the task. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_notified(wf_task *t);
/* The same, and makes its awaits end. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_cancelled(wf_task *t);
/* The same for a visitor, who has no reference: QUEUE only if it is IDLE, and then it stays. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_notified_visitor(wf_task *t, bool cancel);
/* Taken from a queue; the word, with CANCEL and PANIC. */
WEFT_NODISCARD uint64_t wf_task_to_running(wf_task *t);
/* Its poll answered PENDING. REQUEUE: it was woken meanwhile. */
WEFT_NODISCARD wf_task_idle_result wf_task_to_idle(wf_task *t);
/* Its poll panicked: it unwinds from now on. The message must be constant. */
void wf_task_to_panicked(wf_task *t, const char *message);
/* Its poll answered READY: hands over to the joiner, drops the run's reference. */
void wf_task_to_complete(wf_task *t);
/* The same for the holder of the handle, who is about to join. True: the caller has all references,
 * so that no other thread waits for the end, and the task is not even COMPLETE: the caller takes
 * the result and discards the task. */
WEFT_NODISCARD bool wf_task_to_complete_in_place(wf_task *t);

/* Frees a task that was never queued, or of which the caller has all references. */
static inline void wf_task_discard(wf_task *t)
{
    wf_heap_free_any(wf_current_thread.heap, t);
}

static inline bool wf_task_is_complete(const wf_task *t)
{
    return wf_load(&t->state, ACQUIRE) & WF_TASK_COMPLETE; /* [task-2] */
}

/* Constant while somebody has a reference. */
static inline uint32_t wf_task_bound_to(const wf_task *t)
{
    return (uint32_t)(wf_load(&t->state, RELAXED) >> WF_TASK_BOUND_SHIFT); /* constant bits */
}

static inline weft_runtime *wf_task_rt(const wf_task *t)
{
    return wf_region_of(t)->rt;
}

/* Its name; a message, if it has panicked. Constant, and may be asked for without a reference: then
 * it may be that of the slot's next task. */
static inline const char *wf_task_name(const wf_task *t)
{
    return wf_load(&t->site, RELAXED); /* constants */
}

/* Where the task of that name was spawned: "" behind a message. */
static inline const char *wf_task_where(const char *name)
{
    return name + strlen(name) + 1;
}

#define WF_TASK_TEXT 256
/* "task NAME (spawned at FILE:LINE)", or "a task that panicked (FILE:LINE: why)", cut if too
 * long. */
const char *wf_task_text(char text[WF_TASK_TEXT], const char *name);

/* Of a COMPLETE task: why it panicked, or NULL. */
const char *wf_task_panic(const wf_task *t);

#endif
