/*
 * behind.h - the tasks that must wait until a stuck worker is free again
 *
 * Purpose     Other workers take over what waits behind a stuck worker, except for tasks that are
 *             bound to it: fibers that have started, and tasks that were spawned there. The
 *             watchdog names these.
 * Threads     The monitor's.
 * Invariants  The log is called without a lock.
 * Ordering    None: the state of each task is read while it may change, so the line is about what
 *             was so a moment ago.
 * Failure     None.
 */
#ifndef WF_BEHIND_H
#define WF_BEHIND_H

#include "executor.h"

/* Names in the log the tasks that are ready to run, and that only this worker may run. */
void wf_behind_log(wf_executor *s, const wf_worker *stuck);

#endif
