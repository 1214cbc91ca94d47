/*
 * signal.c - waiting for a signal
 *
 * Purpose     A signalfd for as long as somebody waits, watched by the reactor.
 * Threads     The future's owner.
 * Invariants  X1 the descriptor is open from the first poll to READY. X2 a signal that was read is
 *             answered, also when cancelled meanwhile.
 * Ordering    operation.h.
 * Failure     The errors of signalfd(2) and of the ring.
 */
#include "rt.h"

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <weft/signal.h>

static void fill(sigset_t *to, uint64_t set)
{
    sigemptyset(to);
    for (int signo = 1; signo <= 64; signo++)
        if (set & WEFT_SIGNAL(signo))
            sigaddset(to, signo);
}

WEFT_API int weft_signal_block(uint64_t set)
{
    sigset_t blocked;

    if (set == 0)
        return -EINVAL;
    fill(&blocked, set);
    return -pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

static weft_poll signal_ready(weft_signal *self, int64_t result)
{
    close(self->fd_);
    return weft_ready(&self->future, result);
}

static int64_t read_signal(int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof info) == sizeof info)
        return info.ssi_signo;
    return -errno;
}

static int open_fd(weft_signal *self)
{
    sigset_t set;

    fill(&set, self->set_);
    self->fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return self->fd_ < 0 ? -errno : 0;
}

static weft_poll signal_poll(weft_future *future, weft_context *cx)
{
    weft_signal *self = weft_container(future, weft_signal, future);
    weft_future *ready = &self->io_.future;
    bool         cancelled = weft_future_is_cancelled(future);
    int64_t      r;

    if (self->fd_ < 0 && (r = open_fd(self)) < 0)
        return weft_ready(future, r);
    for (;;) {
        if (!weft_future_is_pending(ready)) {
            r = read_signal(self->fd_);
            if (r != -EAGAIN && r != -EINTR)
                return signal_ready(self, r);
            if (cancelled)
                return signal_ready(self, -ECANCELED);
            weft_fd_ready(&self->io_, self->fd_, POLLIN);
        }
        if (cancelled)
            (void)!weft_poll_is_ready(weft_future_cancel(ready)); /* the poll below tells */
        if (!weft_poll_is_ready(weft_future_poll(ready, cx)))
            return WEFT_PENDING;
        if (ready->result < 0 && ready->result != -ECANCELED)
            return signal_ready(self, ready->result);
    }
}

static void signal_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the wait for readiness */
}

static const weft_future_ops signal_ops = {sizeof(weft_signal), WEFT_FUTURE_DRAINS,
                                           "weft_signal_wait", signal_poll, signal_cancel};

WEFT_API weft_future *weft_signal_wait(weft_signal *signal, uint64_t set)
{
    weft_future_init(&signal->future, &signal_ops);
    weft_fd_ready(&signal->io_, -1, POLLIN);
    signal->set_ = set;
    signal->fd_ = -1;
    return &signal->future;
}
