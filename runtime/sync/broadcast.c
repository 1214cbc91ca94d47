/*
 * broadcast.c - a channel whose receivers get every message
 *
 * Purpose     News for many tasks, none of which may hold up the senders.
 * Threads     Each end: its owner.
 * Invariants  B1 Messages have numbers from 0. Number n lies in place n modulo the capacity, until
 *             number n + capacity takes that place. `sent` is the number of the next one.
 *             B2 A wait is queued only if its receiver has got all messages. A send ends all waits
 *             that were queued before it.
 *             B3 A message is taken by the poll that is READY. So a cancelled wait gives nothing
 *             back, and a receiver that is polled late gets what is there then.
 * Ordering    The lock of `news`.
 * Failure     -EPIPE when no receiver is left, WEFT_EOF when all senders are closed.
 */
#include "copy.h"
#include "ends.h"

#include <weft/broadcast.h>

#define BUFFER_MOST ((size_t)1 << 40)

typedef struct broadcast {
    wf_fanout fanout; /* the lock of its `news` guards what follows, and the places of receivers */
    uint64_t  sent;
    size_t    size, capacity; /* constant */
    _Alignas(16) char ring[];
} broadcast;

/* Its place is the number of the message that it gets next. */
struct weft_broadcast_receiver {
    wf_fanout_receiver end;
};

static broadcast *channel_of(const weft_broadcast_receiver *r)
{
    return (broadcast *)r->end.channel;
}

WEFT_API int weft_broadcast_open(size_t size, size_t capacity, weft_broadcast_sender **ret_sender,
                                 weft_broadcast_receiver **ret_receiver)
{
    wf_fanout_receiver *r;
    broadcast          *c;
    size_t              bytes;

    if (capacity == 0 || __builtin_mul_overflow(size, capacity, &bytes) || bytes > BUFFER_MOST)
        return -EINVAL;
    c = (broadcast *)wf_fanout_new(sizeof *c + bytes, &r);
    if (!c)
        return -ENOMEM;
    c->sent = 0;
    c->size = size;
    c->capacity = capacity;
    *ret_sender = (weft_broadcast_sender *)c;
    *ret_receiver = (weft_broadcast_receiver *)r;
    return 0;
}

/* ---- under the lock ---- */

static char *place(broadcast *c, uint64_t number)
{
    return c->ring + number % c->capacity * c->size;
}

/* Takes the receiver's next message. Returns how many it has missed, -EAGAIN or WEFT_EOF. */
static int64_t next(broadcast *c, weft_broadcast_receiver *r, void *ret_message)
{
    uint64_t oldest = c->sent > c->capacity ? c->sent - c->capacity : 0; /* B1 */
    uint64_t missed = r->end.place < oldest ? oldest - r->end.place : 0;

    WF_ASSERT(r->end.place <= c->sent); /* B1 */
    if (r->end.place == c->sent)
        return wf_ends_no_sender(&c->fanout.ends) ? WEFT_EOF : -EAGAIN;
    wf_copy(ret_message, place(c, r->end.place + missed), c->size);
    r->end.place += missed + 1;
    return (int64_t)missed;
}

/* ---- the waits of receivers ---- */

/* Whether there may be something to receive: the wait's own poll finds out what it is. */
static int64_t take(void *object, weft_wait *wait)
{
    const weft_broadcast_receiver *r = wait->object_;
    const broadcast               *c = channel_of(r);
    bool                           is_past = wf_wait_is_of_past_round(wait, (uint32_t)c->sent);

    (void)object; /* the channel, or the receiver */
    return is_past || r->end.place != c->sent || wf_ends_no_sender(&c->fanout.ends) ? 0 : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* B3 */
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .counts = true, .ends_alone = true};

/* ---- senders ---- */

WEFT_API weft_broadcast_sender *weft_broadcast_sender_clone(weft_broadcast_sender *sender)
{
    wf_ends_add_sender(&((broadcast *)sender)->fanout.ends);
    return sender;
}

WEFT_API void weft_broadcast_sender_close(weft_broadcast_sender *sender)
{
    wf_fanout_close_sender((wf_fanout *)sender, &kind);
}

WEFT_API int weft_broadcast_send(weft_broadcast_sender *sender, const void *message)
{
    broadcast *c = (broadcast *)sender;

    if (wf_ends_receivers(&c->fanout.ends) == 0)
        return -EPIPE;
    wf_lock(&c->fanout.news.lock_);
    wf_copy(place(c, c->sent), message, c->size);
    c->sent++;
    wf_wait_settle_unlock(&c->fanout.news, &kind, c);
    return 0;
}

/* ---- weak senders ---- */

WEFT_API weft_broadcast_weak *weft_broadcast_downgrade(weft_broadcast_sender *sender)
{
    wf_ends_add_weak(&((broadcast *)sender)->fanout.ends);
    return (weft_broadcast_weak *)sender;
}

WEFT_API weft_broadcast_sender *weft_broadcast_upgrade(weft_broadcast_weak *weak)
{
    return wf_ends_try_add_sender(&((broadcast *)weak)->fanout.ends) ? (weft_broadcast_sender *)weak
                                                                     : NULL;
}

WEFT_API void weft_broadcast_weak_close(weft_broadcast_weak *weak)
{
    wf_fanout_close_weak((wf_fanout *)weak);
}

/* ---- subscribing ---- */

/* Adds a receiver that gets what is sent from now on. */
static int add_receiver(broadcast *c, weft_broadcast_receiver **ret_receiver)
{
    wf_fanout_receiver *end;
    uint64_t            sent;
    int                 r;

    wf_lock(&c->fanout.news.lock_);
    sent = c->sent;
    wf_unlock(&c->fanout.news.lock_);
    r = wf_fanout_subscribe(&c->fanout, sent, &end);
    if (r == 0)
        *ret_receiver = (weft_broadcast_receiver *)end;
    return r;
}

WEFT_API int weft_broadcast_subscribe(weft_broadcast_sender    *sender,
                                      weft_broadcast_receiver **ret_receiver)
{
    return add_receiver((broadcast *)sender, ret_receiver);
}

WEFT_API size_t weft_broadcast_receiver_count(weft_broadcast_sender *sender)
{
    return wf_ends_receivers(&((broadcast *)sender)->fanout.ends);
}

static const weft_future_ops closed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                           "weft_broadcast_closed", wf_ends_closed_poll,
                                           wf_wait_cancel};

WEFT_API weft_future *weft_broadcast_closed(weft_wait *wait, weft_broadcast_sender *sender)
{
    return wf_wait_init(wait, &closed_ops, &((broadcast *)sender)->fanout.ends, 0);
}

/* ---- receivers ---- */

WEFT_API int64_t weft_broadcast_try_receive(weft_broadcast_receiver *receiver, void *ret_message)
{
    broadcast *c = channel_of(receiver);
    int64_t    r;

    wf_lock(&c->fanout.news.lock_);
    r = next(c, receiver, ret_message);
    wf_unlock(&c->fanout.news.lock_);
    return r;
}

static weft_poll receive_poll(weft_future *future, weft_context *cx)
{
    weft_wait               *wait = weft_container(future, weft_wait, future);
    weft_broadcast_receiver *r = wait->object_;
    broadcast               *c = channel_of(r);
    bool                     was_new = wf_wait_is_new(wait);
    bool                     cancelled = weft_future_is_cancelled(future);
    bool                     has_budget = cancelled || weft_context_spend(cx);
    int64_t                  n = -EAGAIN;

    /* A message that is there already needs no wait. */
    if (was_new && has_budget && !cancelled)
        n = weft_broadcast_try_receive(r, wait->second_);
    while (n == -EAGAIN) {
        n = wf_wait_poll(wait, cx, cancelled, has_budget, &c->fanout.news, &kind);
        if (n < 0)
            break;
        /* The owner may have taken the message while this wait was pending: then it waits on. */
        n = weft_broadcast_try_receive(r, wait->second_);
        wf_wait_renew(wait);
        wait->n_ = 0;
    }
    return wf_fanout_polled(&r->end, wait, was_new, n);
}

static const weft_future_ops receive_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_broadcast_receive", receive_poll, wf_wait_cancel};

WEFT_API weft_future *weft_broadcast_receive(weft_wait *wait, weft_broadcast_receiver *receiver,
                                             void *ret_message)
{
    wf_wait_init(wait, &receive_ops, receiver, 0);
    wait->second_ = ret_message;
    return &wait->future;
}

WEFT_API int weft_broadcast_resubscribe(weft_broadcast_receiver  *receiver,
                                        weft_broadcast_receiver **ret_receiver)
{
    return add_receiver(channel_of(receiver), ret_receiver);
}

WEFT_API void weft_broadcast_receiver_close(weft_broadcast_receiver *receiver)
{
    wf_fanout_close_receiver((wf_fanout_receiver *)receiver, "weft_broadcast_receiver_close",
                             "broadcast channel");
}
