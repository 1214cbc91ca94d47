/*
 * panic.h - leaving a poll in the middle
 *
 * Purpose     weft_panic ends the poll or job that is going on and gives control back to whoever began it.
 * Threads     Any that polls: a worker, weft_block_on; a pool thread.
 * Invariants  P1 a thread's innermost catch is that of the innermost poll: tasks run in place nest.
 * Ordering    None.
 * Failure     Outside of any poll, or while the task unwinds already: the process aborts.
 */
#ifndef WF_PANIC_H
#define WF_PANIC_H

#include <weft/async.h>

/* Polls a task's root. If it panicked, *ret_message is set, what is returned means nothing, and the context
 * is as new but for its budget. */
weft_poll wf_panic_poll(weft_future *future, weft_context *cx, const char **ret_message);
/* Polls a future that has panicked, with the context's flags set to unwind. */
weft_poll wf_panic_poll_again(weft_future *future, weft_context *cx);
/* Calls a function and returns its result; if it panicked, *ret_message is set and the result means nothing. */
int64_t wf_panic_call(int64_t (*function)(void *arg), void *arg, const char **ret_message);

#endif
