/*
 * signal.h - waiting for a signal
 *
 * The host opts in: weft_signal_block, called first thing in main(), gives the signals a handler of
 * weft's. From then on they neither end nor interrupt the process; each is kept until a task takes
 * it with weft_signal_wait. It does not matter which thread a signal is sent to: kill(), raise() in
 * a task and pthread_kill() all reach it.
 *
 * exec(2) takes handlers away and weft_signal_block blocks nothing, so the programs that the
 * process starts get these signals as if weft had not been there.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <signal.h>
#include <weft/file.h>

WEFT_BEGIN_DECLS

/* A set of signals: WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM). */
#define WEFT_SIGNAL(signo) (UINT64_C(1) << ((signo)-1))

typedef struct weft_signal {
    weft_future         future;
    weft_io             io_;
    uint64_t            set_;
    struct weft_signal *next_;
    int                 fd_;
    bool                handled_;
} weft_signal;

/* Keeps the signals for weft_signal_wait instead of what they do to the process. A signal below
 * SIGRTMIN that comes again before it was taken counts once, as in the kernel. The handler replaces
 * the host's for these signals, and the calling thread no longer blocks them. System calls of the
 * host that a signal interrupts are restarted (SA_RESTART). For good: there is no way back.
 * A forked child that does not call this itself gets the signals as before this call.
 * Call it first thing in main(), before other threads start; from one thread at a time.
 * 0; -EINVAL: an empty set, a signal that can't be kept (SIGKILL, SIGSTOP) or that libc needs, or
 * one of the faults SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT. */
WEFT_API int weft_signal_block(uint64_t set);

/* Ends when one of the signals in the set arrives, with its number; at once if one has been kept.
 * When several futures wait for a signal one of them gets it. DRAINS.
 * Signals that were not given to weft_signal_block can be awaited, too, if the host blocks them in
 * all of its threads before it starts a runtime. Such a signal is noticed only if it is sent to the
 * process, not if it is sent to a thread.
 * -EINVAL: some signals of the set were given to weft_signal_block and some were not; -ECHILD: in a
 * fork of the process that called weft_signal_block; -EMFILE and the like: no descriptor could be
 * had. */
WEFT_API weft_future *weft_signal_wait(weft_signal *signal, uint64_t set);

WEFT_END_DECLS

#endif
