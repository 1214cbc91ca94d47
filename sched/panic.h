/*
 * panic.h - leaving a poll in the middle
 *
 * Purpose     weft_panic ends the poll or job that is going on and gives control back to its
 *             caller.
 * Threads     Any that polls: a worker, weft_block_on; a pool thread.
 * Invariants  P1 a thread's innermost catch is that of the innermost poll: tasks run in place nest.
 * Ordering    None.
 * Failure     Outside of any poll, or while the task unwinds already: the process aborts.
 */
#ifndef WF_PANIC_H
#define WF_PANIC_H

#include "catch.h"

#include <weft/async.h>

#if WF_CATCH_SETJMP
int64_t wf_panic_poll_root_(void *future, void *cx);
#endif

/* Polls a task's root, which the executor keeps where it is. `result` is not 0 if it is READY.
 * After a panic the caller makes the context anew, but for its budget. */
static inline wf_caught wf_panic_poll_root(weft_future *future, weft_context *cx)
{
#if WF_CATCH_SETJMP
    return wf_catch_call(future, cx, wf_panic_poll_root_);
#else
    /* The poll function itself: a weft_poll is one int, which comes back in the lower half of the
     * result's register. */
    wf_caught caught =
        wf_catch_call(future, cx, (wf_catch_function)(void (*)(void))future->ops->poll);

    caught.result = (int32_t)caught.result;
    return caught;
#endif
}

/* Polls any future, and checks as weft_future_poll does. */
wf_caught wf_panic_poll(weft_future *future, weft_context *cx);
/* The poll of a future that unwinds: another panic aborts. */
weft_poll wf_panic_refused(wf_caught caught);
/* Calls a function and returns its result; if it panicked, *ret_message is set and the result means
 * nothing. */
int64_t wf_panic_call(int64_t (*function)(void *arg), void *arg, const char **ret_message);

#endif
