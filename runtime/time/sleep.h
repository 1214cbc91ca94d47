/*
 * sleep.h - what timeouts and shields do with the sleep they hold
 *
 * Purpose     Ends the sleep early. Settles its deadline before its first poll.
 * Threads     The future's owner.
 * Invariants  See sleep.c.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_SLEEP_H
#define WF_SLEEP_H

#include <weft/time.h>

/* Call it before the sleep's first poll. If the sleep was made by another clock (another runtime's,
 * or that of a thread without a runtime), and one of the two clocks is a test's, the sleep begins
 * now, by this runtime's clock. */
void wf_nap_settle(struct weft_sleep *nap, weft_runtime *rt);
/* Ends a sleep that is no longer needed. It is READY afterwards, whatever its state was. */
void wf_nap_end(struct weft_sleep *nap, weft_context *cx);

#endif
