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

/* ---- opening ---- */

enum step {
    OPEN_PLAIN, /* it does not wait for another program */
    OPEN_LOOK, /* not in the kernel's cache: it looks first what is there, then one of the others */
    OPEN_WAITS, /* it may: a FIFO, or a device */
};

typedef struct opening {
    const char *path;
    int         dir, flags;
    mode_t      mode;
    enum step   step;
} opening;

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

static int look_flags(const opening *args)
{
    return O_PATH | O_CLOEXEC | (args->flags & O_NOFOLLOW);
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
static enum step step_for(int path)
{
    mode_t type = type_of(path);

    close(path);
    return type == S_IFIFO || type == S_IFCHR ? OPEN_WAITS : OPEN_PLAIN;
}

/* A look costs less than a microsecond where the path is in the kernel's cache, and else is made by
 * the ring. */
int wf_file_begin_open(weft_io *io, weft_context *cx)
{
    opening        *args = WF_ARGS(io, opening);
    struct open_how how = {.flags = (unsigned)look_flags(args), .resolve = RESOLVE_CACHED};
    int             flags = args->flags, path;

    (void)cx;
    if (flags & (O_NONBLOCK | O_PATH | O_DIRECTORY) || (flags & O_CREAT && flags & O_EXCL))
        return 0;
    path = (int)syscall(SYS_openat2, args->dir, args->path, &how, sizeof how);
    if (path >= 0)
        args->step = step_for(path);
    else if (errno == EAGAIN || errno == ENOSYS || errno == EPERM || errno == EINTR)
        args->step = OPEN_LOOK;
    return 0; /* the open tells of other errors */
}

bool wf_file_open_waits(const weft_io *io)
{
    return WF_ARGS(io, opening)->step == OPEN_WAITS;
}

void wf_file_prepare_open(const weft_io *io, struct io_uring_sqe *sqe)
{
    const opening *args = WF_ARGS(io, opening);
    int            flags = args->step == OPEN_LOOK ? look_flags(args) : args->flags | O_CLOEXEC;

    io_uring_prep_openat(sqe, args->dir, args->path, flags, args->mode);
    if (args->step == OPEN_WAITS)
        sqe->flags |= IOSQE_ASYNC; /* D2 */
}

int64_t wf_file_end_open(weft_io *io, int64_t result, bool cancelled)
{
    opening *args = WF_ARGS(io, opening);

    if (args->step == OPEN_LOOK) {
        args->step = result < 0 ? OPEN_PLAIN : step_for((int)result);
        return cancelled ? -ECANCELED : WF_IO_MORE;
    }
    if (result < 0 || !cancelled)
        return result;
    close((int)result);
    return -ECANCELED;
}

WEFT_API weft_future *weft_file_open_at(weft_io *io, int dir, const char *path, int flags,
                                        unsigned mode)
{
    *WF_ARGS(io, opening) = (opening){path, dir, flags, (mode_t)mode, OPEN_PLAIN};
    return wf_io_init(io, WF_OP_FILE_OPEN, NULL);
}

WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode)
{
    return weft_file_open_at(io, AT_FDCWD, path, flags, mode);
}

/* ---- closing ---- */

typedef struct whole {
    int      fd;
    unsigned flags;
} whole;

void wf_file_prepare_close(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, WF_ARGS(io, whole)->fd);
    sqe->flags |= IOSQE_ASYNC; /* D1 */
}

int64_t wf_file_plain_close(const weft_io *io)
{
    return close(WF_ARGS(io, whole)->fd) < 0 ? -errno : 0;
}

WEFT_API weft_future *weft_file_close(weft_io *io, int fd)
{
    *WF_ARGS(io, whole) = (whole){.fd = fd};
    return wf_io_init(io, WF_OP_FILE_CLOSE, NULL);
}

/* ---- reading and writing ---- */

/* All arguments here begin with a place. */
typedef struct transfer {
    wf_place place;
    char    *memory;
    size_t   size;
} transfer;

typedef struct pieces {
    wf_place            place;
    const struct iovec *first;
    int                 n;
} pieces;

static char *rest(const weft_io *io)
{
    return WF_ARGS(io, transfer)->memory + io->done;
}

static unsigned at_most(size_t size)
{
    return size < MOST_AT_ONCE ? (unsigned)size : MOST_AT_ONCE;
}

static unsigned length(const weft_io *io)
{
    return at_most(WF_ARGS(io, transfer)->size - io->done);
}

static int fd_of(const weft_io *io)
{
    return WF_ARGS(io, wf_place)->fd;
}

static uint64_t offset(const weft_io *io)
{
    int64_t at = WF_ARGS(io, wf_place)->offset;

    return (uint64_t)(at == NO_OFFSET ? NO_OFFSET : at + (int64_t)io->done);
}

/* D1 */
static void bound(struct io_uring_sqe *sqe, size_t size)
{
    if (size > CACHED_MOST)
        sqe->flags |= IOSQE_ASYNC;
}

/* The bytes of the pieces; no more of them than it takes to be above the bound. */
static size_t size_of(const pieces *args)
{
    size_t size = 0;

    for (int i = 0; i < args->n && i < PIECES_MOST && size <= CACHED_MOST; i++)
        if (__builtin_add_overflow(size, args->first[i].iov_len, &size))
            return SIZE_MAX;
    return size;
}

void wf_file_prepare_read(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, fd_of(io), rest(io), length(io), offset(io));
    bound(sqe, length(io));
}

void wf_file_prepare_write(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_write(sqe, fd_of(io), rest(io), length(io), offset(io));
    bound(sqe, length(io));
}

void wf_file_prepare_readv(const weft_io *io, struct io_uring_sqe *sqe)
{
    const pieces *args = WF_ARGS(io, pieces);

    io_uring_prep_readv(sqe, fd_of(io), args->first, (unsigned)args->n, offset(io));
    bound(sqe, size_of(args));
}

void wf_file_prepare_writev(const weft_io *io, struct io_uring_sqe *sqe)
{
    const pieces *args = WF_ARGS(io, pieces);

    io_uring_prep_writev(sqe, fd_of(io), args->first, (unsigned)args->n, offset(io));
    bound(sqe, size_of(args));
}

/* The ring ignores an offset where there is no position; pread(2) and pwrite(2) refuse it, as we
 * do. Nor does it lock the position, as read(2) does: operations there must take turns. What has no
 * position (pipes, terminals, sockets) must not: there a read may wait beside a write. */
int wf_file_begin_transfer(weft_io *io, weft_context *cx)
{
    wf_place *place = WF_ARGS(io, wf_place);
    mode_t    type;

    (void)cx;
    if (place->offset < NO_OFFSET)
        return -EINVAL;
    type = type_of(place->fd);
    if (type == S_IFREG || type == S_IFBLK)
        place->takes_turns = place->offset == NO_OFFSET;
    else if (place->offset != NO_OFFSET && lseek(place->fd, 0, SEEK_CUR) < 0 && errno == ESPIPE)
        return -ESPIPE;
    return 0;
}

/* No bytes: that does not wait, and the ring would, for a terminal, and takes directories for
 * files. */
static int64_t read_nothing(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);
    char            none;
    ssize_t         n = place->offset == NO_OFFSET ? read(place->fd, &none, 0)
                                                   : pread(place->fd, &none, 0, place->offset);

    return n < 0 ? -errno : n;
}

/* Reads all of it from the page cache, or nothing. A shorter answer may be the end of the file or
 * where the cache ends, and Linux 5.9 and 5.10 answer 0 by mistake: the ring finds out, as it does
 * with errors. Not at the file's own position, which a read that gives up must not move. */
int64_t wf_file_read_cached(const weft_io *io, weft_context *cx)
{
    struct iovec piece = {.iov_base = rest(io), .iov_len = length(io)};
    size_t       more = piece.iov_len / CACHED_UNIT;

    if (piece.iov_len == 0)
        return read_nothing(io);
    if (WF_ARGS(io, wf_place)->offset < 0 || piece.iov_len > CACHED_MOST)
        return WF_IO_MORE;
    if (preadv2(fd_of(io), &piece, 1, (off_t)offset(io), RWF_NOWAIT) != (ssize_t)piece.iov_len)
        return WF_IO_MORE;
    cx->budget -= more < cx->budget ? (uint32_t)more : cx->budget;
    return (int64_t)piece.iov_len;
}

int64_t wf_file_readv_nothing(const weft_io *io, weft_context *cx)
{
    const pieces *args = WF_ARGS(io, pieces);
    int64_t       at = args->place.offset;
    ssize_t       n;

    (void)cx;
    if (args->n < 0 || args->n > PIECES_MOST || size_of(args) > 0)
        return WF_IO_MORE;
    n = at == NO_OFFSET ? readv(fd_of(io), args->first, args->n)
                        : preadv(fd_of(io), args->first, args->n, at);
    return n < 0 ? -errno : n;
}

int64_t wf_file_end_read(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result > 0)
        wf_memcheck_defined(rest(io), (size_t)result);
    return result;
}

int64_t wf_file_end_readv(weft_io *io, int64_t result, bool cancelled)
{
    const struct iovec *piece = WF_ARGS(io, pieces)->first;

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
    size_t size = WF_ARGS(io, transfer)->size;

    if (result < 0)
        return result;
    io->done += (size_t)result;
    if (io->done == size)
        return (int64_t)size;
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

static weft_future *begin_transfer(weft_io *io, int op, int fd, const void *memory, size_t size,
                                   int64_t at)
{
    *WF_ARGS(io, transfer) = (transfer){{.fd = fd, .offset = at}, (char *)(uintptr_t)memory, size};
    return wf_io_init(io, op, NULL);
}

static weft_future *begin_pieces(weft_io *io, int op, int fd, const struct iovec *vector, int n,
                                 int64_t at)
{
    *WF_ARGS(io, pieces) = (pieces){{.fd = fd, .offset = at}, vector, n};
    return wf_io_init(io, op, NULL);
}

WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size, int64_t at)
{
    return begin_transfer(io, WF_OP_FILE_READ, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t at)
{
    return begin_transfer(io, WF_OP_FILE_READ_EXACT, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t at)
{
    return begin_pieces(io, WF_OP_FILE_READV, fd, vector, n, at);
}

WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t at)
{
    return begin_transfer(io, WF_OP_FILE_WRITE, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t at)
{
    return begin_transfer(io, WF_OP_FILE_WRITE_ALL, fd, buffer, size, at);
}

WEFT_API weft_future *weft_file_writev(weft_io *io, int fd, const struct iovec *vector, int n,
                                       int64_t at)
{
    return begin_pieces(io, WF_OP_FILE_WRITEV, fd, vector, n, at);
}

/* ---- splicing ---- */

typedef struct splicing {
    int64_t  offset_in, offset_out;
    size_t   size;
    int      fd_in, fd_out;
    unsigned flags;
} splicing;

void wf_file_prepare_splice(const weft_io *io, struct io_uring_sqe *sqe)
{
    const splicing *args = WF_ARGS(io, splicing);

    io_uring_prep_splice(sqe, args->fd_in, args->offset_in, args->fd_out, args->offset_out,
                         at_most(args->size), args->flags);
}

WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags)
{
    *WF_ARGS(io, splicing) = (splicing){offset_in, offset_out, size, fd_in, fd_out, flags};
    return wf_io_init(io, WF_OP_SPLICE, NULL);
}

/* ---- the file itself ---- */

void wf_file_prepare_sync(const weft_io *io, struct io_uring_sqe *sqe)
{
    const whole *args = WF_ARGS(io, whole);

    io_uring_prep_fsync(sqe, args->fd, args->flags);
}

WEFT_API weft_future *weft_file_sync(weft_io *io, int fd)
{
    *WF_ARGS(io, whole) = (whole){.fd = fd};
    return wf_io_init(io, WF_OP_FILE_SYNC, NULL);
}

WEFT_API weft_future *weft_file_sync_data(weft_io *io, int fd)
{
    *WF_ARGS(io, whole) = (whole){fd, IORING_FSYNC_DATASYNC};
    return wf_io_init(io, WF_OP_FILE_SYNC_DATA, NULL);
}

typedef struct range {
    int64_t offset, size;
    int     fd, mode;
} range;

void wf_file_prepare_allocate(const weft_io *io, struct io_uring_sqe *sqe)
{
    const range *args = WF_ARGS(io, range);

    io_uring_prep_fallocate(sqe, args->fd, args->mode, args->offset, args->size);
}

WEFT_API weft_future *weft_file_allocate(weft_io *io, int fd, int mode, int64_t at, int64_t size)
{
    *WF_ARGS(io, range) = (range){at, size, fd, mode};
    return wf_io_init(io, WF_OP_FILE_ALLOCATE, NULL);
}

void wf_file_prepare_truncate(const weft_io *io, struct io_uring_sqe *sqe)
{
    const range *args = WF_ARGS(io, range);

    io_uring_prep_rw(WF_RING_OP_FTRUNCATE, sqe, args->fd, NULL, 0, (uint64_t)args->size);
}

int64_t wf_file_plain_truncate(const weft_io *io)
{
    const range *args = WF_ARGS(io, range);
    int          r;

    do
        r = ftruncate(args->fd, args->size);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : 0;
}

WEFT_API weft_future *weft_file_truncate(weft_io *io, int fd, int64_t size)
{
    *WF_ARGS(io, range) = (range){.fd = fd, .size = size};
    return wf_io_init(io, WF_OP_FILE_TRUNCATE, NULL);
}
