/* entry.c - see entry.h */
#include "entry.h"

#include "calls.h"
#include "fifo.h"
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

static bool is_open(int fd, bool writes)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != (writes ? O_RDONLY : O_WRONLY);
}

/* An eventfd, a timerfd and the like have no type. */
#define ANONYMOUS 0

/* Like the ring, weft waits even if the descriptor has O_NONBLOCK. It does not wait if the
 * descriptor is open for the other direction only, because the system call reports that error at
 * once. */
static bool may_wait(int fd, mode_t type, bool writes)
{
    return (type == S_IFIFO || type == S_IFSOCK || type == S_IFCHR || type == ANONYMOUS) &&
           is_open(fd, writes);
}

bool wf_entry_may_wait(const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_READV:
        return may_wait(sqe->fd, wf_type_of(sqe->fd), false);
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
        return may_wait(sqe->fd, wf_type_of(sqe->fd), true);
    case IORING_OP_SPLICE:
        return may_wait(sqe->fd, wf_type_of(sqe->fd), true) ||
               may_wait(sqe->splice_fd_in, wf_type_of(sqe->splice_fd_in), false);
    case IORING_OP_SEND:
        return true;
    case IORING_OP_OPENAT:
        return sqe->flags & IOSQE_ASYNC; /* open.c looked: a FIFO or a device */
    default:
        return false;
    }
}

/* Returns the events that the descriptor shows, or -errno. POLLERR and the like count as ready,
 * since the system call that follows reports the error. An interrupt comes first, because a call
 * may answer EAGAIN for ever although poll(2) reports that it is ready. */
static int wait_for(int fd, short events, int interrupt)
{
    struct pollfd fds[] = {{fd, events, 0}, {interrupt, POLLIN, 0}};

    for (;;) {
        int n = poll(fds, 2, -1);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            return fds[1].revents ? -ECANCELED : fds[0].revents;
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

#define PIECES       16
#define TERMINAL_BUF 256 /* a pseudo terminal counts its room in buffers of this size */

/* Stores the pieces of the vector after the first `done` bytes, `room` bytes at most. */
static int next_bytes(const struct move *m, size_t done, size_t room, struct iovec *ret_pieces)
{
    int n = 0;

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
 * 6.4. While poll(2) reports room, a write of at most `room` bytes does not block. */
static int64_t write_in_steps(const struct move *m, size_t room)
{
    struct iovec pieces[PIECES];
    size_t       done = 0;
    ssize_t      n;
    int          n_pieces;

    do {
        n_pieces = next_bytes(m, done, room, pieces);
        n = n_pieces > 0 ? writev(m->fd, pieces, n_pieces) : 0;
        done += n > 0 ? (size_t)n : 0;
    } while (n > 0 && has_room(m->fd));
    return done > 0 ? (int64_t)done : n;
}

/* A packet or a value that a device or an eventfd takes must not be cut. Devices do not get
 * RWF_NOWAIT: terminals refuse it, and a long read of /dev/zero would end early. */
static int64_t move_by_pipe(const struct move *m, mode_t type)
{
    if (type != S_IFCHR) {
        int64_t n = move_at_once(m, RWF_NOWAIT);

        if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL))
            return n;
    }
    if (m->writes && type == S_IFIFO)
        return write_in_steps(m, PIPE_BUF);
    if (!m->writes || !isatty(m->fd))
        return move_at_once(m, 0);
    if (has_room(m->fd))
        return write_in_steps(m, TERMINAL_BUF);
    errno = EAGAIN; /* it has only told that its other end is closed */
    return -1;
}

static bool is_empty(const struct move *m)
{
    for (int i = 0; i < m->n; i++)
        if (m->vector[i].iov_len > 0)
            return false;
    return true;
}

static int64_t attempt(const struct move *m, mode_t type, bool waits)
{
    if (type == S_IFSOCK && (waits || m->writes))
        return move_by_socket(m);
    return waits ? move_by_pipe(m, type) : move_at_once(m, 0);
}

#define HUNG_UP_MS 10

/* A socket is tried before it is waited for, since poll(2) never reports that one is not connected.
 * At the end of a datagram socket that was shut down for reading, the attempt returns EAGAIN. */
static int32_t move(struct move m, int interrupt)
{
    mode_t  type = wf_type_of(m.fd);
    bool    waits = may_wait(m.fd, type, m.writes) && !is_empty(&m);
    bool    is_first = true;
    int     shown = 0;
    int64_t n;

    if (type == S_IFIFO || type == S_IFSOCK)
        /* A stream has no offset. The ring ignores it, too. */
        m.offset = -1;
    for (;; is_first = false) {
        if (waits && !(is_first && type == S_IFSOCK) &&
            (shown = wait_for(m.fd, m.writes ? POLLOUT : POLLIN | POLLRDHUP, interrupt)) < 0)
            return shown;
        n = attempt(&m, type, waits);
        if (n >= 0 || !waits || errno != EAGAIN)
            return answer(n);
        if (shown & POLLRDHUP)
            return 0;
        if (shown & POLLHUP) /* poll(2) would report that at once, again and again */
            poll(&(struct pollfd){interrupt, POLLIN, 0}, 1, HUNG_UP_MS);
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

/* ---- splicing ---- */

/*
 * The attempts of one splice. Each of them has SPLICE_F_NONBLOCK, so that the thread waits in
 * poll(2), where its interrupt reaches it, and not in splice(2).
 *
 *   FIRST --EAGAIN--> SECOND --EAGAIN--> LATER --EAGAIN--> LATER
 *
 * `from` is the attempt before which the thread begins to wait for an end:
 *
 *   NEVER    a file, or an end with O_NONBLOCK: the ring does not wait for those, either
 *   SECOND   a pipe, which the flag affects: the first attempt tells whether to wait
 *   FIRST    a socket or terminal, where splice(2) would wait in spite of the flag; SECOND if the
 *            call would move nothing or fail, since it returns at once then
 *
 * `last` is the attempt whose EAGAIN is the answer:
 *
 *   FIRST    the caller has set SPLICE_F_NONBLOCK, or there is no end to wait for; or one end has
 *            O_NONBLOCK and both are pipes, where the ring looks at the flag of either end
 *   SECOND   one end has O_NONBLOCK, and the thread has waited for the other
 *   NEVER    no end has O_NONBLOCK
 */
enum attempt { FIRST, SECOND, LATER, NEVER };

struct end {
    int    fd;
    short  events;
    mode_t type;
    bool   is_stream; /* something that may wait, open for this direction */
    bool   is_nonblocking;
};

static struct end end_of(int fd, bool writes)
{
    mode_t type = wf_type_of(fd);
    int    flags = fcntl(fd, F_GETFL);

    return (struct end){.fd = fd,
                        .events = writes ? POLLOUT : POLLIN,
                        .type = type,
                        .is_stream = may_wait(fd, type, writes) &&
                                     (type == S_IFIFO || type == S_IFSOCK || isatty(fd)),
                        .is_nonblocking = flags >= 0 && flags & O_NONBLOCK};
}

/* Whether splice(2) returns at once because it would move nothing or return an error. */
static bool splices_nothing(const struct io_uring_sqe *sqe, const struct end *in,
                            const struct end *out)
{
    const unsigned known = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;

    return sqe->len == 0 || sqe->splice_flags & ~known ||
           (in->is_stream && sqe->splice_off_in != UINT64_MAX) ||
           (out->is_stream && sqe->off != UINT64_MAX) || !is_open(in->fd, false) ||
           !is_open(out->fd, true) || (in->type != S_IFIFO && out->type != S_IFIFO);
}

static enum attempt from_of(const struct end *end, bool nothing)
{
    if (!end->is_stream || end->is_nonblocking)
        return NEVER;
    return end->type == S_IFIFO || nothing ? SECOND : FIRST;
}

static enum attempt last_of(const struct end *in, const struct end *out, unsigned flags)
{
    bool waits = from_of(in, false) != NEVER || from_of(out, false) != NEVER;

    if (!waits || flags & SPLICE_F_NONBLOCK)
        return FIRST;
    if (!in->is_nonblocking && !out->is_nonblocking)
        return NEVER;
    return in->type == out->type ? FIRST : SECOND;
}

static int32_t run_splice(const struct io_uring_sqe *sqe, int interrupt)
{
    struct end   in = end_of(sqe->splice_fd_in, false), out = end_of(sqe->fd, true);
    bool         nothing = splices_nothing(sqe, &in, &out);
    enum attempt in_from = from_of(&in, nothing), out_from = from_of(&out, nothing);
    enum attempt last = last_of(&in, &out, sqe->splice_flags);
    loff_t       off_in = (loff_t)sqe->splice_off_in, off_out = (loff_t)sqe->off;
    int64_t      n;
    int          r;

    for (enum attempt now = FIRST;; now = now == FIRST ? SECOND : LATER) {
        if (now >= in_from && (r = wait_for(in.fd, in.events, interrupt)) < 0)
            return r;
        if (now >= out_from && (r = wait_for(out.fd, out.events, interrupt)) < 0)
            return r;
        n = splice(in.fd, off_in == -1 ? NULL : &off_in, out.fd, off_out == -1 ? NULL : &off_out,
                   sqe->len, sqe->splice_flags | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EAGAIN || now >= last)
            return answer(n);
    }
}

/* ---- the others ---- */

static int32_t run_open(const struct io_uring_sqe *sqe, int interrupt)
{
    const char *path = pointer(sqe->addr);
    int         flags = (int)sqe->open_flags;

    return interrupt < 0 ? answer(openat(sqe->fd, path, flags, sqe->len))
                         : wf_fifo_open(sqe->fd, path, flags, sqe->len, interrupt);
}

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
    case IORING_OP_SEND:
        return move_buffer(sqe, true, interrupt);
    case IORING_OP_SPLICE:
        return run_splice(sqe, interrupt);
    case IORING_OP_OPENAT:
        return run_open(sqe, interrupt);
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
