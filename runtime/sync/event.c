/*
 * event.c - see weft/sync.h
 *
 * Purpose     A flag that can be waited for.
 * Threads     Any.
 * Invariants  Waits are queued only while the event is not set. Setting it begins a new round,
 *             which ends the waits of earlier rounds even if the event is reset at once.
 * Ordering    The queue's lock.
 * Failure     None.
 */
#include "waits.h"

static int64_t take(void *object, weft_wait *wait)
{
    weft_event *e = object;
    bool        is_past = wf_wait_is_of_past_round(wait, e->round_);

    return e->set_ || is_past ? 0 : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .counts = true, .ends_alone = true};

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_event *e = wait->object_;

    return wf_wait_poll_future(future, cx, &e->waits_, &kind);
}

static const weft_future_ops wait_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_event_wait", wait_poll, wf_wait_cancel};

WEFT_API weft_future *weft_event_wait(weft_wait *wait, weft_event *event)
{
    return wf_wait_init(wait, &wait_ops, event, 0);
}

WEFT_API void weft_event_set(weft_event *event)
{
    wf_lock(&event->waits_.lock_);
    event->set_ = true;
    event->round_++;
    wf_wait_settle_unlock(&event->waits_, &kind, event);
}

WEFT_API void weft_event_reset(weft_event *event)
{
    wf_lock(&event->waits_.lock_);
    event->set_ = false;
    wf_unlock(&event->waits_.lock_);
}

WEFT_API bool weft_event_is_set(weft_event *event)
{
    bool set;

    wf_lock(&event->waits_.lock_);
    set = event->set_;
    wf_unlock(&event->waits_.lock_);
    return set;
}
