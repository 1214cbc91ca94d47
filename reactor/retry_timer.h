/*
 * retry_timer.h - trying again after a while, where no event reports a change
 *
 * Purpose     If the process has no descriptors left, or the queue at the other end of a Unix
 *             socket is full, an attempt returns EAGAIN although poll(2) reports "ready". So the
 *             operation tries again after a while.
 * Threads     waits, end: the operation that has the direction. free: the thread that frees the
 *             socket. fire: the reactor's.
 * Invariants  U1 an attempt that is to be repeated sets nap_ms. U2 the retry timer is out of the
 *             list before the operation ends. U3 firing happens under the list's lock, so it only
 *             submits the socket to the reactor. U4 the instants are those of CLOCK_MONOTONIC. The
 *             timer wheels follow a test's clock, which may stand still or jump, and the other side
 *             of the socket does not know that clock. U5 `next` is not later than the first retry
 *             timer.
 * Ordering    The list's lock. [retry_timer-1] `armed` is cleared after the last access to the
 *             socket. [driver-1] the operation lowers `next`, then looks whether the reactor
 *             sleeps.
 * Failure     -ENOMEM.
 */
#ifndef WF_RETRY_TIMER_H
#define WF_RETRY_TIMER_H

#include "socket.h"

/* Makes sure that the socket has a retry timer. Returns 0 or -ENOMEM. */
int  wf_retry_timer_have(wf_socket *s);
void wf_retry_timer_free(wf_socket *s);

/* Requests that the attempt is repeated after so many milliseconds. Returns -EAGAIN, which makes
 * the operation wait, or -ENOMEM. */
int wf_retry_timer_again(wf_socket *s, uint8_t ms);

/* Members of the rows of operations that may use a retry timer. */
#define WF_NUDGED .waits = wf_retry_timer_waits, .end = wf_retry_timer_end
void    wf_retry_timer_waits(weft_io *io, wf_socket *s, weft_context *cx);
int64_t wf_retry_timer_end(weft_io *io, int64_t result, bool cancelled);

/* When the first retry timer is due, or earlier. WEFT_FOREVER if there is none. The reactor's
 * thread. */
static inline int64_t wf_retry_timers_next(const wf_reactor *r)
{
    return wf_load(&r->retry_timers.next, SEQ_CST); /* [driver-1] */
}
/* Makes the operations try again whose time has come. The reactor's thread. */
void wf_retry_timers_fire(wf_reactor *r, int64_t now);

#endif
