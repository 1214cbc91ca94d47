/*
 * sigpipe.h - writing where there is no MSG_NOSIGNAL: to pipes, and with sendfile
 *
 * Purpose     A write whose reader has gone raises SIGPIPE in the writing thread. Between begin and
 *             end the thread blocks it, and end takes back one that the write has raised.
 * Threads     Both on one thread.
 * Invariants  Q1 the thread's mask is as it was. Q2 a SIGPIPE that was pending at begin is pending
 *             at end; otherwise none is.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_SIGPIPE_H
#define WF_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct wf_sigpipe {
    sigset_t before;
    bool     was_blocked; /* before begin */
    bool     keep;        /* a SIGPIPE that the host has blocked was pending before */
} wf_sigpipe;

void wf_sigpipe_begin(wf_sigpipe *q);
/* Of the system call's result: that, or -errno. The signal comes also with a count, when the reader
 * went in the middle; `full` is the count with which it can't have. */
int64_t wf_sigpipe_end(wf_sigpipe *q, ssize_t n, size_t full);

#endif
