/*
 * mpsc.c - sending, receiving and closing: see mpsc.h
 *
 * Purpose     The ends of the channel. Permits, weak senders, growing and receiving many messages
 *             at once have files of their own.
 * Threads     See mpsc.h.
 * Invariants  See mpsc.h.
 * Ordering    See mpsc.h.
 * Failure     See mpsc.h.
 */
#include "mpsc.h"

void wf_mpsc_leave(mpsc *c, bool last)
{
    weft_allocator alloc;
    size_t         inside;

    if (!last)
        return; /* the thread that closes the last end may have freed it by now */
    alloc = c->alloc;
    inside = c->grows ? WF_MPSC_FIRST : c->line.capacity;
    if (c->buffer != c->inside)
        wf_release(&alloc, c->buffer, wf_mpsc_grown_bytes(c->line.size, c->line.capacity));
    wf_release(&alloc, c, sizeof *c + c->line.size * inside);
}

static int channel_open(size_t size, size_t capacity, bool grows, weft_mpsc_sender **ret_sender,
                        weft_mpsc_receiver **ret_receiver)
{
    const weft_allocator *alloc = wf_alloc_current();
    size_t                bytes;
    mpsc                 *c;

    if (!wf_line_fits(size, capacity, &bytes))
        return -EINVAL;
    c = wf_alloc(alloc, sizeof *c + bytes);
    if (!c)
        return -ENOMEM;
    *c = (mpsc){.grows = grows,
                .n_senders = 1,
                .n_ends = 2,
                .room = capacity,
                .line = {.size = size, .capacity = capacity},
                .buffer = c->inside,
                .alloc = *alloc};
    *ret_sender = (weft_mpsc_sender *)c;
    *ret_receiver = (weft_mpsc_receiver *)c;
    return 0;
}

WEFT_API int weft_mpsc_open(size_t size, size_t capacity, weft_mpsc_sender **ret_sender,
                            weft_mpsc_receiver **ret_receiver)
{
    return channel_open(size, capacity, false, ret_sender, ret_receiver);
}

WEFT_API int weft_mpsc_open_unbounded(size_t size, weft_mpsc_sender **ret_sender,
                                      weft_mpsc_receiver **ret_receiver)
{
    return channel_open(size, WF_MPSC_FIRST, true, ret_sender, ret_receiver);
}

void wf_mpsc_serve_unlock(mpsc *c, wf_wakes *wakes)
{
    while (c->first && c->room > 0) {
        wf_mpsc_serve_first(c, wakes);
        if (wf_wakes_full(wakes)) {
            wf_unlock(&c->lock);
            wf_wakes_flush(wakes);
            wf_lock(&c->lock);
        }
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(wakes);
}

/* ---- senders ---- */

WEFT_API weft_mpsc_sender *weft_mpsc_sender_clone(weft_mpsc_sender *sender)
{
    mpsc *c = (mpsc *)sender;

    wf_lock(&c->lock);
    c->n_senders++;
    c->n_ends++;
    wf_unlock(&c->lock);
    return sender;
}

WEFT_API void weft_mpsc_sender_close(weft_mpsc_sender *sender)
{
    mpsc    *c = (mpsc *)sender;
    wf_wakes wakes = {0};
    bool     last;

    if (!c)
        return;
    wf_lock(&c->lock);
    WF_ASSERT(c->n_senders > c->n_permits && c->n_ends >= c->n_senders); /* M2 M4 */
    c->n_senders--;
    if (wf_mpsc_at_end(c))
        wf_mpsc_wake_receiver(c, &wakes);
    last = --c->n_ends == 0;
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    wf_mpsc_leave(c, last);
}

WEFT_API int weft_mpsc_try_send(weft_mpsc_sender *sender, const void *message)
{
    mpsc    *c = (mpsc *)sender;
    wf_wakes wakes = {0};
    int      r;

    wf_lock(&c->lock);
    r = wf_mpsc_try_send(c, message, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return r == -EAGAIN && c->grows ? wf_mpsc_send_growing(c, message) : r;
}

/* Under the lock: the send's answer, or -EAGAIN while it waits, or WF_MPSC_GROW. */
static int64_t advance_send(mpsc *c, weft_wait *wait, wf_wakes *wakes)
{
    int64_t r;

    if (wait->state_ == SEND_DONE)
        return wait->answer_;
    if (weft_future_is_cancelled(&wait->future)) {
        wf_mpsc_unlink_sender(c, wait);
        return -ECANCELED;
    }
    if (wait->state_ == SEND_NEW) {
        r = wf_mpsc_try_send(c, wait->second_, wakes);
        if (r != -EAGAIN)
            return r;
        if (c->grows)
            return WF_MPSC_GROW;
        wait->state_ = SEND_WAITING;
        wf_mpsc_link_sender(c, wait);
    }
    return -EAGAIN;
}

/* Outside the lock: a send that could not end under it, or was withdrawn. No other thread knows the
 * wait any more. */
WF_SELDOM static int64_t send_rare(mpsc *c, weft_wait *wait, int64_t r)
{
    if (r == WF_MPSC_GROW)
        return wf_mpsc_send_growing(c, wait->second_);
    if (r == -ECANCELED)
        wf_waker_forget(&wait->waker_);
    return r;
}

/* The first poll has no budget. It takes its place in the queue, or sends and keeps the answer for
 * the next poll, for which its task has been woken. Otherwise a later sender would overtake. */
WF_SELDOM static weft_poll send_unpaid(mpsc *c, weft_wait *wait)
{
    wf_wakes wakes = {0};
    int64_t  r;

    wf_lock(&c->lock);
    r = advance_send(c, wait, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (r != -EAGAIN) {
        wait->answer_ = send_rare(c, wait, r);
        wf_store(&wait->state_, SEND_DONE, RELAXED); /* the wait is not in the queue */
    }
    return WEFT_PENDING;
}

/* The send waits, and the waker that is stored or replaced belongs to another executor. */
WF_SELDOM static weft_poll send_foreign(mpsc *c, weft_wait *wait, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    bool       done;

    wf_lock(&c->lock);
    done = wait->state_ == SEND_DONE;
    if (!done)
        wf_waker_exchange(&wait->waker_, &next);
    wf_unlock(&c->lock);
    wf_waker_discard(next);
    return done ? weft_ready(&wait->future, wait->answer_) : WEFT_PENDING;
}

WF_FLATTEN static weft_poll send_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    wf_wakes   wakes = {0};
    bool       stored;
    int64_t    r;

    /* Only this future's polls leave SEND_NEW. */
    if (wf_load(&wait->state_, RELAXED) == SEND_NEW && !weft_context_spend(cx))
        return send_unpaid(c, wait);
    wf_lock(&c->lock);
    r = advance_send(c, wait, &wakes);
    if (r == -EAGAIN) {
        stored = wf_waker_store_own(&wait->waker_, cx->waker);
        wf_unlock(&c->lock);
        return stored ? WEFT_PENDING : send_foreign(c, wait, cx->waker);
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (__builtin_expect(r < -EPIPE, 0))
        r = send_rare(c, wait, r);
    return weft_ready(future, r);
}

static const weft_future_ops send_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS, "weft_mpsc_send",
                                         send_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpsc_send(weft_wait *wait, weft_mpsc_sender *sender, const void *message)
{
    *wait =
        (weft_wait){.object_ = sender, .second_ = (void *)(uintptr_t)message, .state_ = SEND_NEW};
    weft_future_init(&wait->future, &send_ops);
    return &wait->future;
}

/* ---- waiting for the receiver to close ---- */

static int64_t take_closed(void *object, weft_wait *wait)
{
    const mpsc *c = object;

    (void)wait;
    /* The receiver sets it before it takes the lock of this queue. */
    return wf_load(&c->receiver_closed, RELAXED) ? 0 : -EAGAIN;
}

static bool give_back_closed(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind closing = {.take = take_closed, .give_back = give_back_closed};

static weft_poll closed_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;

    return wf_wait_poll_future(future, cx, &c->closing, &closing);
}

static const weft_future_ops closed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                           "weft_mpsc_closed", closed_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpsc_closed(weft_wait *wait, weft_mpsc_sender *sender)
{
    return wf_wait_init(wait, &closed_ops, sender, 0);
}

WEFT_API size_t weft_mpsc_capacity(weft_mpsc_sender *sender)
{
    const mpsc *c = (const mpsc *)sender;

    return c->grows ? SIZE_MAX : c->line.capacity;
}

WEFT_API size_t weft_mpsc_available(weft_mpsc_sender *sender)
{
    mpsc  *c = (mpsc *)sender;
    size_t n;

    wf_lock(&c->lock);
    n = c->receiver_closed ? 0 : c->grows ? SIZE_MAX : c->room;
    wf_unlock(&c->lock);
    return n;
}

/* ---- the receiver ---- */

static int try_receive(mpsc *c, void *ret_message, wf_wakes *wakes)
{
    if (c->line.n == 0)
        return wf_mpsc_at_end(c) ? WEFT_EOF : -EAGAIN;
    wf_line_take(&c->line, c->buffer, ret_message);
    c->room++;
    if (c->first)
        wf_mpsc_serve_first(c, wakes);
    return 0;
}

WEFT_API int weft_mpsc_try_receive(weft_mpsc_receiver *receiver, void *ret_message)
{
    mpsc    *c = (mpsc *)receiver;
    wf_wakes wakes = {0};
    int      r;

    wf_lock(&c->lock);
    r = try_receive(c, ret_message, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    if (r == -EAGAIN && c->grows)
        wf_mpsc_shrink(c);
    return r;
}

/* Lets senders fail, those that wait and later ones. */
static void refuse(mpsc *c)
{
    wf_wakes wakes = {0};

    wf_lock(&c->lock);
    wf_store(&c->receiver_closed, true, RELAXED); /* under the lock */
    while (c->first) {
        wf_mpsc_give_up(c, (uint32_t)c->first->answer_); /* 0 of a message */
        wf_mpsc_settle_sender(c, -EPIPE, &wakes);
        if (wf_wakes_full(&wakes)) {
            wf_unlock(&c->lock);
            wf_wakes_flush(&wakes);
            wf_lock(&c->lock);
        }
    }
    if (wf_mpsc_at_end(c))
        wf_mpsc_wake_receiver(c, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    wf_lock(&c->closing.lock_);
    wf_wait_settle_unlock(&c->closing, &closing, c);
}

WEFT_API void weft_mpsc_receiver_stop(weft_mpsc_receiver *receiver)
{
    refuse((mpsc *)receiver);
}

WEFT_API void weft_mpsc_receiver_close(weft_mpsc_receiver *receiver)
{
    mpsc *c = (mpsc *)receiver;
    bool  last;

    if (!c)
        return;
    if (c->receiver) /* it would use the memory of the channel after its end */
        wf_sync_misuse("weft_mpsc_receiver_close", "a receive is pending", "mpsc channel", c);
    refuse(c);
    wf_lock(&c->lock);
    c->receiver_gone = true;
    WF_ASSERT(c->n_ends > c->n_senders); /* M2 */
    /* Counted in the last hold of the lock: a sender that was woken may close in between. */
    last = --c->n_ends == 0;
    wf_unlock(&c->lock);
    wf_mpsc_leave(c, last);
}

WEFT_API size_t weft_mpsc_count(weft_mpsc_receiver *receiver)
{
    mpsc  *c = (mpsc *)receiver;
    size_t n;

    wf_lock(&c->lock);
    n = c->line.n;
    wf_unlock(&c->lock);
    return n;
}

/* Under the lock. *ret_waited: whether the future had waited and no longer does. */
static int advance_receive(mpsc *c, weft_wait *wait, bool *ret_waited, wf_wakes *wakes)
{
    int r;

    if (weft_future_is_cancelled(&wait->future))
        r = -ECANCELED;
    else if (c->receiver && c->receiver != wait)
        r = -EBUSY;
    else
        r = try_receive(c, wait->second_, wakes);
    *ret_waited = r != -EAGAIN && c->receiver == wait;
    if (r == -EAGAIN)
        c->receiver = wait;
    else if (*ret_waited)
        c->receiver = NULL;
    return r;
}

/* If the future had waited, no other thread uses its waker slot any more. */
static weft_poll receive_end(weft_wait *wait, int r, bool waited)
{
    if (waited)
        wf_waker_forget(&wait->waker_);
    return weft_ready(&wait->future, r);
}

/* The receive waits, and the waker that is stored or replaced belongs to another executor. */
WF_SELDOM static weft_poll receive_foreign(mpsc *c, weft_wait *wait, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker);
    wf_wakes   wakes = {0};
    bool       waited;
    int        r;

    wf_lock(&c->lock);
    r = advance_receive(c, wait, &waited, &wakes);
    if (r == -EAGAIN)
        wf_waker_exchange(&wait->waker_, &next);
    wf_unlock(&c->lock);
    wf_waker_discard(next);
    wf_wakes_flush(&wakes);
    return r == -EAGAIN ? WEFT_PENDING : receive_end(wait, r, waited);
}

WF_FLATTEN static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpsc      *c = wait->object_;
    wf_wakes   wakes = {0};
    bool       stored, waited;
    int        r;

    if (!weft_future_is_cancelled(future) && !weft_context_spend(cx))
        return WEFT_PENDING;
    wf_lock(&c->lock);
    r = advance_receive(c, wait, &waited, &wakes);
    if (r == -EAGAIN) {
        stored = wf_waker_store_own(&wait->waker_, cx->waker);
        wf_unlock(&c->lock);
        if (c->grows)
            wf_mpsc_shrink(c);
        return stored ? WEFT_PENDING : receive_foreign(c, wait, cx->waker);
    }
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
    return receive_end(wait, r, waited);
}

static const weft_future_ops receive_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_mpsc_receive", receive_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpsc_receive(weft_wait *wait, weft_mpsc_receiver *receiver,
                                        void *ret_message)
{
    *wait = (weft_wait){.object_ = receiver, .second_ = ret_message};
    weft_future_init(&wait->future, &receive_ops);
    return &wait->future;
}
