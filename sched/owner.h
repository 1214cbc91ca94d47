/*
 * owner.h - which task or thread holds a lock
 *
 * Purpose     A lock names its owner in the word that says that it is held. So dumps and the
 *             watchdog can tell what a task waits for, and what the owner of that waits for in
 *             turn.
 * Threads     Any.
 * Invariants  O1 an owner is the address of a task's slot, or the kernel's number of a thread with
 *             WF_OWNER_THREAD. Either leaves the bits of WF_OWNER_FLAGS to the lock, and 0 is no
 *             owner.
 *             O2 the address of a task is never followed. The task may have ended with the lock
 *             held. wf_memory_find_locked tells whether a task is there now. It may be another task
 *             in the same slot.
 * Ordering    None: an owner is only a name.
 * Failure     A thread of a forked child may be named by the number that it had in the parent.
 */
#ifndef WF_OWNER_H
#define WF_OWNER_H

#include <stdint.h>
#include <weft/future.h>

#define WF_OWNER_FLAGS  UINT64_C(7) /* bits of the lock's own */
#define WF_OWNER_THREAD UINT64_C(8) /* the owner is a thread */

#define WF_OWNER_THREAD_SHIFT 4

/* The owner that a caller without a context is: the task that its worker polls, or the thread. */
uint64_t wf_owner_of_caller(void);

/* The owner that the polled future belongs to. */
static inline uint64_t wf_owner_of(const weft_context *cx)
{
    return __builtin_expect(cx->home_ != NULL, 1) ? (uint64_t)(uintptr_t)cx->home_->waker.data
                                                  : wf_owner_of_caller();
}

/* The owner in a lock's word. */
static inline uint64_t wf_owner_in(uint64_t word)
{
    return word & ~WF_OWNER_FLAGS;
}

#endif
