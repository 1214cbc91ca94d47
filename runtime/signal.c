/*
 * signal.c - waiting for a signal
 *
 * Purpose     Signals given to weft_signal_block get a handler. The handler keeps the signal and
 *             writes to the eventfd of each future that waits for it. The kernel runs it on the
 *             thread that the signal was sent to, so raise() in a task counts as much as kill()
 *             from outside. Signals that the host blocks by hand are read from a signalfd.
 * Threads     The future's owner; the handler on any thread.
 * Invariants  G1 The descriptor is open from the first poll to READY, and while the future is in
 *             the list.
 *             G2 A signal is kept until one future has taken it. The future that has taken a signal
 *             returns it.
 *             G3 A future leaves the list before its memory and descriptor go, and no handler sees
 *             it then.
 * Ordering    [signal-1] A handler counts itself, then reads the list. A future leaves the list,
 *             then waits until no handler is counted.
 *             [signal-2] A signal is kept before the eventfd is written. A future reads the eventfd
 *             before it looks for kept signals.
 * Failure     The errors of signalfd(2), of eventfd(2) and of the ring.
 */
#include "descriptor.h"
#include "lock.h"
#include "rt.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weft/signal.h>

#define SIGNALS 64
#define TRIES   1000

/* Faults of the thread itself. It can't continue without a handler of the host. */
#define FAULTS                                                                                     \
    (WEFT_SIGNAL(SIGSEGV) | WEFT_SIGNAL(SIGBUS) | WEFT_SIGNAL(SIGFPE) | WEFT_SIGNAL(SIGILL) |      \
     WEFT_SIGNAL(SIGTRAP) | WEFT_SIGNAL(SIGSYS) | WEFT_SIGNAL(SIGABRT))
#define NEVER_KEPT (FAULTS | WEFT_SIGNAL(SIGKILL) | WEFT_SIGNAL(SIGSTOP))

/* Signals belong to the process, not to a runtime. */
static struct {
    uint64_t                 set;        /* the signals that have the handler */
    pid_t                    process;    /* the process that installed it */
    uint32_t                 n_handlers; /* running handlers, which may read the list */
    uint32_t                 lock;       /* for writers of the list */
    struct weft_signal_wait *waits;      /* the list; handlers read it without the lock */
    uint32_t                 kept[SIGNALS + 1];
    struct sigaction         before[SIGNALS + 1];
} process;

static void fill(sigset_t *to, uint64_t set)
{
    sigemptyset(to);
    for (int signo = 1; signo <= SIGNALS; signo++)
        if (set & WEFT_SIGNAL(signo))
            sigaddset(to, signo);
}

/* ---- the handler ---- */

/* Like the kernel, counts a signal below SIGRTMIN only once while it is pending. */
static void keep(int signo)
{
    if (signo < SIGRTMIN)
        wf_store(&process.kept[signo], 1, RELEASE); /* [signal-2] */
    else
        wf_add(&process.kept[signo], 1, RELEASE); /* [signal-2] */
}

/* Such a write fails only if, for example, a seccomp filter refuses it. After so many failures in a
 * row the next try would fail, too. */
static void ring(int fd)
{
    uint64_t one = 1;

    for (int n = 0; n < TRIES && write(fd, &one, sizeof one) < 0; n++)
        ;
}

static void ring_waits(int signo)
{
    wf_add(&process.n_handlers, 1, SEQ_CST); /* [signal-1] */
    for (struct weft_signal_wait *w = wf_load(&process.waits, SEQ_CST) /* [signal-1] */; w;
         w = wf_load(&w->next_, SEQ_CST)) /* [signal-1] */
        if (w->set_ & WEFT_SIGNAL(signo))
            ring(w->fd_);
    if (wf_sub(&process.n_handlers, 1, SEQ_CST) == 1) /* [signal-1] */
        wf_futex_wake(&process.n_handlers, INT32_MAX);
}

/* A forked child has inherited the handler and the parent's descriptors, but it has no thread of a
 * runtime. There the handler restores what the signal did before weft_signal_block and raises the
 * signal again. It takes effect when the handler returns, because it is blocked until then. */
static void handle(int signo)
{
    int error = errno;

    if (getpid() == process.process) {
        keep(signo);
        ring_waits(signo);
    } else {
        sigaction(signo, &process.before[signo], NULL);
        raise(signo);
    }
    errno = error;
}

/* Takes the kept signal of the set with the lowest number. 0: there is none. */
static int take_kept(uint64_t set)
{
    for (int signo = 1; signo <= SIGNALS; signo++) {
        uint32_t n = 0;

        if (set & WEFT_SIGNAL(signo))
            n = wf_load(&process.kept[signo], ACQUIRE); /* [signal-2] */
        while (n > 0)
            if (wf_cas(&process.kept[signo], &n, n - 1, ACQ_REL)) /* [signal-2] */
                return signo;
    }
    return 0;
}

/* ---- blocking ---- */

static int check_set(uint64_t set)
{
    struct sigaction now;

    if (set == 0 || (set & NEVER_KEPT))
        return -EINVAL;
    for (int signo = 1; signo <= SIGNALS; signo++)
        if ((set & WEFT_SIGNAL(signo)) && sigaction(signo, NULL, &now) < 0)
            return -errno; /* libc reserves some signals */
    return 0;
}

/* At the first call in a forked child, drops what is its parent's: waits, kept signals, and the
 * handlers. The child says itself which signals it keeps. */
static void enter_process(void)
{
    if (process.process == getpid())
        return;
    process.n_handlers = process.lock = 0;
    process.waits = NULL;
    for (int signo = 1; signo <= SIGNALS; signo++) {
        process.kept[signo] = 0;
        if (process.set & WEFT_SIGNAL(signo))
            sigaction(signo, &process.before[signo], NULL);
    }
    process.set = 0;
    process.process = getpid();
}

/* Under TSan a futex call that is restarted would keep the handler from running: see futex.h. */
#ifdef WF_TSAN_
#define RESTART 0
#else
#define RESTART SA_RESTART
#endif

static int install(int signo)
{
    struct sigaction ours = {.sa_handler = handle, .sa_flags = RESTART | SA_ONSTACK}, found;

    sigemptyset(&ours.sa_mask);
    if (sigaction(signo, NULL, &found) == 0 && found.sa_handler != handle)
        process.before[signo] = found; /* before the handler can need it */
    return sigaction(signo, &ours, NULL) < 0 ? -errno : 0;
}

WEFT_API int weft_signal_block(uint64_t set)
{
    sigset_t handled;
    int      r = check_set(set);

    if (r < 0)
        return r;
    enter_process();
    for (int signo = 1; signo <= SIGNALS && r == 0; signo++)
        if (set & WEFT_SIGNAL(signo))
            r = install(signo);
    if (r < 0)
        return r;
    wf_or(&process.set, set, RELAXED); /* the host calls it before it starts other threads */
    fill(&handled, set);
    return -pthread_sigmask(SIG_UNBLOCK, &handled, NULL); /* else the handler would never run */
}

/* ---- waiting ---- */

static void enlist(struct weft_signal_wait *self)
{
    wf_lock(&process.lock);
    self->next_ = wf_load(&process.waits, RELAXED); /* written under the lock */
    wf_store(&process.waits, self, SEQ_CST);        /* [signal-1] */
    wf_unlock(&process.lock);
}

static void delist(struct weft_signal_wait *self)
{
    struct weft_signal_wait **link = &process.waits;
    uint32_t                  n;

    wf_lock(&process.lock);
    while (*link != self)
        link = &(*link)->next_;
    wf_store(link, self->next_, SEQ_CST); /* [signal-1] */
    wf_unlock(&process.lock);
    while ((n = wf_load(&process.n_handlers, SEQ_CST)) > 0) /* [signal-1] */
        wf_futex_wait(&process.n_handlers, n, INT64_MAX);
}

static int open_eventfd(struct weft_signal_wait *self)
{
    if (process.process != getpid())
        return -ECHILD;
    self->fd_ = wf_descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (self->fd_ < 0)
        return -errno;
    enlist(self);
    return 0;
}

/* A signalfd never gets a signal that some thread accepts. The workers have the mask of the thread
 * that started the runtime, so this worker's mask tells whether the host blocks the signals. */
static bool is_blocked(uint64_t set)
{
    sigset_t mask;

    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    for (int signo = 1; signo <= SIGNALS; signo++)
        if ((set & WEFT_SIGNAL(signo)) && !sigismember(&mask, signo))
            return false;
    return true;
}

static int open_signalfd(struct weft_signal_wait *self)
{
    sigset_t set;

    if (!is_blocked(self->set_))
        return -EINVAL;
    fill(&set, self->set_);
    self->fd_ = wf_descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    return self->fd_ < 0 ? -errno : 0;
}

static int open_fd(struct weft_signal_wait *self)
{
    uint64_t handled = self->set_ & wf_load(&process.set, RELAXED); /* set before threads start */

    if (self->set_ == 0)
        return -EINVAL;
    self->handled_ = handled != 0;
    if (handled == 0)
        return open_signalfd(self);
    return handled == self->set_ ? open_eventfd(self) : -EINVAL;
}

/* The wait would never end. Without the line in the log, a program whose main() has forgotten
 * weft_signal_block learns no more than "Invalid argument". */
static weft_poll refuse(struct weft_signal_wait *self, const weft_context *cx)
{
    uint64_t left = self->set_ & ~wf_load(&process.set, RELAXED); /* set before threads start */
    int      signo = left ? __builtin_ctzll(left) + 1 : 0;

    if (cx->runtime && left)
        wf_log(&cx->runtime->config, WEFT_LOG_ERROR,
               "weft_signal_wait: signal %d (%s) was not given to weft_signal_block, which main() "
               "calls first",
               signo, strsignal(signo));
    return weft_ready(&self->future, -EINVAL);
}

/* -ECHILD comes from the wait for readiness: the process is a fork of the one that has the list. A
 * thread of that process may have held the lock at the fork, and weft_signal_block empties the
 * list. */
static weft_poll signal_ready(struct weft_signal_wait *self, int64_t result)
{
    if (self->handled_ && result != -ECHILD)
        delist(self);
    close(self->fd_);
    return weft_ready(&self->future, result);
}

/* Returns the signal's number, -EAGAIN if none has come, or another error. */
static int64_t read_signal(struct weft_signal_wait *self)
{
    struct signalfd_siginfo info;
    uint64_t                n_rings;
    int                     signo;

    if (!self->handled_)
        return read(self->fd_, &info, sizeof info) == sizeof info ? (int64_t)info.ssi_signo
                                                                  : -errno;
    if (read(self->fd_, &n_rings, sizeof n_rings) < 0 && errno != EAGAIN) /* [signal-2] */
        return -errno;
    signo = take_kept(self->set_);
    return signo > 0 ? signo : -EAGAIN;
}

static weft_poll signal_poll(weft_future *future, weft_context *cx)
{
    struct weft_signal_wait *self = weft_container(future, struct weft_signal_wait, future);
    weft_future             *ready = &self->io_.future;
    bool                     cancelled = weft_future_is_cancelled(future);
    int64_t                  r;

    if (self->fd_ < 0 && (r = open_fd(self)) < 0)
        return r == -EINVAL ? refuse(self, cx) : weft_ready(future, r);
    for (;;) {
        if (!weft_future_is_pending(ready)) {
            r = read_signal(self);
            if (r != -EAGAIN && r != -EINTR)
                return signal_ready(self, r);
            if (cancelled)
                return signal_ready(self, -ECANCELED);
            weft_fd_ready(&self->io_, self->fd_, POLLIN);
        }
        if (cancelled)
            /* The poll of the cancelled wait returns its result. */
            (void)!weft_poll_is_ready(weft_future_cancel(ready));
        if (!weft_poll_is_ready(weft_future_poll_inner(ready, cx)))
            return WEFT_PENDING;
        if (ready->result < 0 && ready->result != -ECANCELED)
            return signal_ready(self, ready->result);
    }
}

static void signal_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the wait for readiness */
}

static const weft_future_ops signal_ops = {sizeof(struct weft_signal_wait), WEFT_FUTURE_DRAINS,
                                           "weft_signal_wait", signal_poll, signal_cancel};

WEFT_API weft_future *weft_signal_wait(struct weft_signal_wait *signal, uint64_t set)
{
    weft_future_init(&signal->future, &signal_ops);
    weft_fd_ready(&signal->io_, -1, POLLIN);
    signal->set_ = set;
    signal->fd_ = -1;
    signal->handled_ = false;
    signal->next_ = NULL;
    return &signal->future;
}
