/* entry.c - see entry.h */
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

/* Returns the type bits of a descriptor's mode. Returns 0 on an error, which the system call that
 * follows reports. */
static mode_t type_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

static bool is_open(int fd, bool writes)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != (writes ? O_RDONLY : O_WRONLY);
}

/* Like the ring, weft waits even if the descriptor has O_NONBLOCK. It does not wait if the
 * descriptor is open for the other direction only, because the system call reports that error at
 * once. */
static bool may_wait(int fd, mode_t type, bool writes)
{
    return (type == S_IFIFO || type == S_IFSOCK || (type == S_IFCHR && isatty(fd))) &&
           is_open(fd, writes);
}

bool wf_entry_may_wait(const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
        return may_wait(sqe->fd, type_of(sqe->fd), false);
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
        return may_wait(sqe->fd, type_of(sqe->fd), true);
    case IORING_OP_SPLICE:
        return may_wait(sqe->fd, type_of(sqe->fd), true) ||
               may_wait(sqe->splice_fd_in, type_of(sqe->splice_fd_in), false);
    default:
        return false;
    }
}

/* Returns 0 or -errno. POLLERR and the like count as ready, since the system call that follows
 * reports the error. */
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
    int64_t             offset; /* -1: the file's position */
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

#define PIECES 16

/* Stores the pieces of the vector after the first `done` bytes, PIPE_BUF bytes at most. A pipe or
 * terminal that poll(2) reports as writable has room for that many. */
static int next_bytes(const struct move *m, size_t done, struct iovec *ret_pieces)
{
    size_t room = PIPE_BUF;
    int    n = 0;

    for (int i = 0; i < m->n && n < PIECES && room > 0; i++) {
        struct iovec piece = m->vector[i];
        size_t       skip = done < piece.iov_len ? done : piece.iov_len;

        done -= skip;
        piece.iov_base = (char *)piece.iov_base + skip;
        piece.iov_len -= skip;
        if (piece.iov_len > room)
            piece.iov_len = room;
        room -= piece.iov_len;
        if (piece.iov_len > 0)
            ret_pieces[n++] = piece;
    }
    return n;
}

static bool has_room(int fd)
{
    struct pollfd ready = {fd, POLLOUT, 0};

    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT);
}

/* Writes where the kernel does not support RWF_NOWAIT: terminals, FIFOs, and pipes before Linux
 * 6.4. While poll(2) reports room, a write of at most PIPE_BUF bytes does not block. */
static int64_t write_in_steps(const struct move *m)
{
    struct iovec pieces[PIECES];
    size_t       done = 0;
    ssize_t      n;
    int          n_pieces;

    do {
        n_pieces = next_bytes(m, done, pieces);
        n = n_pieces > 0 ? writev(m->fd, pieces, n_pieces) : 0;
        done += n > 0 ? (size_t)n : 0;
    } while (n > 0 && has_room(m->fd));
    return done > 0 ? (int64_t)done : n;
}

static int64_t move_by_pipe(const struct move *m)
{
    int64_t n = move_at_once(m, RWF_NOWAIT);

    if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL))
        return n;
    return m->writes ? write_in_steps(m) : move_at_once(m, 0);
}

static bool is_empty(const struct move *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->vector[i].iov_len > 0)
            return false;
    return true;
}

static int32_t move(struct move m, int interrupt)
{
    mode_t  type = type_of(m.fd);
    bool    waits = may_wait(m.fd, type, m.writes) && !is_empty(&m);
    int64_t n;
    int     r;

    if (type == S_IFIFO || type == S_IFSOCK || (type == S_IFCHR && waits))
        /* A stream has no offset. The ring ignores it, too. */
        m.offset = -1;
    for (;;) {
        if (waits && (r = wait_for(m.fd, m.writes ? POLLOUT : POLLIN, interrupt)) < 0)
            return r;
        n = type == S_IFSOCK && (waits || m.writes) ? move_by_socket(&m)
            : waits                                 ? move_by_pipe(&m)
                                                    : move_at_once(&m, 0);
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

static bool is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && flags & O_NONBLOCK;
}

/* Whether splice(2) returns at once because it would move nothing or return an error. */
static bool splices_nothing(const struct io_uring_sqe *sqe, bool in_waits, bool out_waits)
{
    const unsigned known = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

    return sqe->len == 0 || sqe->splice_flags & ~known ||
           (in_waits && sqe->splice_off_in != UINT64_MAX) ||
           (out_waits && sqe->off != UINT64_MAX) || !is_open(sqe->splice_fd_in, false) ||
           !is_open(sqe->fd, true) ||
           (type_of(sqe->splice_fd_in) != S_IFIFO && type_of(sqe->fd) != S_IFIFO);
}

/* SPLICE_F_NONBLOCK affects pipes only, so the thread waits for a socket before it calls splice.
 * Like the ring, it does not wait for a descriptor that has O_NONBLOCK. */
static int32_t run_splice(const struct io_uring_sqe *sqe, int interrupt)
{
    int      in = sqe->splice_fd_in, out = sqe->fd;
    mode_t   in_type = type_of(in), out_type = type_of(out);
    bool     in_waits = may_wait(in, in_type, false), out_waits = may_wait(out, out_type, true);
    bool     nothing = splices_nothing(sqe, in_waits, out_waits);
    bool     once = is_nonblocking(in) || is_nonblocking(out), in_first, out_first;
    loff_t   off_in = (loff_t)sqe->splice_off_in, off_out = (loff_t)sqe->off;
    unsigned flags = sqe->splice_flags;
    int64_t  n;
    int      r;

    in_waits &= !is_nonblocking(in);
    out_waits &= !is_nonblocking(out);
    in_first = !nothing && in_waits && in_type != S_IFIFO;
    out_first = !nothing && out_waits && out_type != S_IFIFO;
    for (int turn = 0;; turn++) {
        if (in_first && (r = wait_for(in, POLLIN, interrupt)) < 0)
            return r;
        if (out_first && (r = wait_for(out, POLLOUT, interrupt)) < 0)
            return r;
        n = splice(in, off_in == -1 ? NULL : &off_in, out, off_out == -1 ? NULL : &off_out,
                   sqe->len, flags | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EAGAIN || flags & SPLICE_F_NONBLOCK || !(in_waits || out_waits) ||
            (once && (turn > 0 || in_type == out_type)))
            return answer(n);
        in_first = in_waits;
        out_first = out_waits;
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
