/* accept_ring.c - see accept_ring.h */
#include "accept_ring.h"

#include "invariant.h"
#include "lock.h"
#include "memcheck.h"
#include "ring.h"

#include <fcntl.h>
#include <poll.h>

enum { ACCEPT = 1, CANCEL, N_ENTRIES = 2 };

/* Opens the ring. It cannot have the flags of the reactor's ring, because any worker enters this
 * one and takes the completions itself. If the host has closed the reactor's ring, this one may get
 * its number, and the reactor would enter it and wait for ever. The kernel refuses to enter a ring
 * that is disabled, so this one is until its number is known to be another. */
static bool open_locked(wf_accept_ring *ring)
{
    struct io_uring *uring = &ring->uring;

    if (io_uring_queue_init(N_ENTRIES, uring, IORING_SETUP_R_DISABLED) < 0)
        return false;
    if (wf_ring_leave_standard(uring) < 0 || uring->ring_fd == ring->reactors_fd ||
        io_uring_register((unsigned)uring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0) {
        io_uring_queue_exit(&ring->uring);
        return false;
    }
    io_uring_ring_dontfork(&ring->uring);
    return true;
}

/* Opens the ring at its first use. */
static bool is_usable_locked(wf_accept_ring *ring)
{
    if (ring->is_open || ring->is_refused)
        return ring->is_open;
    ring->is_open = open_locked(ring);
    ring->is_refused = !ring->is_open;
    return ring->is_open;
}

/* Gives the ring up. If the host has closed its descriptor, the number may belong to another file
 * by now, so it is not closed again. */
static void give_up_locked(wf_accept_ring *ring, int error)
{
    if (error == -EBADF || error == -EOPNOTSUPP)
        ring->uring.ring_fd = ring->uring.enter_ring_fd = -1;
    io_uring_queue_exit(&ring->uring);
    ring->is_open = false;
    ring->is_refused = true;
}

/* Takes completions and returns their number. *ret_accepted is set to the result of the accept. */
static unsigned collect_locked(wf_accept_ring *ring, int *ret_accepted)
{
    struct io_uring_cqe *cqe;
    unsigned             head, n = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        if (cqe->user_data == ACCEPT)
            *ret_accepted = cqe->res;
        n++;
    }
    io_uring_cq_advance(&ring->uring, n);
    return n;
}

/* Accepts by the ring. Returns 0, or -errno if the kernel cannot be entered. The kernel tries the
 * accept when it is submitted. If the accept would wait, the entry behind it cancels it at once. So
 * both have completed when the call that submits them returns, and this never waits for long. */
static int accept_locked(wf_accept_ring *ring, int fd, struct sockaddr *peer, socklen_t *size,
                         int flags, int *ret)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    unsigned             n = 0;
    int                  r;

    WF_ASSERT(sqe && io_uring_cq_ready(&ring->uring) == 0); /* V1 */
    io_uring_prep_accept(sqe, fd, peer, size, flags);
    sqe->user_data = ACCEPT;
    sqe = io_uring_get_sqe(&ring->uring);
    io_uring_prep_cancel64(sqe, ACCEPT, 0);
    sqe->user_data = CANCEL;
    while (n < N_ENTRIES) {
        r = io_uring_submit_and_wait(&ring->uring, N_ENTRIES - n);
        if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY)
            return r;
        n += collect_locked(ring, ret);
    }
    return 0;
}

/* Accepts without a ring. If poll(2) finds no connection, accept4 is not called, so it cannot wait
 * for one. Between the two calls other programs could clear the flag and take the connection, which
 * no call can prevent. */
static int accept_by_flag(int fd, struct sockaddr *peer, socklen_t *size, int flags)
{
    struct pollfd waits = {fd, POLLIN, 0};
    int           now = fcntl(fd, F_GETFL), r;

    if (poll(&waits, 1, 0) == 0)
        return -EAGAIN;
    if (now >= 0 && !(now & O_NONBLOCK))
        (void)fcntl(fd, F_SETFL, now | O_NONBLOCK);
    r = accept4(fd, peer, size, flags);
    return r < 0 ? -errno : r;
}

int wf_accept_ring_accept(wf_accept_ring *ring, int fd, struct sockaddr *peer, socklen_t *size,
                          int flags)
{
    int r = -EAGAIN, error = -ENOSYS;

    /* Held during a system call that does not wait, since a ring has one submitter. Only listeners
     * that other programs share come here. */
    wf_lock(&ring->lock);
    if (is_usable_locked(ring)) {
        error = accept_locked(ring, fd, peer, size, flags, &r);
        if (error < 0)
            give_up_locked(ring, error);
    }
    wf_unlock(&ring->lock);
    if (error < 0)
        return accept_by_flag(fd, peer, size, flags);
    if (r >= 0) {
        wf_memcheck_defined(size, sizeof *size);
        wf_memcheck_defined(peer, *size);
    }
    return r == -ECANCELED ? -EAGAIN : r;
}

void wf_accept_ring_close(wf_accept_ring *ring)
{
    if (ring->is_open)
        io_uring_queue_exit(&ring->uring);
}
