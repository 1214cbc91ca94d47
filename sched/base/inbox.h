/*
 * inbox.h - what other threads hand to the reactor
 *
 * Purpose     A stack onto which many threads push. One consumer takes everything at once, in the
 *             order of the pushes.
 * Threads     push: any thread. take, is_empty: the consumer.
 * Invariants  A node is in at most one inbox, and its memory stays until it has been taken.
 *             Concurrency Kit's stack is not used because its push is no SEQ_CST operation, and the
 *             sleep protocol of driver.h needs one.
 * Ordering    [inbox-1] push releases the node, take acquires it. [driver-1] both are SEQ_CST.
 * Failure     None.
 */
#ifndef WF_INBOX_H
#define WF_INBOX_H

#include "order.h"

#include <stddef.h>

typedef struct wf_submission {
    struct wf_submission *next;
    void (*take)(void *consumer, struct wf_submission *self); /* what the consumer does with it */
} wf_submission;

typedef struct wf_inbox {
    WF_ALIGNED wf_submission *newest;
} wf_inbox;

static inline void wf_inbox_push_any(wf_inbox *inbox, wf_submission *s)
{
    wf_submission *newest = wf_load(&inbox->newest, RELAXED); /* the CAS checks it */

    do
        s->next = newest;
    while (!wf_cas(&inbox->newest, &newest, s, SEQ_CST)); /* [inbox-1] [driver-1] */
}

static inline bool wf_inbox_is_empty(const wf_inbox *inbox)
{
    return wf_load(&inbox->newest, SEQ_CST) == NULL; /* [driver-1] */
}

/* Takes everything that was pushed: a chain, oldest first, linked by next. */
static inline wf_submission *wf_inbox_take(wf_inbox *inbox)
{
    wf_submission *oldest = NULL, *s, *next;

    if (wf_inbox_is_empty(inbox))
        return NULL;
    for (s = wf_swap(&inbox->newest, NULL, SEQ_CST); s; s = next) { /* [inbox-1] */
        next = s->next;
        s->next = oldest;
        oldest = s;
    }
    return oldest;
}

#endif
