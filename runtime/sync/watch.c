/*
 * watch.c - a value of which receivers see the latest
 *
 * Purpose     State that changes, and many tasks that follow it, each at its own speed.
 * Threads     Each end: its owner. The place of a receiver is read also by the threads that send.
 * Invariants  A1 Each value has an even version (seqlock.h). A wait is queued only if its receiver
 *             has seen the present version. A new version ends all waits that were queued under
 *             earlier ones.
 *             A2 A version is marked as seen by the poll that is READY. So a cancelled wait gives
 *             nothing back.
 *             A3 No lock is held while `modify` of a caller runs. Its result becomes the value only
 *             if the version is still the one that it was given.
 *             A4 A small value is read without the lock. A reader that has met senders TRIES times
 *             takes it.
 * Ordering    The lock of `news` for the value and its version. [seqlock-1] for readers without
 *             it.
 * Failure     -EPIPE when no receiver is left, WEFT_EOF when all senders are closed.
 */
#include "copy.h"
#include "ends.h"
#include "seqlock.h"

#include <weft/watch.h>

#define VALUE_MOST 65536
#define TRIES      2 /* reads without the lock, of which each has met a sender */

typedef struct watch {
    wf_fanout fanout;  /* the lock of its `news` guards what follows */
    uint64_t  version; /* read also without the lock */
    size_t    size;    /* constant */
    _Alignas(16) uint64_t value[];
} watch;

/* Its place is the version that it has seen. */
struct weft_watch_receiver {
    wf_fanout_receiver end;
};

static watch *channel_of(const weft_watch_receiver *r)
{
    return (watch *)r->end.channel;
}

WEFT_API int weft_watch_open(size_t size, const void *value, weft_watch_sender **ret_sender,
                             weft_watch_receiver **ret_receiver)
{
    wf_fanout_receiver *r;
    watch              *c;

    if (size > VALUE_MOST)
        return -EINVAL;
    c = (watch *)wf_fanout_new(sizeof *c + wf_seqlock_room(size), &r);
    if (!c)
        return -ENOMEM;
    c->version = 0;
    c->size = size;
    wf_copy(c->value, value, size);
    *ret_sender = (weft_watch_sender *)c;
    *ret_receiver = (weft_watch_receiver *)r;
    return 0;
}

/* ---- the waits of receivers ---- */

/* The version of the latest value that is complete. */
static uint64_t version_of(const watch *c)
{
    /* RELAXED: a read of the value looks at its version again. */
    return wf_load(&c->version, RELAXED) & ~UINT64_C(1);
}

static int64_t take(void *object, weft_wait *wait)
{
    const watch               *c = object;
    const weft_watch_receiver *r = wait->second_;
    bool                       is_past = wf_wait_is_of_past_round(wait, (uint32_t)(c->version / 2));

    if (is_past || wf_load(&r->end.place, RELAXED) != c->version) /* its owner alone writes it */
        return 0;
    return wf_ends_no_sender(&c->fanout.ends) ? WEFT_EOF : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* A2 */
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .counts = true, .ends_alone = true};

/* Returns false if the receiver has seen the latest version before. */
static bool mark_seen(weft_watch_receiver *r)
{
    uint64_t version = version_of(channel_of(r));

    if (r->end.place == version)
        return false;
    wf_store(&r->end.place, version, RELAXED); /* its owner alone writes it */
    return true;
}

static weft_poll changed_poll(weft_future *future, weft_context *cx)
{
    weft_wait           *wait = weft_container(future, weft_wait, future);
    weft_watch_receiver *r = wait->second_;
    watch               *c = channel_of(r);
    bool                 was_new = wf_wait_is_new(wait);
    bool                 cancelled = weft_future_is_cancelled(future);
    bool                 has_budget = cancelled || weft_context_spend(cx);
    int64_t              answer;

    /* The owner may have read the value while this wait was pending: then it waits on. */
    while ((answer = wf_wait_poll(wait, cx, cancelled, has_budget, &c->fanout.news, &kind)) == 0 &&
           !mark_seen(r)) {
        wf_wait_renew(wait);
        wait->n_ = 0;
    }
    return wf_fanout_polled(&r->end, wait, was_new, answer);
}

static const weft_future_ops changed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_watch_changed", changed_poll, wf_wait_cancel};

WEFT_API weft_future *weft_watch_changed(weft_wait *wait, weft_watch_receiver *receiver)
{
    wf_wait_init(wait, &changed_ops, channel_of(receiver), 0);
    wait->second_ = receiver;
    return &wait->future;
}

/* ---- senders ---- */

WEFT_API weft_watch_sender *weft_watch_sender_clone(weft_watch_sender *sender)
{
    wf_ends_add_sender(&((watch *)sender)->fanout.ends);
    return sender;
}

WEFT_API void weft_watch_sender_close(weft_watch_sender *sender)
{
    wf_fanout_close_sender((wf_fanout *)sender, &kind);
}

/* Stores the value, and unlocks. */
static void store_unlock(watch *c, const void *value)
{
    if (c->size <= WF_SEQLOCK_MOST) {
        wf_seqlock_write(&c->version, c->value, value, c->size);
    } else {
        wf_copy(c->value, value, c->size);
        wf_store(&c->version, c->version + 2, RELAXED); /* under the lock */
    }
    wf_wait_settle_unlock(&c->fanout.news, &kind, c);
}

WEFT_API int weft_watch_send(weft_watch_sender *sender, const void *value)
{
    watch *c = (watch *)sender;

    if (wf_ends_receivers(&c->fanout.ends) == 0)
        return -EPIPE;
    weft_watch_replace(sender, value, NULL);
    return 0;
}

WEFT_API void weft_watch_replace(weft_watch_sender *sender, const void *value, void *ret_before)
{
    watch *c = (watch *)sender;

    wf_lock(&c->fanout.news.lock_);
    if (ret_before)
        wf_copy(ret_before, c->value, c->size);
    store_unlock(c, value);
}

/* Copies the value, and returns its version. A4 */
static uint64_t copy_value(watch *c, void *ret_value)
{
    uint64_t version;

    for (int i = 0; i < TRIES && c->size <= WF_SEQLOCK_MOST; i++)
        if (wf_seqlock_read(&c->version, c->value, c->size, ret_value, &version))
            return version;
    wf_lock(&c->fanout.news.lock_);
    wf_copy(ret_value, c->value, c->size);
    version = c->version;
    wf_unlock(&c->fanout.news.lock_);
    return version;
}

WEFT_API int weft_watch_send_if_modified(weft_watch_sender *sender,
                                         bool (*modify)(void *value, void *arg), void *arg,
                                         void *ret_value)
{
    watch   *c = (watch *)sender;
    uint64_t version;

    for (;;) {
        version = copy_value(c, ret_value);
        if (!modify(ret_value, arg))
            return 0;
        wf_lock(&c->fanout.news.lock_);
        if (c->version == version)
            break; /* A3 */
        wf_unlock(&c->fanout.news.lock_);
    }
    store_unlock(c, ret_value);
    return 1;
}

WEFT_API void weft_watch_sender_peek(weft_watch_sender *sender, void *ret_value)
{
    copy_value((watch *)sender, ret_value);
}

/* Adds a receiver that has seen that version. */
static int add_receiver(watch *c, uint64_t version, weft_watch_receiver **ret_receiver)
{
    wf_fanout_receiver *end;
    int                 r = wf_fanout_subscribe(&c->fanout, version, &end);

    if (r == 0)
        *ret_receiver = (weft_watch_receiver *)end;
    return r;
}

WEFT_API int weft_watch_subscribe(weft_watch_sender *sender, weft_watch_receiver **ret_receiver)
{
    watch *c = (watch *)sender;

    return add_receiver(c, version_of(c), ret_receiver);
}

WEFT_API size_t weft_watch_receiver_count(weft_watch_sender *sender)
{
    return wf_ends_receivers(&((watch *)sender)->fanout.ends);
}

static const weft_future_ops closed_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                           "weft_watch_closed", wf_ends_closed_poll,
                                           wf_wait_cancel};

WEFT_API weft_future *weft_watch_closed(weft_wait *wait, weft_watch_sender *sender)
{
    return wf_wait_init(wait, &closed_ops, &((watch *)sender)->fanout.ends, 0);
}

/* ---- receivers ---- */

WEFT_API int weft_watch_has_changed(weft_watch_receiver *receiver)
{
    const watch *c = channel_of(receiver);
    /* A sender that is closed sent its last value before: so the order of these two looks. */
    bool at_end = wf_load(&c->fanout.ends.n_senders, ACQUIRE) == 0; /* [ends-1] */

    if (receiver->end.place != version_of(c))
        return 1;
    return at_end ? WEFT_EOF : 0;
}

WEFT_API void weft_watch_read(weft_watch_receiver *receiver, void *ret_value)
{
    wf_store(&receiver->end.place, copy_value(channel_of(receiver), ret_value),
             RELAXED); /* its owner alone writes it */
}

WEFT_API void weft_watch_peek(weft_watch_receiver *receiver, void *ret_value)
{
    copy_value(channel_of(receiver), ret_value);
}

WEFT_API void weft_watch_mark_changed(weft_watch_receiver *receiver)
{
    wf_store(&receiver->end.place, version_of(channel_of(receiver)) - 1,
             RELAXED); /* its owner alone writes it */
}

WEFT_API void weft_watch_mark_unchanged(weft_watch_receiver *receiver)
{
    mark_seen(receiver);
}

WEFT_API int weft_watch_receiver_clone(weft_watch_receiver  *receiver,
                                       weft_watch_receiver **ret_receiver)
{
    return add_receiver(channel_of(receiver), receiver->end.place, ret_receiver);
}

WEFT_API void weft_watch_receiver_close(weft_watch_receiver *receiver)
{
    wf_fanout_close_receiver((wf_fanout_receiver *)receiver, "weft_watch_receiver_close", "watch");
}
