/*
 * stderr.h - lines to standard error, by threads that must not wait
 *
 * Purpose     Standard error may be a pipe whose reader has stopped, or a terminal whose output is
 *             stopped. A thread of the runtime that waited there would hold up all tasks. So a line
 *             that standard error has no room for is dropped and counted. The next line that is
 *             written says how many are missing.
 * Threads     Any.
 * Invariants  E1 no call here waits. The open file behind standard error is shared with other
 *             processes, so its O_NONBLOCK is not changed. E2 no SIGPIPE is raised. E3 writing to a
 *             regular file takes as long as the file system takes.
 * Ordering    None: the only shared state is a counter.
 * Failure     A line is dropped.
 */
#ifndef WF_STDERR_H
#define WF_STDERR_H

#include <stdbool.h>
#include <stddef.h>
#include <weft/runtime.h>

/* Writes at most PIPE_BUF bytes. Returns whether all of them were written. */
bool wf_stderr_write(const char *text, size_t n);

/* The default of weft_config.log. */
void wf_stderr_log(void *arg, weft_log_level level, const char *line);

/* Writes how many lines have been dropped, if there are any and if there is room now. */
void wf_stderr_tell_dropped(void);

#endif
