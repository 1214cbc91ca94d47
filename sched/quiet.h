/*
 * quiet.h - writing where there is no MSG_NOSIGNAL: to pipes, and with sendfile
 *
 * Purpose     A write whose reader has gone raises SIGPIPE in the writing thread. Between begin and
 *             end the thread blocks it, and end takes back one that the write has raised.
 * Threads     Both on one thread.
 * Invariants  Q1 the thread's mask is as it was. Q2 a SIGPIPE that was pending at begin is pending
 *             at end; otherwise none is.
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
    bool     was_blocked; /* before begin */
    bool     keep;        /* a SIGPIPE that the host has blocked was pending before */
} wf_quiet;

void wf_quiet_begin(wf_quiet *q);
/* Of the system call's result: that, or -errno. The signal comes also with a count, when the reader
 * went in the middle; `full` is the count with which it can't have. */
int64_t wf_quiet_end(wf_quiet *q, ssize_t n, size_t full);

#endif
