/*
 * accept_ring.h - accepting without waiting, whatever the listener's flags
 *
 * Purpose     accept4 waits where O_NONBLOCK is not set on the listener. That flag belongs to all
 *             processes that have the listener (those of a prefork server, systemd), and each of
 *             them may clear it at any time. Of io_uring one can ask for both at once: to accept,
 *             and to give up if that would wait.
 * Threads     accept: any. close: the thread that stops the runtime, after all others.
 * Invariants  V1 each call leaves the ring as it found it: both entries have completed.
 * Ordering    `lock`.
 * Failure     Where no ring can be had the flag is set again, and accept4 asked.
 */
#ifndef WF_ACCEPT_RING_H
#define WF_ACCEPT_RING_H

#include "rt.h"

#include <liburing.h>

/* Zeroed, it is one that is not open yet. */
typedef struct wf_accept_ring {
    uint32_t        lock;
    bool            is_open;
    bool            is_refused; /* the system gives none, or has taken it away */
    struct io_uring uring;
} wf_accept_ring;

/* As accept4: a descriptor or -errno; -EAGAIN: there is no connection. */
int  wf_accept_ring_accept(wf_accept_ring *ring, int fd, struct sockaddr *peer, socklen_t *size,
                           int flags);
void wf_accept_ring_close(wf_accept_ring *ring);

#endif
