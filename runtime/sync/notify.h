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
/* Takes the lock of the queue, once all waits of past rounds have ended. A thread that ends very
 * many of them releases the lock in between. A permit that is stored now is for the first wait that
 * is left, and so is the next one. `its_kind` is that of the waits. */
void wf_notify_lock(weft_notify *n, const wf_wait_kind *its_kind);

#endif
