/*
 * text.h - formatting a line of text without libc
 *
 * Purpose     The freestanding core reports broken rules with it.
 * Threads     Any, interrupt handlers included: works on the caller's buffer only.
 * Invariants  The line ends with a NUL within its size.
 * Ordering    None.
 * Failure     A line that is too long is cut.
 */
#ifndef WF_TEXT_H
#define WF_TEXT_H

#include <stddef.h>

/* snprintf with %s, %u and %p only, all without flags or width. size > 0. */
__attribute__((format(printf, 3, 4))) void wf_text(char *line, size_t size, const char *format,
                                                   ...);

#endif
