/*
 * once.c - see weft/sync.h
 *
 * Purpose     Something that the first task that needs it makes.
 * Threads     Any.
 * Invariants  At most one wait has been answered 1 without weft_once_end. The other waits are
 *             queued meanwhile.
 * Ordering    The queue's lock. [once-1] The store of MADE releases what was made.
 * Failure     weft_once_end without weft_once_begin aborts.
 */
#include "held.h"

/* The word: EMPTY, MADE, or BEING_MADE beside its owner. */
enum { EMPTY = 0, BEING_MADE = 1, MADE = 2 };

static void set(weft_once *o, uint64_t state)
{
    wf_store(&o->state_, state, RELAXED); /* under the lock; weft_once_is_made looks for MADE */
}

static int64_t take(void *object, weft_wait *wait)
{
    weft_once *o = object;

    if (o->state_ == MADE)
        return 0;
    if (o->state_ & BEING_MADE)
        return -EAGAIN;
    set(o, wf_held_owner(wait) | BEING_MADE);
    return 1;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_once *o = object;

    WF_ASSERT(wait->answer_ == 1 ? o->state_ & BEING_MADE : o->state_ == MADE);
    if (wait->answer_ == 1)
        set(o, EMPTY);
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back};

static weft_poll begin_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    weft_once *o = wait->object_;

    return wf_held_poll_future(future, cx, &o->waits_, &kind);
}

static bool find_holder(const weft_future *future, wf_held_by *ret)
{
    weft_once *o = weft_container(future, weft_wait, future)->object_;
    uint64_t   state;

    if (!wf_held_find(future, &o->waits_, &o->state_, &state))
        return false;
    *ret = (wf_held_by){o, state & BEING_MADE ? wf_owner_in(state) : 0};
    return true;
}

static bool begin_keep(weft_future *future)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    weft_once *o = wait->object_;

    return wf_wait_keep(wait, &o->waits_, &kind);
}

static const wf_outer_ops begin_ops = {.ops = {sizeof(weft_wait),
                                               WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                               "weft_once_begin", begin_poll, wf_wait_cancel},
                                       .find_holder = find_holder,
                                       .keep = begin_keep};

WEFT_API weft_future *weft_once_begin(weft_wait *wait, weft_once *once)
{
    return wf_wait_init(wait, &begin_ops.ops, once, 0);
}

WEFT_API void weft_once_end(weft_once *once, bool made)
{
    wf_lock(&once->waits_.lock_);
    if (!(once->state_ & BEING_MADE))
        wf_sync_misuse("weft_once_end", "no weft_once_begin has returned 1", "once", once);
    wf_store(&once->state_, made ? MADE : EMPTY, RELEASE); /* [once-1] */
    wf_wait_settle_unlock(&once->waits_, &kind, once);
}

WEFT_API bool weft_once_is_made(weft_once *once)
{
    return wf_load(&once->state_, ACQUIRE) == MADE; /* [once-1] */
}
