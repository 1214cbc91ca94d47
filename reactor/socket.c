/* socket.c - see socket.h */
#include "socket.h"

#include "invariant.h"
#include "lock.h"
#include "own.h"
#include "retry_timer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* After so many unwanted events in a row POLLOUT is not requested any more. */
#define UNWANTED 4

static void socket_take(void *reactor, wf_submission *submission);

wf_socket *wf_socket_new(wf_reactor *r, int fd, uint16_t events)
{
    wf_socket *s = wf_socket_pool_take(r);

    if (!s)
        return NULL;
    WF_ASSERT(wf_peek(&s->refs) & WF_SOCKET_UNUSED);       /* K5 */
    WF_ASSERT(!(wf_peek(&s->requests) & WF_SOCKET_NUDGE)); /* K3 */
    s->submission.take = socket_take;
    s->fd = fd;
    s->requests = 0;
    s->drained = 0;
    s->retry_timer = NULL;
    s->is_socket = true;
    s->is_tcp = s->is_file = s->came_blocking = s->is_shared = false;
    s->nap_ms = 0;
    s->peer.family = 0;
    /* Under the lock, since a late event or retry of the socket's last life may still use it. */
    wf_lock(&s->lock);
    s->in = s->out = (wf_direction){0};
    s->events = events;
    s->asked = s->told = s->n_unwanted = 0;
    s->telling = s->lent = false;
    s->always_try = 0;
    wf_unlock(&s->lock);
    wf_add(&r->n_sockets, 1, RELAXED); /* a counter */
    /* A subtraction instead of a store, because another thread may be comparing an old handle and
     * have counted. RELAXED: other threads get the handle from this one. */
    wf_sub(&s->refs, (WF_SOCKET_UNUSED | WF_SOCKET_CLOSED) - 1, RELAXED);
    return s;
}

/* ---- references ---- */

void wf_socket_dispose(wf_socket *s)
{
    if (s->fd >= 0 && s->told)
        wf_poller_remove(&s->reactor->poller, s->fd);
    if (s->fd >= 0 && !wf_reactor_is_child(s->reactor))
        wf_own_end(s);
    if (s->fd >= 0)
        close(s->fd);
    wf_retry_timer_free(s);
}

static void socket_free(wf_socket *s)
{
    wf_reactor *r = s->reactor;

    WF_ASSERT(!wf_peek(&s->in.owner) && !wf_peek(&s->out.owner)); /* K1 */
    wf_socket_dispose(s);
    wf_sub(&r->n_sockets, 1, RELAXED); /* a counter */
    wf_socket_pool_give(r, s);
}

/* Ends this life after its count was seen at 0. The CAS fails if another thread is comparing an old
 * handle and has counted. Then that thread counts down to 0 and ends the life. */
static void end_life(wf_socket *s, uint64_t refs)
{
    if (!wf_cas(&s->refs, &refs, (refs + WF_SOCKET_NEXT) | WF_SOCKET_UNUSED,
                ACQ_REL)) /* [socket-2] */
        return;
    if (wf_or(&s->requests, WF_SOCKET_FREE, ACQ_REL) == 0) /* [socket-3] */
        socket_free(s);                                    /* K3: else the reactor frees it */
}

void wf_socket_unref(wf_socket *s)
{
    uint64_t refs = wf_sub(&s->refs, 1, ACQ_REL); /* [socket-2] */

    WF_ASSERT((refs & WF_SOCKET_COUNT) > 0); /* K1 */
    if ((refs & (WF_SOCKET_COUNT | WF_SOCKET_UNUSED)) == 1)
        end_life(s, refs - 1);
}

/* The sides that are closed or not the handle's. */
static unsigned closed_sides(const void *handle, uint64_t refs)
{
    return (unsigned)((refs >> WF_SOCKET_SIDE) | (uintptr_t)handle) & WF_SIDE_BOTH;
}

wf_socket *wf_socket_ref_any(const void *handle)
{
    wf_socket *s = wf_socket_ref(handle, 0);

    if (!s || closed_sides(handle, wf_load(&s->refs, RELAXED)) != WF_SIDE_BOTH) /* a snapshot */
        return s;
    wf_socket_unref(s);
    return NULL;
}

int wf_socket_use(const void *handle, wf_socket **ret)
{
    wf_socket *s;

    if (wf_reactor_is_child(wf_socket_of(handle)->reactor))
        return -ECHILD;
    s = wf_socket_ref_any(handle);
    if (!s)
        return -EBADF;
    *ret = s;
    return 0;
}

bool wf_socket_may_wait(const wf_socket *s)
{
    return !s->is_file && (s->is_shared || !(fcntl(s->fd, F_GETFL) & O_NONBLOCK));
}

static bool is_closed(const wf_socket *s, const wf_direction *d)
{
    return wf_socket_is_closed(s, d == &s->in ? WF_SIDE_IN : WF_SIDE_OUT);
}

static void wake_waiter(wf_direction *d, wf_wakes *wakes)
{
    wf_store(&d->seq, d->seq + 1, RELEASE); /* [socket-1] */
    if (!d->waiting)
        return;
    d->waiting = false;
    WF_ASSERT(wf_peek(&d->owner)); /* K2 */
    /* The owner waits, so it cannot change or end before it has had this lock. */
    wf_waker_fire(&wf_load(&d->owner, RELAXED)->waker_, wakes);
}

/* Ends a write that the kernel makes. Afterwards the kernel keeps what it has sent until the peer
 * has acknowledged it. A peer that takes nothing may never do so. Then only a reset helps, which
 * drops what is left (weft_stream_set_reset). */
static void end_lent(const wf_socket *s)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    struct linger                linger = {0};
    socklen_t                    size = sizeof linger;

    getsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, &size);
    if (linger.l_onoff && linger.l_linger == 0)
        connect(s->fd, &nowhere, sizeof nowhere);
    else
        shutdown(s->fd, SHUT_WR);
}

/* Wakes the operations that wait, under the lock. The shutdown is for a half whose other half stays
 * open. */
static void end_sides(wf_socket *s, unsigned sides, bool half, wf_wakes *wakes)
{
    if (sides & WF_SIDE_IN)
        wake_waiter(&s->in, wakes);
    if (!(sides & WF_SIDE_OUT))
        return;
    wake_waiter(&s->out, wakes);
    if (half)
        shutdown(s->fd, SHUT_WR);
}

void wf_socket_end(wf_socket *s, unsigned sides)
{
    wf_wakes wakes = {0};

    wf_lock(&s->lock);
    if (sides & WF_SIDE_IN) {
        wf_or(&s->always_try, WF_TRY_ENDED, RELAXED); /* published by seq below */
        wake_waiter(&s->in, &wakes);
    }
    if (sides & WF_SIDE_OUT)
        wake_waiter(&s->out, &wakes);
    wf_unlock(&s->lock);
    wf_wakes_flush(&wakes);
}

/* Closes in a forked child. The child's copy of the descriptor closes with the second side, without
 * regard to the parent's operations. The memory is not reused, because a thread of the parent may
 * have held the pool's lock at the fork. */
static void close_in_child(const void *handle, unsigned sides)
{
    wf_socket *s = wf_socket_of(handle);
    uint64_t   refs = wf_load(&s->refs, RELAXED); /* the or below decides between threads */
    unsigned   before;

    if ((refs ^ (uintptr_t)handle) & WF_SOCKET_GENERATION)
        return;
    before = closed_sides(NULL, wf_or(&s->refs, (uint64_t)sides << WF_SOCKET_SIDE, RELAXED));
    if (before != WF_SIDE_BOTH && (before | sides) == WF_SIDE_BOTH && s->fd >= 0)
        close(s->fd);
}

void wf_socket_close(const void *handle)
{
    unsigned   sides = WF_SIDE_BOTH & ~(unsigned)(uintptr_t)handle, before;
    wf_wakes   wakes = {0};
    wf_socket *s;
    bool       last;

    if (wf_reactor_is_child(wf_socket_of(handle)->reactor)) {
        close_in_child(handle, sides);
        return;
    }
    s = wf_socket_ref_any(handle);
    if (!s)
        return;
    /* RELAXED: an operation that waits reads it after it has had the lock. */
    before = closed_sides(NULL, wf_or(&s->refs, (uint64_t)sides << WF_SOCKET_SIDE, RELAXED));
    last = before != WF_SIDE_BOTH && (before | sides) == WF_SIDE_BOTH;
    wf_lock(&s->lock);
    end_sides(s, sides & ~before, sides != WF_SIDE_BOTH, &wakes);
    if (last && s->lent) /* also if the writing half was closed before */
        end_lent(s);
    wf_unlock(&s->lock);
    wf_wakes_flush(&wakes);
    if (last)
        wf_socket_unref(s); /* the owner's reference */
    wf_socket_unref(s);
}

/* ---- waiting ---- */

static void fail_wait(wf_direction *d, int error, wf_wakes *wakes)
{
    if (d->waiting)
        wf_load(&d->owner, RELAXED)->answer_ = error; /* the owner waits, so it stays */
    wake_waiter(d, wakes);
}

/* Requests one set of events of the kernel, outside the lock. Returns 0 or -errno. */
static int tell(const wf_socket *s, uint16_t before, uint16_t events)
{
    return wf_poller_ask(&s->reactor->poller, s->fd, before, events, wf_socket_handle(s));
}

/* Requests `asked` of the kernel, and repeats that while another thread has changed `asked`
 * meanwhile. So one thread makes all requests, in order, and without holding the lock during the
 * call. The caller has set `telling`. */
static void tell_all(wf_socket *s)
{
    wf_wakes wakes = {0};

    wf_lock(&s->lock);
    while (s->told != s->asked) {
        uint16_t events = s->asked;
        int      r;

        wf_unlock(&s->lock);
        /* Only the thread that has set `telling` writes `told`. */
        r = tell(s, s->told, events);
        wf_lock(&s->lock);
        if (r < 0) {
            fail_wait(&s->in, r, &wakes);
            fail_wait(&s->out, r, &wakes);
            wf_store(&s->asked, s->told, RELAXED); /* the next wait makes the request again */
        } else {
            s->told = events;
        }
    }
    s->telling = false;
    wf_unlock(&s->lock);
    wf_wakes_flush(&wakes);
}

/* Adds the events of a direction that waits, under the lock. Returns whether the caller must call
 * tell_all. */
static bool ask(wf_socket *s, const wf_direction *d)
{
    uint16_t asked = s->asked | s->events | (d == &s->out ? POLLOUT : 0);

    /* RELAXED: note_drained reads it without the lock, as a hint. */
    wf_store(&s->asked, asked, RELAXED);
    if (asked == s->told || s->telling)
        return false;
    s->telling = true;
    return true;
}

wf_socket_wait_result wf_socket_wait(wf_socket *s, wf_direction *d, weft_io *io, uint32_t seq,
                                     const weft_waker *waker)
{
    wf_socket_wait_result result = WF_SOCKET_WAITING;
    weft_waker            next = wf_waker_prepare(waker);
    bool                  asks = false;

    wf_lock(&s->lock);
    WF_ASSERT(wf_peek(&d->owner) == io && !d->waiting); /* K2 */
    if (is_closed(s, d)) {
        result = WF_SOCKET_IS_CLOSED;
    } else if (d->seq != seq) { /* [socket-1] */
        result = WF_SOCKET_RETRY;
    } else {
        d->waiting = true;
        wf_waker_exchange(&io->waker_, &next);
        asks = ask(s, d);
    }
    wf_unlock(&s->lock);
    wf_waker_discard(next);
    if (asks)
        tell_all(s);
    return result;
}

bool wf_socket_is_waiting(wf_socket *s, wf_direction *d, weft_io *io, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    bool       waiting;

    wf_lock(&s->lock);
    WF_ASSERT(wf_peek(&d->owner) == io); /* K2 */
    waiting = d->waiting;
    if (waiting)
        wf_waker_exchange(&io->waker_, &next);
    wf_unlock(&s->lock);
    wf_waker_discard(next);
    return waiting;
}

void wf_socket_withdraw(wf_socket *s, wf_direction *d, weft_io *io)
{
    weft_waker before = {0};

    wf_lock(&s->lock);
    WF_ASSERT(wf_peek(&d->owner) == io); /* K2 */
    if (d->waiting) {
        d->waiting = false;
        before = wf_waker_take(&io->waker_);
    }
    wf_unlock(&s->lock);
    wf_waker_discard(before);
}

void wf_socket_nudge_any(wf_socket *s)
{
    if (wf_or(&s->requests, WF_SOCKET_NUDGE, ACQ_REL) == 0) /* [socket-3] */
        wf_reactor_submit_any(s->reactor, &s->submission);  /* else it is in the inbox already */
}

/* ---- giving the descriptor away, lending it ---- */

/* Closes a socket if the caller holds the only reference beside the owner's. Releases the owner's
 * reference. */
static int close_alone(wf_socket *s)
{
    uint64_t refs = wf_load(&s->refs, RELAXED); /* the CAS verifies it */

    while (!(refs & WF_SOCKET_CLOSED)) {
        if ((refs & WF_SOCKET_COUNT) != 2)
            return -EBUSY;
        if (wf_cas(&s->refs, &refs, (refs | WF_SOCKET_CLOSED) - 1, ACQ_REL)) /* [socket-2] */
            return 0;
    }
    return -EBADF;
}

int wf_socket_take_fd(wf_socket *s)
{
    int fd = s->fd, r = close_alone(s);

    if (r < 0)
        return r;
    /* `told` is read without the lock, since no operation waits and none can begin to. */
    if (s->told)
        wf_poller_remove(&s->reactor->poller, fd);
    wf_own_end(s);
    s->fd = -1;
    return fd;
}

bool wf_socket_lend(wf_socket *s)
{
    bool closed;

    wf_lock(&s->lock);
    WF_ASSERT(wf_peek(&s->out.owner) && !s->lent); /* K2 */
    closed = is_closed(s, &s->out);
    s->lent = !closed;
    wf_unlock(&s->lock);
    return !closed;
}

bool wf_socket_regain(wf_socket *s)
{
    bool closed;

    wf_lock(&s->lock);
    WF_ASSERT(s->lent); /* K2 */
    closed = is_closed(s, &s->out);
    s->lent = false;
    wf_unlock(&s->lock);
    return closed;
}

/* ---- events ---- */

static void socket_take(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;
    wf_socket  *s = (wf_socket *)submission;
    uint32_t    requests = wf_swap(&s->requests, 0, ACQ_REL); /* [socket-3] */

    WF_ASSERT(requests != 0);                                                          /* K3 */
    WF_ASSERT(!(requests & WF_SOCKET_FREE) || (wf_peek(&s->refs) & WF_SOCKET_UNUSED)); /* K1 */
    if (requests & WF_SOCKET_FREE) {
        socket_free(s);
        return;
    }
    wf_lock(&s->lock);
    wake_waiter(&s->in, &r->wakes);
    wake_waiter(&s->out, &r->wakes);
    wf_unlock(&s->lock);
}

/* A Unix or UDP socket has room again after each message that has left it, and the kernel reports
 * that each time. POLLOUT stays requested while writers wait now and then. If no writer has waited
 * for some events, it is not wanted any more. The next operation that waits tells the kernel, since
 * it has a reference. */
static void note_room(wf_socket *s, uint32_t events)
{
    if (s->out.waiting) {
        s->n_unwanted = 0;
    } else if (events == POLLOUT && ++s->n_unwanted >= UNWANTED) {
        s->n_unwanted = 0;
        wf_store(&s->asked, s->events, RELAXED); /* note_drained reads it as a hint */
    }
}

void wf_socket_event(const void *handle, uint32_t events, wf_wakes *wakes)
{
    wf_socket *s = wf_socket_of(handle);

    wf_lock(&s->lock);
    /* The event may be of a life that has ended. wf_socket_new takes the lock to begin the next
     * life, so this thread finds either a new generation or a socket whose event does no harm. */
    if (wf_socket_handle(s) == handle) {
        if (events & (POLLRDHUP | POLLHUP | POLLERR))
            wf_or(&s->always_try, WF_TRY_ENDED, RELAXED); /* published by seq below */
        if (events & (POLLIN | POLLRDHUP | POLLHUP | POLLERR))
            wake_waiter(&s->in, wakes);
        if (events & POLLOUT)
            note_room(s, events);
        if (events & (POLLOUT | POLLHUP | POLLERR))
            wake_waiter(&s->out, wakes);
    }
    wf_unlock(&s->lock);
    wf_wakes_flush_foreign(wakes);
}
