/*
 * stand_in.h - a spare worker takes the place of one that says that it is about to block
 *
 * Purpose     weft_block_in_place announces what the monitor would find out after some time. The
 *             worker hands its tasks to the others. If none of them sleeps, the monitor calls a
 *             spare worker at once, and keeps it for as long as the worker blocks.
 * Threads     begin, end: the worker's own, within a poll.
 * Invariants  I1 meanwhile the thread counts as none of the runtime's. So nothing is queued on the
 *             blocked worker but tasks that are bound to it, and the thread may block on the
 *             runtime.
 * Ordering    [monitor-2] the worker says that it blocks, then calls the monitor.
 * Failure     If all spare workers have a place already, the other workers have to do.
 */
#ifndef WF_STAND_IN_H
#define WF_STAND_IN_H

#include "executor.h"

/* What the worker was before. */
typedef struct wf_stand_in {
    wf_current before;
    int64_t    since;
} wf_stand_in;

void wf_stand_in_begin(wf_worker *w, wf_stand_in *ret);
void wf_stand_in_end(wf_worker *w, const wf_stand_in *stand_in);

#endif
