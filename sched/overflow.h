/*
 * overflow.h - a fiber that has used up its stack is named before the process dies
 *
 * Purpose     Handles the fault that a guard page causes. The handler needs a stack of its own,
 *             which each worker gets at its start.
 * Threads     catch: one thread at a time, before runtimes start. The others: the calling thread.
 * Invariants  V1 Nothing is done, and no thread has a second stack, unless the host has asked for
 *             it. V2 A fault that is no overflow reaches the handler that was there before.
 * Ordering    [overflow-1] The threads of runtimes that are started later see the request.
 * Failure     Without memory for its second stack a thread dies without a line. So does the thread
 *             of a current-thread runtime, unless the host has given it a second stack.
 */
#ifndef WF_OVERFLOW_H
#define WF_OVERFLOW_H

/* Installs the handler for the process. Returns 0 or -errno. */
int wf_overflow_catch(void);
/* The calling thread gets a second stack, if the handler is installed and the thread has none.
 * Returns the stack, for the end, or NULL. */
void *wf_overflow_begin_thread(void);
/* Ends that stack. It may be NULL. */
void wf_overflow_end_thread(void *stack);

#endif
