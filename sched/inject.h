/*
 * inject.h - tasks queued by threads that are not workers
 *
 * Purpose     A first-in-first-out queue for the reactor, foreign threads and overflow; workers take
 *             from it in batches.
 * Threads     Any.
 * Invariants  The list is intrusive (task->next) and guarded by the lock; `n` is its length and
 *             the tasks just taken out.
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
    struct wf_task     *first, *last;
    uint64_t            n_total; /* guarded by the lock; read for counters */
} wf_inject;

/* Appends a chain of n tasks, linked by next. */
void wf_inject_push_any(wf_inject *q, struct wf_task *first, struct wf_task *last, uint32_t n);
/* Takes up to n of the oldest: a chain ended by NULL, and how many; or NULL. They count as waiting
 * until wf_inject_taken_any: nobody who looks for work may think there is none in between. */
struct wf_task *wf_inject_take_any(wf_inject *q, uint32_t n, uint32_t *ret_n);
void            wf_inject_taken_any(wf_inject *q, uint32_t n);

static inline uint32_t wf_inject_length_any(const wf_inject *q)
{
    return wf_load(&q->n, SEQ_CST); /* [idle-1] */
}

#endif
