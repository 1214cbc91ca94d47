/*
 * send_file.c - a file's bytes into a stream without a copy
 *
 * Purpose     The row of the operation table for sendfile(2) on a non-blocking socket.
 * Threads     The future's owner.
 * Invariants  F1 at most PORTION bytes are read from the disk by one attempt: as long as that takes, the
 *             worker stands still. F2 no SIGPIPE is raised: threads of the runtime block all signals;
 *             on others it is blocked meanwhile, and taken back.
 * Ordering    socket.h.
 * Failure     As sendfile(2): -errno, with io->done bytes sent.
 */
#include "operation.h"

#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>

#define PORTION ((size_t)128 << 10)

static int64_t send_portion(int to, int from, off_t offset, size_t size)
{
    ssize_t n = sendfile(to, from, &offset, size);

    return n < 0 ? -errno : n;
}

/* On a thread that is not ours. What ends in the middle tells the bytes that went, and yet raises the signal. A
 * SIGPIPE that was blocked before is its owner's affair. */
static int64_t send_quietly(int to, int from, off_t offset, size_t size)
{
    const struct timespec at_once = {0};
    sigset_t              pipe, before;
    int64_t               n;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    n = send_portion(to, from, offset, size);
    if (n != (int64_t)size && !sigismember(&before, SIGPIPE))
        sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

/* Threads of the runtime block all signals; the one that a current-thread runtime lives on is its caller's. */
static bool signals_are_blocked(void)
{
    return wf_current_thread.owned && !wf_current_thread.rt->config.current_thread;
}

int64_t wf_send_file_attempt(weft_io *io, wf_socket *s)
{
    size_t  left = io->size_ - io->done;
    size_t  size = left < PORTION ? left : PORTION;
    off_t   offset = io->offset_ + (off_t)io->done;
    int64_t n = signals_are_blocked() ? send_portion(s->fd, io->fd_, offset, size)
                                      : send_quietly(s->fd, io->fd_, offset, size);

    if (n < 0)
        return n;
    io->done += (size_t)n;
    return n == 0 || io->done == io->size_ ? (int64_t)io->done : WF_IO_MORE;
}

WEFT_API weft_future *weft_send_file(weft_io *io, weft_stream *stream, int fd, int64_t offset,
                                     size_t size)
{
    weft_future *future = wf_io_init(io, WF_OP_SEND_FILE);

    io->object_ = stream;
    io->fd_ = fd;
    io->offset_ = offset;
    io->size_ = size;
    return future;
}
