/*
 * catch.h - a call that a panic can end early
 *
 * Purpose     Every poll of a task's root, and every blocking job, runs within a catch. Ending a
 *             catch continues behind its call, whatever the function was doing.
 * Threads     Each thread has its own catches: `innermost` is the address of its
 *             wf_current_thread.catch.
 * Invariants  C1 catches nest, as polls do, and the innermost one is ended. C2 C++ exceptions must
 *             not pass a catch, because they would leave `innermost` pointing to a frame that is
 *             gone. Unwinders and debuggers may read through it.
 * Ordering    None.
 * Failure     None.
 *
 * On x86-64 a catch is a function in assembly. It saves the six callee-saved registers, as any
 * function does that uses all of them. setjmp would save the same registers, but its second return
 * would put the processor's return-address prediction out of step. On other processors (aarch64),
 * and where a sanitizer must see the jump, a catch is setjmp. Neither saves the signal mask or the
 * floating-point control words. The object file does not declare support for shadow stacks. So
 * linkers do not mark libweft, and the loader leaves shadow stacks off for the process.
 */
#ifndef WF_CATCH_H
#define WF_CATCH_H

#include "memcheck.h"
#include "order.h"
#include "rt.h"

#if !defined(__x86_64__) || defined(__ILP32__) || defined(WF_TSAN_) || defined(WF_ASAN_)
#define WF_CATCH_SETJMP 1
#else
#define WF_CATCH_SETJMP 0
#endif

/* What the function returned. If a panic ended it, `message` is set and `result` means nothing. The
 * order of the fields is that of the two result registers of the C calling convention. */
typedef struct wf_caught {
    int64_t     result;
    const char *message;
} wf_caught;

typedef int64_t (*wf_catch_function)(void *a, void *b);

#if WF_CATCH_SETJMP
wf_caught                      wf_catch_call_setjmp(void *a, void *b, wf_catch_function function,
                                                    struct wf_catch **innermost);
__attribute__((noreturn)) void wf_catch_end_setjmp(const char       *message,
                                                   struct wf_catch **innermost);
#else
wf_caught                      wf_catch_call_saved(void *a, void *b, wf_catch_function function,
                                                   struct wf_catch **innermost);
__attribute__((noreturn)) void wf_catch_end_saved(const char *message, struct wf_catch **innermost);
#endif

/* Calls function(a, b) within a catch. */
static inline wf_caught wf_catch_call(void *a, void *b, wf_catch_function function)
{
#if WF_CATCH_SETJMP
    return wf_catch_call_setjmp(a, b, function, &wf_current_thread.catch);
#else
    return wf_catch_call_saved(a, b, function, &wf_current_thread.catch);
#endif
}

/* Ends the innermost catch of the calling thread, which is in one. The message must be constant and
 * not NULL. */
static inline __attribute__((noreturn)) void wf_catch_end(const char *message)
{
#if WF_CATCH_SETJMP
    wf_catch_end_setjmp(message, &wf_current_thread.catch);
#else
    wf_catch_end_saved(message, &wf_current_thread.catch);
#endif
}

#endif
