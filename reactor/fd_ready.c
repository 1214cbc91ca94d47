/*
 * fd_ready.c - waiting until a descriptor is ready
 *
 * Purpose     Waits for descriptors of other libraries like poll(2), by the ring.
 * Threads     Constructor: the caller. prepare: the reactor's thread. end: the future's owner.
 * Invariants  R1 the ring's poll also ends with POLLRDHUP, even if the caller did not request it,
 *             and it ends at once while that condition lasts. So a caller that waits for POLLOUT
 *             would never sleep. In that case the descriptor gets an epoll set of its own, which
 *             reports requested events only, and the ring polls that set.
 * Ordering    None.
 * Failure     The kernel's error. -EMFILE and the like if there can be no set.
 */
#include "descriptor.h"
#include "kernel_operation.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ALWAYS (POLLERR | POLLHUP | POLLNVAL) /* events that are reported without a request */
#define NO_SET (-1)

typedef struct ready {
    int      fd;
    unsigned events;
    int      set; /* R1: the epoll set, or NO_SET */
} ready;

static void prepare_ready(const weft_io *io, struct io_uring_sqe *sqe)
{
    const ready *args = WF_ARGS(io, ready);

    if (args->set == NO_SET)
        io_uring_prep_poll_add(sqe, args->fd, args->events);
    else
        io_uring_prep_poll_add(sqe, args->set, POLLIN);
}

/* Puts the descriptor into a set of its own. Returns 0 or -errno. */
static int make_set(ready *args)
{
    struct epoll_event event = {.events = args->events};
    int                set = wf_descriptor(epoll_create1(EPOLL_CLOEXEC)), r;

    if (set < 0)
        return -errno;
    if (epoll_ctl(set, EPOLL_CTL_ADD, args->fd, &event) < 0) {
        r = -errno;
        close(set);
        return r;
    }
    args->set = set;
    return 0;
}

/* The events of the descriptor in the set, or -errno. */
static int64_t shown(int set)
{
    struct epoll_event event = {0};
    int                n = epoll_wait(set, &event, 1, 0);

    return n < 0 ? -errno : (int64_t)event.events;
}

static int64_t end_ready(weft_io *io, int64_t result, bool cancelled)
{
    ready *args = WF_ARGS(io, ready);
    bool   has_set = args->set != NO_SET;

    if (result > 0 && has_set)
        result = shown(args->set);
    if (result > 0)
        result &= args->events | ALWAYS;
    /* 0 says that no requested event has come, or that it has passed meanwhile. */
    if (result == 0)
        result = cancelled ? -ECANCELED : has_set ? 0 : make_set(args);
    if (result == 0)
        return WF_IO_MORE;
    if (has_set)
        close(args->set);
    return result;
}

const wf_kernel_op wf_op_fd_ready = {WF_KERNEL_OP("weft_fd_ready"), .prepare = prepare_ready,
                                     .end = end_ready};

WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events)
{
    /* The other bits are flags of epoll. */
    *WF_ARGS(io, ready) = (ready){.fd = fd, .events = events & 0xffff, .set = NO_SET};
    return wf_kernel_op_init(io, &wf_op_fd_ready);
}
