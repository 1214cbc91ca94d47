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
#include "waits.h"

enum { EMPTY, BEING_MADE, MADE };

static int64_t take(void *object, weft_wait *wait)
{
    weft_once *o = object;

    (void)wait;
    if (o->state_ == MADE)
        return 0;
    if (o->state_ == BEING_MADE)
        return -EAGAIN;
    wf_store(&o->state_, BEING_MADE,
             RELAXED); /* under the lock; weft_once_is_made looks for MADE */
    return 1;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_once *o = object;

    if (wait->answer_ == 1)
        wf_store(&o->state_, EMPTY, RELAXED); /* under the lock; weft_once_is_made looks for MADE */
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back};

static weft_poll begin_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    weft_once *o = wait->object_;

    return wf_wait_poll_future(future, cx, &o->waits_, &kind);
}

static const weft_future_ops begin_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                          "weft_once_begin", begin_poll, wf_wait_cancel};

WEFT_API weft_future *weft_once_begin(weft_wait *wait, weft_once *once)
{
    return wf_wait_init(wait, &begin_ops, once, 0);
}

WEFT_API void weft_once_end(weft_once *once, bool made)
{
    wf_lock(&once->waits_.lock_);
    if (once->state_ != BEING_MADE)
        weft_misuse_("weft_once_end", "no weft_once_begin has returned 1", "sync.h");
    wf_store(&once->state_, made ? MADE : EMPTY, RELEASE); /* [once-1] */
    wf_wait_settle_unlock(&once->waits_, &kind, once);
}

WEFT_API bool weft_once_is_made(weft_once *once)
{
    return wf_load(&once->state_, ACQUIRE) == MADE; /* [once-1] */
}
