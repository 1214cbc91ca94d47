/*
 * stderr.h - lines to standard error, by threads that must not wait
 *
 * Purpose     Standard error may be a pipe whose reader has stopped, or a terminal that is held. A
 *             thread of the runtime that waited there would hold up all tasks. So a line that
 * standard error             has no room for is dropped and counted, and the next one that goes
 * through says how             many are missing.
 * Threads     Any.
 * Invariants  E1 no call here waits. What standard error is made of is shared with other processes,
 *             so its O_NONBLOCK stays as it is. E2 no SIGPIPE is raised. E3 writing to a regular
 * file             takes as long as the file system takes.
 * Ordering    None: the count is a counter.
 * Failure     A line is dropped.
 */
#ifndef WF_STDERR_H
#define WF_STDERR_H

#include <stdbool.h>
#include <stddef.h>
#include <weft/runtime.h>

/* Whether all of it was written; PIPE_BUF bytes at most. */
bool wf_stderr_write(const char *text, size_t n);

/* The default of weft_config.log. */
void wf_stderr_log(void *arg, weft_log_level level, const char *line);

/* Says how many lines have been dropped, if any and if there is room now. */
void wf_stderr_tell_dropped(void);

#endif
