/* completion.c - see completion.h */
#include "completion.h"

#include "clock.h"
#include "kernel_operation.h"

#include <poll.h>
#include <string.h>

/* ---- the watched descriptors ---- */

void wf_completion_watch(wf_reactor *r, int fd, unsigned tag)
{
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    sqe->user_data = wf_reactor_tag(NULL, tag);
}

static void watch_again(wf_reactor *r, const struct io_uring_cqe *cqe, int fd)
{
    if (cqe->res < 0 && cqe->res != -ENOMEM)
        wf_ring_break(&r->ring, -EIO);
    else if (!(cqe->flags & IORING_CQE_F_MORE))
        wf_completion_watch(r, fd, cqe->user_data & WF_TAG_MASK);
}

void wf_completion_take_ready(wf_reactor *r)
{
    bool more;
    int  n = wf_poller_take(&r->poller, &r->wakes, true, &more);

    if (n < 0)
        weft_misuse_("weft", "the program has closed a file descriptor that belongs to weft",
                     strerror(-n));
    wf_count(&r->counts.completions, (uint64_t)n);
    if (more)
        wf_reactor_look_again_any(r);
}

static void take_what_was_left(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;

    (void)submission;
    /* Before the look, so that events which come later bring a new submission. */
    wf_store(&r->looks_again, 0, SEQ_CST); /* [reactor-5] */
    wf_completion_take_ready(r);
}

void wf_reactor_look_again_any(wf_reactor *r)
{
    if (wf_swap(&r->looks_again, 1, SEQ_CST)) /* [reactor-5] it is in the inbox already */
        return;
    r->look_again.take = take_what_was_left;
    wf_reactor_submit_any(r, &r->look_again);
}

void wf_completion_arrange_watch(wf_reactor *r)
{
    bool wanted = !wf_load(&r->driver.sparse, SEQ_CST); /* [driver-4] */

    if (r->ring.error < 0) {
        r->sparse.armed = wanted;
    } else if (wanted && !r->sparse.armed) {
        wf_completion_watch(r, r->poller.fd, WF_TAG_READY);
        r->sparse.armed = true;
    } else if (!wanted && r->sparse.armed && !r->sparse.ending) {
        struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

        io_uring_prep_cancel64(sqe, wf_reactor_tag(NULL, WF_TAG_READY), 0);
        sqe->user_data = wf_reactor_tag(NULL, WF_TAG_NOTHING);
        r->sparse.ending = true;
    }
}

/* Handles the last completion of the poll. The next turn begins another poll if one is wanted. */
static void end_watch(wf_reactor *r, int result)
{
    if (result < 0 && result != -ENOMEM && !(result == -ECANCELED && r->sparse.ending))
        wf_ring_break(&r->ring, -EIO);
    r->sparse.armed = r->sparse.ending = false;
}

/* ---- the operations ---- */

static void *object_of(uint64_t user_data)
{
    return (void *)(uintptr_t)(user_data & ~(uint64_t)WF_TAG_MASK);
}

/* Whether the kernel has done nothing for the operation. A ring that breaks makes the kernel cancel
 * all operations, and those that complete with -ECANCELED then have not run. */
static bool is_unseen(const wf_reactor *r, const struct io_uring_cqe *cqe)
{
    return r->ring.error < 0 && cqe->res == -ECANCELED &&
           !(cqe->flags & (IORING_CQE_F_MORE | IORING_CQE_F_NOTIF));
}

#define CANCEL_PAUSE_FIRST WEFT_MS(1)
#define CANCEL_PAUSE_MOST  WEFT_MS(100)

/* -EALREADY means that a thread of the kernel was busy with the operation. The cancel interrupts
 * that thread if it waits. But the operation may then wait for readiness, where this cancel does
 * not reach it. Before Linux 6.0, -ENOENT may mean that it was on its way there. So the reactor
 * cancels it again later, at growing intervals, if it is still in flight. */
static void note_cancel(wf_reactor *r, int result)
{
    bool may_be_there = result == -EALREADY || (result == -ENOENT && !wf_ring_is_6_0(&r->ring));

    if (!may_be_there)
        r->cancel_pause = 0;
    if (!may_be_there || r->cancel_again != 0)
        return;
    if (r->cancel_pause == 0)
        r->cancel_pause = CANCEL_PAUSE_FIRST;
    r->cancel_again = wf_now() + r->cancel_pause;
    r->cancel_pause *= 2;
    if (r->cancel_pause > CANCEL_PAUSE_MOST)
        r->cancel_pause = CANCEL_PAUSE_MOST;
}

void wf_completion_cancel_again(wf_reactor *r)
{
    uint64_t data;

    if (r->cancel_again == 0 || wf_now() < r->cancel_again)
        return;
    r->cancel_again = 0;
    for (uint32_t i = 0; i < r->inflight.n_used; i++)
        if ((data = wf_inflight_at(&r->inflight, i)) != 0)
            wf_io_cancel_again((wf_reactor_token){r}, object_of(data));
}

static void complete_one(wf_reactor *r, const struct io_uring_cqe *cqe)
{
    void            *object = object_of(cqe->user_data);
    wf_reactor_token token = {r};

    switch (cqe->user_data & WF_TAG_MASK) {
    case WF_TAG_IO:
        wf_count(&r->counts.completions, 1);
        if (is_unseen(r, cqe))
            wf_io_unseen(token, object);
        else
            wf_io_completed(token, object, cqe->res, cqe->flags);
        break;
    case WF_TAG_READY:
        wf_completion_take_ready(r);
        if (!(cqe->flags & IORING_CQE_F_MORE))
            end_watch(r, cqe->res);
        break;
    case WF_TAG_WAKE:
        wf_count(&r->counts.kicks, 1);
        watch_again(r, cqe, r->wake_fd);
        break;
    case WF_TAG_CANCEL:
        note_cancel(r, cqe->res);
        break;
    case WF_TAG_NOTHING:
        break;
    }
    wf_wakes_flush_foreign(&r->wakes);
}

unsigned wf_completion_collect(wf_reactor *r)
{
    struct io_uring_cqe *cqe;
    unsigned             head, n = 0;

    if (!r->ring.is_open)
        return 0;
    io_uring_for_each_cqe(&r->ring.uring, head, cqe)
    {
        complete_one(r, cqe);
        n++;
    }
    io_uring_cq_advance(&r->ring.uring, n);
    return n;
}

/* ---- when the ring has been lost ---- */

static void forget_unseen(wf_reactor *r)
{
    uint64_t data;

    for (uint32_t nth = 0; (data = wf_ring_unseen(&r->ring, nth)) != 0; nth++) {
        if ((data & WF_TAG_MASK) == WF_TAG_IO)
            wf_io_unseen((wf_reactor_token){r}, object_of(data));
        wf_wakes_flush_foreign(&r->wakes);
    }
}

void wf_completion_fail_held(wf_reactor *r)
{
    uint64_t data;

    wf_completion_collect(r);
    if (r->ring.is_open)
        forget_unseen(r);
    wf_ring_close(&r->ring);
    for (uint32_t i = 0; i < r->inflight.n_used; i++)
        if ((data = wf_inflight_at(&r->inflight, i)) != 0) {
            wf_io_lost((wf_reactor_token){r}, object_of(data));
            wf_wakes_flush_foreign(&r->wakes);
        }
}
