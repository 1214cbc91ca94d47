/*
 * source.c - see weft/sequence.h
 *
 * Purpose     Sequences of what channels and intervals give. Most are one call.
 * Threads     The sequence's owner.
 * Invariants  None.
 * Ordering    None.
 * Failure     That of the channel or the interval.
 */
#include "inner.h"
#include "waits.h"

#include <weft/sequence.h>

static weft_source *source_of(weft_sequence *sequence)
{
    return weft_container(sequence, weft_source, sequence);
}

static weft_sequence *init(weft_source *source, void *from,
                           weft_future *(*next)(weft_sequence *sequence, void *ret_item))
{
    source->sequence.next = next;
    source->from_ = from;
    return &source->sequence;
}

static weft_future *mpsc_next(weft_sequence *sequence, void *ret_item)
{
    weft_source *source = source_of(sequence);

    return weft_mpsc_receive(&source->wait_, source->from_, ret_item);
}

WEFT_API weft_sequence *weft_sequence_of_mpsc(weft_source *source, weft_mpsc_receiver *receiver)
{
    return init(source, receiver, mpsc_next);
}

static weft_future *mpmc_next(weft_sequence *sequence, void *ret_item)
{
    weft_source *source = source_of(sequence);

    return weft_mpmc_receive(&source->wait_, source->from_, ret_item);
}

WEFT_API weft_sequence *weft_sequence_of_mpmc(weft_source *source, weft_mpmc_receiver *receiver)
{
    return init(source, receiver, mpmc_next);
}

static weft_future *broadcast_next(weft_sequence *sequence, void *ret_item)
{
    weft_source *source = source_of(sequence);

    return weft_broadcast_receive(&source->wait_, source->from_, ret_item);
}

WEFT_API weft_sequence *weft_sequence_of_broadcast(weft_source             *source,
                                                   weft_broadcast_receiver *receiver)
{
    return init(source, receiver, broadcast_next);
}

static weft_future *interval_next(weft_sequence *sequence, void *ret_item)
{
    (void)ret_item;
    return weft_interval_tick(source_of(sequence)->from_);
}

WEFT_API weft_sequence *weft_sequence_of_interval(weft_source *source, weft_interval *interval)
{
    return init(source, interval, interval_next);
}

/* ---- a watch: a change, and then the value ---- */

static weft_poll watch_poll(weft_future *future, weft_context *cx)
{
    weft_source *source = weft_container(future, weft_source, watch_);
    weft_future *changed = &source->wait_.future;
    weft_poll    poll = WEFT_PENDING;

    if (weft_future_is_cancelled(future))
        poll = weft_future_cancel(changed);
    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(changed, cx);
    if (!weft_poll_is_ready(poll))
        return WEFT_PENDING;
    if (changed->result >= 0)
        weft_watch_read(source->from_, source->ret_item_);
    return weft_ready(future, changed->result);
}

static const weft_future *watch_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? &weft_container(future, weft_source, watch_)->wait_.future : NULL;
}

static const wf_outer_ops watch_ops = {{sizeof(weft_source),
                                        WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                        "weft_sequence_of_watch", watch_poll, wf_wait_cancel},
                                       watch_inner,
                                       false,
                                       NULL,
                                       NULL};

static weft_future *watch_next(weft_sequence *sequence, void *ret_item)
{
    weft_source *source = source_of(sequence);

    weft_future_init(&source->watch_, &watch_ops.ops);
    source->ret_item_ = ret_item;
    (void)weft_watch_changed(&source->wait_, source->from_);
    return &source->watch_;
}

WEFT_API weft_sequence *weft_sequence_of_watch(weft_source *source, weft_watch_receiver *receiver)
{
    return init(source, receiver, watch_next);
}
