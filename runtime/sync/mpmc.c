/*
 * mpmc.c - a bounded channel with many senders and many receivers
 *
 * Purpose     A queue of work, with back-pressure.
 * Threads     Each end: its owner.
 * Invariants  P1 A sender waits only while the ring is full. When a message is taken, that of the
 *             first waiting sender moves into the ring. So no room is kept for a sender that may
 *             never use it.
 *             P2 A receiver that has its turn owns a claim, not a message. Its READY poll takes the
 *             oldest message. A cancelled one gives the claim back. There are never more claims
 *             than messages.
 *             P3 After messages were added, and after the last sender has closed and the last
 *             message was taken, the waiting receivers are asked.
 *             P4 The end of the stream is told only once no message is left. While messages are
 *             claimed, a claim may still be given back. No message is added after a receiver got
 *             WEFT_EOF: a later sender takes the lock of `senders` after that receiver, so it sees
 *             that the channel was stopped.
 *             P5 `receivers_wait` is set before a receiver is queued, or polled again after it was
 *             kept (keep.h). So the lock of `senders` is all that a send or a receive needs while
 *             none waits, and no receiver overtakes.
 * Ordering    The lock of `senders` guards the ring and the claims. The lock of `receivers` is
 *             taken before it, never the other way round.
 * Failure     -EPIPE when all receivers are closed or the channel is stopped, WEFT_EOF when all
 *             senders are closed or it is stopped.
 */
#include "alloc.h"
#include "ends.h"
#include "inner.h"
#include "line.h"

#include <weft/mpmc.h>

typedef struct mpmc {
    wf_ends     ends;
    weft_waits_ receivers; /* that wait */
    weft_waits_ senders;   /* that wait */
    /* -- under the lock of senders -- */
    wf_line ring;
    size_t  claimed;        /* messages that are promised to receivers */
    bool    receivers_wait; /* there may be waits in the queue of receivers */
    /* -- constant -- */
    weft_allocator alloc;
    /* -- under the lock of senders -- */
    _Alignas(16) char buffer[];
} mpmc;

/* Once all ends are closed all waits have their answers, but those that are kept (keep.h). */
static void leave(mpmc *c, const char *function)
{
    weft_allocator alloc = c->alloc;

    if (!wf_ends_leave(&c->ends))
        return;
    if (c->receivers.first_) /* it would use the memory of the channel after its end */
        wf_sync_misuse(function, "a receive is pending", "mpmc channel", c);
    wf_release(&alloc, c, sizeof *c + c->ring.size * c->ring.capacity);
}

WEFT_API int weft_mpmc_open(size_t size, size_t capacity, weft_mpmc_sender **ret_sender,
                            weft_mpmc_receiver **ret_receiver)
{
    const weft_allocator *alloc = wf_alloc_current();
    size_t                bytes;
    mpmc                 *c;

    if (!wf_line_fits(size, capacity, &bytes))
        return -EINVAL;
    c = wf_alloc(alloc, sizeof *c + bytes);
    if (!c)
        return -ENOMEM;
    *c = (mpmc){
        .ends = wf_ends_of(1), .ring = {.size = size, .capacity = capacity}, .alloc = *alloc};
    *ret_sender = (weft_mpmc_sender *)c;
    *ret_receiver = (weft_mpmc_receiver *)c;
    return 0;
}

/* ---- what waits are asked ---- */

/* Whether no message will be sent any more. The answer true is final. */
static bool is_over(const mpmc *c)
{
    return wf_ends_no_sender(&c->ends) || wf_ends_are_closed(&c->ends);
}

static int64_t take_room(void *object, weft_wait *wait)
{
    mpmc *c = object;

    if (wf_ends_are_closed(&c->ends))
        return -EPIPE;
    if (c->ring.n == c->ring.capacity)
        return -EAGAIN;
    wf_line_put(&c->ring, c->buffer, wait->second_);
    return 0;
}

static bool keep_sent(void *object, weft_wait *wait)
{
    (void)object;
    return wait->answer_ != 0; /* a message that was sent stays sent */
}

static const wf_wait_kind sending = {.take = take_room, .give_back = keep_sent, .ends_alone = true};

static int64_t claim(void *object, weft_wait *wait)
{
    mpmc   *c = object;
    int64_t r = -EAGAIN;

    wf_lock(&c->senders.lock_);
    WF_ASSERT(c->claimed <= c->ring.n); /* P2 */
    if (c->claimed < c->ring.n) {
        c->claimed++;
        r = 0;
    } else if (c->ring.n == 0 && is_over(c)) {
        r = WEFT_EOF; /* P4 */
    } else if (wait) {
        c->receivers_wait = true; /* P5 */
    }
    wf_unlock(&c->senders.lock_);
    return r;
}

static bool unclaim(void *object, weft_wait *wait)
{
    mpmc *c = object;

    wf_lock(&c->senders.lock_);
    if (wait->answer_ == 0)
        c->claimed--;
    wf_unlock(&c->senders.lock_);
    return true;
}

static const wf_wait_kind receiving = {.take = claim, .give_back = unclaim, .ends_alone = true};

/* P3 */
static void ask_receivers(mpmc *c)
{
    wf_lock(&c->receivers.lock_);
    if (!wf_wait_first(&c->receivers)) {
        wf_lock(&c->senders.lock_);
        c->receivers_wait = false; /* P5: a receiver that begins to wait has both locks */
        wf_unlock(&c->senders.lock_);
    }
    wf_wait_settle_unlock(&c->receivers, &receiving, c);
}

/* Takes the oldest message and unlocks. The caller holds the lock of `senders`. */
static void take_unlock(mpmc *c, void *ret_message)
{
    bool ask;

    wf_line_take(&c->ring, c->buffer, ret_message);
    /* A sender that waits adds its message now. */
    ask = c->senders.first_ || (c->ring.n == 0 && is_over(c));
    wf_wait_settle_unlock(&c->senders, &sending, c);
    if (ask)
        ask_receivers(c);
}

/* Takes the message that the caller has claimed. */
static void take_claimed(mpmc *c, void *ret_message)
{
    wf_lock(&c->senders.lock_);
    c->claimed--;
    take_unlock(c, ret_message);
}

/* Takes a message without a claim. False: there is none, or others wait for it. */
static bool take_at_once(mpmc *c, void *ret_message)
{
    wf_lock(&c->senders.lock_);
    if (c->receivers_wait || c->claimed == c->ring.n) {
        wf_unlock(&c->senders.lock_);
        return false;
    }
    take_unlock(c, ret_message);
    return true;
}

/* Sends a message: 0, -EPIPE, or -EAGAIN if there is no room, or others wait for it. */
static int64_t send_at_once(mpmc *c, const void *message)
{
    weft_wait wait = {.second_ = (void *)(uintptr_t)message};
    int64_t   r = -EAGAIN;
    bool      ask;

    wf_lock(&c->senders.lock_);
    if (!c->senders.first_ || wf_ends_are_closed(&c->ends))
        r = take_room(c, &wait);
    ask = r == 0 && c->receivers_wait;
    wf_unlock(&c->senders.lock_);
    if (ask)
        ask_receivers(c);
    return r;
}

/* ---- senders ---- */

WEFT_API weft_mpmc_sender *weft_mpmc_sender_clone(weft_mpmc_sender *sender)
{
    wf_ends_add_sender(&((mpmc *)sender)->ends);
    return sender;
}

WEFT_API void weft_mpmc_sender_close(weft_mpmc_sender *sender)
{
    mpmc *c = (mpmc *)sender;

    if (!c)
        return;
    if (wf_ends_close_sender(&c->ends))
        ask_receivers(c);
    leave(c, "weft_mpmc_sender_close");
}

WEFT_API int weft_mpmc_try_send(weft_mpmc_sender *sender, const void *message)
{
    return (int)send_at_once((mpmc *)sender, message);
}

static weft_poll send_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpmc      *c = wait->object_;
    bool       is_new = wf_wait_is_new(wait);
    bool       cancelled = weft_future_is_cancelled(future);
    bool       has_budget = cancelled || weft_context_spend(cx);
    int64_t    answer = -EAGAIN;

    if (is_new && has_budget && !cancelled)
        answer = send_at_once(c, wait->second_);
    if (answer == -EAGAIN) {
        answer = wf_wait_poll(wait, cx, cancelled, has_budget, &c->senders, &sending);
        /* Its first poll may have added the message, also if it has no budget to say so. */
        if (is_new)
            ask_receivers(c);
    }
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static const weft_future_ops send_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS, "weft_mpmc_send",
                                         send_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpmc_send(weft_wait *wait, weft_mpmc_sender *sender, const void *message)
{
    wf_wait_init(wait, &send_ops, sender, 0);
    wait->second_ = (void *)(uintptr_t)message;
    return &wait->future;
}

static const weft_future_ops closed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                           "weft_mpmc_closed", wf_ends_closed_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mpmc_closed(weft_wait *wait, weft_mpmc_sender *sender)
{
    return wf_wait_init(wait, &closed_ops, &((mpmc *)sender)->ends, 0);
}

/* ---- receivers ---- */

WEFT_API weft_mpmc_receiver *weft_mpmc_receiver_clone(weft_mpmc_receiver *receiver)
{
    wf_ends_add_receiver(&((mpmc *)receiver)->ends);
    return receiver;
}

WEFT_API int weft_mpmc_try_receive(weft_mpmc_receiver *receiver, void *ret_message)
{
    mpmc   *c = (mpmc *)receiver;
    int64_t r = -EAGAIN;

    if (take_at_once(c, ret_message))
        return 0;
    wf_lock(&c->receivers.lock_);
    if (!wf_wait_first(&c->receivers))
        r = claim(c, NULL);
    wf_unlock(&c->receivers.lock_);
    if (r == 0)
        take_claimed(c, ret_message);
    return (int)r;
}

static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpmc      *c = wait->object_;
    bool       cancelled = weft_future_is_cancelled(future);
    bool       has_budget = cancelled || weft_context_spend(cx);
    int64_t    answer;

    if (!cancelled && has_budget && wf_wait_is_new(wait) && take_at_once(c, wait->second_))
        return weft_ready(future, 0);
    answer = wf_wait_poll(wait, cx, cancelled, has_budget, &c->receivers, &receiving);
    if (answer == 0)
        take_claimed(c, wait->second_);
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static bool receive_keep(weft_future *future)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    mpmc      *c = wait->object_;

    return wf_wait_keep(wait, &c->receivers, &receiving);
}

static const wf_outer_ops receive_ops = {.ops = {sizeof(weft_wait),
                                                 WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                                 "weft_mpmc_receive", receive_poll, wf_wait_cancel},
                                         .keep = receive_keep};

WEFT_API weft_future *weft_mpmc_receive(weft_wait *wait, weft_mpmc_receiver *receiver,
                                        void *ret_message)
{
    wf_wait_init(wait, &receive_ops.ops, receiver, 0);
    wait->second_ = ret_message;
    return &wait->future;
}

WEFT_API size_t weft_mpmc_count(weft_mpmc_receiver *receiver)
{
    mpmc  *c = (mpmc *)receiver;
    size_t n;

    wf_lock(&c->senders.lock_);
    n = c->ring.n;
    wf_unlock(&c->senders.lock_);
    return n;
}

/* The senders that wait are refused. */
static void refuse_senders(mpmc *c)
{
    wf_lock(&c->senders.lock_);
    wf_wait_settle_unlock(&c->senders, &sending, c);
}

WEFT_API void weft_mpmc_receiver_stop(weft_mpmc_receiver *receiver)
{
    mpmc *c = (mpmc *)receiver;

    wf_ends_stop(&c->ends);
    refuse_senders(c);
    ask_receivers(c);
}

WEFT_API void weft_mpmc_receiver_close(weft_mpmc_receiver *receiver)
{
    mpmc *c = (mpmc *)receiver;

    if (!c)
        return;
    if (wf_ends_close_receiver(&c->ends))
        refuse_senders(c);
    leave(c, "weft_mpmc_receiver_close");
}
