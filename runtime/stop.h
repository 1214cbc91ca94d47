/*
 * stop.h - stopping a runtime, with or without the blocking jobs that were given up
 *
 * Purpose     What weft_main needs beside weft_runtime_stop.
 * Threads     See weft_runtime_stop.
 * Invariants  None.
 * Ordering    None.
 * Failure     See weft_runtime_stop.
 */
#ifndef WF_STOP_H
#define WF_STOP_H

#include "rt.h"

/* Like weft_runtime_stop. With `leave`, jobs that were given up may still run when it returns 0.
 * The runtime's memory is then never freed. */
int wf_runtime_stop(weft_runtime *rt, int64_t patience, bool leave);

#endif
