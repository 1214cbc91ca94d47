/*
 * mpsc_many.c - receiving many messages of an mpsc channel at once: see mpsc.h
 *
 * Purpose     One lock and one poll for all messages that wait.
 * Threads     The receiver's owner.
 * Invariants  M1. The messages are taken first, and then the waiting senders get the room.
 * Ordering    The lock of the channel.
 * Failure     WEFT_EOF when all senders are closed.
 */
#include "mpsc.h"

/* Under the lock: takes what is there, at most `most`. */
static int64_t take(mpsc *c, char *ret_messages, size_t most)
{
    size_t n = c->line.n < most ? c->line.n : most;

    if (c->line.n == 0)
        return wf_mpsc_at_end(c) ? WEFT_EOF : -EAGAIN;
    for (size_t i = 0; i < n; i++)
        wf_line_take(&c->line, c->buffer, ret_messages + i * c->line.size);
    c->room += n;
    return (int64_t)n;
}

/* Under the lock: the answer, or -EAGAIN while the wait is pending. *ret_waited: whether it had
 * waited and no longer does. */
static int64_t advance(mpsc *c, weft_wait *wait, bool *ret_waited)
{
    int64_t r;

    if (weft_future_is_cancelled(&wait->future))
        r = -ECANCELED;
    else if (c->receiver && c->receiver != wait)
        r = -EBUSY;
    else
        r = take(c, wait->second_, wait->n_);
    *ret_waited = r != -EAGAIN && c->receiver == wait;
    if (r == -EAGAIN)
        c->receiver = wait;
    else if (*ret_waited)
        c->receiver = NULL;
    return r;
}

static weft_poll receive_many_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    bool       cancelled = weft_future_is_cancelled(future), waited;
    weft_waker waker = {0};
    wf_wakes   wakes = {0};
    int64_t    r;

    if (!cancelled && wait->n_ == 0)
        return weft_ready(future, 0);
    if (!cancelled && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (!cancelled)
        waker = wf_waker_prepare(cx->waker);
    wf_lock(&c->lock);
    r = advance(c, wait, &waited);
    if (r == -EAGAIN)
        wf_waker_exchange(&wait->waker_, &waker);
    wf_mpsc_serve_unlock(c, &wakes);
    wf_waker_discard(waker);
    if (r == -EAGAIN) {
        if (c->grows)
            wf_mpsc_shrink(c);
        return WEFT_PENDING;
    }
    if (waited)
        wf_waker_forget(&wait->waker_); /* no other thread knows the slot any more */
    return weft_ready(future, r);
}

static const weft_future_ops receive_many_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                                 "weft_mpsc_receive_many", receive_many_poll,
                                                 wf_wait_cancel};

WEFT_API weft_future *weft_mpsc_receive_many(weft_wait *wait, weft_mpsc_receiver *receiver,
                                             void *ret_messages, size_t most)
{
    wf_wait_init(wait, &receive_many_ops, receiver,
                 most < UINT32_MAX ? (uint32_t)most : UINT32_MAX);
    wait->second_ = ret_messages;
    return &wait->future;
}
