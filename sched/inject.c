/*
 * inject.c - tasks queued by threads that are not workers
 *
 * Purpose     See inject.h.
 * Threads     Any.
 * Invariants  See inject.h.
 * Ordering    See inject.h.
 * Failure     None.
 */
#include "inject.h"

#include "lock.h"
#include "task.h"

void wf_inject_push_any(wf_inject *q, struct wf_task *first, struct wf_task *last, uint32_t n)
{
    last->next = NULL;
    wf_lock(&q->lock);
    if (q->last)
        q->last->next = first;
    else
        q->first = first;
    q->last = last;
    wf_add(&q->n, n, SEQ_CST); /* [idle-1] */
    wf_count(&q->n_total, n);
    wf_unlock(&q->lock);
}

struct wf_task *wf_inject_take_any(wf_inject *q, uint32_t n, uint32_t *ret_n)
{
    struct wf_task *first, *last;
    uint32_t        taken = 1;

    if (wf_inject_length_any(q) == 0)
        return NULL;
    wf_lock(&q->lock);
    first = last = q->first;
    if (first) {
        for (; taken < n && last->next; taken++)
            last = last->next;
        q->first = last->next;
        if (!q->first)
            q->last = NULL;
        last->next = NULL;
    }
    wf_unlock(&q->lock);
    if (first)
        *ret_n = taken;
    return first;
}

void wf_inject_taken_any(wf_inject *q, uint32_t n)
{
    wf_sub(&q->n, n, RELEASE); /* [idle-1] after the tasks have become visible elsewhere */
}
