/*
 * stall.h - the thread's mutex that a stuck worker waits for, and the thread that holds it
 *
 * Purpose     A task that holds a pthread_mutex_t across an await stops every worker whose task
 *             wants it. The watchdog's line then names both sides.
 * Threads     The monitor's.
 * Invariants  None.
 * Ordering    All is read while it changes, so the text is about what was so a moment ago.
 * Failure     Without /proc, with another C library than glibc, or if the worker does not wait for
 *             a mutex, there is nothing to tell.
 */
#ifndef WF_STALL_H
#define WF_STALL_H

#include "executor.h"

#define WF_STALL_TEXT 256

/* Writes what the worker waits for, and the remedy, as a part of a log line. Returns false if the
 * worker waits for no mutex. */
bool wf_stall_text(const wf_executor *s, const wf_worker *w, char text[WF_STALL_TEXT]);

#endif
