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

#include "clock.h"
#include "rt.h"

/* Like weft_runtime_stop. With `leave`, jobs that were given up may still run when it returns 0.
 * The runtime's memory is then never freed. */
int wf_runtime_stop(weft_runtime *rt, int64_t patience, bool leave);

/* Waits by a function that logs what it waits for, and returns false, when the instant has come. A
 * stop that has more than a second left logs it after a second, too, as it does for tasks. */
static inline bool wf_stop_wait(bool (*wait)(weft_runtime *rt, int64_t until), weft_runtime *rt,
                                int64_t until)
{
    int64_t soon = wf_now() + WEFT_S(1);

    return (until > soon && wait(rt, soon)) || wait(rt, until);
}

#endif
