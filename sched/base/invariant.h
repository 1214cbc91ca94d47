/*
 * invariant.h - assertions of weft's invariants
 *
 * Purpose     The invariants that the opening comments state in words are asserted in the code, for
 *             tests and models (meson: -Dassertions). A build without assertions does not even
 *             evaluate them.
 * Threads     Any.
 * Invariants  A condition has no side effects and is no step of a protocol. It uses values that the
 *             code around it has loaded already, memory that belongs to the caller alone, or
 *             wf_peek (order.h).
 * Ordering    None.
 * Failure     A broken invariant is a bug in weft, or in a program that has overwritten weft's
 *             memory. The process ends with a line that says which rule was broken, and where.
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
