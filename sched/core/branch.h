/*
 * branch.h - the wakers of the branches of a group
 *
 * Purpose     A branch waits with a waker of its own, so that a wake says which branch it is for.
 * Threads     Wakes: any thread. All else: the owner of the group.
 * Invariants  C2 a future that stores a branch's waker without cloning it calls it only while it
 *             can't become READY, so no waker outlives its branch. C3 a clone of a branch's waker
 *             is a clone of the task's waker. So is the waker of a future that may be handed on to
 *             another task. A wake then does not say which branch it is for, so such a branch is
 *             polled at every turn.
 * Ordering    [combine-1] see combine.c.
 * Failure     None.
 */
#ifndef WF_BRANCH_H
#define WF_BRANCH_H

#include <weft/combine.h>

/* The flags of a branch. */
enum {
    WF_BRANCH_DONE = 1 << 0,   /* READY, or cancelled before it began */
    WF_BRANCH_ALWAYS = 1 << 1, /* its future holds a clone, which does not say that it was woken */
    WF_BRANCH_KEPT = 1 << 2,   /* left pending */
    WF_BRANCH_NEW = 1 << 3,    /* not polled yet: nothing has its waker, the first poll is due */
    /* 1 << 4 is WF_TWINS_MARKED */
};

/* The waker of a branch, which is its data. */
extern const weft_waker_vtable wf_branch_vtable;

/* The waker that a kept branch waits with: that of the async function that polls the group, or the
 * groups around it. The groups in between poll their branches at every turn: C3. */
const weft_waker *wf_branch_waker_of_function(const weft_context *cx);

#endif
