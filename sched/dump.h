/*
 * dump.h - telling the log of tasks
 *
 * Purpose     Dumps, stragglers at stop, handles that nobody has closed.
 * Threads     Any.
 * Invariants  The log is called without a lock. Of tasks that may end meanwhile only constants are
 *             read.
 * Ordering    Visitors: slab.h, task.h.
 * Failure     Out of memory: the log hears how many there are.
 */
#ifndef WF_DUMP_H
#define WF_DUMP_H

#include "executor.h"

/* Names every task in the log, each line begun with `what`. Those that wait are polled once
 * more. */
void wf_dump_tasks(wf_executor *s, weft_log_level level, const char *what);
/* Names the tasks whose handles are open, when all have ended. */
void wf_dump_open_handles(wf_executor *s);

#endif
