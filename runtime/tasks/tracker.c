/*
 * tracker.c - see weft/tracker.h
 *
 * Purpose     A count of tasks, and waits for the moment in which it is closed and 0.
 * Threads     Any.
 * Invariants  R1 The lock of the waits guards the other fields. R2 The step to "closed, no tasks"
 *             begins a new round, which ends the waits of earlier rounds even if the tracker is
 *             used again at once. R3 The last task leaves under the lock. So a waiter that frees
 *             the tracker does so after that task has let go of it.
 * Ordering    The queue's lock.
 * Failure     None.
 */
#include "waits.h"

#include <weft/tracker.h>

static bool is_done(const weft_tracker *tracker)
{
    return tracker->closed_ && tracker->count_ == 0;
}

static int64_t take(void *object, weft_wait *wait)
{
    weft_tracker *tracker = object;
    bool          is_past = wf_wait_is_of_past_round(wait, tracker->round_);

    return is_done(tracker) || is_past ? 0 : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back, .counts = true};

/* The caller holds the lock and has changed the tracker. */
static void settle_unlock(weft_tracker *tracker)
{
    if (is_done(tracker))
        tracker->round_++; /* R2 */
    wf_wait_settle_unlock(&tracker->waits_, &kind, tracker);
}

WEFT_API void weft_tracker_enter(weft_tracker *tracker)
{
    wf_lock(&tracker->waits_.lock_);
    tracker->count_++;
    wf_unlock(&tracker->waits_.lock_);
}

WEFT_API void weft_tracker_leave(weft_tracker *tracker)
{
    wf_lock(&tracker->waits_.lock_);
    if (tracker->count_ == 0)
        wf_sync_misuse("weft_tracker_leave", "no task is counted", "tracker", tracker);
    tracker->count_--;
    settle_unlock(tracker);
}

WEFT_API void weft_tracker_close(weft_tracker *tracker)
{
    wf_lock(&tracker->waits_.lock_);
    tracker->closed_ = true;
    settle_unlock(tracker);
}

WEFT_API void weft_tracker_reopen(weft_tracker *tracker)
{
    wf_lock(&tracker->waits_.lock_);
    tracker->closed_ = false;
    wf_unlock(&tracker->waits_.lock_);
}

WEFT_API bool weft_tracker_is_closed(weft_tracker *tracker)
{
    bool closed;

    wf_lock(&tracker->waits_.lock_);
    closed = tracker->closed_;
    wf_unlock(&tracker->waits_.lock_);
    return closed;
}

WEFT_API uint64_t weft_tracker_count(weft_tracker *tracker)
{
    uint64_t count;

    wf_lock(&tracker->waits_.lock_);
    count = tracker->count_;
    wf_unlock(&tracker->waits_.lock_);
    return count;
}

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait    *wait = weft_container(future, weft_wait, future);
    weft_tracker *tracker = wait->object_;

    return wf_wait_poll_future(future, cx, &tracker->waits_, &kind);
}

static const weft_future_ops wait_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_tracker_wait", wait_poll, wf_wait_cancel};

WEFT_API weft_future *weft_tracker_wait(weft_wait *wait, weft_tracker *tracker)
{
    return wf_wait_init(wait, &wait_ops, tracker, 0);
}
