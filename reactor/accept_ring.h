/*
 * accept_ring.h - accepts without waiting, whatever flags the listener has
 *
 * Purpose     accept4 waits if the listener does not have O_NONBLOCK. All processes that share the
 *             listener (those of a prefork server, systemd) share the flag, and each of them may
 *             clear it at any time. io_uring takes two entries in one call: one that accepts, and
 *             one that cancels the accept if it waits.
 * Threads     accept: any. close: the thread that stops the runtime, after all others.
 * Invariants  V1 both entries have completed when a call returns, so the ring is empty between
 *             calls.
 * Ordering    `lock`.
 * Failure     If there is no ring, weft sets the flag again and calls accept4.
 */
#ifndef WF_ACCEPT_RING_H
#define WF_ACCEPT_RING_H

#include "rt.h"

#include <liburing.h>

/* A zeroed struct is a ring that is not open yet. */
typedef struct wf_accept_ring {
    uint32_t        lock;
    bool            is_open;
    bool            is_refused;  /* the kernel has denied a ring, or it was lost */
    int             reactors_fd; /* of the reactor's ring, also after the host has closed it */
    struct io_uring uring;
} wf_accept_ring;

/* As accept4. Returns a descriptor, -EAGAIN if there is no connection, or another -errno. */
int  wf_accept_ring_accept(wf_accept_ring *ring, int fd, struct sockaddr *peer, socklen_t *size,
                           int flags);
void wf_accept_ring_close(wf_accept_ring *ring);

#endif
