/*
 * inject.h - tasks queued by threads that are not workers
 *
 * Purpose     A first-in, first-out queue for tasks from the reactor, from foreign threads, and
 *             from full deques. Workers take from it in batches.
 * Threads     Any.
 * Invariants  All fields are guarded by the lock. N1 `n` counts the tasks in the ring, in the list,
 *             and those just taken out. N2 the oldest tasks are in a ring of pointers, because
 *             walking a list from task to task would cost a cache miss for each. Tasks that do not
 *             fit into the ring follow in a list (task->next). While the list has a task, no task
 *             enters the ring.
 * Ordering    [idle-1] a pusher raises `n` before it looks for sleepers. A worker reads `n` after
 *             it has announced its sleep.
 * Failure     None: pushing allocates nothing.
 */
#ifndef WF_INJECT_H
#define WF_INJECT_H

#include "order.h"

struct wf_task;

typedef struct wf_inject {
    WF_ALIGNED uint32_t lock;
    uint32_t            n;
    uint32_t            ring_first, ring_n; /* number of the first; how many */
    uint32_t            ring_size;          /* constant: 0, or a power of two */
    struct wf_task    **ring;               /* constant */
    struct wf_task     *first, *last;
    uint64_t            n_total; /* under the lock; counters read it without */
} wf_inject;

/* Appends a chain of n tasks, linked by next. */
void wf_inject_push_any(wf_inject *q, struct wf_task *first, struct wf_task *last, uint32_t n);
/* Takes up to n of the oldest tasks and returns how many. They count as waiting until the caller
 * calls wf_inject_taken_any, so that no thread which looks for work meanwhile finds none. */
uint32_t wf_inject_take_any(wf_inject *q, struct wf_task **ret_tasks, uint32_t n);
void     wf_inject_taken_any(wf_inject *q, uint32_t n);

static inline uint32_t wf_inject_length_any(const wf_inject *q)
{
    return wf_load(&q->n, SEQ_CST); /* [idle-1] */
}

#endif
