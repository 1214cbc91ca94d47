/*
 * notify.c - see weft/sync.h
 *
 * Purpose     Tells waiters that something has changed.
 * Threads     Any.
 * Invariants  A permit is stored only while no wait is queued. weft_notify_all begins a new round,
 *             which ends the waits of earlier rounds and no others.
 * Ordering    The queue's lock.
 * Failure     None.
 */
#include "notify.h"

/* The value of n_ in a wait that has taken the permit. Such a wait gives it back when it is
 * cancelled. */
#define BY_PERMIT 1

int64_t wf_notify_take(void *object, weft_wait *wait)
{
    weft_notify *n = object;

    if (wf_wait_is_of_past_round(wait, n->round_))
        return 0;
    if (!n->permit_)
        return -EAGAIN;
    n->permit_ = false;
    wait->n_ = BY_PERMIT;
    return 0;
}

static bool give_permit_back(void *object, weft_wait *wait)
{
    weft_notify *n = object;

    if (wait->n_ == BY_PERMIT)
        n->permit_ = true;
    return true;
}

static const wf_wait_kind kind = {
    .take = wf_notify_take, .give_back = give_permit_back, .counts = true, .ends_alone = true};

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_notify *n = wait->object_;

    return wf_wait_poll_future(future, cx, &n->waits_, &kind);
}

static const weft_future_ops wait_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_notify_wait", wait_poll, wf_wait_cancel};

WEFT_API weft_future *weft_notify_wait(weft_wait *wait, weft_notify *notify)
{
    return wf_wait_init(wait, &wait_ops, notify, 0);
}

WEFT_API void weft_notify_one(weft_notify *notify)
{
    wf_lock(&notify->waits_.lock_);
    notify->permit_ = true;
    wf_wait_settle_unlock(&notify->waits_, &kind, notify);
}

WEFT_API void weft_notify_all(weft_notify *notify)
{
    wf_lock(&notify->waits_.lock_);
    notify->round_++;
    wf_wait_settle_unlock(&notify->waits_, &kind, notify);
}
