/*
 * loop.h - what the reactor's thread does, over and over
 *
 * Purpose     Takes the inbox, fires timers, sleeps at the gate or in the kernel, and hands over
 *             what woke. Also without a ring, when that has been lost.
 * Threads     The reactor's.
 * Invariants  As in reactor.h.
 * Ordering    [driver-1] [driver-2] [driver-3] [reactor-1] [reactor-2]
 * Failure     As in reactor.h.
 */
#ifndef WF_LOOP_H
#define WF_LOOP_H

#include "reactor.h"

/* The thread's function, from opening the ring to closing it. */
void *wf_loop_main(void *reactor);

#endif
