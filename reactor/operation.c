/*
 * operation.c - every operation is a row in one table
 *
 * Purpose     The table, and the two ways to poll a row: on a socket, or through the kernel.
 * Threads     See operation.h.
 * Invariants  See operation.h.
 * Ordering    See operation.h.
 * Failure     See operation.h.
 */
#include "operation.h"

#include "lock.h"

#include <string.h>

static weft_poll socket_poll(weft_future *future, weft_context *cx);
static weft_poll kernel_poll(weft_future *future, weft_context *cx);
static void      socket_cancel(weft_future *future);
static void      kernel_cancel(weft_future *future);

#define SOCKET(name)                                                                               \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_WITHDRAWS, name, socket_poll, socket_cancel                   \
    }
#define KERNEL(name, ...)                                                                          \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_DRAINS __VA_ARGS__, name, kernel_poll, kernel_cancel          \
    }

const wf_operation wf_operations[WF_OP_COUNT] = {
    [WF_OP_READ] = {SOCKET("weft_read"), WF_SIDE_IN, .attempt = wf_stream_read},
    [WF_OP_READ_EXACT] = {SOCKET("weft_read_exact"), WF_SIDE_IN, .attempt = wf_stream_read_exact},
    [WF_OP_READV] = {SOCKET("weft_readv"), WF_SIDE_IN, .attempt = wf_stream_readv},
    [WF_OP_WRITE] = {SOCKET("weft_write"), WF_SIDE_OUT, .attempt = wf_stream_write},
    [WF_OP_WRITE_ALL] = {SOCKET("weft_write_all"), WF_SIDE_OUT, .attempt = wf_stream_write_all},
    [WF_OP_WRITEV] = {SOCKET("weft_writev"), WF_SIDE_OUT, .attempt = wf_stream_writev},
    [WF_OP_ACCEPT] = {SOCKET("weft_accept"), WF_SIDE_IN, .attempt = wf_accept_attempt,
                      .waits = wf_accept_waits, .end = wf_accept_end},
    [WF_OP_CONNECT] = {SOCKET("weft_connect"), WF_SIDE_OUT, .begin = wf_connect_begin,
                       .attempt = wf_connect_attempt, .end = wf_connect_end},
    [WF_OP_FILE_OPEN] = {KERNEL("weft_file_open"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_open,
                         .end = wf_file_end_open},
    [WF_OP_FILE_READ] = {KERNEL("weft_file_read"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_read,
                         .end = wf_file_end_read},
    [WF_OP_FILE_WRITE] = {KERNEL("weft_file_write"), WF_SIDE_KERNEL,
                          .prepare = wf_file_prepare_write},
    [WF_OP_FILE_CLOSE] = {KERNEL("weft_file_close", | WEFT_FUTURE_CLEANS_UP), WF_SIDE_KERNEL,
                          .prepare = wf_file_prepare_close},
    [WF_OP_FD_READY] = {KERNEL("weft_fd_ready"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_ready},
};

static const wf_operation *row(const weft_io *io)
{
    return (const wf_operation *)(const void *)io->future.ops;
}

weft_future *wf_io_init(weft_io *io, int op)
{
    weft_future_init(&io->future, &wf_operations[op].future);
    io->done = 0;
    io->waker_ = (weft_waker){0};
    io->object_ = io->out_ = io->memory_ = NULL;
    io->size_ = 0;
    io->offset_ = io->answer_ = 0;
    io->fd_ = -1;
    io->option_ = io->lock_ = io->phase_ = 0;
    return &io->future;
}

static weft_poll io_end(weft_io *io, int64_t result)
{
    const wf_operation *op = row(io);

    if (op->end)
        result = op->end(io, result, weft_future_is_cancelled(&io->future));
    return weft_ready(&io->future, result);
}

/* ---- sockets: try, then wait for readiness ---- */

enum { SOCKET_START, SOCKET_TRY, SOCKET_WAIT };

static wf_direction *direction(const weft_io *io, wf_socket *s)
{
    return row(io)->side == WF_SIDE_IN ? &s->in : &s->out;
}

/* The first poll: 0, or the result. */
static int64_t socket_start(weft_io *io, weft_context *cx)
{
    int        r = 0;
    wf_socket *s;

    if (row(io)->begin && (r = row(io)->begin(io, cx)) < 0)
        return r;
    s = io->object_;
    if (wf_socket_ref(s)) {
        if (wf_socket_claim(direction(io, s), io)) {
            io->phase_ = SOCKET_TRY;
            return 0;
        }
        wf_socket_unref(s);
        r = -EBUSY;
    } else {
        r = -ECANCELED;
    }
    io->object_ = NULL; /* nothing to clean up */
    return r;
}

static weft_poll socket_end(weft_io *io, int64_t result)
{
    wf_socket *s = io->object_;
    weft_poll  poll = io_end(io, result);

    wf_socket_let_go(direction(io, s));
    wf_socket_unref(s);
    return poll;
}

static weft_poll socket_poll(weft_future *future, weft_context *cx)
{
    weft_io      *io = weft_container(future, weft_io, future);
    int64_t       r = 0;
    wf_socket    *s;
    wf_direction *d;

    if (io->phase_ == SOCKET_START && (r = socket_start(io, cx)) < 0)
        return io_end(io, r);
    s = io->object_;
    d = direction(io, s);
    if (weft_future_is_cancelled(future)) {
        wf_socket_withdraw(s, d, io);
        return socket_end(io, -ECANCELED);
    }
    if (io->phase_ == SOCKET_WAIT) {
        if (wf_socket_is_waiting(s, d, io, cx->waker))
            return WEFT_PENDING;
        io->phase_ = SOCKET_TRY;
    }
    while (weft_context_spend(cx)) {
        uint32_t seq = wf_socket_seq(d);

        r = row(io)->attempt(io, s);
        if (r == WF_IO_MORE || r == -EINTR)
            continue;
        if (r != -EAGAIN)
            return socket_end(io, r);
        switch (wf_socket_wait(s, d, io, seq, cx->waker)) {
        case WF_SOCKET_WAITING:
            io->phase_ = SOCKET_WAIT;
            if (row(io)->waits)
                row(io)->waits(io, s, cx);
            return WEFT_PENDING;
        case WF_SOCKET_RETRY:
            break;
        case WF_SOCKET_IS_CLOSED:
            return socket_end(io, -ECANCELED);
        }
    }
    return WEFT_PENDING;
}

static void socket_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

/* ---- the kernel: hand over, wait for the answer ---- */

enum {
    KERNEL_IN_INBOX = 1 << 0,
    KERNEL_IN_RING = 1 << 1,
    KERNEL_CANCEL = 1 << 2,
    KERNEL_DONE = 1 << 3,
};

static void kernel_take(void *reactor, wf_submission *submission);

static void kernel_submit(weft_io *io)
{
    wf_submission *s = (wf_submission *)(void *)io->link_;
    wf_reactor    *r = io->object_;

    io->phase_ |= KERNEL_IN_INBOX;
    s->take = kernel_take;
    wf_inbox_push_any(&r->inbox, s);
}

static weft_poll kernel_poll(weft_future *future, weft_context *cx)
{
    weft_io *io = weft_container(future, weft_io, future);
    bool     done;

    if (!io->object_) { /* not begun; only we write it */
        if (weft_future_is_cancelled(future))
            return weft_ready(future, -ECANCELED);
        if (!cx->runtime)
            return weft_ready(future, -ENXIO);
        if (!weft_context_spend(cx))
            return WEFT_PENDING;
        io->object_ = cx->runtime->reactor;
        wf_waker_store(&io->waker_, cx->waker);
        io->answer_ = -ECANCELED; /* unless the ring gives another */
        kernel_submit(io);
        wf_driver_hint(&cx->runtime->reactor->driver, WF_DRIVER_NOW);
        return WEFT_PENDING;
    }
    wf_lock(&io->lock_);
    done = io->phase_ & KERNEL_DONE;
    if (!done)
        wf_waker_store(&io->waker_, cx->waker);
    wf_unlock(&io->lock_);
    return done ? io_end(io, io->answer_) : WEFT_PENDING;
}

static void kernel_cancel(weft_future *future)
{
    weft_io    *io = weft_container(future, weft_io, future);
    wf_reactor *r = io->object_;

    if (!r)
        return; /* polled, but not started: see kernel_poll's budget */
    wf_lock(&io->lock_);
    if (!(io->phase_ & KERNEL_DONE)) {
        io->phase_ |= KERNEL_CANCEL;
        if (!(io->phase_ & KERNEL_IN_INBOX))
            kernel_submit(io);
    }
    wf_unlock(&io->lock_);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* Under the lock: the operation has its answer, and may end if nobody else has the weft_io. */
static void settle(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & (KERNEL_IN_INBOX | KERNEL_IN_RING))
        return;
    io->phase_ |= KERNEL_DONE;
    wf_waker_fire(&io->waker_, &r->wakes);
}

static void kernel_take(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;
    weft_io    *io = weft_container(submission, weft_io, link_);
    uint64_t    tag = wf_reactor_tag(io, WF_TAG_IO);

    wf_lock(&io->lock_);
    io->phase_ &= ~(uint32_t)KERNEL_IN_INBOX;
    if (io->phase_ & KERNEL_IN_RING) { /* a second visit: to be cancelled */
        struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

        io_uring_prep_cancel64(sqe, tag, 0);
        sqe->user_data = wf_reactor_tag(NULL, WF_TAG_NOTHING);
    } else if (!(io->phase_ & KERNEL_CANCEL)) {
        struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

        row(io)->prepare(io, sqe);
        sqe->user_data = tag;
        io->phase_ |= KERNEL_IN_RING;
        r->n_held++;
    } else { /* cancelled on its way to the ring, or it has its answer already */
        settle(r, io);
    }
    wf_unlock(&io->lock_);
}

void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result)
{
    wf_lock(&io->lock_);
    io->answer_ = result;
    io->phase_ &= ~(uint32_t)KERNEL_IN_RING;
    token.r->n_held--;
    settle(token.r, io);
    wf_unlock(&io->lock_);
}
