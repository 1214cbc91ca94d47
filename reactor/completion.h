/*
 * completion.h - what the kernel reports to the reactor
 *
 * Purpose     Takes completions from the ring. Each of them belongs to an operation, to a cancel,
 *             or to the poll of a descriptor that the reactor watches.
 * Threads     The reactor's.
 * Invariants  As in reactor.h.
 * Ordering    [driver-4] [reactor-5]
 * Failure     Where a watch can't go on, the ring breaks, and the operations in it fail.
 */
#ifndef WF_COMPLETION_H
#define WF_COMPLETION_H

#include "reactor.h"

/* Begins a multishot poll. Each event completes it once more, so the reactor need not read the wake
 * descriptor. */
void wf_completion_watch(wf_reactor *r, int fd, unsigned tag);
/* The reactor watches the sockets while there is no leader: by a poll in the ring, or in each of
 * its own waits. This runs after the turn's begin, so a later end of the sparse mode notifies the
 * reactor again. */
void wf_completion_arrange_watch(wf_reactor *r);
/* Takes the events of the sockets. */
void wf_completion_take_ready(wf_reactor *r);
/* Takes all completions that are there. Returns how many these were. The caller hands the woken
 * tasks over. */
unsigned wf_completion_collect(wf_reactor *r);
/* Cancels all operations once more if it is time to. */
void wf_completion_cancel_again(wf_reactor *r);
/* Takes the results that the kernel has delivered, then fails the other operations. Without a ring
 * each turn calls it, since operations may have come meanwhile. */
void wf_completion_fail_held(wf_reactor *r);

#endif
