/* fiber.c - see fiber.h */
#include "fiber.h"

#include "catch.h"
#include "invariant.h"
#include "memcheck.h"
#include "switch.h"
#include "task.h"

#ifdef WF_ASAN_
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WF_TSAN_
#include <sanitizer/tsan_interface.h>
#endif

/* ---- what sanitizers must know of a switch ---- */

/* The thread leaves the worker's stack for the fiber's. */
static void tell_enter(const wf_stack *stack, wf_fiber_body *b, void **ret_fake)
{
    (void)stack, (void)b, (void)ret_fake;
#ifdef WF_ASAN_
    __sanitizer_start_switch_fiber(ret_fake, wf_stack_bottom(stack), stack->size);
#endif
#ifdef WF_TSAN_
    b->worker_shadow = __tsan_get_current_fiber();
    if (!b->shadow)
        b->shadow = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(b->shadow, 0);
#endif
}

/* It has arrived there. */
static void tell_entered(wf_fiber_body *b)
{
    (void)b;
#ifdef WF_ASAN_
    __sanitizer_finish_switch_fiber(b->fake, &b->worker_bottom, &b->worker_size);
#endif
}

/* The thread leaves the fiber's stack for the worker's. `ends`: it does not come back. */
static void tell_leave(wf_fiber_body *b, bool ends)
{
    (void)b, (void)ends;
#ifdef WF_ASAN_
    __sanitizer_start_switch_fiber(ends ? NULL : &b->fake, b->worker_bottom, b->worker_size);
#endif
}

/* It has arrived there. TSan counts calls and returns. Told before the switch, it would count the
 * return of the fiber's first function as one on the worker's stack. */
static void tell_left(const wf_fiber_body *b, void *fake)
{
    (void)b, (void)fake;
#ifdef WF_ASAN_
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
#ifdef WF_TSAN_
    __tsan_switch_to_fiber(b->worker_shadow, 0);
#endif
}

static void tell_ended(wf_fiber_body *b)
{
    (void)b;
#ifdef WF_TSAN_
    if (b->shadow)
        __tsan_destroy_fiber(b->shadow);
#endif
}

/* ---- deferred calls ---- */

__attribute__((noreturn, cold)) static void refuse(const wf_fiber *fiber, const char *function,
                                                   const char *rule)
{
    weft_misuse_(function, rule, wf_task_name(weft_container(&fiber->frame, wf_task, frame)));
}

void wf_fiber_defer(wf_fiber *fiber, weft_deferred *node)
{
    node->next_ = fiber->in.body->deferred;
    fiber->in.body->deferred = node;
}

static void make_newest(wf_fiber_body *b)
{
    weft_deferred *node = b->deferred;

    b->deferred = node->next_;
    node->call_(node->arg_);
}

void wf_fiber_run_deferred(wf_fiber *fiber, const weft_deferred *node)
{
    if (fiber->in.body->deferred != node)
        refuse(fiber, "weft_fiber_defer", "a newer deferred call has not been made yet");
    make_newest(fiber->in.body);
}

/* ---- switching ---- */

static void leave(wf_fiber_body *b, wf_fiber_state state)
{
    b->state = state;
    tell_leave(b, state == WF_FIBER_ENDED);
    wf_switch_leave(&b->own, b->worker);
    tell_entered(b);
}

/* Waits, and continues only if the fiber does not unwind. Otherwise it makes the deferred calls, in
 * place of what the function would have done. */
static void wait(wf_fiber_body *b, wf_fiber_state state)
{
    leave(b, state);
    if (__builtin_expect(!b->unwinds, 1))
        return;
    while (b->deferred)
        make_newest(b);
    leave(b, WF_FIBER_ENDED);
}

/* The first function on the fiber's stack. */
static void *begin(void *argument)
{
    const wf_fiber *fiber = argument;
    wf_fiber_body  *b = fiber->in.body;

    tell_entered(b);
    b->result = fiber->in.function(fiber->in.argument);
    b->state = WF_FIBER_ENDED;
    tell_leave(b, true);
    return b->worker;
}

void wf_fiber_prepare(wf_fiber *fiber)
{
    wf_fiber_body *b = (wf_fiber_body *)wf_stack_top(fiber->in.stack) - 1;

    /* What else is in there is written before it is read. Compilers clear a struct of this size by
     * an instruction that takes longer than the rest of the spawn's share. */
    b->state = WF_FIBER_WAITS;
    b->yields = b->unwinds = false;
    b->own = NULL;
    b->deferred = NULL;
    b->locals = NULL;
    b->exceptions = (wf_exceptions){0};
    b->exchanged = false;
    b->fake = b->shadow = NULL;
    fiber->in.body = b;
}

void wf_fiber_forget(wf_fiber *fiber)
{
    wf_fiber_body *b = fiber->in.body;

    tell_ended(b);
    /* The functions that did not return have left marks of ASan around their variables. */
    if (__builtin_expect(b->unwinds, 0))
        wf_memcheck_use(b->own, (size_t)((char *)b - (char *)b->own));
    fiber->in.body = NULL;
}

void wf_fiber_run(wf_fiber *fiber, weft_context *cx)
{
    wf_fiber_body *b = fiber->in.body;
    wf_current    *current = &wf_current_thread;
    struct wf_catch *catch = current->catch;
    wf_fiber *before = current->fiber;
    void     *fake = NULL;

    WF_ASSERT(b->state != WF_FIBER_RUNS && b->state != WF_FIBER_ENDED);
    b->state = WF_FIBER_RUNS;
    b->cx = cx;
    current->fiber = fiber;
    current->catch = NULL; /* B4 */
    tell_enter(fiber->in.stack, b, &fake);
    if (b->own)
        wf_switch_enter(&b->worker, b->own);
    else
        wf_switch_start(&b->worker, b, begin, fiber);
    tell_left(b, fake);
    WF_ASSERT(!current->catch); /* B4 */
    current->catch = catch;
    current->fiber = before;
}

int64_t wf_fiber_await(wf_fiber *fiber, weft_future *future)
{
    if (fiber->in.body->unwinds)
        refuse(fiber, "weft_await", "called while the fiber unwinds");
    fiber->frame.awaiting_ = future;
    wait(fiber->in.body, WF_FIBER_WAITS);
    return weft_frame_take_(&fiber->frame);
}

void wf_fiber_yield(wf_fiber *fiber)
{
    if (fiber->in.body->unwinds)
        return;
    fiber->in.body->yields = true;
    wait(fiber->in.body, WF_FIBER_WAITS);
}

bool wf_fiber_is_cancelled(wf_fiber *fiber)
{
    const wf_task *t = weft_container(&fiber->frame, wf_task, frame);
    weft_context  *cx = fiber->in.body->cx;

    if (wf_load(&t->state, ACQUIRE) & WF_TASK_CANCEL) /* [task-1] */
        cx->flags |= WEFT_CONTEXT_CANCELLED_;
    return cx->flags & WEFT_CONTEXT_CANCELLED_;
}

void wf_fiber_panic(wf_fiber *fiber, const char *message)
{
    if (fiber->in.body->unwinds)
        refuse(fiber, "weft_panic", "called again while the task unwinds");
    fiber->in.body->panic = message;
    wait(fiber->in.body, WF_FIBER_PANICS);
    __builtin_unreachable();
}
