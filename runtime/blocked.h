/*
 * blocked.h - threads in weft_block_on, as a test's clock sees them
 *
 * Purpose     A clock that jumps waits until they sleep.
 * Threads     Any.
 * Invariants  Only those are known that began while the clock was in use.
 * Ordering    The list's lock; [block-1] a thread that is asleep says so.
 * Failure     None.
 */
#ifndef WF_BLOCKED_H
#define WF_BLOCKED_H

#include "rt.h"

/* Whether all of them sleep, and nobody has woken one. */
bool wf_blocked_are_asleep(weft_runtime *rt);

#endif
