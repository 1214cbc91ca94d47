/*
 * task.h - a task: its header, and the state word that says what it is doing
 *
 * Purpose     A future that an executor polls on its own, with its waker and its join handle.
 * Threads     Any, through the transitions below; the comment at each field names its users.
 *
 *                                                      new --+    +-- it yields
 *                  wake                take from a queue     v    v   |
 *        IDLE -------------> NOTIFIED ------------------->  RUNNING --+----> COMPLETE ---> free (0)
 *          ^                    ^                              |
 *          |  PENDING           |  PENDING, and woken meanwhile|
 *          +--------------------+------------------------------+
 *
 *             RUNNING: a worker polls the task. Or the task is new or has yielded: then it is in
 *             a queue, and is polled without another transition.
 *             CANCEL and PANIC may be added to any state, and stay. JOINER and JLOCK: see join.h.
 *             HANDLE: a handle is open. The bits above these count references: one for the run
 *             (until COMPLETE), one for the handle, one for each cloned waker. The thread that
 *             drops the last reference frees the memory. The top bits are the index plus 1 of the
 *             worker that the task is bound to, or 0 if any worker may run it. All changes go
 *             through the helper in word.h.
 * Invariants  T1 a task is in at most one queue. It is in one when it is NOTIFIED and not RUNNING,
 *             and when it is RUNNING but not being polled; the reference of its run keeps it alive
 *             there. T2 RUNNING: while the task is polled, only the polling worker uses the frame;
 *             while it is queued, no thread does.
 *             T3 COMPLETE: the task does not use the runtime any more, so wakers and handles may
 *             outlive the runtime; the frame's result is constant. T4 the word of a shared task is
 *             changed by read-modify-writes. At the end of the last poll the worker that holds all
 *             references may use plain steps instead: only visitors (slab.h) come without a
 *             reference, and their marks have no effect on a task that has ended.
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
    struct wf_task *next;   /* used by the chain or queue that has it; free slots: the next one */
    uint64_t        state;  /* changed by the wf_task_to_ functions */
    const char     *site;   /* "name\0file.c:12"; PANIC: the message, "...\0" */
    weft_handle    *joiner; /* see JOINER and JLOCK */
    weft_frame      frame;  /* and the rest of the frame behind it */
} wf_task;

_Static_assert(offsetof(wf_task, frame) == 32, "with it, a task of 96 bytes fits 128");

extern const weft_waker_vtable wf_task_vtable;
/* The vtable of wakers that must be cloned to be stored, and of those clones. The future may be
 * handed to another task, and this task may be gone when it is woken. */
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

/* Returns a new task, which the caller queues, or NULL if out of memory. `handle`: the task starts
 * with a reference for a handle. Called by the heap's owner. */
wf_task *wf_task_new_owner(wf_heap *h, const wf_task_origin *from, bool handle);
/* As wf_task_new_owner, in a slot of wf_task_slot_size bytes that the caller has taken. NULL makes
 * NULL. */
wf_task *wf_task_init(wf_task *slot, const wf_task_origin *from, bool handle);

static inline size_t wf_task_slot_size(const wf_task_origin *from)
{
    return offsetof(wf_task, frame) + from->ops->size;
}

/* Drops a reference that is not the handle's. */
void wf_task_unref(wf_task *t);
/* Drops a handle's reference and clears HANDLE. */
void wf_task_unref_handle(wf_task *t);

typedef enum wf_task_wake_result { WF_TASK_WAKE_NOTHING, WF_TASK_WAKE_QUEUE } wf_task_wake_result;
typedef enum wf_task_idle_result { WF_TASK_IDLE_DONE, WF_TASK_IDLE_REQUEUE } wf_task_idle_result;

/* Wakes the task. QUEUE: the caller must queue it. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_notified(wf_task *t);
/* Wakes the task and cancels it: its awaits end. QUEUE: the caller must queue it. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_cancelled(wf_task *t);
/* Wakes and maybe cancels the task for a visitor, which has no reference. QUEUE: the task was IDLE
 * and stays alive until the caller has queued it. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_notified_visitor(wf_task *t, bool cancel);
/* The caller has taken the task from a queue. Returns the state word, with CANCEL and PANIC. */
WEFT_NODISCARD uint64_t wf_task_to_running(wf_task *t);
/* Its poll returned PENDING. REQUEUE: it was woken meanwhile, the caller must queue it. */
WEFT_NODISCARD wf_task_idle_result wf_task_to_idle(wf_task *t);
/* Binds the task to a worker, unless it is bound already. Called by the worker that polls it for
 * the first time. */
void wf_task_bind(wf_task *t, uint32_t worker);
/* Its poll panicked, and it unwinds from now on. The message must be constant. */
void wf_task_to_panicked(wf_task *t, const char *message);
/* Its poll returned READY. Hands the end over to the joiner and drops the run's reference. */
void wf_task_to_complete(wf_task *t);
/* Its poll returned READY within the poll of the task that is about to join it. True: the caller
 * now holds all references, so no other thread waits for the end. The task does not even become
 * COMPLETE: the caller takes the result and discards the task. False: it is COMPLETE. */
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

/* The index plus 1 of its worker, or 0. It changes at most once: a fiber is bound within its first
 * poll. */
static inline uint32_t wf_task_bound_to(const wf_task *t)
{
    /* RELAXED: a thread that queues the task has made it NOTIFIED, which is after the first poll or
     * before the task was queued for that [task-1]. */
    return (uint32_t)(wf_load(&t->state, RELAXED) >> WF_TASK_BOUND_SHIFT);
}

static inline weft_runtime *wf_task_rt(const wf_task *t)
{
    return wf_region_of(t)->rt;
}

/* Its name, or the message of its panic. Both are constants. A caller without a reference may get
 * the name of the slot's next task. */
static inline const char *wf_task_name(const wf_task *t)
{
    return wf_load(&t->site, RELAXED); /* constants */
}

/* Where the task of that name was spawned. "" if the name is the message of a panic. */
static inline const char *wf_task_where(const char *name)
{
    return name + strlen(name) + 1;
}

#define WF_TASK_TEXT 256
/* Writes "task NAME (spawned at FILE:LINE)" or "a task that panicked (FILE:LINE: why)", cut if it
 * is too long. */
const char *wf_task_text(char text[WF_TASK_TEXT], const char *name);

/* Why a COMPLETE task panicked, or NULL if it did not. */
const char *wf_task_panic(const wf_task *t);

#endif
