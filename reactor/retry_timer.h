/*
 * retry_timer.h - trying again after a while, where no event will tell
 *
 * Purpose     Out of descriptors, or with a full queue at the other end of a Unix socket, an
 *             attempt says EAGAIN and poll(2) says "ready": only time helps.
 * Threads     waits, end: the operation that has the direction. free: the thread that frees the
 *             socket. fire: the reactor's.
 * Invariants  U1 an attempt that wants to be tried again sets nap_ms. U2 the retry timer is out of
 *             the list before the operation ends. U3 firing only hands the socket to the reactor:
 *             it happens under the list's lock. U4 the instants are CLOCK_MONOTONIC's, so the
 *             wheels are of no use here: the other side of the socket does not know of a test's
 *             clock, which may stand still or jump. U5 `next` is not later than the first retry
 *             timer.
 * Ordering    The list's lock. [retry_timer-1] `armed` is cleared after the last touch of the
 *             socket.
 *             [driver-1] `next` is lowered before looking whether the reactor sleeps.
 * Failure     -ENOMEM.
 */
#ifndef WF_RETRY_TIMER_H
#define WF_RETRY_TIMER_H

#include "socket.h"

/* Makes sure that the socket can be nudged. 0 or -ENOMEM. */
int  wf_retry_timer_have(wf_socket *s);
void wf_retry_timer_free(wf_socket *s);

/* -EAGAIN for an attempt that is to be made again in a while; or -ENOMEM. */
int wf_retry_timer_again(wf_socket *s, uint8_t ms);

/* In the rows of operations that may want it. */
#define WF_NUDGED .waits = wf_retry_timer_waits, .end = wf_retry_timer_end
void    wf_retry_timer_waits(weft_io *io, wf_socket *s, weft_context *cx);
int64_t wf_retry_timer_end(weft_io *io, int64_t result, bool cancelled);

/* When to call the next, or earlier; WEFT_FOREVER: there is none. The reactor's thread. */
static inline int64_t wf_retry_timers_next(const wf_reactor *r)
{
    return wf_load(&r->retry_timers.next, SEQ_CST); /* [driver-1] */
}
/* Nudges the sockets whose time has come. The reactor's thread. */
void wf_retry_timers_fire(wf_reactor *r, int64_t now);

#endif
