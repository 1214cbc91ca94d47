/*
 * scope.c - see weft/scope.h
 *
 * Purpose     Polls a body beside a task set, decides by the policy, and ends when nothing runs.
 * Threads     Polls: the owner. Spawns: the body and the children.
 * Invariants  O1 The scope is READY only when the body is, and the set is empty. By then only code
 *             of the body or of a child could have spawned, so the set stays empty. O2 The wait for
 *             the next child is queued whenever the scope is left PENDING and a child runs. O3 The
 *             first result that decides stands. A child that ends with -ECANCELED because the scope
 *             ends decides nothing. O4 While the scope waits it takes nothing from the budget but
 *             what its body takes: otherwise a body that uses up the budget of each poll would keep
 *             its task awake for ever. Each child's end costs one operation.
 * Ordering    See task_set.c.
 * Failure     None.
 */
#include "inner.h"
#include "task_set.h"

#include <weft/scope.h>

/* Cancels all that runs. The poll of the body that must follow is the caller's. */
static void scope_shut(struct weft_scope *self)
{
    self->ends_ = true;
    wf_task_set_shut(&self->set_);
}

static void decide(struct weft_scope *self, int64_t result, weft_member *m)
{
    self->decided_ = true;
    self->result_ = result;
    self->decisive_ = m;
}

/* The body (m is NULL) or a child has failed. */
static void failed(struct weft_scope *self, int64_t result, weft_member *m)
{
    if (self->ends_ && result == -ECANCELED) {
        self->any_cancelled_ = true; /* O3 */
        return;
    }
    if (!self->decided_)
        decide(self, result, m);
    if (self->policy_ == WEFT_SCOPE_FAIL_FAST && !self->ends_)
        scope_shut(self);
}

static void child_ended(struct weft_scope *self, weft_member *m)
{
    if (m->result < 0) {
        failed(self, m->result, m);
    } else if (self->policy_ == WEFT_SCOPE_ANY && !self->won_) {
        self->won_ = true;
        decide(self, m->result, m); /* also if others have failed before */
        if (!self->ends_)
            scope_shut(self);
    }
}

/* Polls the body, if it has not ended. Once the scope ends, the body is cancelled first. */
static void poll_body(struct weft_scope *self, weft_context *cx)
{
    weft_poll poll = WEFT_PENDING;

    if (self->body_ended_)
        return;
    if (self->ends_)
        poll = weft_future_cancel(self->body_);
    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(self->body_, cx);
    if (!weft_poll_is_ready(poll))
        return;
    self->body_ended_ = true;
    if (self->body_->result < 0)
        failed(self, self->body_->result, NULL);
}

typedef enum collected { NONE_LEFT, SOME_RUN, NO_BUDGET } collected;

/* Takes the children that have ended. */
static collected collect(struct weft_scope *self, weft_context *cx)
{
    weft_member *m;
    int64_t      r;

    for (;;) {
        if (!self->waits_)
            (void)weft_task_set_next(&self->wait_, &self->set_, &m);
        r = wf_task_set_poll_next(&self->wait_, cx, &m);
        self->waits_ = r == -EAGAIN; /* O2 */
        if (r < 0)
            return self->waits_ ? SOME_RUN : NONE_LEFT;
        child_ended(self, m);
        if (!weft_context_spend(cx))
            return NO_BUDGET; /* the task has been woken */
    }
}

static weft_poll scope_end(struct weft_scope *self)
{
    int64_t result = self->body_->result;

    if (self->decided_)
        result = self->result_;
    else if (weft_future_is_cancelled(&self->future) && self->any_cancelled_)
        result = -ECANCELED;
    wf_task_set_shut(&self->set_); /* it is empty, and stays so */
    return weft_ready(&self->future, result);
}

static weft_poll scope_poll(weft_future *future, weft_context *cx)
{
    struct weft_scope *self = weft_container(future, struct weft_scope, future);
    collected          found;
    bool               ended;

    if (weft_future_is_cancelled(future) && !self->ends_)
        scope_shut(self);
    if (!self->begun_ && !self->ends_)
        wf_task_set_open(&self->set_);
    self->begun_ = true;
    do {
        poll_body(self, cx);
        ended = self->ends_;
        found = collect(self, cx);
    } while (self->ends_ && !ended && !self->body_ended_); /* the body is to be cancelled at once */
    return found == NONE_LEFT && self->body_ended_ ? scope_end(self) : WEFT_PENDING;
}

static void scope_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the body and the children */
}

static const weft_future *scope_inner(const weft_future *future, uint32_t i)
{
    const struct weft_scope *self = weft_container(future, struct weft_scope, future);

    return i == 0 && !self->body_ended_ ? self->body_ : NULL;
}

static const wf_outer_ops scope_ops = {
    {sizeof(struct weft_scope), WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
     "weft_scope", scope_poll, scope_cancel},
    scope_inner,
    false,
    NULL,
    NULL};

WEFT_API weft_future *weft_scope(struct weft_scope *scope, weft_scope_policy policy,
                                 weft_future *body)
{
    *scope = (struct weft_scope){.body_ = body, .policy_ = policy, .set_ = {.closed_ = true}};
    weft_future_init(&scope->future, &scope_ops.ops);
    return &scope->future;
}
