/*
 * fiber_poll.c - see fiber.h
 *
 * Purpose     The poll function of a fiber: it binds, runs, ends and unwinds it.
 * Threads     The worker that polls the fiber.
 * Invariants  See fiber.h.
 * Ordering    None.
 * Failure     None.
 */
#include "fiber.h"

#include "catch.h"
#include "executor.h"
#include "task.h"

static inline wf_task *task_of(wf_fiber *fiber)
{
    return weft_container(&fiber->frame, wf_task, frame);
}

/* The task waits after this poll, so only this worker may poll it from now on. A fiber that ends
 * within its first poll is never bound, which saves it an atomic operation. */
static inline void bind(wf_fiber *fiber)
{
    if (__builtin_expect(!wf_task_bound_to(task_of(fiber)), 0))
        wf_task_bind(task_of(fiber), wf_current_thread.worker->index);
}

static inline bool is_spare(const wf_worker *w)
{
    return __builtin_expect(w->index >= w->executor->idle.n_workers, 0);
}

/* Returns the ordinary worker that is to run a new fiber, or NULL if all are stuck, and one of them
 * is in weft_block_in_place. A worker is stuck from when its tasks are moved until it is back for
 * the next one. */
static const wf_worker *find_ordinary(const wf_worker *spare)
{
    wf_worker      **workers = spare->executor->workers;
    uint32_t         n = spare->executor->idle.n_workers, start = spare->random % n;
    const wf_worker *in_place = NULL;

    for (uint32_t i = 0; i < n; i++) {
        const wf_worker *w = workers[(start + i) % n];

        if (wf_load(&w->in_place, RELAXED)) /* a hint */
            in_place = w;
        else if (!wf_load(&w->tasks_moved, RELAXED)) /* a hint */
            return w;
    }
    return in_place ? NULL : workers[start];
}

/* The first poll on a spare worker, which should not keep tasks: it stands by as soon as another
 * worker is free again (R5 in worker.h). So it passes the fiber on. But a worker in
 * weft_block_in_place may be there for long, or wait for this very fiber. If all workers are stuck
 * and one of them is there, the spare worker keeps the fiber. Returns whether it does. */
WF_SELDOM static bool start_on_spare(wf_fiber *fiber, wf_worker *w, weft_context *cx)
{
    const wf_worker *other = find_ordinary(w);

    if (other) {
        wf_task_bind(task_of(fiber), other->index);
        weft_context_yield_(cx);
        return false;
    }
    wf_task_bind(task_of(fiber), w->index);
    w->n_fibers++;
    return true;
}

/* The first poll. Returns whether the fiber may run. */
static bool start(wf_fiber *fiber, weft_context *cx)
{
    wf_worker *w = wf_current_thread.worker;

    if (is_spare(w) && !start_on_spare(fiber, w, cx))
        return false;
    wf_fiber_prepare(fiber);
    return true;
}

static weft_poll end(wf_fiber *fiber, int64_t result)
{
    wf_worker *w = wf_current_thread.worker;
    weft_poll  poll = weft_frame_finish_(&fiber->frame, result);

    wf_fiber_forget(fiber);
    if (is_spare(w))
        w->n_fibers--;
    wf_stack_give(&w->stacks, &w->executor->stacks, fiber->in.stack);
    fiber->in.stack = NULL;
    return poll;
}

/* The function does not continue. What it awaits and has kept is cancelled and drained first, since
 * that may use memory on the fiber's stack. Then the deferred calls are made, on that stack. */
WF_SELDOM static weft_poll unwind(wf_fiber *fiber, weft_context *cx)
{
    wf_fiber_body *b = fiber->in.body;
    weft_poll      poll;

    if (b && b->exchanged) {
        wf_exceptions_swap(&b->of_thread);
        b->exceptions = b->of_thread;
        b->exchanged = false;
    }
    poll = weft_frame_poll_rare_(&fiber->frame.future, cx);
    if (!weft_poll_is_ready(poll)) {
        bind(fiber); /* what it awaits may have panicked in its first poll */
        return poll;
    }
    fiber->in.body->unwinds = true;
    wf_fiber_run(fiber, cx);
    return end(fiber, -EOWNERDEAD);
}

/* Runs it until it waits or has ended, and polls what it awaits in between. */
static weft_poll poll_body(wf_fiber *fiber, weft_context *cx)
{
    wf_fiber_body *b = fiber->in.body;

    while (!fiber->frame.awaiting_ || weft_frame_poll_(&fiber->frame, cx)) {
        wf_fiber_run(fiber, cx);
        if (b->state == WF_FIBER_ENDED)
            return end(fiber, b->result);
        if (b->state == WF_FIBER_PANICS)
            wf_catch_end(b->panic); /* the worker polls again, to unwind */
        if (b->yields) {
            b->yields = false;
            weft_context_yield_(cx);
            break;
        }
    }
    bind(fiber);
    return WEFT_PENDING;
}

/* While the fiber does not run, the thread handles the exceptions that it handled before. Those of
 * a fiber that has ended are gone: so is its stack. A panic does not come back here, but to
 * unwind. */
WF_SELDOM static weft_poll poll_in_cxx(wf_fiber *fiber, weft_context *cx)
{
    wf_fiber_body *b = fiber->in.body;
    wf_exceptions  exceptions = b->exceptions;
    weft_poll      poll;

    wf_exceptions_swap(&exceptions);
    b->of_thread = exceptions;
    b->exchanged = true;
    poll = poll_body(fiber, cx);
    wf_exceptions_swap(&exceptions);
    if (!weft_poll_is_ready(poll)) {
        b->exceptions = exceptions;
        b->exchanged = false;
    }
    return poll;
}

static weft_poll poll_on(wf_fiber *fiber, weft_context *cx)
{
    return wf_exceptions_are_used() ? poll_in_cxx(fiber, cx) : poll_body(fiber, cx);
}

WF_FLATTEN static weft_poll fiber_poll(weft_future *future, weft_context *cx)
{
    wf_fiber   *fiber = weft_container(future, wf_fiber, frame.future);
    weft_frame *outer = cx->frame_;
    weft_poll   poll;

    if (weft_frame_is_rare_(future, cx))
        return unwind(fiber, cx);
    if (!fiber->in.body && !start(fiber, cx))
        return WEFT_PENDING;
    cx->frame_ = &fiber->frame;
    poll = poll_on(fiber, cx);
    cx->frame_ = outer;
    return poll;
}

const weft_future_ops wf_fiber_ops = {sizeof(wf_fiber), WEFT_FUTURE_DRAINS | WEFT_FUTURE_STACKFUL_,
                                      "weft_fiber", fiber_poll, weft_frame_cancel_};
