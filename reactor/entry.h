/*
 * entry.h - does by system calls what an entry of a ring says
 *
 * Purpose     Where io_uring is denied, the same entries that the operations prepare for the ring
 *             are run by a thread of files.h.
 * Threads     Any that may wait.
 * Invariants  A read or write that has to wait for a pipe, a terminal or a socket waits in poll(2),
 *             beside the thread's interrupt; so it can be ended. Files and what is always ready do
 *             not wait.
 * Ordering    None.
 * Failure     -errno, as in the ring's completions. -ECANCELED: interrupted before anything was
 *             done.
 */
#ifndef WF_ENTRY_H
#define WF_ENTRY_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the entry may wait for another program, so that it needs an interrupt. */
bool wf_entry_may_wait(const struct io_uring_sqe *sqe);

/* Runs the entry and returns its result. `interrupt` is an eventfd that another thread writes to
 * end it, or -1. */
int32_t wf_entry_run(const struct io_uring_sqe *sqe, int interrupt);

#endif
