/*
 * chunks.c - see weft/sequence.h
 *
 * Purpose     Gathers items until there are enough, the time is over, or no more come.
 * Threads     The chunks' owner.
 * Invariants  H1 `next_` is the wait for item number `n_`. It has ended whenever the future is
 *             READY, so that nothing is pending between two waits. H2 The sleep is polled only
 *             while there are items and the chunk is not over.
 * Ordering    None.
 * Failure     That of the sequence, and of a sleep.
 */
#include "clock.h"
#include "inner.h"
#include "invariant.h"
#include "sleep.h"

#include <weft/sequence.h>

/* The wait for an item has ended. `cancelled`: it had been asked to. */
static void note(weft_chunks *c, const weft_context *cx, bool cancelled)
{
    int64_t result = weft_future_result(c->next_);
    int64_t now;

    c->next_ = NULL;
    if (result < 0) {
        if (!cancelled || result != -ECANCELED)
            c->ended_ = result;
        return;
    }
    if (c->n_++ > 0)
        return;
    now = cx->runtime ? weft_clock_now(cx->runtime) : weft_now();
    c->instant_ = c->duration_ == WEFT_FOREVER ? WEFT_FOREVER : wf_after(now, c->duration_);
    weft_sleep_until(&c->nap_, c->instant_);
}

/* Takes items until there is none yet, or the chunk is complete. */
static void gather(weft_chunks *c, weft_context *cx)
{
    while (c->n_ < c->most_ && c->ended_ == 0) {
        if (!c->next_)
            c->next_ = weft_sequence_next(c->from_, c->items_ + (size_t)c->n_ * c->size_);
        if (!weft_poll_is_ready(weft_future_poll_inner(c->next_, cx)))
            return;
        note(c, cx, false);
    }
}

/* Whether the chunk must not wait for more items. */
static bool is_over(weft_chunks *c, weft_context *cx)
{
    if (c->n_ == c->most_ || c->ended_ != 0)
        return true;
    if (c->n_ == 0 || c->instant_ == WEFT_FOREVER ||
        !weft_poll_is_ready(weft_future_poll_inner(&c->nap_.future, cx))) /* H2 */
        return false;
    if (c->nap_.future.result < 0)
        c->ended_ = c->nap_.future.result;
    return true;
}

/* Ends the wait for another item. An item that has come all the same is one of the chunk. */
static bool end_wait(weft_chunks *c, weft_context *cx)
{
    weft_poll poll;

    if (!c->next_)
        return true;
    poll = weft_future_cancel(c->next_);
    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(c->next_, cx);
    if (!weft_poll_is_ready(poll))
        return false;
    note(c, cx, true);
    return true;
}

static int64_t result_of(weft_chunks *c)
{
    int64_t ended = c->ended_;

    if (c->n_ > 0) {
        c->returned_ = true;
        return c->n_;
    }
    c->ended_ = 0;
    return ended;
}

static weft_poll chunks_poll(weft_future *future, weft_context *cx)
{
    weft_chunks *c = weft_container(future, weft_chunks, future);
    bool         cancelled = weft_future_is_cancelled(future);

    if (!cancelled && !c->is_over_) {
        gather(c, cx);
        c->is_over_ = is_over(c, cx);
        if (!c->is_over_)
            return WEFT_PENDING;
    }
    if (!end_wait(c, cx))
        return WEFT_PENDING;
    wf_nap_end(&c->nap_, cx);
    WF_ASSERT(!c->next_ && c->n_ <= c->most_); /* H1 */
    return weft_ready(future, cancelled ? -ECANCELED : result_of(c));
}

static void chunks_cancel(weft_future *future)
{
    (void)future; /* the next poll ends the wait for an item */
}

static const weft_future *chunks_inner(const weft_future *future, uint32_t i)
{
    const weft_chunks *c = weft_container(future, weft_chunks, future);

    return i == 0 ? c->next_ : NULL;
}

static const wf_outer_ops chunks_ops = {{sizeof(weft_chunks),
                                         WEFT_FUTURE_DRAINS | WEFT_FUTURE_SHOWS_,
                                         "weft_chunks_next", chunks_poll, chunks_cancel},
                                        chunks_inner,
                                        false,
                                        NULL,
                                        NULL};

WEFT_API void weft_chunks_init(weft_chunks *chunks, weft_sequence *sequence, void *items,
                               size_t size, uint32_t most, int64_t duration)
{
    if (most == 0)
        weft_misuse_("weft_chunks_init", "a chunk has at least one item", "weft_chunks");
    *chunks = (weft_chunks){
        .from_ = sequence, .items_ = items, .size_ = size, .most_ = most, .duration_ = duration};
}

WEFT_API uint32_t weft_chunks_count(const weft_chunks *chunks)
{
    return chunks->returned_ ? 0 : chunks->n_;
}

WEFT_API weft_future *weft_chunks_next(weft_chunks *chunks)
{
    weft_future_init(&chunks->future, &chunks_ops.ops);
    chunks->n_ = weft_chunks_count(chunks);
    chunks->returned_ = chunks->is_over_ = false;
    weft_sleep_until(&chunks->nap_, chunks->instant_);
    return &chunks->future;
}
