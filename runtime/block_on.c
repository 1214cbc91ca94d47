/*
 * block_on.c - polling one future on a plain thread
 *
 * Purpose     The bridge from threads to futures.
 * Threads     Any but a runtime's own.
 * Invariants  The thread's place to sleep is counted: wakers may outlive the call.
 * Ordering    [block-1] a wake sets `woken` (release) before the thread takes it (acquire).
 *             [block-2] the last reference.
 * Failure     -EDEADLK on a runtime's thread; -ENOMEM.
 */
#include "futex.h"
#include "order.h"
#include "rt.h"

#include <weft/runtime.h>

typedef struct sleeper {
    uint32_t       woken;
    uint32_t       refs;
    weft_allocator alloc; /* a copy: the runtime may be gone */
} sleeper;

static weft_waker sleeper_clone(void *data);

static void sleeper_drop(void *data)
{
    sleeper       *s = data;
    weft_allocator alloc = s->alloc;

    if (wf_sub(&s->refs, 1, ACQ_REL) == 1) /* [block-2] */
        wf_release(&alloc, s, sizeof *s);
}

static void sleeper_wake_by_ref(void *data)
{
    sleeper *s = data;

    if (wf_swap(&s->woken, 1, RELEASE) == 0) /* [block-1] */
        wf_futex_wake(&s->woken, 1);
}

static void sleeper_wake(void *data)
{
    sleeper_wake_by_ref(data);
    sleeper_drop(data);
}

static const weft_waker_vtable sleeper_vtable = {sleeper_clone, sleeper_wake, sleeper_wake_by_ref,
                                                 sleeper_drop, NULL};

static weft_waker sleeper_clone(void *data)
{
    sleeper *s = data;

    wf_add(&s->refs, 1, RELAXED); /* the caller's waker holds a reference meanwhile */
    return (weft_waker){&sleeper_vtable, s};
}

static void sleep_until_woken(sleeper *s)
{
    while (wf_swap(&s->woken, 0, ACQUIRE) == 0) /* [block-1] */
        wf_futex_wait(&s->woken, 0, INT64_MAX);
}

static void poll_until_ready(weft_runtime *rt, weft_future *future, sleeper *s)
{
    weft_waker   waker = {&sleeper_vtable, s};
    weft_context cx;

    for (;;) {
        weft_context_init(&cx, &waker, rt);
        cx.budget = (uint32_t)rt->config.budget;
        if (weft_poll_is_ready(weft_future_poll(future, &cx)))
            return;
        sleep_until_woken(s);
    }
}

WEFT_API int64_t weft_block_on(weft_runtime *rt, weft_future *future)
{
    wf_current before = wf_current_thread;
    sleeper   *s;

    if (before.owned)
        return -EDEADLK;
    s = wf_alloc(&rt->config.allocator, sizeof *s);
    if (!s)
        return -ENOMEM;
    *s = (sleeper){.refs = 1, .alloc = rt->config.allocator};
    wf_current_thread = (wf_current){.rt = rt};
    poll_until_ready(rt, future, s);
    wf_current_thread = before;
    sleeper_drop(s);
    return future->result;
}
