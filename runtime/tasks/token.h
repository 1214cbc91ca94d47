/*
 * token.h - a wait for a token that is part of another future
 *
 * Purpose     Such a wait costs no budget while it waits. If it did, a guarded future that uses up
 *             the budget of each poll would keep its task awake for ever.
 * Threads     The owner of the wait.
 * Invariants  The wait was made by weft_token_cancelled. It is withdrawn at most once, and is not
 *             polled after that.
 * Ordering    See token.c.
 * Failure     None.
 */
#ifndef WF_TOKEN_H
#define WF_TOKEN_H

#include <weft/token.h>

/* True: the token has been cancelled. False: the context's waker is woken when it is. */
WEFT_NODISCARD bool wf_token_poll(weft_wait *wait, weft_context *cx);
/* Ends the wait, whether it was polled or not. */
void wf_token_withdraw(weft_wait *wait, weft_context *cx);

#endif
