/*
 * task.h - a task: its header, and the one word that says what it is doing
 *
 * Purpose     A future that an executor polls on its own, with its waker and its join handle.
 * Threads     Any, through the transitions below; each field says whose it is.
 *
 *                  wake                    take from a queue
 *        IDLE -------------> NOTIFIED ------------------------> RUNNING ---> COMPLETE
 *          ^                    ^                                  |
 *          |  PENDING           |  PENDING, and woken meanwhile    |
 *          +--------------------+----------------------------------+
 *
 *             CANCEL may join any state and stays. JOINER: `joiner` holds the waker of whoever joins.
 *             JLOCK guards `joiner` and the step to COMPLETE. Above them, references: one for the run
 *             (until COMPLETE), one for the handle, one for each cloned waker; who drops the last
 *             frees the memory.
 * Invariants  T1 a task is in at most one queue, and exactly when it is NOTIFIED and not RUNNING; its
 *             run's reference keeps it there. T2 RUNNING: the frame is the polling worker's alone.
 *             T3 COMPLETE: rt is not touched any more, so wakers and handles may outlive the runtime;
 *             the frame's result is constant. T4 every transition is one read-modify-write.
 * Ordering    [task-1] a wake releases what the waker did; taking the task to RUNNING acquires it.
 *             [task-2] COMPLETE releases the result to the joiner. [task-3] the last reference.
 * Failure     Out of memory: wf_task_new returns NULL.
 */
#ifndef WF_TASK_H
#define WF_TASK_H

#include "order.h"
#include "rt.h"
#include "waker.h"

enum {
    WF_TASK_RUNNING = 1 << 0,
    WF_TASK_NOTIFIED = 1 << 1,
    WF_TASK_COMPLETE = 1 << 2,
    WF_TASK_CANCEL = 1 << 3,
    WF_TASK_JOINER = 1 << 4,
    WF_TASK_JLOCK = 1 << 5,
    WF_TASK_REF = 1 << 6,
};

typedef struct wf_task {
    struct wf_task *next;   /* whoever has it in a chain or queue */
    uint64_t        state;  /* the transitions below */
    weft_runtime   *rt;     /* constant; see T3 */
    const char     *site;   /* constant: where it was spawned, "file.c:12" */
    weft_waker      joiner; /* under JLOCK */
    union {
        struct {
            struct wf_task *next, *prev; /* under the lock of the runtime's list of tasks */
        } all;
        struct {
            void (*release)(void *arg, void *memory, size_t size);
            void *arg;
        } memory; /* from COMPLETE on: who frees the task may have no runtime any more */
    };
    weft_frame frame; /* and the rest of the frame behind it */
} wf_task;

_Static_assert(offsetof(wf_task, frame) <= 64, "a task costs its frame and at most 64 bytes");

extern const weft_waker_vtable wf_task_vtable;

/* A task in state NOTIFIED with the frame's arguments copied; the caller queues it. `n_refs`: 1, or 2
 * with a handle. NULL: out of memory. */
wf_task *wf_task_new(weft_runtime *rt, const weft_future_ops *ops, uint32_t at, const void *args,
                     size_t size, const char *site, unsigned n_refs);
/* Frees a task that was never queued. */
void wf_task_discard(wf_task *t);
/* Drops a reference: the run's once COMPLETE, a handle's, a waker's. */
void wf_task_unref(wf_task *t);

typedef enum wf_task_wake_result { WF_TASK_WAKE_NOTHING, WF_TASK_WAKE_QUEUE } wf_task_wake_result;
typedef enum wf_task_idle_result { WF_TASK_IDLE_DONE, WF_TASK_IDLE_REQUEUE } wf_task_idle_result;

/* Asks for a poll. QUEUE: the caller must queue the task. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_notified(wf_task *t);
/* The same, and makes its awaits end. */
WEFT_NODISCARD wf_task_wake_result wf_task_to_cancelled(wf_task *t);
/* Taken from a queue; true if it has been cancelled. */
WEFT_NODISCARD bool wf_task_to_running(wf_task *t);
/* Its poll answered PENDING. REQUEUE: it was woken meanwhile. */
WEFT_NODISCARD wf_task_idle_result wf_task_to_idle(wf_task *t);
/* Its poll answered READY: hands over to the joiner. The run's reference is still the caller's. */
void wf_task_to_complete(wf_task *t);

/* True if the task is COMPLETE; otherwise `waker` is woken when it will be. */
WEFT_NODISCARD bool wf_task_join(wf_task *t, const weft_waker *waker);
/* Nobody waits for its end any more. */
void wf_task_unjoin(wf_task *t);

static inline bool wf_task_is_complete(const wf_task *t)
{
    return wf_load(&t->state, ACQUIRE) & WF_TASK_COMPLETE; /* [task-2] */
}

#endif
