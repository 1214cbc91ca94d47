/*
 * task_local.c - see weft/task_local.h
 *
 * Purpose     Sets a value around each poll of a future.
 * Threads     A scope: its owner. Each thread has its own innermost scope.
 * Invariants  Z1 `innermost` is a scope that the calling thread polls, or NULL. A panic leaves the
 *             poll early, so the scope catches it, restores `innermost`, and passes the panic on.
 *             Z2 The catch of the innermost scope is the thread's innermost catch, unless the
 *             thread polls another task within that scope: a task that is joined in place, or a
 *             future in weft_block_on. Each of these has a catch of its own. So the values of a
 *             task are not seen by another one. Z3 `outer_` is set only to a scope of the same
 *             task, by the same test.
 * Ordering    None.
 * Failure     None.
 */
#include "inner.h"
#include "local_values.h"
#include "panic.h"

#include <weft/task_local.h>

static _Thread_local struct weft_task_local_scope *innermost WF_TLS_MODEL;

/* Returns the newest value of straight-line code (Z4), or the innermost scope around the code that
 * the calling thread polls, or NULL: Z2. */
static struct weft_task_local_scope *current(void)
{
    if (!wf_current_thread.catch)
        return *wf_local_values() ? &(*wf_local_values())->scope_ : NULL;
    return innermost && innermost->poll_ == wf_current_thread.catch ? innermost : NULL;
}

static int64_t poll_inner(void *scope, void *cx)
{
    struct weft_task_local_scope *self = scope;

    self->poll_ = wf_current_thread.catch;
    if (weft_future_is_cancelled(&self->future) &&
        weft_poll_is_ready(weft_future_cancel(self->inner_)))
        return true;
    return weft_poll_is_ready(weft_future_poll_inner(self->inner_, cx));
}

static weft_poll scope_poll(weft_future *future, weft_context *cx)
{
    struct weft_task_local_scope *self =
        weft_container(future, struct weft_task_local_scope, future);
    struct weft_task_local_scope *before = innermost;
    wf_caught                     caught;

    self->outer_ = current(); /* Z3 */
    innermost = self;
    caught = wf_catch_call(self, cx, poll_inner);
    innermost = before;
    if (__builtin_expect(caught.message != NULL, 0))
        weft_panic_(caught.message); /* Z1 */
    return caught.result ? weft_ready(future, self->inner_->result) : WEFT_PENDING;
}

static void scope_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the inner future */
}

static const weft_future *scope_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? weft_container(future, struct weft_task_local_scope, future)->inner_ : NULL;
}

#define SCOPE_OPS(flags)                                                                           \
    {                                                                                              \
        {sizeof(struct weft_task_local_scope),                                                     \
         WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_ | (flags),                   \
         "weft_task_local_scope", scope_poll, scope_cancel},                                       \
            scope_inner, false, NULL, NULL                                                         \
    }

/* Around a future that releases a resource a scope must not be cancelled, either. */
static const wf_outer_ops scope_ops = SCOPE_OPS(0);
static const wf_outer_ops cleanup_scope_ops = SCOPE_OPS(WEFT_FUTURE_CLEANS_UP);

WEFT_API weft_future *weft_task_local_scope(struct weft_task_local_scope *scope,
                                            const weft_task_local *key, void *value,
                                            weft_future *future)
{
    weft_future_init(&scope->future, future->ops->flags & WEFT_FUTURE_CLEANS_UP
                                         ? &cleanup_scope_ops.ops
                                         : &scope_ops.ops);
    scope->inner_ = future;
    scope->key_ = key;
    scope->value_ = value;
    return &scope->future;
}

WEFT_API void *weft_task_local_get(const weft_task_local *key)
{
    for (const struct weft_task_local_scope *s = current(); s; s = s->outer_)
        if (s->key_ == key)
            return s->value_;
    return key->otherwise;
}
