/*
 * dump.h - naming tasks in the log
 *
 * Purpose     Dumps of tasks, tasks that hold up a stop, handles that were not closed.
 * Threads     Any.
 * Invariants  The log is called without a lock. Only constants are read of tasks that may end
 *             meanwhile.
 * Ordering    Visitors: slab.h, task.h.
 * Failure     If out of memory, the log gets only the number of tasks.
 */
#ifndef WF_DUMP_H
#define WF_DUMP_H

#include "executor.h"

/* Names the tasks in the log, a line each that begins with `what`, and counts those that are more
 * than `most`. Tasks that are named and wait are polled once more. */
void wf_dump_tasks(wf_executor *s, weft_log_level level, const char *what, uint64_t most);
/* Names the tasks whose handles are still open. All tasks must have ended. */
void wf_dump_open_handles(wf_executor *s);

#endif
