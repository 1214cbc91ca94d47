/*
 * exceptions.h - the C++ exceptions that a fiber handles
 *
 * Purpose     C++ keeps in each thread which exceptions its catch blocks handle just now. A fiber
 *             that awaits in a catch block takes these with it, so that no other fiber of the
 *             worker finds them there.
 * Threads     The worker that polls the fiber.
 * Invariants  None.
 * Ordering    None.
 * Failure     None. In a program without C++ there is nothing to take.
 */
#ifndef WF_EXCEPTIONS_H
#define WF_EXCEPTIONS_H

#include <stdbool.h>

/* What the C++ ABI of x86-64 and aarch64 keeps for each thread (__cxa_eh_globals). */
typedef struct wf_exceptions {
    void        *caught;     /* the exception that is being handled, linked to those around it */
    unsigned int n_uncaught; /* that were thrown and have not reached their catch block */
} wf_exceptions;

/* Returns that of the calling thread. The reference is weak: its address is NULL in a program
 * without the C++ library, or if that was loaded later than weft. */
wf_exceptions *__cxa_get_globals(void) __attribute__((weak));

static inline bool wf_exceptions_are_used(void)
{
    return __builtin_expect(__cxa_get_globals != 0, 0);
}

/* Exchanges what the thread handles for what is in *other. */
static inline void wf_exceptions_swap(wf_exceptions *other)
{
    wf_exceptions *of_thread = __cxa_get_globals(), before = *of_thread;

    *of_thread = *other;
    *other = before;
}

#endif
