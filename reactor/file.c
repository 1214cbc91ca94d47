/*
 * file.c - reading and writing open files, and splicing
 *
 * Purpose     Fills submission entries. Continues after short transfers.
 * Threads     Constructors: the caller. prepare: the reactor's thread. at_once, begin, end: the
 *             future's owner.
 * Invariants  io->done is the number of bytes that completed submissions have moved. Only
 *             read_exact and write_all are submitted again. X3 the kernel's work on the reactor's
 *             thread is bounded. A thread of the kernel makes longer copies (IOSQE_ASYNC).
 * Ordering    None.
 * Failure     The kernel's error.
 */
#include "calls.h"
#include "kernel_operation.h"
#include "memcheck.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define CACHED_MOST  ((size_t)128 << 10) /* bytes that a worker copies in one call, about 12 us */
#define CACHED_UNIT  ((size_t)16 << 10)  /* bytes that cost one more operation of the budget */
#define SECTOR       512                 /* offsets and sizes of O_DIRECT are multiples of it */
#define REFUSALS     255                 /* writes that are not tried after one was refused */
#define TRUSTED      63                  /* reads before a file is asked again for O_DIRECT */
#define ASKED        8                   /* files that a thread remembers */
#define MOST_AT_ONCE 0x7ffff000          /* bytes that the kernel moves in one call */
#define PIECES_MOST  1024                /* pieces that the kernel accepts in a vector */
#define NO_OFFSET    (-1)

/* ---- reading and writing ---- */

/* The arguments of all transfers begin with a wf_place. */
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

/* Keeps a long copy off the reactor's thread: X3. */
static void bound(struct io_uring_sqe *sqe, const weft_io *io, size_t size)
{
    if (size > CACHED_MOST || WF_ARGS(io, wf_place)->needs_thread)
        sqe->flags |= IOSQE_ASYNC;
}

/* Adds up the sizes of the pieces. Stops above the bound, since the exact sum does not matter
 * then. */
static size_t size_of(const pieces *args)
{
    size_t size = 0;

    for (int i = 0; i < args->n && i < PIECES_MOST && size <= CACHED_MOST; i++)
        if (__builtin_add_overflow(size, args->first[i].iov_len, &size))
            return SIZE_MAX;
    return size;
}

/* Where an operation begins that has its turn. */
static uint64_t start_of(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);

    return place->moved_by ? (uint64_t)lseek(place->fd, 0, SEEK_CUR) : offset(io);
}

static void prepare_transfer(int code, const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_rw(code, sqe, fd_of(io), rest(io), length(io), start_of(io));
    bound(sqe, io, length(io));
}

static void prepare_read(const weft_io *io, struct io_uring_sqe *sqe)
{
    prepare_transfer(IORING_OP_READ, io, sqe);
}

static void prepare_write(const weft_io *io, struct io_uring_sqe *sqe)
{
    prepare_transfer(IORING_OP_WRITE, io, sqe);
}

static void prepare_pieces(int code, const weft_io *io, struct io_uring_sqe *sqe)
{
    const pieces *args = WF_ARGS(io, pieces);

    io_uring_prep_rw(code, sqe, fd_of(io), args->first, (unsigned)args->n, start_of(io));
    bound(sqe, io, size_of(args));
}

static void prepare_readv(const weft_io *io, struct io_uring_sqe *sqe)
{
    prepare_pieces(IORING_OP_READV, io, sqe);
}

static void prepare_writev(const weft_io *io, struct io_uring_sqe *sqe)
{
    prepare_pieces(IORING_OP_WRITEV, io, sqe);
}

/* The ring does not move the position of an O_DIRECT file, because the disk moves the bytes after
 * the call. So lseek(2) moves it before the next operation has its turn. What was appended is at
 * the end of the file. */
static uint8_t moved_by(int fd, bool writes)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || !(flags & O_DIRECT))
        return 0;
    return writes && flags & O_APPEND ? SEEK_END : SEEK_CUR;
}

/* Whether pread(2) or pwrite(2) refuses every offset. A vector without pieces moves nothing. */
static bool has_no_offsets(int fd, bool writes)
{
    return (writes ? pwritev(fd, NULL, 0, 0) : preadv(fd, NULL, 0, 0)) < 0 && errno == ESPIPE;
}

/* Whether a thread of the kernel must run the operation. A terminal waits for the rest of a write
 * in spite of flags against waiting. With a pipe that may block, Linux 5.19 may try again for ever,
 * within the system call of the reactor. */
static bool needs_thread(int fd, mode_t type, const weft_context *cx)
{
    bool is_before_6_0 = !(cx->runtime->reactor->ring.features & WF_RING_SEND_ZC);

    return type == S_IFIFO ? is_before_6_0 : type == S_IFCHR && isatty(fd);
}

/* Checks the offset, because the ring ignores one where there is no position, while pread(2) and
 * pwrite(2) refuse it. The ring does not lock a file's position either, as read(2) does. So
 * operations at the position take turns. Pipes, terminals and sockets have no position, and their
 * operations must not take turns, because a read may wait there while a write goes ahead. */
static int begin_transfer(weft_io *io, const weft_context *cx, bool writes)
{
    wf_place *place = WF_ARGS(io, wf_place);
    bool      at_position = place->offset == NO_OFFSET;
    mode_t    type;

    if (place->offset < NO_OFFSET)
        return -EINVAL;
    type = wf_type_of(place->fd);
    place->needs_thread = needs_thread(place->fd, type, cx);
    place->takes_turns = at_position && (type == S_IFREG || type == S_IFBLK);
    if (place->takes_turns)
        place->moved_by = moved_by(place->fd, writes);
    else if (!at_position && type != S_IFREG && type != S_IFBLK &&
             has_no_offsets(place->fd, writes))
        return -ESPIPE;
    return 0;
}

static int begin_read(weft_io *io, weft_context *cx)
{
    return begin_transfer(io, cx, false);
}

static int begin_write(weft_io *io, weft_context *cx)
{
    return begin_transfer(io, cx, true);
}

/* Members of the rows of transfers. */
#define READS  .takes_turns = true, .begin = begin_read
#define WRITES .takes_turns = true, .begin = begin_write

/* Reads 0 bytes by the system call. The ring would wait for a terminal, and would not refuse a
 * directory. read(2) may wait for a device, and does so for an inotify descriptor, but a vector
 * without pieces never does. */
static int64_t read_nothing(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);
    mode_t          type = wf_type_of(place->fd);
    bool            may_wait = type == S_IFCHR || type == 0;
    char            none;
    struct iovec    piece = {.iov_base = &none, .iov_len = 0};
    ssize_t         n;

    if (place->offset != NO_OFFSET)
        n = may_wait ? preadv(place->fd, &piece, 0, place->offset)
                     : pread(place->fd, &none, 0, place->offset);
    else
        n = may_wait ? readv(place->fd, &piece, 0) : read(place->fd, &none, 0);
    return n < 0 ? -errno : n;
}

/* Writes 0 bytes to a pipe by the system call, which does not wait. Before Linux 6.4 the ring would
 * wait for room in the pipe. The ring writes to other files: 0 bytes may be an empty packet. */
static int64_t write_nothing(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);
    ssize_t         n;

    if (wf_type_of(place->fd) != S_IFIFO)
        return WF_IO_MORE;
    n = place->offset == NO_OFFSET ? write(place->fd, "", 0)
                                   : pwrite(place->fd, "", 0, place->offset);
    return n < 0 ? -errno : n;
}

/* Whether a worker may move the bytes itself: few enough, and at an offset. At the file's own
 * position a part would have moved it. */
static bool is_for_cache(const weft_io *io)
{
    return WF_ARGS(io, wf_place)->offset >= 0 && length(io) <= CACHED_MOST;
}

/* A read of an O_DIRECT file waits for the disk in spite of RWF_NOWAIT. The system call that asks
 * for the flag costs an eighth of a read, so each thread remembers the answer for some reads. If
 * the descriptor is closed meanwhile, and another file with O_DIRECT gets its number, the worker
 * waits for as many reads. */
static bool is_direct(const weft_io *io)
{
    static _Thread_local struct asked {
        int      fd;
        uint32_t trusted; /* reads for which the file is known to have no O_DIRECT */
    } all[ASKED] WF_TLS_MODEL;
    int           fd = fd_of(io), flags;
    struct asked *asked = &all[(unsigned)fd % ASKED];

    if ((length(io) | offset(io)) % SECTOR != 0)
        return false; /* as O_DIRECT demands */
    if (asked->fd == fd && asked->trusted > 0) {
        asked->trusted--;
        return false;
    }
    flags = fcntl(fd, F_GETFL);
    *asked = (struct asked){fd, flags & O_DIRECT ? 0 : TRUSTED};
    return flags & O_DIRECT;
}

/* Whether a write is a mere copy to the page cache: one to an O_SYNC file waits for the disk, and a
 * part of an O_APPEND write would be one of two. */
static bool is_copied(const weft_io *io)
{
    return !(fcntl(fd_of(io), F_GETFL) & (O_APPEND | O_DIRECT | O_SYNC | O_DSYNC));
}

/* What a worker copies costs budget by its size. */
static int64_t moved(weft_context *cx, size_t size)
{
    size_t more = size / CACHED_UNIT;

    cx->budget -= more < cx->budget ? (uint32_t)more : cx->budget;
    return (int64_t)size;
}

/* Reads from the page cache if it has all the bytes. Otherwise the ring reads, and reports errors.
 * A short result may be the end of the file or of the cached part, and Linux 5.9 and 5.10 wrongly
 * return 0. */
static int64_t read_cached(weft_io *io, weft_context *cx)
{
    struct iovec piece = {.iov_base = rest(io), .iov_len = length(io)};

    if (piece.iov_len == 0)
        return read_nothing(io);
    if (!is_for_cache(io) || is_direct(io) ||
        preadv2(fd_of(io), &piece, 1, (off_t)offset(io), RWF_NOWAIT) != (ssize_t)piece.iov_len)
        return WF_IO_MORE;
    return moved(cx, piece.iov_len);
}

/* Beyond RLIMIT_FSIZE a write raises SIGXFSZ in the thread that writes. The reactor's blocks it. */
static bool is_within_limit(const weft_io *io)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && offset(io) + length(io) <= limit.rlim_cur;
}

/* Writes to the page cache what it takes without waiting. The ring writes the rest, and reports
 * errors. ext4 and tmpfs refuse, so after a refusal some writes are not tried. XFS and
 * Btrfs refuse only now and then, as when the file's time has to change. */
static int64_t write_cached(weft_io *io, weft_context *cx)
{
    static uint32_t refusals; /* RELAXED everywhere: a hint */
    struct iovec    piece = {.iov_base = rest(io), .iov_len = length(io)};
    uint32_t        left = wf_load(&refusals, RELAXED);
    ssize_t         n;

    if (piece.iov_len == 0)
        return write_nothing(io);
    if (left > 0) {
        wf_store(&refusals, left - 1, RELAXED);
        return WF_IO_MORE;
    }
    if (!is_for_cache(io) || !is_copied(io) || !is_within_limit(io))
        return WF_IO_MORE;
    n = pwritev2(fd_of(io), &piece, 1, (off_t)offset(io), RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP)
        wf_store(&refusals, REFUSALS, RELAXED);
    if (n == (ssize_t)piece.iov_len)
        return moved(cx, piece.iov_len);
    io->done += n > 0 ? (size_t)n : 0;
    return WF_IO_MORE;
}

/* Whether the vector is valid and has no bytes. */
static bool is_empty(const pieces *args)
{
    return args->n >= 0 && args->n <= PIECES_MOST && size_of(args) == 0;
}

static int64_t readv_nothing(weft_io *io, weft_context *cx)
{
    const pieces *args = WF_ARGS(io, pieces);
    int64_t       at = args->place.offset;
    ssize_t       n;

    (void)cx;
    if (!is_empty(args))
        return WF_IO_MORE;
    n = at == NO_OFFSET ? readv(fd_of(io), args->first, args->n)
                        : preadv(fd_of(io), args->first, args->n, at);
    return n < 0 ? -errno : n;
}

static int64_t writev_nothing(weft_io *io, weft_context *cx)
{
    (void)cx;
    return is_empty(WF_ARGS(io, pieces)) ? write_nothing(io) : WF_IO_MORE;
}

static int64_t end_read(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result > 0)
        wf_memcheck_defined(rest(io), (size_t)result);
    return result;
}

static int64_t end_readv(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    wf_pieces_defined(WF_ARGS(io, pieces)->first, result);
    return result;
}

/* Ends one submission of read_exact or write_all, and asks for the next if bytes are left. `at_end`
 * is the result if the kernel has moved none. */
static int64_t end_step(weft_io *io, int64_t result, bool cancelled, int at_end)
{
    size_t size = WF_ARGS(io, transfer)->size;

    if (result < 0)
        return result;
    io->done += (size_t)result;
    WF_ASSERT(io->done <= size);
    if (io->done == size)
        return (int64_t)size;
    if (result == 0)
        return at_end;
    return cancelled ? -ECANCELED : WF_IO_MORE;
}

static int64_t end_read_exact(weft_io *io, int64_t result, bool cancelled)
{
    return end_step(io, end_read(io, result, cancelled), cancelled, WEFT_EOF);
}

/* The worker has written a part before the ring, or none. */
static int64_t end_write(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result < 0)
        return io->done > 0 ? (int64_t)io->done : result;
    return (int64_t)io->done + result;
}

static int64_t end_write_all(weft_io *io, int64_t result, bool cancelled)
{
    /* -EIO for a file that accepts no bytes and reports no error. */
    return end_step(io, result, cancelled, -EIO);
}

static weft_future *make_transfer(weft_io *io, const wf_kernel_op *op, int fd, const void *memory,
                                  size_t size, int64_t at)
{
    *WF_ARGS(io, transfer) = (transfer){{.fd = fd, .offset = at}, (char *)(uintptr_t)memory, size};
    return wf_kernel_op_init(io, op);
}

static weft_future *make_pieces(weft_io *io, const wf_kernel_op *op, int fd,
                                const struct iovec *vector, int n, int64_t at)
{
    *WF_ARGS(io, pieces) = (pieces){{.fd = fd, .offset = at}, vector, n};
    return wf_kernel_op_init(io, op);
}

const wf_kernel_op wf_op_file_read = {WF_KERNEL_OP("weft_file_read"), READS, .at_once = read_cached,
                                      .prepare = prepare_read, .end = end_read};

WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size, int64_t at)
{
    return make_transfer(io, &wf_op_file_read, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_read_exact = {WF_KERNEL_OP("weft_file_read_exact"), READS,
                                            .at_once = read_cached, .prepare = prepare_read,
                                            .end = end_read_exact};

WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t at)
{
    return make_transfer(io, &wf_op_file_read_exact, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_readv = {WF_KERNEL_OP("weft_file_readv"), READS,
                                       .at_once = readv_nothing, .prepare = prepare_readv,
                                       .end = end_readv};

WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t at)
{
    return make_pieces(io, &wf_op_file_readv, fd, vector, n, at);
}

const wf_kernel_op wf_op_file_write = {WF_KERNEL_OP("weft_file_write"), WRITES,
                                       .at_once = write_cached, .prepare = prepare_write,
                                       .end = end_write};

WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t at)
{
    return make_transfer(io, &wf_op_file_write, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_write_all = {WF_KERNEL_OP("weft_file_write_all"), WRITES,
                                           .at_once = write_cached, .prepare = prepare_write,
                                           .end = end_write_all};

WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t at)
{
    return make_transfer(io, &wf_op_file_write_all, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_writev = {WF_KERNEL_OP("weft_file_writev"), WRITES,
                                        .at_once = writev_nothing, .prepare = prepare_writev};

WEFT_API weft_future *weft_file_writev(weft_io *io, int fd, const struct iovec *vector, int n,
                                       int64_t at)
{
    return make_pieces(io, &wf_op_file_writev, fd, vector, n, at);
}

/* ---- splicing ---- */

typedef struct splicing {
    int64_t  offset_in, offset_out;
    size_t   size;
    int      fd_in, fd_out;
    unsigned flags;
} splicing;

static void prepare_splice(const weft_io *io, struct io_uring_sqe *sqe)
{
    const splicing *args = WF_ARGS(io, splicing);

    io_uring_prep_splice(sqe, args->fd_in, args->offset_in, args->fd_out, args->offset_out,
                         at_most(args->size), args->flags);
}

const wf_kernel_op wf_op_splice = {WF_KERNEL_OP("weft_splice"), .prepare = prepare_splice};

WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags)
{
    *WF_ARGS(io, splicing) = (splicing){offset_in, offset_out, size, fd_in, fd_out, flags};
    return wf_kernel_op_init(io, &wf_op_splice);
}
