/*
 * descriptor.h - descriptors that weft opens for itself
 *
 * Purpose     A host may have closed 0, 1 or 2, and the next descriptor that is opened gets that
 *             number. If it belonged to weft, the lines that the host and the default log write to
 *             standard error would go into it. So weft's own descriptors begin at 3.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     As fcntl(2): -1 and errno. Then the descriptor is closed.
 */
#ifndef WF_DESCRIPTOR_H
#define WF_DESCRIPTOR_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Takes the result of a system call: a descriptor, or -1 with errno. Returns a descriptor of at
 * least 3, with FD_CLOEXEC, or -1 with errno. */
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
