/*
 * send_file.c - sends a file's bytes to a stream without a copy
 *
 * Purpose     sendfile(2) on a non-blocking socket. If other programs may make the stream blocking,
 *             the bytes are copied instead, because send(2) has a flag against waiting.
 * Threads     The future's owner.
 * Invariants  F1 one attempt reads at most PORTION bytes, because the worker is blocked while they
 *             come from a disk. F2 the operation raises neither SIGPIPE nor SIGXFSZ
 *             (write_signal.h). F3 it never waits for the stream.
 * Ordering    socket.h.
 * Failure     -errno as sendfile(2), after io->done bytes have been sent.
 */
#include "socket_operation.h"
#include "stream.h"
#include "write_signal.h"

#include <sys/sendfile.h>
#include <unistd.h>

#define PORTION ((size_t)128 << 10)
#define PIECE   ((size_t)16 << 10) /* small enough for a worker's stack */

typedef struct part {
    int     file;
    int64_t offset;
    size_t  size;
} part;

static int64_t copy(int file, off_t offset, const wf_socket *s, size_t size)
{
    char    piece[PIECE];
    ssize_t n = pread(file, piece, size < sizeof piece ? size : sizeof piece, offset);

    if (n <= 0)
        return n < 0 ? -errno : 0;
    return wf_stream_transmit(s, piece, (size_t)n);
}

static int64_t send_pages(int file, off_t offset, const wf_socket *s, size_t size)
{
    wf_write_signal quiet;

    wf_write_signal_begin(&quiet, s->is_file ? SIGXFSZ : SIGPIPE);
    return wf_write_signal_end(&quiet, sendfile(s->fd, file, &offset, size), size);
}

static int64_t attempt_send_file(weft_io *io, wf_socket *s)
{
    const part *args = WF_ARGS(io, part);
    size_t      left = args->size - io->done;
    size_t      size = left < PORTION ? left : PORTION;
    off_t       offset = args->offset + (off_t)io->done;
    int64_t     n = wf_socket_may_wait(s) ? copy(args->file, offset, s, size)
                                          : send_pages(args->file, offset, s, size);

    if (n < 0)
        return n;
    WF_ASSERT((size_t)n <= size && size <= PORTION); /* F1 */
    io->done += (size_t)n;
    return n == 0 || io->done == args->size ? (int64_t)io->done : WF_IO_MORE;
}

const wf_socket_op wf_op_send_file = {WF_SOCKET_OP("weft_send_file"), .side = WF_SIDE_OUT,
                                      .attempt = attempt_send_file};

WEFT_API weft_future *weft_send_file(weft_io *io, weft_stream *stream, int fd, int64_t offset,
                                     size_t size)
{
    *WF_ARGS(io, part) = (part){fd, offset, size};
    return wf_socket_op_init(io, &wf_op_send_file, stream);
}
