/*
 * descriptor.h - descriptors that weft opens for itself
 *
 * Purpose     A host may have closed 0, 1 or 2, and the next descriptor that is opened gets that
 *             number. If it were weft's, what the host and the default log write to standard error
 * would go             into it. So weft's own begin at 3.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     As fcntl(2): -1 and errno; the descriptor is closed then.
 */
#ifndef WF_DESCRIPTOR_H
#define WF_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Takes what a system call has answered: a descriptor, or -1 with errno. Answers a descriptor from
 * 3 on, with FD_CLOEXEC, or -1 with errno. */
static inline int wf_descriptor(int fd)
{
    int own, error;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno;
    close(fd);
    errno = error;
    return own;
}

#endif
