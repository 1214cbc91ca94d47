/*
 * copy.c - one stream into another, and both ways at once
 *
 * Purpose     See include/weft/buffered.h.
 * Threads     The future's owner.
 * Invariants  C1 In each direction one operation at a time is pending: a read into the buffer, or
 *             the write of the bytes that the read brought.
 *             C2 done + left is the number of bytes that were read.
 * Ordering    None.
 * Failure     The errors of reading and writing the streams.
 */
#include "inner.h"
#include "invariant.h"

#include <weft/buffered.h>

#define MORE INT64_MIN /* there is another step */

/* ---- one way ---- */

static void begin_step(struct weft_copy *c)
{
    if (c->writing_)
        weft_write_all(&c->io_, c->to_, c->data, c->left);
    else
        weft_read(&c->io_, c->from_, c->buffer_, c->size_);
}

static int64_t end_read(struct weft_copy *c, int64_t n)
{
    if (n <= 0)
        return n < 0 ? n : (int64_t)c->done;
    c->data = c->buffer_;
    c->left = (size_t)n;
    c->writing_ = true;
    return MORE;
}

static int64_t end_write(struct weft_copy *c, int64_t n)
{
    WF_ASSERT(c->io_.done <= c->left); /* C2 */
    c->done += c->io_.done;
    c->data += c->io_.done;
    c->left -= c->io_.done;
    if (n < 0)
        return n;
    c->writing_ = false;
    return MORE;
}

/* Takes the result of the finished step. Returns the result of the copy, or MORE. */
static int64_t end_step(struct weft_copy *c)
{
    int64_t n = weft_future_result(&c->io_.future);

    return c->writing_ ? end_write(c, n) : end_read(c, n);
}

/* Cancels the pending step, which WITHDRAWS. */
static weft_poll copying_withdraw(struct weft_copy *c, weft_context *cx)
{
    if (weft_future_is_pending(&c->io_.future) &&
        (weft_poll_is_ready(weft_future_cancel(&c->io_.future)) ||
         weft_poll_is_ready(weft_future_poll_inner(&c->io_.future, cx))))
        end_step(c);
    return weft_ready(&c->future, -ECANCELED);
}

static weft_poll copying_poll(weft_future *future, weft_context *cx)
{
    struct weft_copy *c = weft_container(future, struct weft_copy, future);
    int64_t           result = MORE;

    if (weft_future_is_cancelled(future))
        return copying_withdraw(c, cx);
    while (result == MORE) {
        if (!weft_future_is_pending(&c->io_.future))
            begin_step(c);
        if (!weft_poll_is_ready(weft_future_poll_inner(&c->io_.future, cx)))
            return WEFT_PENDING;
        result = end_step(c);
    }
    return weft_ready(future, result);
}

static void copying_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws the step */
}

static const weft_future *copying_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? &weft_container(future, struct weft_copy, future)->io_.future : NULL;
}

static const wf_outer_ops copying_ops = {{sizeof(struct weft_copy),
                                          WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, "weft_copy",
                                          copying_poll, copying_cancel},
                                         copying_inner,
                                         false,
                                         NULL,
                                         NULL};

WEFT_API weft_future *weft_copy(struct weft_copy *copying, weft_stream *from, weft_stream *to,
                                void *buffer, size_t size)
{
    if (size == 0)
        weft_misuse_("weft_copy", "the size of the buffer is 0", "weft_copy");
    *copying = (struct weft_copy){.from_ = from, .to_ = to, .buffer_ = buffer, .size_ = size};
    weft_future_init(&copying->future, &copying_ops.ops);
    return &copying->future;
}

/* ---- both ways ---- */

/* Polls one direction. Returns its error, or 0. */
static int64_t advance(struct weft_copy *way, weft_context *cx)
{
    if (weft_future_is_ready(&way->future) ||
        !weft_poll_is_ready(weft_future_poll_inner(&way->future, cx)))
        return 0;
    if (way->future.result < 0)
        return way->future.result;
    /* If the stream is gone already, the other direction reports that. */
    weft_stream_shutdown(way->to_, SHUT_WR);
    return 0;
}

static void withdraw(struct weft_copy *way, weft_context *cx)
{
    if (!weft_poll_is_ready(weft_future_cancel(&way->future)))
        (void)!weft_poll_is_ready(weft_future_poll_inner(&way->future, cx)); /* READY now */
}

static weft_poll both_poll(weft_future *future, weft_context *cx)
{
    struct weft_copy_both *both = weft_container(future, struct weft_copy_both, future);
    struct weft_copy      *first = both->turn_ ? &both->from_b : &both->from_a;
    struct weft_copy      *second = both->turn_ ? &both->from_a : &both->from_b;
    int64_t                error = -ECANCELED;

    /* The directions take turns, or one could use up the budget of every poll. */
    both->turn_ = !both->turn_;
    if (!weft_future_is_cancelled(future)) {
        error = advance(first, cx);
        if (error == 0)
            error = advance(second, cx);
    }
    if (error < 0) {
        withdraw(first, cx);
        withdraw(second, cx);
        return weft_ready(future, error);
    }
    if (weft_future_is_ready(&first->future) && weft_future_is_ready(&second->future))
        return weft_ready(future, 0);
    return WEFT_PENDING;
}

/* The directions that have not ended. */
static const weft_future *both_inner(const weft_future *future, uint32_t i)
{
    const struct weft_copy_both *both = weft_container(future, struct weft_copy_both, future);

    if (!weft_future_is_ready(&both->from_a.future) && i-- == 0)
        return &both->from_a.future;
    return !weft_future_is_ready(&both->from_b.future) && i == 0 ? &both->from_b.future : NULL;
}

static const wf_outer_ops both_ops = {{sizeof(struct weft_copy_both),
                                       WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, "weft_copy_both",
                                       both_poll, copying_cancel},
                                      both_inner,
                                      true,
                                      NULL,
                                      NULL};

WEFT_API weft_future *weft_copy_both(struct weft_copy_both *both, weft_stream *a, weft_stream *b,
                                     void *buffer, size_t size)
{
    size_t half = size / 2;

    weft_copy(&both->from_a, a, b, buffer, half);
    weft_copy(&both->from_b, b, a, (char *)buffer + half, size - half);
    both->turn_ = false;
    weft_future_init(&both->future, &both_ops.ops);
    return &both->future;
}
