/* sigpipe.c - see sigpipe.h */
#include "sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static void only_sigpipe(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

/* A SIGPIPE can be pending only if the thread had blocked it before. */
void wf_sigpipe_begin(wf_sigpipe *q)
{
    sigset_t pipe, pending;

    only_sigpipe(&pipe);
    pthread_sigmask(SIG_BLOCK, &pipe, &q->before);
    q->was_blocked = sigismember(&q->before, SIGPIPE) == 1;
    q->keep = q->was_blocked && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

/* A write sends its SIGPIPE to the thread. sigtimedwait takes a thread's own signals before those
 * of the process, so a SIGPIPE that another process has sent meanwhile stays pending. */
int64_t wf_sigpipe_end(wf_sigpipe *q, ssize_t n, size_t full)
{
    static const struct timespec at_once;

    int64_t  result = n < 0 ? -errno : n;
    sigset_t pipe;

    only_sigpipe(&pipe);
    if (!q->keep && (n < 0 ? result == -EPIPE : (size_t)n < full))
        while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (!q->was_blocked)
        pthread_sigmask(SIG_SETMASK, &q->before, NULL);
    return result;
}
