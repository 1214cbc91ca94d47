/*
 * fiber_call.c - a call of a function in a fiber of its own, as a future
 *
 * Purpose     Spawns a fiber at the first poll, and joins it. Unlike a join it cancels the fiber
 *             and waits for it.
 * Threads     The future's owner.
 * Invariants  None.
 * Ordering    None.
 * Failure     As for the spawn of a fiber.
 */
#include "inner.h"

#include <weft/fiber.h>

static int begin(struct weft_fiber_call *self, weft_runtime *rt)
{
    int r = rt ? weft_fiber_spawn_(rt, &self->handle_, &self->options_, self->function_,
                                   self->argument_, self->site_)
               : -ENXIO;

    if (r < 0)
        return r;
    (void)weft_join(&self->handle_);
    self->begun_ = true;
    return 0;
}

static weft_poll call_poll(weft_future *future, weft_context *cx)
{
    struct weft_fiber_call *self = weft_container(future, struct weft_fiber_call, future);
    int                     r = self->begun_ ? 0 : begin(self, cx->runtime);

    if (r < 0)
        return weft_ready(future, r);
    if (weft_future_is_cancelled(future))
        weft_cancel(&self->handle_);
    if (!weft_poll_is_ready(weft_future_poll_inner(&self->handle_.future_, cx)))
        return WEFT_PENDING;
    return weft_ready(future, self->handle_.future_.result);
}

static void call_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the fiber */
}

static const weft_future *call_inner(const weft_future *future, uint32_t i)
{
    const struct weft_fiber_call *self = weft_container(future, struct weft_fiber_call, future);

    return i == 0 && self->begun_ ? &self->handle_.future_ : NULL;
}

static const wf_outer_ops call_ops = {{sizeof(struct weft_fiber_call),
                                       WEFT_FUTURE_DRAINS | WEFT_FUTURE_SHOWS_, "weft_fiber_call",
                                       call_poll, call_cancel},
                                      call_inner,
                                      false,
                                      NULL,
                                      NULL};

WEFT_API weft_future *weft_fiber_call_(struct weft_fiber_call   *call,
                                       const weft_fiber_options *options,
                                       weft_fiber_function *function, void *argument,
                                       const char *site)
{
    *call = (struct weft_fiber_call){.function_ = function, .argument_ = argument, .site_ = site};
    if (options)
        call->options_ = *options;
    weft_future_init(&call->future, &call_ops.ops);
    return &call->future;
}
