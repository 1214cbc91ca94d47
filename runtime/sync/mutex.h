/*
 * mutex.h - what a condition needs of a mutex
 *
 * Purpose     Lets a condition lock its mutex again, and tell dumps which task holds it.
 * Threads     Any.
 * Invariants  See mutex.c.
 * Ordering    See mutex.c.
 * Failure     None.
 */
#ifndef WF_MUTEX_H
#define WF_MUTEX_H

#include "held.h"

extern const wf_wait_kind wf_mutex_kind;

/* Of a weft_wait that waits for a mutex: see wf_outer_ops. */
bool wf_mutex_find_holder(const weft_future *future, wf_held_by *ret);

#endif
