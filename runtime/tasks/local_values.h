/*
 * local_values.h - the values that straight-line code has given to keys
 *
 * Purpose     A fiber, or a plain thread, sets values by weft_fiber_set_local. Its own code finds
 *             them in a list. Around each future that it awaits they become scopes
 *             (weft_task_local_scope), so what polls the future finds them as in any task.
 * Threads     The one that runs the code. A fiber has a list of its own, and so has each thread.
 * Invariants  Z4 code within a catch sees no list: it is polled code, and finds values by scopes.
 *             Z5 the `outer_` of the scopes links the values, too, newest first. An await makes the
 *             scopes anew and leaves that order.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_LOCAL_VALUES_H
#define WF_LOCAL_VALUES_H

#include "fiber.h"

extern _Thread_local struct weft_fiber_local_ *wf_local_values_of_thread WF_TLS_MODEL;

/* The place where the calling code has its newest value. */
static inline struct weft_fiber_local_ **wf_local_values(void)
{
    wf_fiber *fiber = wf_current_thread.fiber;

    return fiber ? &fiber->in.body->locals : &wf_local_values_of_thread;
}

/* Returns a future that runs the given one with the values. */
weft_future *wf_local_values_wrap(struct weft_fiber_local_ *newest, weft_future *future);

/* The same with the values of the calling code. Without values it is the given future. */
static inline weft_future *wf_local_values_around(weft_future *future)
{
    struct weft_fiber_local_ *newest = *wf_local_values();

    return __builtin_expect(newest != NULL, 0) ? wf_local_values_wrap(newest, future) : future;
}

#endif
