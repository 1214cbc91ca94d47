/*
 * signal.h - waiting for a signal
 *
 * The host opts in: it blocks the signals in its first thread, before it starts others, so that none
 * is delivered to a handler or to the default action. weft changes no thread's mask but its own.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <signal.h>
#include <weft/file.h>

WEFT_BEGIN_DECLS

/* A set of signals: WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM). */
#define WEFT_SIGNAL(signo) (UINT64_C(1) << ((signo)-1))

typedef struct weft_signal {
    weft_future future;
    weft_io     io_;
    uint64_t    set_;
    int         fd_;
} weft_signal;

/* Blocks the signals in the calling thread and in those it starts later. 0, or -EINVAL for an empty
 * set. Call it first thing in main(). */
WEFT_API int weft_signal_block(uint64_t set);

/* Ends when one of the signals in the set arrives, with its number. They must be blocked. When several
 * futures wait for a signal one of them gets it. DRAINS. */
WEFT_API weft_future *weft_signal_wait(weft_signal *signal, uint64_t set);

WEFT_END_DECLS

#endif
