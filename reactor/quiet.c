/*
 * quiet.c - writing where there is no MSG_NOSIGNAL
 *
 * Purpose     See quiet.h.
 * Threads     See quiet.h.
 * Invariants  See quiet.h.
 * Ordering    None.
 * Failure     None.
 */
#include "quiet.h"

#include "rt.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* The thread that a current-thread runtime lives on is its caller's. */
static bool signals_are_blocked(void)
{
    return wf_current_thread.owned && !wf_current_thread.rt->config.current_thread;
}

static void only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void wf_quiet_begin(wf_quiet *q)
{
    sigset_t pipe, pending;

    *q = (wf_quiet){.blocked = !signals_are_blocked()};
    if (!q->blocked)
        return;
    only_sigpipe(&pipe);
    sigpending(&pending);
    q->keep = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &q->before);
}

int64_t wf_quiet_end(wf_quiet *q, ssize_t n, size_t full)
{
    static const struct timespec at_once;

    int64_t  result = n < 0 ? -errno : n;
    sigset_t pipe;

    only_sigpipe(&pipe);
    if (!q->keep && (n < 0 ? result == -EPIPE : (size_t)n < full))
        while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (q->blocked)
        pthread_sigmask(SIG_SETMASK, &q->before, NULL);
    return result;
}
