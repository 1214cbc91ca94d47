/*
 * path.c - the rows of the operation table for paths
 *
 * Purpose     Fills submission entries.
 * Threads     Constructors: the caller. prepare: the reactor's thread. end: the future's owner.
 * Invariants  Of two paths, the second is in out_ and its directory in offset_.
 * Ordering    None.
 * Failure     The kernel's answer.
 */
#include "memcheck.h"
#include "operation.h"

#include <sys/stat.h>

/* Of struct statx, for ever: the kernel has spare fields in it. musl before 1.2.5 does not declare
 * it. */
#define STATUS_SIZE 256

static weft_future *path_io(weft_io *io, int op, int dir, const char *path, unsigned option)
{
    weft_future *future = wf_io_init(io, op);

    io->fd_ = dir;
    io->memory_ = (void *)(uintptr_t)path;
    io->option_ = option;
    return future;
}

static weft_future *two_paths(weft_io *io, int op, int dir, const char *path, int new_dir,
                              const char *new_path, unsigned flags)
{
    weft_future *future = path_io(io, op, dir, path, flags);

    io->offset_ = new_dir;
    io->out_ = (void *)(uintptr_t)new_path;
    return future;
}

void wf_path_prepare_stat(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_statx(sqe, io->fd_, io->memory_, (int)io->option_, (unsigned)io->size_, io->out_);
}

int64_t wf_path_end_stat(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result == 0)
        wf_memcheck_defined(io->out_, STATUS_SIZE);
    return result;
}

void wf_path_prepare_unlink(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_unlinkat(sqe, io->fd_, io->memory_, (int)io->option_);
}

void wf_path_prepare_rename(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_renameat(sqe, io->fd_, io->memory_, (int)io->offset_, io->out_, io->option_);
}

void wf_path_prepare_make_dir(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_mkdirat(sqe, io->fd_, io->memory_, io->option_);
}

void wf_path_prepare_link(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_linkat(sqe, io->fd_, io->memory_, (int)io->offset_, io->out_, (int)io->option_);
}

void wf_path_prepare_symlink(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_symlinkat(sqe, io->memory_, io->fd_, io->out_);
}

WEFT_API weft_future *weft_path_stat(weft_io *io, int dir, const char *path, int flags,
                                     unsigned mask, struct statx *ret)
{
    weft_future *future = path_io(io, WF_OP_PATH_STAT, dir, path, (unsigned)flags);

    io->size_ = mask;
    io->out_ = ret;
    return future;
}

WEFT_API weft_future *weft_file_stat(weft_io *io, int fd, unsigned mask, struct statx *ret)
{
    return weft_path_stat(io, fd, "", AT_EMPTY_PATH, mask, ret);
}

WEFT_API weft_future *weft_path_unlink(weft_io *io, int dir, const char *path, int flags)
{
    return path_io(io, WF_OP_PATH_UNLINK, dir, path, (unsigned)flags);
}

WEFT_API weft_future *weft_path_rename(weft_io *io, int dir, const char *path, int new_dir,
                                       const char *new_path, unsigned flags)
{
    return two_paths(io, WF_OP_PATH_RENAME, dir, path, new_dir, new_path, flags);
}

WEFT_API weft_future *weft_path_make_dir(weft_io *io, int dir, const char *path, unsigned mode)
{
    return path_io(io, WF_OP_PATH_MAKE_DIR, dir, path, mode);
}

WEFT_API weft_future *weft_path_link(weft_io *io, int dir, const char *path, int new_dir,
                                     const char *new_path, int flags)
{
    return two_paths(io, WF_OP_PATH_LINK, dir, path, new_dir, new_path, (unsigned)flags);
}

WEFT_API weft_future *weft_path_symlink(weft_io *io, const char *target, int dir, const char *path)
{
    return two_paths(io, WF_OP_PATH_SYMLINK, dir, target, dir, path, 0);
}
