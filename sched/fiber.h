/*
 * fiber.h - a task whose body has a stack of its own
 *
 * Purpose     The root future of such a task runs a function on the fiber's stack. An await
 *             switches to the worker's stack, where the awaited future is polled like any other.
 * Threads     The worker that polls the fiber, unless said otherwise.
 *
 *              NEW
 *               |  first poll
 *               v              function returns
 *              RUNS --------------------------------------> ENDED
 *              |  ^ |                                         ^
 *       await, |  | |  it panics            drained, and the  |
 *       yield  v  | v                   deferred calls made   |
 *             WAITS PANICS -----------------------------------+
 *               |                                             |
 *               +---- what it awaits panics ------------------+
 *
 * Invariants  B1 The stack holds frames of the fiber's own calls only: what it awaits is polled on
 *             the worker's stack, and weft's own code needs little. B2 If its first poll leaves it
 *             waiting, the task is bound to that worker, since compilers keep addresses of
 *             thread-local variables across calls. A spare worker binds only fibers that it starts
 *             for want of another worker, and counts them. B3 The stack belongs to the fiber from
 *             its spawn until it has ended. A fiber that unwinds does not continue, but memory on
 *             its stack may still be lent until what it awaited has been drained. B4 No catch is on
 *             the stack of a fiber that waits: in weft_block_in_place, which makes one, the thread
 *             counts as in no fiber, so its awaits block.
 * Ordering    That of tasks. The stack is used by one thread at a time.
 * Failure     None: the stack exists before the task does.
 */
#ifndef WF_FIBER_H
#define WF_FIBER_H

#include "exceptions.h"
#include "rt.h"
#include "stack.h"
#include "stackful.h"

#include <weft/fiber.h>

typedef enum wf_fiber_state {
    WF_FIBER_WAITS, /* also before it runs for the first time */
    WF_FIBER_RUNS,
    WF_FIBER_PANICS,
    WF_FIBER_ENDED
} wf_fiber_state;

/* What a fiber has once it has started, at the upper end of its stack. */
typedef struct wf_fiber_body {
    /* The stack begins below the struct, where calls need a multiple of 16. */
    _Alignas(16) wf_fiber_state state;
    bool                      yields;  /* WAITS: for its next turn */
    bool                      unwinds; /* when it continues, it only makes the deferred calls */
    int64_t                   result;  /* ENDED */
    const char               *panic;   /* PANICS: the message */
    void                     *own;     /* WAITS, PANICS: the stack pointer; NULL before the start */
    void                     *worker;  /* RUNS: the stack pointer of the worker */
    weft_context             *cx;      /* RUNS: of the poll */
    weft_deferred            *deferred;   /* the newest */
    struct weft_fiber_local_ *locals;     /* the newest */
    wf_exceptions             exceptions; /* WAITS, PANICS */
    wf_exceptions             of_thread;  /* exchanged: what the thread handled before the poll */
    bool                      exchanged;  /* the thread handles the fiber's exceptions */
    /* For sanitizers: the fiber's fake stack and shadow, and the worker's. */
    void       *fake, *shadow, *worker_shadow;
    const void *worker_bottom;
    size_t      worker_size;
} wf_fiber_body;

typedef struct wf_fiber {
    weft_frame frame;
    struct wf_fiber_in {
        weft_future         *parked; /* see stackful.h */
        weft_fiber_function *function;
        void                *argument;
        wf_stack            *stack;
        wf_fiber_body       *body; /* NULL: NEW */
    } in;
} wf_fiber;

_Static_assert(offsetof(wf_fiber, in.parked) == offsetof(wf_stackful, parked), "stackful.h");

extern const weft_future_ops wf_fiber_ops;

/* -- on the worker's stack -- */
/* Prepares the stack for the first run. */
void wf_fiber_prepare(wf_fiber *fiber);
/* Runs the fiber until it waits or has ended. */
void wf_fiber_run(wf_fiber *fiber, weft_context *cx);
/* It has ended, and its stack is needed no more. */
void wf_fiber_forget(wf_fiber *fiber);

/* -- on the fiber's stack -- */
/* Waits until the future is READY, and returns its result. */
int64_t wf_fiber_await(wf_fiber *fiber, weft_future *future);
/* Lets the worker's other tasks run. */
void wf_fiber_yield(wf_fiber *fiber);
/* Whether the fiber has been asked to end, also if that was after its poll began. From then on its
 * awaits see it, too. */
bool wf_fiber_is_cancelled(wf_fiber *fiber);
/* Adds a call that the fiber makes before it ends, and makes the newest of them. */
void wf_fiber_defer(wf_fiber *fiber, weft_deferred *node);
void wf_fiber_run_deferred(wf_fiber *fiber, const weft_deferred *node);
/* The function on the fiber's stack has panicked outside of any catch of its own. */
__attribute__((noreturn)) void wf_fiber_panic(wf_fiber *fiber, const char *message);

/* The fiber of a task, or NULL if it is of another kind. Any thread that may read the frame. */
static inline const wf_fiber *wf_fiber_of(const weft_future *root)
{
    return root->ops == &wf_fiber_ops ? (const wf_fiber *)(const void *)root : NULL;
}

#endif
