/*
 * entry.h - runs a submission entry of io_uring by system calls
 *
 * Purpose     Operations prepare entries for the ring. Where io_uring is denied, a thread of
 *             files.h runs the same entries.
 * Threads     Any thread that may block.
 * Invariants  A read or write that has to wait for a pipe, a socket, a terminal or another device,
 *             or an eventfd and the like waits in poll(2), together with the thread's interrupt, so
 *             that another thread can end it. Files do not wait.
 * Ordering    None.
 * Failure     -errno, as in the ring's completions. -ECANCELED if the entry was interrupted before
 *             it moved anything.
 */
#ifndef WF_ENTRY_H
#define WF_ENTRY_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the entry may wait for another program, so that it needs an interrupt. */
bool wf_entry_may_wait(const struct io_uring_sqe *sqe);

/* Runs the entry and returns its result. `interrupt` is -1, or an eventfd to which another thread
 * writes to end the entry. */
int32_t wf_entry_run(const struct io_uring_sqe *sqe, int interrupt);

#endif
