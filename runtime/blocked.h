/*
 * blocked.h - threads in weft_block_on, as a test's clock and a stop see them
 *
 * Purpose     Tells a test's clock whether all threads in weft_block_on sleep. It jumps only then.
 *             A stop waits until there is none: they use the runtime.
 * Threads     Any.
 * Invariants  The list holds all calls that poll with the runtime, but those of a current-thread
 *             runtime, whose clock looks at its worker.
 * Ordering    The list's lock. [block-1] A thread that sleeps has stored ASLEEP.
 * Failure     None.
 */
#ifndef WF_BLOCKED_H
#define WF_BLOCKED_H

#include "rt.h"

/* How many calls there are, also on a current-thread runtime. */
uint32_t wf_blocked_users(weft_runtime *rt);
/* Whether the calling thread is in one, if only around a call with another runtime. */
bool wf_blocked_is_caller(weft_runtime *rt);
/* Whether all these threads sleep, and none of them has been woken. */
bool wf_blocked_are_asleep(weft_runtime *rt);

#endif
