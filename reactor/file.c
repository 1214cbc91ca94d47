/*
 * file.c - reading and writing open files, and splicing
 *
 * Purpose     Fills submission entries. Continues after short transfers.
 * Threads     Constructors: the caller. prepare: the reactor's thread. at_once, begin, end: the
 *             future's owner.
 * Invariants  io->done is the number of bytes that were moved before the present submission: by
 *             earlier ones (read_exact, write_all), or by the worker (file_at_once.c). X3 the
 *             kernel's work on the reactor's thread is bounded. A thread of the kernel makes longer
 *             copies (IOSQE_ASYNC).
 * Ordering    None.
 * Failure     The kernel's error.
 */
#include "calls.h"
#include "memcheck.h"
#include "transfer.h"

#include <sys/stat.h>
#include <unistd.h>

/* ---- reading and writing ---- */

/* Leaves a long copy to a thread of the kernel: X3. */
static void leave_long_copy(struct io_uring_sqe *sqe, const weft_io *io, size_t size)
{
    if (size > WF_CACHED_MOST || WF_ARGS(io, wf_place)->needs_thread)
        sqe->flags |= IOSQE_ASYNC;
}

/* Where an operation begins that has its turn. */
static uint64_t start_of(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);

    return place->moved_by ? (uint64_t)lseek(place->fd, 0, SEEK_CUR) : wf_transfer_offset(io);
}

static void prepare_transfer(int code, const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_rw(code, sqe, wf_transfer_fd(io), wf_transfer_rest(io), wf_transfer_length(io),
                     start_of(io));
    leave_long_copy(sqe, io, wf_transfer_length(io));
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
    const wf_pieces *args = WF_ARGS(io, wf_pieces);

    io_uring_prep_rw(code, sqe, wf_transfer_fd(io), args->first, (unsigned)args->n, start_of(io));
    leave_long_copy(sqe, io, wf_pieces_size(args));
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
    if (type == S_IFIFO)
        return !wf_ring_is_6_0(&cx->runtime->reactor->ring);
    return type == S_IFCHR && isatty(fd);
}

/* Checks the offset, because the ring ignores one where there is no position, while pread(2) and
 * pwrite(2) refuse it. The ring does not lock a file's position either, as read(2) does. So
 * operations at the position take turns. Pipes, terminals and sockets have no position, and their
 * operations must not take turns, because a read may wait there while a write goes ahead. */
static int begin_transfer(weft_io *io, const weft_context *cx, bool writes)
{
    wf_place *place = WF_ARGS(io, wf_place);
    bool      at_position = place->offset == WF_NO_OFFSET;
    mode_t    type;

    if (place->offset < WF_NO_OFFSET)
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

static int64_t end_read(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result > 0)
        wf_memcheck_defined(wf_transfer_rest(io), (size_t)result);
    return result;
}

static int64_t end_readv(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    wf_pieces_defined(WF_ARGS(io, wf_pieces)->first, result);
    return result;
}

/* Ends one submission of read_exact or write_all, and asks for the next if bytes are left. `at_end`
 * is the result if the kernel has moved none. */
static int64_t end_step(weft_io *io, int64_t result, bool cancelled, int at_end)
{
    size_t size = WF_ARGS(io, wf_transfer)->size;

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
    *WF_ARGS(io, wf_transfer) =
        (wf_transfer){{.fd = fd, .offset = at}, (char *)(uintptr_t)memory, size};
    return wf_kernel_op_init(io, op);
}

static weft_future *make_pieces(weft_io *io, const wf_kernel_op *op, int fd,
                                const struct iovec *vector, int n, int64_t at)
{
    *WF_ARGS(io, wf_pieces) = (wf_pieces){{.fd = fd, .offset = at}, vector, n};
    return wf_kernel_op_init(io, op);
}

const wf_kernel_op wf_op_file_read = {WF_KERNEL_OP("weft_file_read"), READS,
                                      .at_once = wf_transfer_read_cached, .prepare = prepare_read,
                                      .end = end_read};

WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size, int64_t at)
{
    return make_transfer(io, &wf_op_file_read, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_read_exact = {WF_KERNEL_OP("weft_file_read_exact"), READS,
                                            .at_once = wf_transfer_read_cached,
                                            .prepare = prepare_read, .end = end_read_exact};

WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t at)
{
    return make_transfer(io, &wf_op_file_read_exact, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_readv = {WF_KERNEL_OP("weft_file_readv"), READS,
                                       .at_once = wf_transfer_read_nothing,
                                       .prepare = prepare_readv, .end = end_readv};

WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t at)
{
    return make_pieces(io, &wf_op_file_readv, fd, vector, n, at);
}

const wf_kernel_op wf_op_file_write = {WF_KERNEL_OP("weft_file_write"), WRITES,
                                       .at_once = wf_transfer_write_cached,
                                       .prepare = prepare_write, .end = end_write};

WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t at)
{
    return make_transfer(io, &wf_op_file_write, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_write_all = {WF_KERNEL_OP("weft_file_write_all"), WRITES,
                                           .at_once = wf_transfer_write_cached,
                                           .prepare = prepare_write, .end = end_write_all};

WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t at)
{
    return make_transfer(io, &wf_op_file_write_all, fd, buffer, size, at);
}

const wf_kernel_op wf_op_file_writev = {WF_KERNEL_OP("weft_file_writev"), WRITES,
                                        .at_once = wf_transfer_write_nothing,
                                        .prepare = prepare_writev};

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
                         wf_transfer_at_most(args->size), args->flags);
}

const wf_kernel_op wf_op_splice = {WF_KERNEL_OP("weft_splice"), .prepare = prepare_splice};

WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags)
{
    *WF_ARGS(io, splicing) = (splicing){offset_in, offset_out, size, fd_in, fd_out, flags};
    return wf_kernel_op_init(io, &wf_op_splice);
}
