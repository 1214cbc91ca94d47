/*
 * merge.c - see weft/sequence.h
 *
 * Purpose     Several sequences as one: a set of the waits for their next items.
 * Threads     The merge's owner.
 * Invariants  An input is in the set unless its sequence has ended or failed: then `result` is
 *             below 0. The wait for its next item is made when the last item is returned, so the
 *             place `item` has an item only between the end of that wait and its return.
 * Ordering    None.
 * Failure     That of the inputs.
 */
#include "copy.h"
#include "future_set.h"
#include "inner.h"

#include <weft/sequence.h>

static void add(weft_merge *m, uint32_t i)
{
    weft_merge_input *input = &m->inputs_[i];

    weft_future_set_add(&m->set_, i, weft_sequence_next(input->sequence, input->item));
}

/* Notes how the last waits have ended, now that all have. */
static void note_results(weft_merge *m)
{
    for (uint32_t i = 0; i < m->set_.n_; i++) {
        weft_merge_input *input = &m->inputs_[i];

        if (input->result >= 0)
            input->result = weft_future_result(input->slot_.future);
    }
}

/* ---- the next item ---- */

/* The input's wait has ended. Returns what the merge's wait returns, or WEFT_EOF: the input is left
 * out. */
static int64_t take(weft_merge *m, uint32_t i)
{
    weft_merge_input *input = &m->inputs_[i];

    input->result = weft_future_result(input->slot_.future);
    if (input->result < 0)
        return input->result;
    wf_copy(m->ret_item_, input->item, m->size_);
    add(m, i);
    return i;
}

static weft_poll cancel(weft_merge *m, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(&m->set_.future);

    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(&m->set_.future, cx);
    if (!weft_poll_is_ready(poll))
        return WEFT_PENDING;
    if (weft_future_is_ready(&m->set_.all_.future))
        note_results(m); /* the function is being cancelled, and the set has ended */
    return weft_ready(&m->future_, -ECANCELED);
}

static weft_poll merge_poll(weft_future *future, weft_context *cx)
{
    weft_merge *m = weft_container(future, weft_merge, future_);
    int64_t     n;

    if (weft_future_is_cancelled(future))
        return cancel(m, cx);
    for (;;) {
        if (!weft_poll_is_ready(weft_future_poll_inner(&m->set_.future, cx)))
            return WEFT_PENDING;
        n = m->set_.future.result;
        if (n < 0)
            return weft_ready(future, n);
        n = take(m, (uint32_t)n);
        if (n != WEFT_EOF)
            return weft_ready(future, n);
        (void)weft_future_set_next(&m->set_);
    }
}

static void merge_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the wait on the set */
}

static const weft_future *merge_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? &weft_container(future, weft_merge, future_)->set_.future : NULL;
}

#define FLAGS (WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_)

static const wf_outer_ops merge_ops = {
    {sizeof(weft_merge), FLAGS, "weft_sequence_merge", merge_poll, merge_cancel},
    merge_inner,
    false,
    NULL,
    NULL};

static weft_future *merge_next(weft_sequence *sequence, void *ret_item)
{
    weft_merge *m = weft_container(sequence, weft_merge, sequence);

    weft_future_init(&m->future_, &merge_ops.ops);
    (void)weft_future_set_next(&m->set_);
    m->ret_item_ = ret_item;
    return &m->future_;
}

WEFT_API weft_sequence *weft_sequence_merge(weft_merge *merge, weft_merge_input *inputs,
                                            weft_branch *branches, uint32_t n, size_t size)
{
    merge->sequence.next = merge_next;
    merge->inputs_ = inputs;
    merge->size_ = size;
    wf_future_set_init(&merge->set_, n > 0 ? &inputs->slot_ : NULL, sizeof *inputs, branches, n);
    for (uint32_t i = 0; i < n; i++) {
        inputs[i].result = 0;
        add(merge, i);
    }
    return &merge->sequence;
}

/* ---- closing ---- */

/* A cancel does not end it. */
static weft_poll close_poll(weft_future *future, weft_context *cx)
{
    weft_merge *m = weft_container(future, weft_merge, future_);

    if (!weft_poll_is_ready(weft_future_poll_inner(&m->set_.future, cx)))
        return WEFT_PENDING;
    note_results(m);
    return weft_ready(future, 0);
}

static const wf_outer_ops close_ops = {{sizeof(weft_merge), FLAGS | WEFT_FUTURE_CLEANS_UP,
                                        "weft_merge_close", close_poll, merge_cancel},
                                       merge_inner,
                                       false,
                                       NULL,
                                       NULL};

WEFT_API weft_future *weft_merge_close(weft_merge *merge)
{
    weft_future_init(&merge->future_, &close_ops.ops);
    (void)weft_future_set_close(&merge->set_);
    return &merge->future_;
}
