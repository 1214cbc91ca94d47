/*
 * ready.c - waiting until a descriptor shows an event
 *
 * Purpose     The row of the operation table for descriptors of other libraries: as poll(2), by the
 *             ring.
 * Threads     Constructor: the caller. prepare: the reactor's thread. end: the future's owner.
 * Invariants  R1 the ring's poll also ends with POLLRDHUP that nobody asked for, and at once while
 *             that lasts: whoever waits for POLLOUT would never sleep. Then the descriptor is put
 *             into an epoll set of its own (offset_, else -1), which does as it is told, and the
 *             ring polls that.
 * Ordering    None.
 * Failure     The kernel's answer; -EMFILE and the like if the set can't be had.
 */
#include "descriptor.h"
#include "operation.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ALWAYS (POLLERR | POLLHUP | POLLNVAL) /* told without being asked for */
#define NO_SET (-1)

void wf_ready_prepare(const weft_io *io, struct io_uring_sqe *sqe)
{
    if (io->offset_ == NO_SET)
        io_uring_prep_poll_add(sqe, io->fd_, io->option_);
    else
        io_uring_prep_poll_add(sqe, (int)io->offset_, POLLIN);
}

/* 0 or -errno. */
static int make_set(weft_io *io)
{
    struct epoll_event event = {.events = io->option_};
    int                set = wf_descriptor(epoll_create1(EPOLL_CLOEXEC)), r;

    if (set < 0)
        return -errno;
    if (epoll_ctl(set, EPOLL_CTL_ADD, io->fd_, &event) < 0) {
        r = -errno;
        close(set);
        return r;
    }
    io->offset_ = set;
    return 0;
}

static int64_t shown(const weft_io *io)
{
    struct epoll_event event = {0};
    int                n = epoll_wait((int)io->offset_, &event, 1, 0);

    return n < 0 ? -errno : (int64_t)event.events;
}

int64_t wf_ready_end(weft_io *io, int64_t result, bool cancelled)
{
    bool has_set = io->offset_ != NO_SET;

    if (result > 0 && has_set)
        result = shown(io);
    if (result > 0)
        result &= io->option_ | ALWAYS;
    if (result == 0) /* nothing of what was asked for, or it has gone meanwhile */
        result = cancelled ? -ECANCELED : has_set ? 0 : make_set(io);
    if (result == 0)
        return WF_IO_MORE;
    if (has_set)
        close((int)io->offset_);
    return result;
}

WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events)
{
    weft_future *future = wf_io_init(io, WF_OP_FD_READY);

    io->fd_ = fd;
    io->option_ = events & 0xffff; /* the rest are flags of epoll's */
    io->offset_ = NO_SET;
    return future;
}
