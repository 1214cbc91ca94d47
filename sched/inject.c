/* inject.c - see inject.h */
#include "inject.h"

#include "invariant.h"
#include "lock.h"
#include "task.h"

/* Moves tasks into the ring. Returns the first one that did not fit, or NULL. */
static struct wf_task *fill_ring(wf_inject *q, struct wf_task *t, uint32_t n)
{
    for (; n > 0 && q->ring_n < q->ring_size; n--) {
        q->ring[(q->ring_first + q->ring_n++) & (q->ring_size - 1)] = t;
        t = t->next;
    }
    return n > 0 ? t : NULL;
}

static void append(wf_inject *q, struct wf_task *first, struct wf_task *last)
{
    last->next = NULL;
    if (q->last)
        q->last->next = first;
    else
        q->first = first;
    q->last = last;
}

void wf_inject_push_any(wf_inject *q, struct wf_task *first, struct wf_task *last, uint32_t n)
{
    wf_lock(&q->lock);
    if (!q->first)
        first = fill_ring(q, first, n);
    if (first)
        append(q, first, last);
    /* N2 */
    WF_ASSERT(q->ring_n <= q->ring_size && !q->first == !q->last);
    wf_add(&q->n, n, SEQ_CST); /* [idle-1] */
    wf_count(&q->n_total, n);
    wf_unlock(&q->lock);
}

uint32_t wf_inject_take_any(wf_inject *q, struct wf_task **ret_tasks, uint32_t n)
{
    uint32_t taken = 0;

    if (wf_inject_length_any(q) == 0)
        return 0;
    wf_lock(&q->lock);
    for (; taken < n && q->ring_n > 0; q->ring_n--)
        ret_tasks[taken++] = q->ring[q->ring_first++ & (q->ring_size - 1)];
    for (; taken < n && q->first; q->first = q->first->next)
        ret_tasks[taken++] = q->first;
    if (!q->first)
        q->last = NULL;
    WF_ASSERT(!q->first || taken == n); /* N2: a list is taken from only when the ring is empty */
    wf_unlock(&q->lock);
    return taken;
}

void wf_inject_taken_any(wf_inject *q, uint32_t n)
{
    uint32_t before = wf_sub(&q->n, n, RELEASE); /* [idle-1] the tasks are visible elsewhere now */

    WF_ASSERT(before >= n); /* N1 */
}
