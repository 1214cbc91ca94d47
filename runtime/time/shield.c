/*
 * shield.c - futures that a cancel reaches later
 *
 * Purpose     Lets clean-up code await.
 * Threads     The future's owner.
 * Invariants  Y2 The patience of a shield begins with the poll that first sees the cancel.
 * Ordering    None.
 * Failure     Without a runtime a shield has no patience.
 */
#include "inner.h"
#include "sleep.h"

/* Hides the cancel from the guarded future. Timeouts around the shield do not end it sooner than
 * the shield's own patience does. */
static weft_poll shield_poll_inner(struct weft_shield *self, weft_context *cx)
{
    uint32_t  flags = cx->flags;
    int64_t   deadline = cx->deadline;
    weft_poll poll;

    cx->flags &= ~(uint32_t)WEFT_CONTEXT_CANCELLED_;
    cx->deadline = self->counts_ ? self->nap_.deadline_ : WEFT_FOREVER;
    poll = weft_future_poll_inner(self->inner_, cx);
    cx->flags = flags;
    cx->deadline = deadline;
    return poll;
}

/* The patience is over. Cancels the guarded future as if there were no shield. */
static weft_poll shield_drain(struct weft_shield *self, weft_context *cx)
{
    weft_poll poll = weft_future_cancel(self->inner_);

    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(self->inner_, cx);
    return weft_poll_is_ready(poll) ? weft_ready(&self->future, self->inner_->result)
                                    : WEFT_PENDING;
}

static weft_poll shield_poll(weft_future *future, weft_context *cx)
{
    struct weft_shield *self = weft_container(future, struct weft_shield, future);
    bool                unwinds = cx->flags & WEFT_CONTEXT_UNWINDS_;
    bool                begun = weft_future_is_pending(self->inner_) || self->counts_;
    bool cancelled = weft_future_is_cancelled(future) || (cx->flags & WEFT_CONTEXT_CANCELLED_);

    if (weft_future_is_cancelled(future) && !begun)
        /* Cancelled before its first poll: the guarded future never begins. */
        return shield_drain(self, cx);
    if (cancelled && !self->counts_) {
        self->counts_ = true;
        weft_sleep(&self->nap_, self->patience_);
        if (cx->runtime)
            wf_nap_settle(&self->nap_, cx->runtime);
    }
    if (self->counts_ && weft_future_is_ready(&self->nap_.future))
        return shield_drain(self, cx);
    if (unwinds) {
        wf_nap_end(&self->nap_, cx);
        return shield_drain(self, cx);
    }
    if (weft_poll_is_ready(shield_poll_inner(self, cx))) {
        if (self->counts_)
            wf_nap_end(&self->nap_, cx);
        return weft_ready(future, self->inner_->result);
    }
    if (!self->counts_ || !weft_poll_is_ready(weft_future_poll_inner(&self->nap_.future, cx)))
        return WEFT_PENDING;
    return shield_drain(self, cx);
}

static void shield_cancel(weft_future *future)
{
    (void)future; /* the patience begins with the next poll */
}

static const weft_future *shield_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? weft_container(future, struct weft_shield, future)->inner_ : NULL;
}

#define SHIELD_FLAGS                                                                               \
    (WEFT_FUTURE_DRAINS | WEFT_FUTURE_CLEANS_UP | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_)

static const wf_outer_ops shield_ops = {
    {sizeof(struct weft_shield), SHIELD_FLAGS, "weft_shield", shield_poll, shield_cancel},
    shield_inner,
    false,
    NULL,
    NULL};

WEFT_API weft_future *weft_shield(struct weft_shield *guard, weft_future *future, int64_t patience)
{
    weft_future_init(&guard->future, &shield_ops.ops);
    guard->inner_ = future;
    guard->patience_ = patience;
    guard->counts_ = false;
    return &guard->future;
}
