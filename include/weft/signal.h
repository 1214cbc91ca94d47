/*
 * signal.h - waiting for a signal
 *
 * The host opts in: weft_signal_block, called first thing in main(), gives the signals a handler
 * of weft's. From then on these signals neither end nor interrupt the process. Each signal is kept
 * until a task takes it by weft_signal_wait. It does not matter which thread a signal is sent to:
 * kill(), raise() in a task and pthread_kill() all reach it.
 *
 * exec(2) removes handlers, and weft_signal_block blocks nothing. So the programs that the process
 * starts get these signals as if weft had not been there.
 */
#ifndef WEFT_SIGNAL_H
#define WEFT_SIGNAL_H

#include <signal.h>
#include <weft/file.h>

WEFT_BEGIN_DECLS

/* Makes a set of one signal. Sets are joined by |: WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM). */
#define WEFT_SIGNAL(signo) (UINT64_C(1) << ((signo)-1))

/* The state of a weft_signal_wait, in memory of the caller. */
struct weft_signal_wait {
    weft_future              future;
    weft_io                  io_;
    uint64_t                 set_;
    struct weft_signal_wait *next_;
    int                      fd_;
    bool                     handled_;
};

/*
 * Keeps signals for weft_signal_wait, instead of what they do to the process. weft's handler
 * replaces the host's for these signals, and the calling thread no longer blocks them. System
 * calls of the host that a signal interrupts are restarted (SA_RESTART). There is no way back.
 *
 * A signal below SIGRTMIN that comes again before it was taken counts once, as in the kernel. A
 * forked child that does not call weft_signal_block itself gets the signals as before this call.
 *
 * Thread:  one at a time. Call it first thing in main(), before other threads start.
 * Returns: 0.
 * Errors:  -EINVAL, the set is empty. Or it has a signal that can't be kept (SIGKILL, SIGSTOP),
 *   one that libc needs, or one of the faults SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS and
 *   SIGABRT.
 */
WEFT_API int weft_signal_block(uint64_t set);

/*
 * Waits until a signal of the set arrives. If one has been kept, the wait ends at once. When
 * several futures wait for a signal, one of them gets it.
 *
 * Signals that were not given to weft_signal_block can be awaited, too, if the host blocks them in
 * all of its threads before it starts a runtime. Such a signal is noticed only if it is sent to
 * the process, not if it is sent to a thread.
 *
 * Returns: the number of the signal.
 * Errors:  -EINVAL, the set is empty, or a signal of it was neither given to weft_signal_block nor
 *   blocked by the host. Or some signals of the set were given to weft_signal_block and some were
 *   not.
 *   -ECHILD, the process is a fork of the process that called weft_signal_block.
 *   -EMFILE and other errors of opening a descriptor.
 *   -ENXIO, there is no runtime.
 * Cancel:  DRAINS. The result is -ECANCELED, or the signal's number if one has arrived by then. A
 *   wait that ends with -ECANCELED has taken no signal.
 */
WEFT_API weft_future *weft_signal_wait(struct weft_signal_wait *signal, uint64_t set);

WEFT_END_DECLS

#endif
