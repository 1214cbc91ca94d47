/*
 * token_run.c - see weft/token.h
 *
 * Purpose     Polls a future beside a wait for a token.
 * Threads     The future's owner.
 * Invariants  K5 The wait is queued, with the waker `seen_`, whenever the future is left PENDING
 *             and the token is not cancelled. It has left the queue before the future is READY.
 * Ordering    See token.c.
 * Failure     None.
 */
#include "inner.h"
#include "invariant.h"
#include "token.h"

static weft_token *token_of(const struct weft_token_run *self)
{
    return self->wait_.object_;
}

static bool is_queued(const struct weft_token_run *self)
{
    return self->seen_.vtable != NULL;
}

static weft_poll run_end(struct weft_token_run *self, weft_context *cx)
{
    if (is_queued(self))
        wf_token_withdraw(&self->wait_, cx);
    return weft_ready(&self->future, self->inner_->result);
}

/* Cancels the inner future, once, and polls it on. */
static weft_poll run_drain(struct weft_token_run *self, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(self->inner_);

    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(self->inner_, cx);
    return weft_poll_is_ready(poll) ? run_end(self, cx) : WEFT_PENDING;
}

/* Whether the wait is queued with the context's waker. Another executor's waker may be a copy on
 * the stack, and later that of another task at the same address, so it is none that is known. */
static bool is_known(const struct weft_token_run *self, const weft_waker *waker)
{
    return is_queued(self) && waker->vtable->notify_ && self->seen_.vtable == waker->vtable &&
           self->seen_.data == waker->data;
}

/* Whether the token has been cancelled. If not, the wait is queued with the context's waker. As
 * long as that is the same waker, the queue's lock need not be taken: the slot holds it already. */
static bool run_look(struct weft_token_run *self, weft_context *cx)
{
    if (is_known(self, cx->waker))
        return weft_token_is_cancelled(token_of(self));
    self->seen_ = *cx->waker;
    return wf_token_poll(&self->wait_, cx);
}

static weft_poll run_poll(weft_future *future, weft_context *cx)
{
    struct weft_token_run *self = weft_container(future, struct weft_token_run, future);
    bool                   is_new = !weft_future_is_pending(self->inner_);

    if (weft_future_is_cancelled(future) || weft_future_is_cancelled(self->inner_) ||
        (is_new && weft_token_is_cancelled(token_of(self))))
        return run_drain(self, cx);
    if (weft_poll_is_ready(weft_future_poll_inner(self->inner_, cx)))
        return run_end(self, cx);
    return run_look(self, cx) ? run_drain(self, cx) : WEFT_PENDING;
}

static void run_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the inner future */
}

static const weft_future *run_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? weft_container(future, struct weft_token_run, future)->inner_ : NULL;
}

static const wf_outer_ops run_ops = {{sizeof(struct weft_token_run),
                                      WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
                                      "weft_token_run", run_poll, run_cancel},
                                     run_inner,
                                     false,
                                     NULL,
                                     NULL};

WEFT_API weft_future *weft_token_run(struct weft_token_run *run, weft_token *token,
                                     weft_future *future)
{
    weft_future_init(&run->future, &run_ops.ops);
    run->inner_ = future;
    run->seen_ = (weft_waker){0};
    (void)weft_token_cancelled(&run->wait_, token);
    return &run->future;
}
