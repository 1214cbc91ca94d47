/*
 * stop.h - stopping a runtime, with or without the blocking jobs that were given up
 *
 * Purpose     What weft_main needs beside weft_runtime_stop, and what the phases of a stop share.
 * Threads     See weft_runtime_stop.
 * Invariants  None.
 * Ordering    None.
 * Failure     See weft_runtime_stop.
 */
#ifndef WF_STOP_H
#define WF_STOP_H

#include "rt.h"

/* Like weft_runtime_stop. With `leave`, jobs that were given up may still run when it returns 0,
 * and threads may still be in weft_block_on. The runtime's memory is then never freed. */
int wf_runtime_stop(weft_runtime *rt, int64_t patience, bool leave);

/* Waits until `count` is 0. Returns false if the instant comes first, after a log line that says
 * what there is and what to do. A stop that has more than a second left logs the line after a
 * second, too, as it does for tasks. */
bool wf_stop_wait(weft_runtime *rt, uint32_t (*count)(weft_runtime *rt), const char *what,
                  const char *remedy, int64_t until);

#endif
