/*
 * path.c - operations on paths
 *
 * Purpose     Fills submission entries.
 * Threads     Constructors: the caller. prepare: the reactor's thread. end: the future's owner.
 * Invariants  None.
 * Ordering    None.
 * Failure     The kernel's error.
 */
#include "kernel_operation.h"
#include "memcheck.h"

#include <sys/stat.h>
#include <unistd.h>

/* The size of struct statx. It never changes, because the struct has spare fields. musl before
 * 1.2.5 does not declare it. */
#define STATUS_SIZE 256

typedef struct one_path {
    const char *path;
    int         dir;
    unsigned    option; /* flags, or a mode */
} one_path;

typedef struct two_paths {
    const char *path, *new_path;
    int         dir, new_dir;
    unsigned    flags;
} two_paths;

/* ---- what a path leads to ---- */

typedef struct look {
    const char   *path;
    struct statx *ret;
    int           dir, flags;
    unsigned      mask;
} look;

static void prepare_stat(const weft_io *io, struct io_uring_sqe *sqe)
{
    const look *args = WF_ARGS(io, look);

    io_uring_prep_statx(sqe, args->dir, args->path, args->flags, args->mask, args->ret);
}

static int64_t end_stat(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (result == 0)
        wf_memcheck_defined(WF_ARGS(io, look)->ret, STATUS_SIZE);
    return result;
}

const wf_kernel_op wf_op_path_stat = {WF_KERNEL_OP("weft_path_stat"), .prepare = prepare_stat,
                                      .end = end_stat};

WEFT_API weft_future *weft_path_stat(weft_io *io, int dir, const char *path, int flags,
                                     unsigned mask, struct statx *ret_stat)
{
    *WF_ARGS(io, look) =
        (look){.path = path, .ret = ret_stat, .dir = dir, .flags = flags, .mask = mask};
    return wf_kernel_op_init(io, &wf_op_path_stat);
}

WEFT_API weft_future *weft_file_stat(weft_io *io, int fd, unsigned mask, struct statx *ret_stat)
{
    return weft_path_stat(io, fd, "", AT_EMPTY_PATH, mask, ret_stat);
}

/* ---- one path ---- */

static void prepare_unlink(const weft_io *io, struct io_uring_sqe *sqe)
{
    const one_path *args = WF_ARGS(io, one_path);

    io_uring_prep_unlinkat(sqe, args->dir, args->path, (int)args->option);
}

const wf_kernel_op wf_op_path_unlink = {WF_KERNEL_OP("weft_path_unlink"),
                                        .prepare = prepare_unlink};

WEFT_API weft_future *weft_path_unlink(weft_io *io, int dir, const char *path, int flags)
{
    *WF_ARGS(io, one_path) = (one_path){path, dir, (unsigned)flags};
    return wf_kernel_op_init(io, &wf_op_path_unlink);
}

static void prepare_make_dir(const weft_io *io, struct io_uring_sqe *sqe)
{
    const one_path *args = WF_ARGS(io, one_path);

    io_uring_prep_mkdirat(sqe, args->dir, args->path, args->option);
}

const wf_kernel_op wf_op_path_make_dir = {WF_KERNEL_OP("weft_path_make_dir"),
                                          .prepare = prepare_make_dir};

WEFT_API weft_future *weft_path_make_dir(weft_io *io, int dir, const char *path, unsigned mode)
{
    *WF_ARGS(io, one_path) = (one_path){path, dir, mode};
    return wf_kernel_op_init(io, &wf_op_path_make_dir);
}

/* ---- two paths ---- */

static void prepare_rename(const weft_io *io, struct io_uring_sqe *sqe)
{
    const two_paths *args = WF_ARGS(io, two_paths);

    io_uring_prep_renameat(sqe, args->dir, args->path, args->new_dir, args->new_path, args->flags);
}

const wf_kernel_op wf_op_path_rename = {WF_KERNEL_OP("weft_path_rename"),
                                        .prepare = prepare_rename};

WEFT_API weft_future *weft_path_rename(weft_io *io, int dir, const char *path, int new_dir,
                                       const char *new_path, unsigned flags)
{
    *WF_ARGS(io, two_paths) = (two_paths){path, new_path, dir, new_dir, flags};
    return wf_kernel_op_init(io, &wf_op_path_rename);
}

static void prepare_link(const weft_io *io, struct io_uring_sqe *sqe)
{
    const two_paths *args = WF_ARGS(io, two_paths);

    io_uring_prep_linkat(sqe, args->dir, args->path, args->new_dir, args->new_path,
                         (int)args->flags);
}

/* The ring of Linux 5.19 refuses all flags, so the worker makes the system call. Flags that the
 * call refuses as well are refused once more. */
static int64_t end_link(weft_io *io, int64_t result, bool cancelled)
{
    const two_paths *args = WF_ARGS(io, two_paths);

    if (result != -EINVAL || args->flags == 0 || cancelled)
        return result;
    return linkat(args->dir, args->path, args->new_dir, args->new_path, (int)args->flags) < 0
               ? -errno
               : 0;
}

const wf_kernel_op wf_op_path_link = {WF_KERNEL_OP("weft_path_link"), .prepare = prepare_link,
                                      .end = end_link};

WEFT_API weft_future *weft_path_link(weft_io *io, int dir, const char *path, int new_dir,
                                     const char *new_path, int flags)
{
    *WF_ARGS(io, two_paths) = (two_paths){path, new_path, dir, new_dir, (unsigned)flags};
    return wf_kernel_op_init(io, &wf_op_path_link);
}

static void prepare_symlink(const weft_io *io, struct io_uring_sqe *sqe)
{
    const two_paths *args = WF_ARGS(io, two_paths);

    io_uring_prep_symlinkat(sqe, args->path, args->new_dir, args->new_path);
}

const wf_kernel_op wf_op_path_symlink = {WF_KERNEL_OP("weft_path_symlink"),
                                         .prepare = prepare_symlink};

WEFT_API weft_future *weft_path_symlink(weft_io *io, const char *target, int dir, const char *path)
{
    *WF_ARGS(io, two_paths) = (two_paths){.path = target, .new_path = path, .new_dir = dir};
    return wf_kernel_op_init(io, &wf_op_path_symlink);
}
