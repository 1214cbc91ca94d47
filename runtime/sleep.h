/*
 * sleep.h - what limits and shields do with the sleep they hold
 *
 * Purpose     Ending it early, and knowing its deadline before it is polled.
 * Threads     The future's owner.
 * Invariants  sleep.c.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_SLEEP_H
#define WF_SLEEP_H

#include <weft/time.h>

/* Before the sleep's first poll: if it was made by another clock (another runtime's, or that of a
 * thread without one), and one of the two is a test's, it begins now, by this runtime's clock. */
void wf_nap_settle(struct weft_sleep *nap, weft_runtime *rt);
/* The sleep is not needed any more: READY, whatever it was. */
void wf_nap_end(struct weft_sleep *nap, weft_context *cx);

#endif
