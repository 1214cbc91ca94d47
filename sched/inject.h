/*
 * inject.h - tasks queued by threads that are not workers
 *
 * Purpose     A first-in-first-out queue for the reactor, foreign threads and overflow; workers
 *             take from it in batches.
 * Threads     Any.
 * Invariants  All guarded by the lock. N1 `n` counts the tasks in the ring, in the list, and those
 *             just taken out. N2 the oldest stand in a ring of pointers: a walk along a list, from
 *             task to task, would cost a cache miss for each. Those for which it is too small
 *             follow in a list (task->next); while there is one nothing enters the ring.
 * Ordering    [idle-1] `n` is raised before a pusher looks for sleepers, read by who goes to sleep.
 * Failure     None: pushing allocates nothing.
 */
#ifndef WF_INJECT_H
#define WF_INJECT_H

#include "order.h"

struct wf_task;

typedef struct wf_inject {
    WF_ALIGNED uint32_t lock;
    uint32_t            n;
    uint32_t            ring_first, ring_n; /* the first's number; how many */
    uint32_t            ring_size;          /* constant: 0, or a power of two */
    struct wf_task    **ring;               /* constant */
    struct wf_task     *first, *last;
    uint64_t            n_total; /* guarded by the lock; read for counters */
} wf_inject;

/* Appends a chain of n tasks, linked by next. */
void wf_inject_push_any(wf_inject *q, struct wf_task *first, struct wf_task *last, uint32_t n);
/* Takes up to n of the oldest; how many. They count as waiting until wf_inject_taken_any: nobody
 * who looks for work may think there is none in between. */
uint32_t wf_inject_take_any(wf_inject *q, struct wf_task **ret_tasks, uint32_t n);
void     wf_inject_taken_any(wf_inject *q, uint32_t n);

static inline uint32_t wf_inject_length_any(const wf_inject *q)
{
    return wf_load(&q->n, SEQ_CST); /* [idle-1] */
}

#endif
