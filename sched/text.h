/*
 * text.h - a line of text without libc
 *
 * Purpose     What the freestanding core says when a rule has been broken.
 * Threads     Any: works on the caller's buffer, and is safe in an interrupt handler.
 * Invariants  The line is ended with NUL within its size.
 * Ordering    None.
 * Failure     A line too long is cut.
 */
#ifndef WF_TEXT_H
#define WF_TEXT_H

#include <stddef.h>

/* snprintf with %s, %u and %p only, all without flags or width. size > 0. */
__attribute__((format(printf, 3, 4))) void wf_text(char *line, size_t size, const char *format,
                                                   ...);

#endif
