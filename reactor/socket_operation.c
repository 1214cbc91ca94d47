/*
 * socket_operation.c - operations on sockets: try, then wait for readiness
 *
 * Purpose     Polls a wf_socket_op. The states are in phase_:
 *
 *               START --poll--> TRY --EAGAIN--> WAIT --poll, after an event--> TRY
 *                 |              |               |
 *                 |              +--> READY      +--poll--> READY
 *                 +--> REFUSED --> READY
 *
 *             START claims the direction, or is refused. TRY ends with the result of an attempt. If
 *             the budget is spent, TRY and REFUSED stay until the next poll. WAIT ends if waiting
 *             fails. All end when the operation is cancelled, TRY and WAIT also when the socket is
 *             closed.
 * Threads     The owner of the weft_io. Events come from socket.c, under the socket's lock.
 * Invariants  O2 in socket_operation.h.
 * Ordering    The socket's lock.
 * Failure     See socket_operation.h.
 */
#include "socket_operation.h"

#include "stream.h"

#include <string.h>

enum { START, REFUSED, TRY, WAIT };

#define STILL_WAITS 1

static weft_poll io_end(weft_io *io, int64_t result)
{
    const wf_socket_op *op = wf_socket_op_of(io);

    if (op->end)
        result = op->end(io, result, weft_future_is_cancelled(&io->future));
    return weft_ready(&io->future, result);
}

static wf_direction *direction(const weft_io *io, wf_socket *s)
{
    return wf_socket_op_of(io)->side & WF_SIDE_IN ? &s->in : &s->out;
}

/* The first poll. Returns 0 if the operation now has its direction, else the result. */
static int64_t start(weft_io *io, weft_context *cx)
{
    const wf_socket_op *op = wf_socket_op_of(io);
    int                 r = op->begin ? op->begin(io, cx) : 0;
    wf_socket          *s;

    if (r < 0) {
        io->target_ = NULL;
        return r;
    }
    s = wf_socket_ref(io->target_, op->side);
    if (s && wf_reactor_is_child(s->reactor)) {
        /* The reference is leaked, in the child's own copy of the count. */
        r = -ECHILD;
    } else if (s) {
        if (wf_socket_claim(direction(io, s), io)) {
            io->target_ = s; /* it was the handle before */
            io->phase_ = TRY;
            return 0;
        }
        wf_socket_unref(s);
        r = -EBUSY;
    } else {
        r = -EBADF;
    }
    io->target_ = NULL; /* `end` then has nothing to release */
    return r;
}

static weft_poll end(weft_io *io, int64_t result)
{
    wf_socket *s = io->target_;
    weft_poll  poll = io_end(io, result);

    WF_ASSERT(wf_peek(&direction(io, s)->owner) == io); /* K2 in socket.h */
    WF_ASSERT(!wf_peek(&direction(io, s)->waiting));    /* K2 */
    wf_socket_let_go(direction(io, s));
    wf_socket_unref(s);
    return poll;
}

/* A later poll. Returns 0 if the operation is to try again, STILL_WAITS, or the result. */
static int64_t resume(weft_io *io, weft_context *cx)
{
    wf_socket    *s = io->target_;
    wf_direction *d = direction(io, s);

    if (weft_future_is_cancelled(&io->future) ||
        wf_socket_is_closed(s, wf_socket_op_of(io)->side)) {
        wf_socket_withdraw(s, d, io);
        return -ECANCELED;
    }
    if (io->phase_ != WAIT)
        return 0;
    if (wf_socket_is_waiting(s, d, io, cx->waker))
        return STILL_WAITS;
    io->phase_ = TRY;
    return io->answer_ < 0 ? io->answer_ : 0; /* an error says that waiting has failed */
}

/* Tries until the operation ends, has to wait, or has spent the budget. `seq` is read before the
 * attempt, so an event that comes during the attempt makes the operation try again. */
static weft_poll attempt(weft_io *io, weft_context *cx)
{
    const wf_socket_op *op = wf_socket_op_of(io);
    wf_socket          *s = io->target_;
    wf_direction       *d = direction(io, s);

    WF_ASSERT(io->phase_ == TRY);
    while (weft_context_spend(cx)) {
        uint32_t seq = wf_socket_seq(d);
        int64_t  r = op->attempt(io, s);

        if (r == WF_IO_MORE || r == -EINTR) {
            if (wf_socket_is_closed(s, op->side))
                return end(io, -ECANCELED);
            continue;
        }
        if (r != -EAGAIN)
            return end(io, r);
        switch (wf_socket_wait(s, d, io, seq, cx->waker)) {
        case WF_SOCKET_WAITING:
            io->phase_ = WAIT;
            if (op->waits)
                op->waits(io, s, cx);
            return WEFT_PENDING;
        case WF_SOCKET_RETRY:
            break;
        case WF_SOCKET_IS_CLOSED:
            return end(io, -ECANCELED);
        }
    }
    return WEFT_PENDING;
}

/* Ends an operation that could not begin. It takes from the budget like all others: a task that
 * tries again and again would keep its worker, and would not see that it is cancelled. */
static weft_poll refuse(weft_io *io, weft_context *cx)
{
    if (weft_future_is_cancelled(&io->future))
        return io_end(io, -ECANCELED);
    return weft_context_spend(cx) ? io_end(io, io->answer_) : WEFT_PENDING;
}

weft_poll wf_socket_op_poll(weft_future *future, weft_context *cx)
{
    weft_io *io = weft_container(future, weft_io, future);
    int64_t  r;

    if (io->phase_ == START) {
        r = start(io, cx);
        if (r < 0) {
            io->answer_ = r;
            io->phase_ = REFUSED;
        }
    } else if (io->phase_ != REFUSED) {
        /* The operation began in the parent. Ending it would take locks, which a thread of the
         * parent may have held at the fork and which nothing releases here. So it is left as it
         * is. */
        if (wf_reactor_is_child(((wf_socket *)io->target_)->reactor))
            return weft_ready(future, -ECHILD);
        r = resume(io, cx);
        if (r == STILL_WAITS)
            return WEFT_PENDING;
        if (r < 0)
            return end(io, r);
    }
    return io->phase_ == REFUSED ? refuse(io, cx) : attempt(io, cx);
}

void wf_socket_op_cancel(weft_future *future)
{
    (void)future; /* the next poll sees the cancel and withdraws */
}

_Static_assert(sizeof(wf_peer) <= sizeof(wf_driver_peer), "a dump keeps a peer");

/* In TRY and WAIT the operation has a reference to the socket, so its life lasts, and `peer` is
 * constant. */
bool wf_socket_op_find_peer(const weft_future *future, wf_driver_peer *ret_peer)
{
    const weft_io   *io = weft_container(future, weft_io, future);
    const wf_socket *s;

    if (future->ops->poll != wf_socket_op_poll || io->phase_ < TRY)
        return false;
    s = io->target_;
    if (s->peer.family == 0)
        return false;
    memcpy(ret_peer, &s->peer, sizeof s->peer);
    return true;
}

const char *wf_socket_op_peer_text(const wf_driver_peer *peer, char *text)
{
    weft_address address;
    wf_peer      p;

    memcpy(&p, peer, sizeof p);
    return wf_peer_recall(&p, &address) ? weft_address_format(&address, text) : "";
}
