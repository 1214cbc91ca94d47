/*
 * mutex.h - what a condition needs of a mutex
 *
 * Purpose     Lets a condition lock its mutex again.
 * Threads     Any.
 * Invariants  See mutex.c.
 * Ordering    See mutex.c.
 * Failure     None.
 */
#ifndef WF_MUTEX_H
#define WF_MUTEX_H

#include "waits.h"

extern const wf_wait_kind wf_mutex_kind;

#endif
