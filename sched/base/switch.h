/*
 * switch.h - leaving one stack for another
 *
 * Purpose     A switch saves what a function must preserve for its caller, stores the stack
 *             pointer, and continues where another stack was left. It is a function call: all other
 *             registers are the compiler's business.
 * Threads     The thread that runs on the stack. A stack may be continued by another thread, but
 *             compilers keep addresses of thread-local variables across calls.
 * Invariants  W1 A stack that stands still begins with a saved frame, whose address is its stack
 *             pointer: see switch_*.S. W2 A stack that has changed the control bits of the
 *             floating-point unit (rounding, masked exceptions) keeps its own, and the thread gets
 *             back those that it had. A stack that has not changed them may have the thread's. A
 *             switch makes no system call, so all stacks of a thread share one signal mask.
 * Ordering    None.
 * Failure     None.
 *
 * Debuggers and profilers unwind a stack up to wf_switch_begin, where CFI and a frame pointer of 0
 * say that it ends. As the catch (catch.h), the object file does not declare support for shadow
 * stacks (CET), so linkers do not mark what contains it, and the loader leaves them off for the
 * process. A runtime does not start where they are on all the same.
 */
#ifndef WF_SWITCH_H
#define WF_SWITCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if (defined(__x86_64__) && !defined(__ILP32__)) || (defined(__aarch64__) && !defined(__ILP32__))
#define WF_SWITCH_EXISTS 1
#else
#define WF_SWITCH_EXISTS 0
#endif

/* Whether the calling thread has a shadow stack. The instruction does nothing where it has none. */
static inline bool wf_switch_is_shadowed(void)
{
    uint64_t shadow = 0;

#if defined(__x86_64__) && !defined(__ILP32__)
    __asm__ volatile("rdsspq %0" : "+r"(shadow));
#endif
    return shadow != 0;
}

/* The first function on a stack. It returns the stack pointer where the thread goes on. */
typedef void *wf_switch_function(void *argument);

#if WF_SWITCH_EXISTS
/* Leaves the thread's stack for a new one and calls function(argument) there. `top` is that stack's
 * highest address, a multiple of 16. Stores the current stack pointer in *ret_from, and returns
 * when a switch or the end of the function continues at that. */
void wf_switch_start(void **ret_from, void *top, wf_switch_function *function, void *argument);
/* Leaves the thread's stack for one that was left, and leaves that one for the thread's. Each
 * stores the current stack pointer in *ret_from and continues at `to`. */
void wf_switch_enter(void **ret_from, void *to);
void wf_switch_leave(void **ret_from, void *to);
/* The caller of the function that wf_switch_start has started. Never called from C. */
void wf_switch_begin(void);
#else
static inline void wf_switch_enter(void **ret_from, void *to)
{
    (void)ret_from, (void)to;
    __builtin_trap();
}
static inline void wf_switch_leave(void **ret_from, void *to)
{
    wf_switch_enter(ret_from, to);
}
static inline void wf_switch_start(void **ret_from, void *top, wf_switch_function *function,
                                   void *argument)
{
    (void)function, (void)argument;
    wf_switch_enter(ret_from, top);
}
#endif

#endif
