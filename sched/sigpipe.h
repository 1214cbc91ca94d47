/*
 * sigpipe.h - writing where there is no MSG_NOSIGNAL: to pipes, and with sendfile
 *
 * Purpose     A write whose reader has gone raises SIGPIPE in the writing thread. Between begin and
 *             end the thread blocks the signal, and end discards one that the write has raised.
 * Threads     Begin and end on the same thread.
 * Invariants  Q1 end restores the thread's mask. Q2 a SIGPIPE that was pending at begin is pending
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
    bool     keep;        /* a SIGPIPE that the host blocks was pending before begin */
} wf_sigpipe;

void wf_sigpipe_begin(wf_sigpipe *q);
/* Turns the system call's result into a count or -errno. The signal may come with a count, too, if
 * the reader went in the middle of the write. It can't have come if the count is `full`. */
int64_t wf_sigpipe_end(wf_sigpipe *q, ssize_t n, size_t full);

#endif
