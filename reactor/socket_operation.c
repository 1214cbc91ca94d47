/*
 * socket_operation.c - operations on sockets: try, then wait for readiness
 *
 * Purpose     Polls a row of the table whose side is IN, OUT or BOTH.
 *
 *               START --begin, claim--> TRY --attempt says -EAGAIN--> WAIT --event--> TRY
 *                 |                      |                              |
 *                 +------- ends <--------+---- answer, close, cancel ---+
 *
 * Threads     The owner of the weft_io. Events come by socket.c, under the socket's lock.
 * Invariants  O1 in operation.h.
 * Ordering    The socket's lock.
 * Failure     See operation.h.
 */
#include "operation.h"

static weft_poll io_end(weft_io *io, int64_t result)
{
    const wf_operation *op = wf_io_row(io);

    if (op->end)
        result = op->end(io, result, weft_future_is_cancelled(&io->future));
    return weft_ready(&io->future, result);
}

enum { SOCKET_START, SOCKET_TRY, SOCKET_WAIT };

#define STILL_WAITS 1

static wf_direction *direction(const weft_io *io, wf_socket *s)
{
    return wf_io_row(io)->side & WF_SIDE_IN ? &s->in : &s->out;
}

/* The first poll: 0, or the result. */
static int64_t socket_start(weft_io *io, weft_context *cx)
{
    int        r = 0;
    wf_socket *s;

    if (wf_io_row(io)->begin && (r = wf_io_row(io)->begin(io, cx)) < 0)
        return r;
    s = wf_socket_ref(io->target_, wf_io_row(io)->side);
    if (s && wf_reactor_is_child(s->reactor)) {
        r = -ECHILD; /* the count is the child's own, and does not matter there */
    } else if (s) {
        if (wf_socket_claim(direction(io, s), io)) {
            io->target_ = s; /* the handle before */
            io->phase_ = SOCKET_TRY;
            return 0;
        }
        wf_socket_unref(s);
        r = -EBUSY;
    } else {
        r = -EBADF;
    }
    io->target_ = NULL; /* nothing to clean up */
    return r;
}

static weft_poll socket_end(weft_io *io, int64_t result)
{
    wf_socket *s = io->target_;
    weft_poll  poll = io_end(io, result);

    wf_socket_let_go(direction(io, s));
    wf_socket_unref(s);
    return poll;
}

/* A later poll: 0: it tries again, STILL_WAITS, or its result. */
static int64_t socket_resume(weft_io *io, weft_context *cx)
{
    wf_socket    *s = io->target_;
    wf_direction *d = direction(io, s);

    if (weft_future_is_cancelled(&io->future) || wf_socket_is_closed(s, wf_io_row(io)->side)) {
        wf_socket_withdraw(s, d, io);
        return -ECANCELED;
    }
    if (io->phase_ != SOCKET_WAIT)
        return 0;
    if (wf_socket_is_waiting(s, d, io, cx->waker))
        return STILL_WAITS;
    io->phase_ = SOCKET_TRY;
    return io->answer_ < 0 ? io->answer_ : 0; /* waiting has failed, or not */
}

/* Until it ends, or has to wait. */
static weft_poll socket_try(weft_io *io, weft_context *cx)
{
    wf_socket    *s = io->target_;
    wf_direction *d = direction(io, s);

    while (weft_context_spend(cx)) {
        uint32_t seq = wf_socket_seq(d);
        int64_t  r = wf_io_row(io)->attempt(io, s);

        if (r == WF_IO_MORE || r == -EINTR) {
            if (wf_socket_is_closed(s, wf_io_row(io)->side))
                return socket_end(io, -ECANCELED);
            continue;
        }
        if (r != -EAGAIN)
            return socket_end(io, r);
        switch (wf_socket_wait(s, d, io, seq, cx->waker)) {
        case WF_SOCKET_WAITING:
            io->phase_ = SOCKET_WAIT;
            if (wf_io_row(io)->waits)
                wf_io_row(io)->waits(io, s, cx);
            return WEFT_PENDING;
        case WF_SOCKET_RETRY:
            break;
        case WF_SOCKET_IS_CLOSED:
            return socket_end(io, -ECANCELED);
        }
    }
    return WEFT_PENDING;
}

weft_poll wf_socket_operation_poll(weft_future *future, weft_context *cx)
{
    weft_io *io = weft_container(future, weft_io, future);
    int64_t  r;

    if (io->phase_ == SOCKET_START) {
        r = socket_start(io, cx);
        if (r < 0)
            return io_end(io, r);
    } else {
        /* Of the parent's it is left as it is: its ends take locks, which may be held for ever. */
        if (wf_reactor_is_child(((wf_socket *)io->target_)->reactor))
            return weft_ready(future, -ECHILD);
        r = socket_resume(io, cx);
        if (r == STILL_WAITS)
            return WEFT_PENDING;
        if (r < 0)
            return socket_end(io, r);
    }
    return socket_try(io, cx);
}

void wf_socket_operation_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}
