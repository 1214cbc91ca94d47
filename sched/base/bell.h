/*
 * bell.h - an eventfd that ends a sleep in the kernel
 *
 * Purpose     Wakes a worker that sleeps in epoll_wait, where no futex reaches it.
 * Threads     Any.
 * Invariants  None.
 * Ordering    park.h.
 * Failure     If the host has closed the descriptor, the process ends, because the worker would
 *             never wake.
 */
#ifndef WF_BELL_H
#define WF_BELL_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <weft/future.h>

static inline void wf_bell_ring(int fd)
{
    uint64_t one = 1;

    if (write(fd, &one, sizeof one) < 0 && errno == EBADF)
        weft_misuse_("weft", "the program has closed a file descriptor that belongs to weft",
                     strerror(EBADF));
}

/* Makes the bell silent again. */
static inline void wf_bell_still(int fd)
{
    uint64_t rings;

    (void)!read(fd, &rings, sizeof rings); /* EAGAIN: another thread has read it already */
}

#endif
