/*
 * panic.h - leaving a poll in the middle
 *
 * Purpose     weft_panic ends the current poll or job and returns to its caller.
 * Threads     Any thread that polls: a worker, a thread in weft_block_on. A pool thread.
 * Invariants  P1 a thread's innermost catch is that of the innermost poll: tasks that are run in
 *             place nest.
 * Ordering    None.
 * Failure     The process aborts if weft_panic is called outside of any poll, or while the task
 *             already unwinds.
 */
#ifndef WF_PANIC_H
#define WF_PANIC_H

#include "catch.h"

#include <weft/async.h>

#if WF_CATCH_SETJMP
int64_t wf_panic_poll_root_(void *future, void *cx);
#endif

/* Polls a task's root future, which the executor never moves. `result` is not 0 if it is READY.
 * After a panic the caller must make the context anew, except for its budget. */
static inline wf_caught wf_panic_poll_root(weft_future *future, weft_context *cx)
{
#if WF_CATCH_SETJMP
    return wf_catch_call(future, cx, wf_panic_poll_root_);
#else
    /* The catch calls the poll function itself. A weft_poll is one int, which comes back in the
     * lower half of the result's register. */
    wf_caught caught =
        wf_catch_call(future, cx, (wf_catch_function)(void (*)(void))future->ops->poll);

    caught.result = (int32_t)caught.result;
    return caught;
#endif
}

/* Polls any future, with the checks of weft_future_poll. */
wf_caught wf_panic_poll(weft_future *future, weft_context *cx);
/* Turns the result of a poll that unwinds into a weft_poll. Another panic aborts. */
weft_poll wf_panic_refused(wf_caught caught);
/* Calls a function and returns its result. If it panicked, *ret_message is set and the result means
 * nothing. */
int64_t wf_panic_call(int64_t (*function)(void *arg), void *arg, const char **ret_message);

#endif
