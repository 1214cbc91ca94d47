/*
 * delay_queue.c - see weft/delay_queue.h
 *
 * Purpose     A pairing heap of entries, and one sleep until the earliest.
 * Threads     The queue's owner.
 * Invariants  Q1 No entry is earlier than its parent, so the root is the earliest. Q2 `queued_` is
 *             set exactly while the entry is in the heap. Q3 The sleep is in a wheel only while the
 *             wait is pending. Each poll moves it to the instant of the earliest entry.
 * Ordering    None.
 * Failure     That of a sleep.
 */
#include "clock.h"
#include "invariant.h"
#include "sleep.h"

#include <weft/delay_queue.h>

/* ---- the heap ---- */

/* Makes the later of two roots the first child of the other one. Of equal ones `a` stays a root. */
static weft_delay *meld(weft_delay *a, weft_delay *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->instant_ < a->instant_) {
        weft_delay *earlier = b;

        b = a;
        a = earlier;
    }
    b->prev_ = a;
    b->next_ = a->child_;
    if (b->next_)
        b->next_->prev_ = b;
    a->child_ = b;
    return a;
}

static weft_delay *cut(weft_delay *entry)
{
    weft_delay *next = entry->next_;

    entry->next_ = entry->prev_ = NULL;
    return next;
}

/* Makes one heap of siblings: melds them in pairs, and then the pairs from the last to the first.
 * That is what makes a removal cheap on average, and it needs no recursion. */
static weft_delay *meld_siblings(weft_delay *first)
{
    weft_delay *pairs = NULL, *root = NULL;

    while (first) {
        weft_delay *a = first, *b = cut(a), *pair;

        first = b ? cut(b) : NULL;
        pair = meld(a, b);
        pair->next_ = pairs;
        pairs = pair;
    }
    while (pairs) {
        weft_delay *pair = pairs;

        pairs = cut(pair);
        root = meld(pair, root);
    }
    return root;
}

static void take_out(weft_delay_queue *queue, weft_delay *entry)
{
    weft_delay *below = meld_siblings(entry->child_);

    WF_ASSERT(entry->queued_ && queue->n_ > 0); /* Q2 */
    if (entry == queue->first_) {
        queue->first_ = below;
    } else {
        if (entry->prev_->child_ == entry)
            entry->prev_->child_ = entry->next_;
        else
            entry->prev_->next_ = entry->next_;
        if (entry->next_)
            entry->next_->prev_ = entry->prev_;
        queue->first_ = meld(queue->first_, below);
    }
    entry->queued_ = false;
    queue->n_--;
}

/* ---- entries ---- */

WEFT_API void weft_delay_queue_insert_at(weft_delay_queue *queue, weft_delay *entry,
                                         int64_t instant)
{
    *entry = (weft_delay){.instant_ = instant, .queued_ = true};
    queue->first_ = meld(queue->first_, entry);
    queue->n_++;
}

WEFT_API void weft_delay_queue_insert(weft_delay_queue *queue, weft_delay *entry, int64_t duration)
{
    weft_delay_queue_insert_at(queue, entry, wf_after(weft_now(), duration));
}

WEFT_API bool weft_delay_queue_remove(weft_delay_queue *queue, weft_delay *entry)
{
    if (!entry->queued_)
        return false;
    take_out(queue, entry);
    return true;
}

static void reset_at(weft_delay_queue *queue, weft_delay *entry, int64_t instant,
                     const char *function)
{
    if (!weft_delay_queue_remove(queue, entry))
        weft_misuse_(function, "the entry is not in the queue", "weft_delay");
    weft_delay_queue_insert_at(queue, entry, instant);
}

WEFT_API void weft_delay_queue_reset_at(weft_delay_queue *queue, weft_delay *entry, int64_t instant)
{
    reset_at(queue, entry, instant, "weft_delay_queue_reset_at");
}

WEFT_API void weft_delay_queue_reset(weft_delay_queue *queue, weft_delay *entry, int64_t duration)
{
    reset_at(queue, entry, wf_after(weft_now(), duration), "weft_delay_queue_reset");
}

/* ---- waiting ---- */

/* Ends the wait. The sleep may be in any state. */
static weft_poll next_end(weft_delay_queue *queue, weft_context *cx, int64_t result)
{
    wf_nap_end(&queue->nap_, cx); /* Q3 */
    return weft_ready(&queue->future, result);
}

static weft_poll next_poll(weft_future *future, weft_context *cx)
{
    weft_delay_queue *queue = weft_container(future, weft_delay_queue, future);
    weft_delay       *first = queue->first_;

    if (weft_future_is_cancelled(future))
        return next_end(queue, cx, -ECANCELED);
    if (!first)
        return next_end(queue, cx, WEFT_EOF);
    if (queue->nap_.deadline_ != first->instant_)
        weft_sleep_reset(&queue->nap_, first->instant_); /* Q3 */
    if (!weft_poll_is_ready(weft_future_poll_inner(&queue->nap_.future, cx)))
        return WEFT_PENDING;
    if (queue->nap_.future.result < 0)
        return weft_ready(future, queue->nap_.future.result);
    take_out(queue, first);
    *queue->ret_entry_ = first;
    return weft_ready(future, 0);
}

static void next_cancel(weft_future *future)
{
    (void)future; /* the next poll ends the sleep */
}

static const weft_future_ops next_ops = {sizeof(weft_delay_queue), WEFT_FUTURE_WITHDRAWS,
                                         "weft_delay_queue_next", next_poll, next_cancel};

WEFT_API weft_future *weft_delay_queue_next(weft_delay_queue *queue, weft_delay **ret_entry)
{
    weft_future_init(&queue->future, &next_ops);
    weft_sleep_until(&queue->nap_, weft_delay_queue_instant(queue));
    queue->ret_entry_ = ret_entry;
    return &queue->future;
}
