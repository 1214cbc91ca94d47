/*
 * file.c - the rows of the operation table for open files
 *
 * Purpose     Fills submission entries; goes on after short transfers; takes back the descriptor of
 *             a cancelled open.
 * Threads     Constructors: the caller. prepare: the reactor's thread. begin, end, plain: the
 *             future's owner.
 * Invariants  io->done bytes have been moved by the submissions that ended; only those that move
 *             all are submitted again. D1 what the kernel does on the reactor's thread has a bound:
 *             a longer copy, and a close, which may free a whole file, go to a thread of the
 *             kernel's (IOSQE_ASYNC). D2 an open that may wait for another program goes there, too:
 *             on the reactor's thread the kernel would open as with O_NONBLOCK.
 * Ordering    None.
 * Failure     The kernel's answer.
 */
#include "memcheck.h"
#include "operation.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define CACHED_MOST  ((size_t)128 << 10) /* bytes that a worker copies at once: some 12 us */
#define CACHED_UNIT  ((size_t)16 << 10)  /* of them for one more operation of the poll's budget */
#define MOST_AT_ONCE 0x7ffff000          /* what the kernel moves in one call */
#define PIECES_MOST  1024                /* that it takes */
#define NO_OFFSET    (-1)

/* ---- opening: size_ is the step ---- */

enum {
    OPEN_PLAIN, /* it does not wait for another program */
    OPEN_LOOK, /* not in the kernel's cache: it looks first what is there, then one of the others */
    OPEN_WAITS, /* it may: a FIFO, or a device */
};

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static unsigned look_flags(const weft_io *io)
{
    return O_PATH | O_CLOEXEC | (io->option_ & O_NOFOLLOW);
}

/* The type bits of the file's mode, without asking a server; 0: the descriptor is not open. */
static mode_t type_of(int fd)
{
    struct statx st;

    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
        return 0;
    return st.stx_mode & S_IFMT;
}

/* The step that follows the look, which has opened the path without opening the file. */
static size_t step_for(int path)
{
    mode_t type = type_of(path);

    close(path);
    return type == S_IFIFO || type == S_IFCHR ? OPEN_WAITS : OPEN_PLAIN;
}

/* A look costs less than a microsecond where the path is in the kernel's cache, and else is made by
 * the ring. */
int wf_file_begin_open(weft_io *io, weft_context *cx)
{
    struct open_how how = {.flags = look_flags(io), .resolve = RESOLVE_CACHED};
    uint32_t        flags = io->option_;
    int             path;

    (void)cx;
    io->size_ = OPEN_PLAIN;
    if (flags & (O_NONBLOCK | O_PATH | O_DIRECTORY) || (flags & O_CREAT && flags & O_EXCL))
        return 0;
    path = (int)syscall(SYS_openat2, io->fd_, io->memory_, &how, sizeof how);
    if (path >= 0)
        io->size_ = step_for(path);
    else if (errno == EAGAIN || errno == ENOSYS || errno == EPERM || errno == EINTR)
        io->size_ = OPEN_LOOK;
    return 0; /* the open tells of other errors */
}

bool wf_file_open_waits(const weft_io *io)
{
    return io->size_ == OPEN_WAITS;
}

void wf_file_prepare_open(const weft_io *io, struct io_uring_sqe *sqe)
{
    int flags = io->size_ == OPEN_LOOK ? (int)look_flags(io) : (int)io->option_ | O_CLOEXEC;

    io_uring_prep_openat(sqe, io->fd_, io->memory_, flags, (mode_t)io->offset_);
    if (io->size_ == OPEN_WAITS)
        sqe->flags |= IOSQE_ASYNC; /* D2 */
}

int64_t wf_file_end_open(weft_io *io, int64_t result, bool cancelled)
{
    if (io->size_ == OPEN_LOOK) {
        io->size_ = result < 0 ? OPEN_PLAIN : step_for((int)result);
        return cancelled ? -ECANCELED : WF_IO_MORE;
    }
    if (result < 0 || !cancelled)
        return result;
    close((int)result);
    return -ECANCELED;
}

/* ---- closing ---- */

void wf_file_prepare_close(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, io->fd_);
    sqe->flags |= IOSQE_ASYNC; /* D1 */
}

int64_t wf_file_plain_close(const weft_io *io)
{
    return close(io->fd_) < 0 ? -errno : 0;
}

WEFT_API weft_future *weft_file_open_at(weft_io *io, int dir, const char *path, int flags,
                                        unsigned mode)
{
    weft_future *future = wf_io_init(io, WF_OP_FILE_OPEN);

    io->fd_ = dir;
    io->memory_ = (void *)(uintptr_t)path;
    io->option_ = (uint32_t)flags;
    io->offset_ = mode;
    return future;
}

WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode)
{
    return weft_file_open_at(io, AT_FDCWD, path, flags, mode);
}

/* ---- reading and writing ---- */

static char *place(const weft_io *io)
{
    return (char *)io->memory_ + io->done;
}

static unsigned length(const weft_io *io)
{
    size_t left = io->size_ - io->done;

    return left < MOST_AT_ONCE ? (unsigned)left : MOST_AT_ONCE;
}

static uint64_t offset(const weft_io *io)
{
    return (uint64_t)(io->offset_ == NO_OFFSET ? NO_OFFSET : io->offset_ + (int64_t)io->done);
}

/* D1 */
static void bound(struct io_uring_sqe *sqe, size_t size)
{
    if (size > CACHED_MOST)
        sqe->flags |= IOSQE_ASYNC;
}

/* The bytes of the pieces; no more of them than it takes to be above the bound. */
static size_t vector_size(const weft_io *io)
{
    const struct iovec *piece = io->memory_;
    size_t              size = 0;

    for (size_t i = 0; i < io->size_ && i < PIECES_MOST && size <= CACHED_MOST; i++)
        if (__builtin_add_overflow(size, piece[i].iov_len, &size))
            return SIZE_MAX;
    return size;
}

void wf_file_prepare_read(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, io->fd_, place(io), length(io), offset(io));
    bound(sqe, length(io));
}

void wf_file_prepare_write(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_write(sqe, io->fd_, place(io), length(io), offset(io));
    bound(sqe, length(io));
}

void wf_file_prepare_readv(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_readv(sqe, io->fd_, io->memory_, (unsigned)io->size_, offset(io));
    bound(sqe, vector_size(io));
}

void wf_file_prepare_writev(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_writev(sqe, io->fd_, io->memory_, (unsigned)io->size_, offset(io));
    bound(sqe, vector_size(io));
}

/* The ring ignores an offset where there is no position; pread(2) and pwrite(2) refuse it, as we
 * do. Nor does it lock the position, as read(2) does: operations there must take turns. What has no
 * position (pipes, terminals, sockets) must not: there a read may wait beside a write. */
int wf_file_begin_transfer(weft_io *io, weft_context *cx)
{
    mode_t type;

    (void)cx;
    if (io->offset_ < NO_OFFSET)
        return -EINVAL;
    type = type_of(io->fd_);
    if (type == S_IFREG || type == S_IFBLK)
        io->option_ = io->offset_ == NO_OFFSET;
    else if (io->offset_ != NO_OFFSET && lseek(io->fd_, 0, SEEK_CUR) < 0 && errno == ESPIPE)
        return -ESPIPE;
    return 0;
}

/* No bytes: that does not wait, and the ring would, for a terminal, and takes directories for
 * files. */
static int64_t read_nothing(const weft_io *io)
{
    char    none;
    ssize_t n = io->offset_ == NO_OFFSET ? read(io->fd_, &none, 0)
                                         : pread(io->fd_, &none, 0, (off_t)io->offset_);

    return n < 0 ? -errno : n;
}

/* Reads all of it from the page cache, or nothing. A shorter answer may be the end of the file or
 * where the cache ends, and Linux 5.9 and 5.10 answer 0 by mistake: the ring finds out, as it does
 * with errors. Not at the file's own position, which a read that gives up must not move. */
int64_t wf_file_read_cached(const weft_io *io, weft_context *cx)
{
    struct iovec piece = {.iov_base = place(io), .iov_len = length(io)};
    size_t       more = piece.iov_len / CACHED_UNIT;

    if (piece.iov_len == 0)
        return read_nothing(io);
    if (io->offset_ < 0 || piece.iov_len > CACHED_MOST)
        return WF_IO_MORE;
    if (preadv2(io->fd_, &piece, 1, (off_t)offset(io), RWF_NOWAIT) != (ssize_t)piece.iov_len)
        return WF_IO_MORE;
    cx->budget -= more < cx->budget ? (uint32_t)more : cx->budget;
    return (int64_t)piece.iov_len;
}

int64_t wf_file_readv_nothing(const weft_io *io, weft_context *cx)
{
    ssize_t n;

    (void)cx;
    if (io->size_ > PIECES_MOST || vector_size(io) > 0)
        return WF_IO_MORE;
    n = io->offset_ == NO_OFFSET ? readv(io->fd_, io->memory_, (int)io->size_)
                                 : preadv(io->fd_, io->memory_, (int)io->size_, io->offset_);
    return n < 0 ? -errno : n;
}

int64_t wf_file_end_read(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result > 0)
        wf_memcheck_defined(place(io), (size_t)result);
    return result;
}

int64_t wf_file_end_readv(weft_io *io, int64_t result, bool cancelled)
{
    const struct iovec *piece = io->memory_;

    (void)cancelled;
    for (size_t left = result > 0 ? (size_t)result : 0; left > 0; piece++) {
        size_t n = piece->iov_len < left ? piece->iov_len : left;

        wf_memcheck_defined(piece->iov_base, n);
        left -= n;
    }
    return result;
}

/* One step of a transfer that moves all. */
static int64_t end_step(weft_io *io, int64_t result, bool cancelled, int at_end)
{
    if (result < 0)
        return result;
    io->done += (size_t)result;
    if (io->done == io->size_)
        return (int64_t)io->size_;
    if (result == 0)
        return at_end;
    return cancelled ? -ECANCELED : WF_IO_MORE;
}

int64_t wf_file_end_read_exact(weft_io *io, int64_t result, bool cancelled)
{
    return end_step(io, wf_file_end_read(io, result, cancelled), cancelled, WEFT_EOF);
}

int64_t wf_file_end_write_all(weft_io *io, int64_t result, bool cancelled)
{
    return end_step(io, result, cancelled, -EIO); /* a file that takes nothing and names no cause */
}

static weft_future *transfer(weft_io *io, int op, int fd, const void *memory, size_t size,
                             int64_t at)
{
    weft_future *future = wf_io_init(io, op);

    io->fd_ = fd;
    io->memory_ = (void *)(uintptr_t)memory;
    io->size_ = size;
    io->offset_ = at;
    return future;
}

/* The kernel has 32 bits for the count of pieces, and refuses more than 1024. */
static size_t pieces(int n)
{
    return n < 0 ? UINT32_MAX : (size_t)n;
}

WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size, int64_t at)
{
    return transfer(io, WF_OP_FILE_READ, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t at)
{
    return transfer(io, WF_OP_FILE_READ_EXACT, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t at)
{
    return transfer(io, WF_OP_FILE_READV, fd, vector, pieces(n), at);
}

WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t at)
{
    return transfer(io, WF_OP_FILE_WRITE, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t at)
{
    return transfer(io, WF_OP_FILE_WRITE_ALL, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_writev(weft_io *io, int fd, const struct iovec *vector, int n,
                                       int64_t at)
{
    return transfer(io, WF_OP_FILE_WRITEV, fd, vector, pieces(n), at);
}

WEFT_API weft_future *weft_file_close(weft_io *io, int fd)
{
    return transfer(io, WF_OP_FILE_CLOSE, fd, NULL, 0, 0);
}

/* ---- splicing: the second descriptor travels in out_, its offset in memory_ ---- */

WEFT_STATIC_ASSERT_(sizeof(void *) == sizeof(int64_t), "an offset fits into a pointer");

void wf_file_prepare_splice(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_splice(sqe, io->fd_, io->offset_, (int)(intptr_t)io->out_, (intptr_t)io->memory_,
                         length(io), io->option_);
}

WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags)
{
    weft_future *future = transfer(io, WF_OP_SPLICE, fd_in, NULL, size, offset_in);

    io->out_ = (void *)(intptr_t)fd_out;
    io->memory_ = (void *)(intptr_t)offset_out;
    io->option_ = flags;
    return future;
}

/* ---- the file itself ---- */

void wf_file_prepare_sync(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_fsync(sqe, io->fd_, io->option_);
}

void wf_file_prepare_allocate(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_fallocate(sqe, io->fd_, (int)io->option_, io->offset_, (off_t)io->size_);
}

void wf_file_prepare_truncate(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_rw(WF_RING_OP_FTRUNCATE, sqe, io->fd_, NULL, 0, (uint64_t)io->offset_);
}

int64_t wf_file_plain_truncate(const weft_io *io)
{
    int r;

    do
        r = ftruncate(io->fd_, io->offset_);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

WEFT_API weft_future *weft_file_sync(weft_io *io, int fd)
{
    return transfer(io, WF_OP_FILE_SYNC, fd, NULL, 0, 0);
}

WEFT_API weft_future *weft_file_sync_data(weft_io *io, int fd)
{
    weft_future *future = transfer(io, WF_OP_FILE_SYNC_DATA, fd, NULL, 0, 0);

    io->option_ = IORING_FSYNC_DATASYNC;
    return future;
}

WEFT_API weft_future *weft_file_allocate(weft_io *io, int fd, int mode, int64_t at, int64_t size)
{
    weft_future *future = transfer(io, WF_OP_FILE_ALLOCATE, fd, NULL, (size_t)size, at);

    io->option_ = (uint32_t)mode;
    return future;
}

WEFT_API weft_future *weft_file_truncate(weft_io *io, int fd, int64_t size)
{
    return transfer(io, WF_OP_FILE_TRUNCATE, fd, NULL, 0, size);
}
