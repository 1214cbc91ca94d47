/*
 * open.c - opening and closing files
 *
 * Purpose     The operations that open and close files. A cancelled open closes its descriptor.
 * Threads     Constructors: the caller. prepare: the reactor's thread. begin, end, plain: the
 *             future's owner.
 * Invariants  X1 a close may free a whole file, so a thread of the kernel runs it (IOSQE_ASYNC). X2
 *             an open that may wait for another program also runs there. On the reactor's thread
 *             the kernel would open with O_NONBLOCK.
 * Ordering    None.
 * Failure     The kernel's error.
 */
#include "calls.h"
#include "kernel_operation.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- opening ---- */

enum step {
    OPEN_PLAIN, /* the open does not wait for another program */
    OPEN_LOOK,  /* the kernel's cache lacks the path, so the ring looks what it is first */
    OPEN_WAITS, /* a FIFO or a device, whose open may wait for another program */
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

/* Returns the step that follows the look. `path` is an O_PATH descriptor, which is closed. */
static enum step step_for(int path)
{
    mode_t type = wf_type_of(path);

    close(path);
    return type == S_IFIFO || type == S_IFCHR ? OPEN_WAITS : OPEN_PLAIN;
}

/* Looks what the path leads to. If the path is in the kernel's cache, that takes less than a
 * microsecond. Otherwise it may wait for a disk, so the ring does it. */
static int begin_open(weft_io *io, weft_context *cx)
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
    else if (errno == EAGAIN || errno == ENOSYS || errno == EPERM || errno == EINTR ||
             errno == EINVAL) /* RESOLVE_CACHED came with Linux 5.12, openat2 with 5.6 */
        args->step = OPEN_LOOK;
    return 0; /* the open reports other errors */
}

static bool open_waits(const weft_io *io)
{
    return WF_ARGS(io, opening)->step == OPEN_WAITS;
}

static void prepare_open(const weft_io *io, struct io_uring_sqe *sqe)
{
    const opening *args = WF_ARGS(io, opening);
    int            flags = args->step == OPEN_LOOK ? look_flags(args) : args->flags | O_CLOEXEC;

    io_uring_prep_openat(sqe, args->dir, args->path, flags, args->mode);
    if (args->step == OPEN_WAITS)
        sqe->flags |= IOSQE_ASYNC; /* X2 */
}

static int64_t end_open(weft_io *io, int64_t result, bool cancelled)
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

const wf_kernel_op wf_op_file_open = {WF_KERNEL_OP("weft_file_open"), .begin = begin_open,
                                      .prepare = prepare_open, .waits_long = open_waits,
                                      .end = end_open};

WEFT_API weft_future *weft_file_open_at(weft_io *io, int dir, const char *path, int flags,
                                        unsigned mode)
{
    *WF_ARGS(io, opening) = (opening){path, dir, flags, (mode_t)mode, OPEN_PLAIN};
    return wf_kernel_op_init(io, &wf_op_file_open);
}

WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode)
{
    return weft_file_open_at(io, AT_FDCWD, path, flags, mode);
}

/* ---- closing ---- */

typedef struct closing {
    int fd;
} closing;

static void prepare_close(const weft_io *io, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, WF_ARGS(io, closing)->fd);
    sqe->flags |= IOSQE_ASYNC; /* X1 */
}

static int64_t plain_close(const weft_io *io)
{
    return close(WF_ARGS(io, closing)->fd) < 0 ? -errno : 0;
}

const wf_kernel_op wf_op_file_close = {
    WF_KERNEL_OP_FLAGS("weft_file_close", WEFT_FUTURE_DRAINS | WEFT_FUTURE_CLEANS_UP),
    .prepare = prepare_close, .plain = plain_close};

WEFT_API weft_future *weft_file_close(weft_io *io, int fd)
{
    *WF_ARGS(io, closing) = (closing){fd};
    return wf_kernel_op_init(io, &wf_op_file_close);
}
