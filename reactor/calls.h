/*
 * calls.h - system calls that bypass the C library
 *
 * Purpose     In a process with threads, glibc's recv and send turn asynchronous cancellation on
 *             and off again. That takes two locked instructions and 44 others for each call, for
 *             threads that are never cancelled. The system calls themselves do none of that.
 * Threads     Any.
 * Invariants  Sanitizers see buffers only in the library's functions, so weft calls those under a
 *             sanitizer.
 * Ordering    None.
 * Failure     As recv(2), send(2) and sendmmsg(2): -1 and errno.
 */
#ifndef WF_CALLS_H
#define WF_CALLS_H

#include "libc.h"
#include "memcheck.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WF_CALLS_OF_LIBRARY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define WF_CALLS_OF_LIBRARY 1
#endif
#endif
/* Some architectures have socketcall(2) only. */
#if !defined(SYS_recvfrom) || !defined(SYS_sendto)
#define WF_CALLS_OF_LIBRARY 1
#endif

#ifdef WF_CALLS_OF_LIBRARY
#define wf_recv(fd, memory, size, flags) recv((fd), (memory), (size), (flags))
#define wf_send(fd, memory, size, flags) send((fd), (memory), (size), (flags))
#define wf_send_batch(fd, m, n, flags)   sendmmsg((fd), (m), (n), (flags))
#else
static inline ssize_t wf_recv(int fd, void *memory, size_t size, int flags)
{
    return syscall(SYS_recvfrom, fd, memory, size, flags, NULL, NULL);
}

static inline ssize_t wf_send(int fd, const void *memory, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, memory, size, flags, NULL, 0);
}

/* musl's sendmmsg makes a system call for each packet. The messages' padding must be zero. */
static inline int wf_send_batch(int fd, struct mmsghdr *message, unsigned n, int flags)
{
    return (int)syscall(SYS_sendmmsg, fd, message, n, flags);
}
#endif

/* readv and writev that do not wait. They fail with EAGAIN, or with EOPNOTSUPP where the kernel
 * cannot promise not to wait. */
static inline ssize_t wf_readv_nowait(int fd, const struct iovec *vector, int n)
{
    return syscall(SYS_preadv2, fd, vector, n, -1L, -1L, RWF_NOWAIT);
}

static inline ssize_t wf_writev_nowait(int fd, const struct iovec *vector, int n)
{
    return syscall(SYS_pwritev2, fd, vector, n, -1L, -1L, RWF_NOWAIT);
}

/* Marks the bytes that a read has stored as defined for valgrind, which knows neither the ring nor
 * preadv2. */
static inline void wf_pieces_defined(const struct iovec *piece, int64_t n)
{
    for (size_t left = n > 0 ? (size_t)n : 0; left > 0; piece++) {
        size_t size = piece->iov_len < left ? piece->iov_len : left;

        wf_memcheck_defined(piece->iov_base, size);
        left -= size;
    }
}

/* Returns the type bits of the file's mode, without a request to a file server. Returns 0 if the
 * descriptor is not open. */
static inline mode_t wf_type_of(int fd)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
        return 0;
    wf_memcheck_defined(&st, sizeof st);
    return st.stx_mode & S_IFMT;
}

#endif
