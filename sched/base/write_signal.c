/* write_signal.c - see write_signal.h */
#include "write_signal.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static void only(sigset_t *set, int signo)
{
    sigemptyset(set);
    sigaddset(set, signo);
}

/* The signal can be pending only if the thread had blocked it before. */
void wf_write_signal_begin(wf_write_signal *q, int signo)
{
    sigset_t set, pending;

    only(&set, signo);
    pthread_sigmask(SIG_BLOCK, &set, &q->before);
    q->signo = signo;
    q->was_blocked = sigismember(&q->before, signo) == 1;
    q->keep = q->was_blocked && sigpending(&pending) == 0 && sigismember(&pending, signo) == 1;
}

/* A write sends its signal to the thread. sigtimedwait takes a thread's own signals before those of
 * the process, so one that another process has sent meanwhile stays pending. */
int64_t wf_write_signal_end(wf_write_signal *q, ssize_t n, size_t full)
{
    static const struct timespec at_once;

    int64_t  result = n < 0 ? -errno : n;
    int      error = q->signo == SIGPIPE ? EPIPE : EFBIG;
    sigset_t set;

    only(&set, q->signo);
    if (!q->keep && (n < 0 ? result == -error : (size_t)n < full))
        while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
            ;
    if (!q->was_blocked)
        pthread_sigmask(SIG_SETMASK, &q->before, NULL);
    return result;
}
