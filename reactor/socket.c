/*
 * socket.c - what streams and listeners share
 *
 * Purpose     See socket.h.
 * Threads     See socket.h.
 * Invariants  See socket.h.
 * Ordering    See socket.h.
 * Failure     See socket.h.
 */
#include "socket.h"

#include "lock.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static void socket_take(void *reactor, wf_submission *submission);

void wf_socket_init(wf_socket *s, wf_reactor *r, int fd, uint32_t events, size_t size)
{
    memset(s, 0, sizeof *s);
    s->submission.take = socket_take;
    s->reactor = r;
    s->fd = fd;
    s->refs = 1;
    s->events = events;
    s->size = size;
    wf_add(&r->n_sockets, 1, RELAXED); /* a counter */
}

/* ---- references ---- */

static void request(wf_socket *s, uint32_t what)
{
    if (wf_or(&s->requests, what, ACQ_REL) == 0) /* [socket-3] else it is in the inbox already */
        wf_reactor_submit_any(s->reactor, &s->submission);
}

static void socket_free(wf_socket *s)
{
    wf_reactor *r = s->reactor;

    close(s->fd);
    wf_sub(&r->n_sockets, 1, RELAXED); /* a counter */
    wf_release(&r->rt->config.allocator, s, s->size);
}

bool wf_socket_ref(wf_socket *s)
{
    if (!(wf_add(&s->refs, 1, RELAXED) & WF_SOCKET_CLOSED)) /* the owner's reference is there */
        return true;
    wf_socket_unref(s);
    return false;
}

void wf_socket_unref(wf_socket *s)
{
    if ((wf_sub(&s->refs, 1, ACQ_REL) & ~WF_SOCKET_CLOSED) != 1) /* [socket-2] */
        return;
    if (s->asked)
        request(s, WF_SOCKET_CLOSE); /* K3 */
    else
        socket_free(s);
}

static void wake_waiter(wf_direction *d, wf_wakes *wakes)
{
    weft_io *io = d->waiter;

    wf_store(&d->seq, d->seq + 1, RELEASE); /* [socket-1] */
    d->waiter = NULL;
    if (io)
        wf_waker_fire(&io->waker_, wakes);
}

void wf_socket_close(wf_socket *s)
{
    wf_wakes wakes = {0};

    wf_or(&s->refs, WF_SOCKET_CLOSED, RELAXED); /* whoever waits reads it under the lock */
    wf_lock(&s->lock);
    wake_waiter(&s->in, &wakes);
    wake_waiter(&s->out, &wakes);
    wf_unlock(&s->lock);
    wf_wakes_flush(&wakes);
    wf_socket_unref(s);
}

/* ---- waiting ---- */

wf_socket_wait_result wf_socket_wait(wf_socket *s, wf_direction *d, weft_io *io, uint32_t seq,
                                     const weft_waker *waker)
{
    wf_socket_wait_result result = WF_SOCKET_WAITING;
    bool                  ask = false;

    wf_lock(&s->lock);
    if (wf_load(&s->refs, RELAXED) & WF_SOCKET_CLOSED) { /* see wf_socket_close */
        result = WF_SOCKET_IS_CLOSED;
    } else if (d->seq != seq) { /* [socket-1] */
        result = WF_SOCKET_RETRY;
    } else {
        d->waiter = io;
        wf_waker_store(&io->waker_, waker);
        ask = !s->asked;
        wf_store(&s->asked, true, RELAXED); /* under the lock; is_drained reads it as a hint */
    }
    wf_unlock(&s->lock);
    if (ask)
        request(s, WF_SOCKET_ARM);
    return result;
}

bool wf_socket_is_waiting(wf_socket *s, wf_direction *d, weft_io *io, const weft_waker *waker)
{
    bool waiting;

    wf_lock(&s->lock);
    waiting = d->waiter == io;
    if (waiting)
        wf_waker_store(&io->waker_, waker);
    wf_unlock(&s->lock);
    return waiting;
}

void wf_socket_withdraw(wf_socket *s, wf_direction *d, weft_io *io)
{
    wf_lock(&s->lock);
    if (d->waiter == io) {
        d->waiter = NULL;
        wf_waker_forget(&io->waker_);
    }
    wf_unlock(&s->lock);
}

void *wf_socket_nudge(wf_socket *s, wf_direction *d)
{
    wf_wakes wakes = {0};

    wf_lock(&s->lock);
    wake_waiter(d, &wakes);
    wf_unlock(&s->lock);
    wf_wakes_flush_foreign(&wakes);
    return wakes.first;
}

/* ---- on the reactor's thread ---- */

static void arm(wf_reactor *r, wf_socket *s)
{
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    io_uring_prep_poll_multishot(sqe, s->fd, s->events);
    sqe->user_data = wf_reactor_tag(s, WF_TAG_SOCKET);
    s->polling = true;
}

static void cancel_poll(wf_reactor *r, wf_socket *s)
{
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    io_uring_prep_cancel64(sqe, wf_reactor_tag(s, WF_TAG_SOCKET), 0);
    sqe->user_data = wf_reactor_tag(NULL, WF_TAG_NOTHING);
    r->n_held++; /* until the poll's last completion */
}

static void socket_take(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;
    wf_socket  *s = (wf_socket *)submission;
    uint32_t    requests = wf_swap(&s->requests, 0, ACQ_REL); /* [socket-3] */

    if (requests & WF_SOCKET_CLOSE) {
        s->closing = true;
        if (s->polling)
            cancel_poll(r, s);
        else
            socket_free(s);
    } else if (requests & WF_SOCKET_ARM) {
        arm(r, s);
    }
}

void wf_socket_completed(wf_reactor_token token, wf_socket *s, int32_t result, bool more)
{
    wf_reactor *r = token.r;
    uint32_t    events = result < 0 ? POLLERR : (uint32_t)result;

    if (!more) {
        s->polling = false;
        if (s->closing) {
            r->n_held--;
            socket_free(s);
            return;
        }
    }
    /* After the end no event will come; recv stops at urgent data, so a short read may leave bytes. */
    if (events & (POLLRDHUP | POLLHUP | POLLERR | POLLPRI))
        wf_store(&s->always_try, true, RELAXED); /* published by seq below */
    wf_lock(&s->lock);
    if (events & (POLLIN | POLLPRI | POLLRDHUP | POLLHUP | POLLERR))
        wake_waiter(&s->in, &r->wakes);
    if (events & (POLLOUT | POLLHUP | POLLERR))
        wake_waiter(&s->out, &r->wakes);
    wf_unlock(&s->lock);
    if (!more)
        arm(r, s);
}
