/*
 * entry.c - does by system calls what an entry of a ring says
 *
 * Purpose     See entry.h.
 * Threads     See entry.h.
 * Invariants  See entry.h.
 * Ordering    None.
 * Failure     See entry.h.
 */
#include "entry.h"

#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void *pointer(uint64_t value)
{
    return (void *)(uintptr_t)value;
}

static int32_t answer(int64_t n)
{
    return n < 0 ? -errno : (int32_t)n;
}

/* ---- what may wait ---- */

/* What a descriptor is; 0: unknown, the system call tells why. */
static mode_t type_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

static bool may_wait(int fd, mode_t type)
{
    int flags = fcntl(fd, F_GETFL);

    return (type == S_IFIFO || type == S_IFCHR || type == S_IFSOCK) && flags >= 0 &&
           !(flags & O_NONBLOCK);
}

bool wf_entry_may_wait(const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        return may_wait(sqe->fd, type_of(sqe->fd));
    case IORING_OP_SPLICE:
        return may_wait(sqe->fd, type_of(sqe->fd)) ||
               may_wait(sqe->splice_fd_in, type_of(sqe->splice_fd_in));
    default:
        return false;
    }
}

/* 0, or -errno. What poll(2) reports in error is for the system call to tell. */
static int wait_for(int fd, short events, int interrupt)
{
    struct pollfd fds[] = {{fd, events, 0}, {interrupt, POLLIN, 0}};

    for (;;) {
        int n = poll(fds, 2, -1);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            return fds[0].revents ? 0 : -ECANCELED;
    }
}

/* ---- reading and writing ---- */

struct move {
    int                 fd;
    const struct iovec *vector;
    int                 n;
    int64_t             offset; /* -1: the position */
    bool                writes;
};

static int64_t move_at_once(const struct move *m, int flags)
{
    return m->writes ? pwritev2(m->fd, m->vector, m->n, m->offset, flags)
                     : preadv2(m->fd, m->vector, m->n, m->offset, flags);
}

static int64_t move_by_socket(const struct move *m)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)m->vector,
                             .msg_iovlen = (size_t)m->n};

    return m->writes ? sendmsg(m->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                     : recvmsg(m->fd, &message, MSG_DONTWAIT);
}

/* A pipe that poll(2) reports as writable has room for PIPE_BUF bytes; more could wait. */
static int64_t move_by_pipe(struct move m)
{
    struct iovec few;
    int64_t      n;

    if (m.writes && m.n > 0) {
        few = m.vector[0];
        few.iov_len = few.iov_len < PIPE_BUF ? few.iov_len : PIPE_BUF;
        m.vector = &few;
        m.n = 1;
    }
    n = move_at_once(&m, RWF_NOWAIT);
    if (n < 0 &&
        (errno == EOPNOTSUPP || errno == EINVAL)) /* kernels whose pipes have no RWF_NOWAIT */
        n = move_at_once(&m, 0);
    return n;
}

static int32_t move(struct move m, int interrupt)
{
    mode_t  type = type_of(m.fd);
    bool    waits = may_wait(m.fd, type);
    int64_t n;
    int     r;

    if (type == S_IFIFO || type == S_IFCHR || type == S_IFSOCK)
        m.offset = -1; /* as in the ring: a stream has no offset */
    for (;;) {
        if (waits && (r = wait_for(m.fd, m.writes ? POLLOUT : POLLIN, interrupt)) < 0)
            return r;
        n = !waits ? move_at_once(&m, 0) : type == S_IFSOCK ? move_by_socket(&m) : move_by_pipe(m);
        if (n >= 0 || !waits || errno != EAGAIN)
            return answer(n);
    }
}

static int32_t move_buffer(const struct io_uring_sqe *sqe, bool writes, int interrupt)
{
    struct iovec buffer = {pointer(sqe->addr), sqe->len};

    return move((struct move){sqe->fd, &buffer, 1, (int64_t)sqe->off, writes}, interrupt);
}

static int32_t move_vector(const struct io_uring_sqe *sqe, bool writes, int interrupt)
{
    return move(
        (struct move){sqe->fd, pointer(sqe->addr), (int)sqe->len, (int64_t)sqe->off, writes},
        interrupt);
}

static int32_t run_splice(const struct io_uring_sqe *sqe, int interrupt)
{
    int      in = sqe->splice_fd_in, out = sqe->fd;
    bool     in_waits = may_wait(in, type_of(in)), out_waits = may_wait(out, type_of(out));
    loff_t   off_in = (loff_t)sqe->splice_off_in, off_out = (loff_t)sqe->off;
    unsigned flags = sqe->splice_flags;
    int64_t  n;
    int      r;

    for (;;) {
        if (in_waits && (r = wait_for(in, POLLIN, interrupt)) < 0)
            return r;
        if (out_waits && (r = wait_for(out, POLLOUT, interrupt)) < 0)
            return r;
        n = splice(in, off_in == -1 ? NULL : &off_in, out, off_out == -1 ? NULL : &off_out,
                   sqe->len, flags | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EAGAIN || (flags & SPLICE_F_NONBLOCK) || !(in_waits || out_waits))
            return answer(n);
    }
}

/* ---- the others ---- */

static int32_t run_path(const struct io_uring_sqe *sqe)
{
    const char *path = pointer(sqe->addr), *other = pointer(sqe->addr2);

    switch (sqe->opcode) {
    case IORING_OP_UNLINKAT:
        return answer(unlinkat(sqe->fd, path, (int)sqe->unlink_flags));
    case IORING_OP_RENAMEAT:
        return answer(renameat2(sqe->fd, path, (int)sqe->len, other, sqe->rename_flags));
    case IORING_OP_MKDIRAT:
        return answer(mkdirat(sqe->fd, path, sqe->len));
    case IORING_OP_SYMLINKAT:
        return answer(symlinkat(path, sqe->fd, other));
    case IORING_OP_LINKAT:
        return answer(linkat(sqe->fd, path, (int)sqe->len, other, (int)sqe->hardlink_flags));
    case IORING_OP_STATX:
        return answer(statx(sqe->fd, path, (int)sqe->statx_flags, sqe->len, pointer(sqe->off)));
    default:
        return -EOPNOTSUPP;
    }
}

int32_t wf_entry_run(const struct io_uring_sqe *sqe, int interrupt)
{
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
        return move_buffer(sqe, sqe->opcode == IORING_OP_WRITE, interrupt);
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        return move_vector(sqe, sqe->opcode == IORING_OP_WRITEV, interrupt);
    case IORING_OP_SPLICE:
        return run_splice(sqe, interrupt);
    case IORING_OP_OPENAT:
        return answer(openat(sqe->fd, pointer(sqe->addr), (int)sqe->open_flags, sqe->len));
    case IORING_OP_CLOSE:
        return answer(close(sqe->fd));
    case IORING_OP_FSYNC:
        return answer(sqe->fsync_flags & IORING_FSYNC_DATASYNC ? fdatasync(sqe->fd)
                                                               : fsync(sqe->fd));
    case IORING_OP_FALLOCATE:
        return answer(fallocate(sqe->fd, (int)sqe->len, (off_t)sqe->off, (off_t)sqe->addr));
    case WF_RING_OP_FTRUNCATE:
        return answer(ftruncate(sqe->fd, (off_t)sqe->off));
    default:
        return run_path(sqe);
    }
}
