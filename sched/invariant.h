/*
 * invariant.h - what must always hold, checked where that is wanted
 *
 * Purpose     The invariants that the headers of files state in words are asserted in the code, for
 *             tests and models (meson: -Dassertions). What is shipped does not even evaluate them.
 * Threads     Any.
 * Invariants  A condition has no side effects, and is no step of a protocol: it looks at what the
 *             code around it has loaded already, at what is the caller's alone, or peeks (order.h).
 * Ordering    None.
 * Failure     A rule that does not hold is a bug of weft's, or of a program that has overwritten
 *             its memory: the process ends with a line that says which rule, and where.
 */
#ifndef WF_INVARIANT_H
#define WF_INVARIANT_H

#include <weft/base.h>

#define WF_INVARIANT_TEXT_(line)  #line
#define WF_INVARIANT_WHERE_(line) __FILE__ ":" WF_INVARIANT_TEXT_(line)

#ifdef WF_ASSERTIONS
#define WF_ASSERT(condition)                                                                       \
    (__builtin_expect(!!(condition), 1)                                                            \
         ? (void)0                                                                                 \
         : weft_misuse_(__func__, "a rule of weft's own does not hold: " #condition,               \
                        WF_INVARIANT_WHERE_(__LINE__)))
#else
#define WF_ASSERT(condition) ((void)sizeof(!(condition)))
#endif

#endif
