/*
 * loop.h - the loop of the reactor's thread
 *
 * Purpose     In each turn the reactor takes the inbox, fires timers, sleeps at the gate or in the
 *             kernel, and hands over the tasks that were woken. It also runs without a ring, or
 *             after the ring has been lost.
 * Threads     The reactor's.
 * Invariants  As in reactor.h.
 * Ordering    [driver-1] [driver-2] [driver-3] [reactor-1] [reactor-2]
 * Failure     As in reactor.h.
 */
#ifndef WF_LOOP_H
#define WF_LOOP_H

#include "reactor.h"

/* The function of the reactor's thread. It opens the ring, loops, and closes the ring. */
void *wf_loop_main(void *reactor);

#endif
