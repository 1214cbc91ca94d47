/*
 * storage.c - operations on what the disk holds of an open file: sync, allocate, truncate
 *
 * Purpose     Fills submission entries.
 * Threads     Constructors: the caller. prepare: the reactor's thread. plain: the future's owner.
 * Invariants  None.
 * Ordering    None.
 * Failure     The kernel's error.
 */
#include "calls.h"
#include "kernel_operation.h"
#include "write_signal.h"

#include <unistd.h>

typedef struct whole {
    int      fd;
    unsigned flags;
} whole;

static void prepare_sync(const weft_io *io, struct io_uring_sqe *sqe)
{
    const whole *args = WF_ARGS(io, whole);

    io_uring_prep_fsync(sqe, args->fd, args->flags);
}

const wf_kernel_op wf_op_file_sync = {WF_KERNEL_OP("weft_file_sync"), .prepare = prepare_sync};

WEFT_API weft_future *weft_file_sync(weft_io *io, int fd)
{
    *WF_ARGS(io, whole) = (whole){.fd = fd};
    return wf_kernel_op_init(io, &wf_op_file_sync);
}

const wf_kernel_op wf_op_file_sync_data = {WF_KERNEL_OP("weft_file_sync_data"),
                                           .prepare = prepare_sync};

WEFT_API weft_future *weft_file_sync_data(weft_io *io, int fd)
{
    *WF_ARGS(io, whole) = (whole){fd, IORING_FSYNC_DATASYNC};
    return wf_kernel_op_init(io, &wf_op_file_sync_data);
}

typedef struct range {
    int64_t offset, size;
    int     fd, mode;
} range;

static void prepare_allocate(const weft_io *io, struct io_uring_sqe *sqe)
{
    const range *args = WF_ARGS(io, range);

    io_uring_prep_fallocate(sqe, args->fd, args->mode, args->offset, args->size);
}

const wf_kernel_op wf_op_file_allocate = {WF_KERNEL_OP("weft_file_allocate"),
                                          .prepare = prepare_allocate};

WEFT_API weft_future *weft_file_allocate(weft_io *io, int fd, int mode, int64_t at, int64_t size)
{
    *WF_ARGS(io, range) = (range){at, size, fd, mode};
    return wf_kernel_op_init(io, &wf_op_file_allocate);
}

static void prepare_truncate(const weft_io *io, struct io_uring_sqe *sqe)
{
    const range *args = WF_ARGS(io, range);

    io_uring_prep_rw(WF_RING_OP_FTRUNCATE, sqe, args->fd, NULL, 0, (uint64_t)args->size);
}

/* Beyond RLIMIT_FSIZE the worker would get SIGXFSZ, which a thread of the kernel does not. */
static int64_t plain_truncate(const weft_io *io)
{
    const range    *args = WF_ARGS(io, range);
    wf_write_signal quiet;
    int             r;

    wf_write_signal_begin(&quiet, SIGXFSZ);
    do
        r = ftruncate(args->fd, args->size);
    while (r < 0 && errno == EINTR);
    return wf_write_signal_end(&quiet, r, 0);
}

const wf_kernel_op wf_op_file_truncate = {WF_KERNEL_OP("weft_file_truncate"),
                                          .prepare = prepare_truncate, .needs = WF_RING_FTRUNCATE,
                                          .plain = plain_truncate};

WEFT_API weft_future *weft_file_truncate(weft_io *io, int fd, int64_t size)
{
    *WF_ARGS(io, range) = (range){.fd = fd, .size = size};
    return wf_kernel_op_init(io, &wf_op_file_truncate);
}
