/*
 * keep.h - futures that stay pending and are not polled for now
 *
 * Purpose     A select that ends leaves its kept branches pending (weft_keep). Until such a branch
 *             is polled again it must not be granted what other waits could use: a lock, a permit,
 *             a message. So each wait in it is told, and is passed over meanwhile.
 * Threads     The future's owner, between polls of the future.
 * Invariants  Y1 A kept branch is told as soon as its group has stopped polling it, and not only
 *             when the group ends, because the other branches may take long to drain.
 *             Y2 A poll of a wait ends that again. A group within the branch polls only branches
 *             that were woken, so it marks those in which a wait was told.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_KEEP_H
#define WF_KEEP_H

#include <weft/future.h>

/* Tells the future, and all that it polls, that it stays pending and is not polled for now. Returns
 * whether there was a wait to tell. */
bool wf_keep_pending(weft_future *future);

#endif
