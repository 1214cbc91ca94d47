/*
 * deque.h - work-stealing deque (Chase & Lev 2005; orders from Lê et al. 2013, without fences)
 *
 * Purpose     One worker's runnable tasks. Idle workers steal the oldest.
 * Threads     push, pop: only the owner. steal: any worker, the owner included (then the deque is a
 *             queue).
 * Invariants  D1 top never decreases. D2 bottom - top <= capacity, as the owner sees it. D3 a slot
 *             between top and bottom is written once before bottom passes it. D4 top does not pass
 *             the bottom that the owner has published.
 * Ordering    [deque-1] bottom publishes a slot. [deque-2] owner and thief race for the last task.
 *             [deque-3] a grown buffer is published before the bottom that needs it.
 * Failure     Growing may fail. Then push returns false and the caller queues the task elsewhere.
 */
#ifndef WF_DEQUE_H
#define WF_DEQUE_H

#include "order.h"

#include <weft/runtime.h>

struct wf_task;
struct wf_deque_buffer;

typedef struct wf_deque {
    WF_ALIGNED int64_t      top;    /* thieves */
    WF_ALIGNED int64_t      bottom; /* owner */
    struct wf_deque_buffer *buffer; /* owner; the newest, linked to the older ones */
    const weft_allocator   *alloc;
} wf_deque;

/* Returns 0 or -ENOMEM. */
int wf_deque_init(wf_deque *d, const weft_allocator *alloc);
/* Frees the buffers. No thread may use the deque any more. */
void wf_deque_free(wf_deque *d);

/* Puts a task at the bottom. Returns false when the deque is full or out of memory. It is also a
 * full barrier: what the caller reads next can't be older than the push [idle-1]. */
bool wf_deque_push_owner(wf_deque *d, struct wf_task *t);
/* Puts a task at the bottom without the barrier, which costs as much as all the rest. What the
 * caller reads next may be older than the push. So a look at [idle-1] does not tell the caller
 * whether a thief has just missed the task. */
bool wf_deque_push_unfenced_owner(wf_deque *d, struct wf_task *t);
/* Takes the newest task, or NULL. */
struct wf_task *wf_deque_pop_owner(wf_deque *d);
/* Takes the task if it is the newest. Returns whether it was. */
bool wf_deque_pop_this_owner(wf_deque *d, const struct wf_task *t);
#define WF_DEQUE_NOWHERE INT64_MIN
/* Returns the place of a task if it is among the `most` newest, else NOWHERE. Places grow from the
 * oldest task to the newest. */
int64_t wf_deque_place_owner(const wf_deque *d, const struct wf_task *t, int64_t most);
/* Takes the oldest task, or NULL if there is none. It loses a race only to a thread that got a
 * task. */
struct wf_task *wf_deque_steal_any(wf_deque *d);

/* The place of the newest task. If the deque is empty, the place before that of the next one. */
static inline int64_t wf_deque_newest_owner(const wf_deque *d)
{
    return wf_load(&d->bottom, RELAXED) - 1; /* the owner wrote it */
}

/* How many tasks wait. The answer may be a moment old, except for the owner. */
static inline int64_t wf_deque_length_any(const wf_deque *d)
{
    int64_t top = wf_load(&d->top, SEQ_CST);        /* [idle-1] */
    int64_t n = wf_load(&d->bottom, SEQ_CST) - top; /* [idle-1] */

    return n > 0 ? n : 0;
}

#endif
