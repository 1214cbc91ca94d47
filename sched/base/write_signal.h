/*
 * write_signal.h - writing without the signals that a write may raise
 *
 * Purpose     A write whose reader has gone raises SIGPIPE in the writing thread, where there is no
 *             MSG_NOSIGNAL: to pipes, and with sendfile. A write to a file beyond RLIMIT_FSIZE
 *             raises SIGXFSZ. Between begin and end the thread blocks one of the two, and end
 *             discards it if the write has raised it.
 * Threads     Begin and end on the same thread.
 * Invariants  Q1 end restores the thread's mask. Q2 a signal that was pending at begin is pending
 *             at end; otherwise none is.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_WRITE_SIGNAL_H
#define WF_WRITE_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct wf_write_signal {
    sigset_t before;
    int      signo;
    bool     was_blocked; /* before begin */
    bool     keep;        /* one that the host blocks was pending before begin */
} wf_write_signal;

/* `signo` is SIGPIPE, or SIGXFSZ before a write to a file. */
void wf_write_signal_begin(wf_write_signal *q, int signo);
/* Turns the system call's result into a count or -errno. The signal may come with a count, too, if
 * the reader went in the middle of the write. It can't have come if the count is `full`. */
int64_t wf_write_signal_end(wf_write_signal *q, ssize_t n, size_t full);

#endif
