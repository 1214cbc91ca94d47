/*
 * file.c - the rows of the operation table for files
 *
 * Purpose     Fills submission entries; takes back the descriptor of a cancelled open.
 * Threads     Constructors: the caller. prepare: the reactor's thread.
 * Invariants  None.
 * Ordering    None.
 * Failure     The kernel's answer.
 */
#include "memcheck.h"
#include "operation.h"

#include <unistd.h>

#define WRITE_MOST 0x7ffff000 /* what the kernel moves at once */

void wf_file_prepare_open(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, AT_FDCWD, io->memory_, (int)io->option_ | O_CLOEXEC,
                         (mode_t)io->offset_);
}

void wf_file_prepare_read(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, io->fd_, io->memory_, (unsigned)io->size_, (uint64_t)io->offset_);
}

void wf_file_prepare_write(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_write(sqe, io->fd_, io->memory_, (unsigned)io->size_, (uint64_t)io->offset_);
}

void wf_file_prepare_close(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, io->fd_);
}

void wf_file_prepare_ready(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_poll_add(sqe, io->fd_, io->option_);
}

int64_t wf_file_end_open(weft_io *io, int64_t result, bool cancelled)
{
    (void)io;
    if (result < 0 || !cancelled)
        return result;
    close((int)result);
    return -ECANCELED;
}

int64_t wf_file_end_read(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result > 0)
        wf_memcheck_defined(io->memory_, (size_t)result);
    return result;
}

static weft_future *transfer(weft_io *io, int op, int fd, const void *buffer, size_t size,
                             int64_t offset)
{
    weft_future *future = wf_io_init(io, op);

    io->fd_ = fd;
    io->memory_ = (void *)(uintptr_t)buffer;
    io->size_ = size < WRITE_MOST ? size : WRITE_MOST;
    io->offset_ = offset;
    return future;
}

WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode)
{
    weft_future *future = wf_io_init(io, WF_OP_FILE_OPEN);

    io->memory_ = (void *)(uintptr_t)path;
    io->option_ = (uint32_t)flags;
    io->offset_ = mode;
    return future;
}

WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size, int64_t offset)
{
    return transfer(io, WF_OP_FILE_READ, fd, buffer, size, offset);
}

WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t offset)
{
    return transfer(io, WF_OP_FILE_WRITE, fd, buffer, size, offset);
}

WEFT_API weft_future *weft_file_close(weft_io *io, int fd)
{
    return transfer(io, WF_OP_FILE_CLOSE, fd, NULL, 0, 0);
}

WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events)
{
    weft_future *future = wf_io_init(io, WF_OP_FD_READY);

    io->fd_ = fd;
    io->option_ = events;
    return future;
}
