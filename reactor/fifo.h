/*
 * fifo.h - opens a FIFO as open(2) does, so that another thread can end the open
 *
 * Purpose     Only a signal ends a thread that waits in open(2) for the other end of a FIFO. A
 *             library has no signal of its own, and if it opened the other end itself, all programs
 *             that wait for that FIFO would go on. So the thread opens without waiting, and waits
 *             itself.
 * Threads     Any thread that may block.
 * Invariants  F1 while it waits, a reader has the FIFO open, as in open(2): a writer that comes
 *             finds it. A writer has nothing open, so it looks again and again for a reader. F2
 *             the FIFO is the one that the path led to when the first look found no reader, if
 *             there is /proc.
 * Ordering    None.
 * Failure     open(2)'s errors, -EMFILE also for the pipe of a look. -ECANCELED if it was ended.
 */
#ifndef WF_FIFO_H
#define WF_FIFO_H

#include <stdint.h>
#include <sys/types.h>

/* Opens what the path leads to, a FIFO or not, and returns its descriptor. `flags` lack O_NONBLOCK.
 * `interrupt` is an eventfd to which another thread writes to end a wait. */
int32_t wf_fifo_open(int dir, const char *path, int flags, mode_t mode, int interrupt);

#endif
