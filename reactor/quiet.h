/*
 * quiet.h - writing where there is no MSG_NOSIGNAL: to pipes, and with sendfile
 *
 * Purpose     A write whose reader has gone raises SIGPIPE. Between begin and end it is blocked, and one
 *             that came meanwhile is taken back.
 * Threads     Both on one thread.
 * Invariants  Q1 who has no SIGPIPE waiting at begin has none at end; one that waits stays. Q2 the
 *             runtime's own threads block all signals, so there a write that succeeds costs no more.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_QUIET_H
#define WF_QUIET_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct wf_quiet {
    sigset_t before;
    bool     blocked; /* by begin */
    bool     keep;    /* a SIGPIPE of somebody else's waits */
} wf_quiet;

void wf_quiet_begin(wf_quiet *q);
/* Of the system call's result: that, or -errno. The signal comes also with a count, when the reader went in
 * the middle; `full` is the count with which it can't have. */
int64_t wf_quiet_end(wf_quiet *q, ssize_t n, size_t full);

#endif
