/*
 * libc.h - system calls that some C libraries lack
 *
 * Purpose     musl has statx, preadv2 and pwritev2 from 1.2.5 on, and renameat2 from 1.2.6 on. The
 *             build looks for them (reactor/meson.build). Where one is missing, this header defines
 *             it under its usual name, so that no other file needs to know.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     As the C library's functions: -1 and errno.
 */
#ifndef WF_LIBC_H
#define WF_LIBC_H

#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef WF_LACKS_STATX
#include <linux/stat.h>

static inline int statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
    return (int)syscall(SYS_statx, dir, path, flags, mask, ret);
}
#endif

/* The kernel takes an offset in two halves, of which a 64-bit machine uses the first. */
#ifdef WF_LACKS_PREADV2
static inline ssize_t preadv2(int fd, const struct iovec *vector, int n, off_t offset, int flags)
{
    return syscall(SYS_preadv2, fd, vector, n, (long)offset, 0L, flags);
}
#endif

#ifdef WF_LACKS_PWRITEV2
static inline ssize_t pwritev2(int fd, const struct iovec *vector, int n, off_t offset, int flags)
{
    return syscall(SYS_pwritev2, fd, vector, n, (long)offset, 0L, flags);
}
#endif

#ifdef WF_LACKS_RENAMEAT2
#include <linux/fs.h>

static inline int renameat2(int dir, const char *path, int new_dir, const char *new_path,
                            unsigned flags)
{
    return (int)syscall(SYS_renameat2, dir, path, new_dir, new_path, flags);
}
#endif

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

#endif
