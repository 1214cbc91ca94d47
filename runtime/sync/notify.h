/*
 * notify.h - what a condition needs of a notify
 *
 * Purpose     A condition is a notify whose waits then lock a mutex.
 * Threads     Any.
 * Invariants  See notify.c.
 * Ordering    The queue's lock.
 * Failure     None.
 */
#ifndef WF_NOTIFY_H
#define WF_NOTIFY_H

#include "waits.h"

/* The `take` of a weft_notify, see wf_wait_kind. */
int64_t wf_notify_take(void *object, weft_wait *wait);

#endif
