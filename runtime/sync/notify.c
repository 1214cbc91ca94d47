/*
 * notify.c - see weft/sync.h
 *
 * Purpose     Tells waiters that something has changed.
 * Threads     Any.
 * Invariants  N1 A permit is stored only while no wait is queued, or all that are queued are kept
 *             (keep.h). Each kept wait lets one more be stored, as if it had ended.
 *             N2 weft_notify_all begins a new round, which ends the waits of earlier rounds and no
 *             others.
 * Ordering    The queue's lock.
 * Failure     None.
 */
#include "notify.h"

#include "inner.h"

/* n_ of a wait is the round in which it began, with this bit. Without it the wait has taken a
 * permit, and gives that back when it is cancelled or kept. */
#define NO_PERMIT WF_WAIT_STAMP

/* A wait that was kept may have ended otherwise. */
static void drop_permits(weft_notify *n)
{
    if (n->permits_ > n->waits_.n_kept_ + 1)
        n->permits_ = n->waits_.n_kept_ + 1; /* N1 */
}

int64_t wf_notify_take(void *object, weft_wait *wait)
{
    weft_notify *n = object;

    if (wf_wait_is_of_past_round(wait, n->round_)) {
        drop_permits(n);
        return 0;
    }
    if (n->permits_ == 0)
        return -EAGAIN;
    n->permits_--;
    wait->n_ &= ~NO_PERMIT;
    return 0;
}

static void store_permit(weft_notify *n)
{
    if (n->permits_ <= n->waits_.n_kept_) /* N1 */
        n->permits_++;
}

static bool give_permit_back(void *object, weft_wait *wait)
{
    weft_notify *n = object;

    if (!(wait->n_ & NO_PERMIT)) {
        store_permit(n);
        wait->n_ |= NO_PERMIT; /* N2: a kept wait stays in its round */
    }
    return true;
}

static int64_t leave(void *object, weft_wait *wait)
{
    (void)wait;
    drop_permits(object);
    return -ECANCELED;
}

static const wf_wait_kind kind = {.take = wf_notify_take,
                                  .give_back = give_permit_back,
                                  .leave = leave,
                                  .counts = true,
                                  .ends_alone = true};

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_notify *n = wait->object_;

    return wf_wait_poll_future(future, cx, &n->waits_, &kind);
}

static bool wait_keep(weft_future *future)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_notify *n = wait->object_;

    return wf_wait_keep(wait, &n->waits_, &kind);
}

static const wf_outer_ops wait_ops = {.ops = {sizeof(weft_wait),
                                              WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                              "weft_notify_wait", wait_poll, wf_wait_cancel},
                                      .keep = wait_keep};

WEFT_API weft_future *weft_notify_wait(weft_wait *wait, weft_notify *notify)
{
    return wf_wait_init(wait, &wait_ops.ops, notify, 0);
}

void wf_notify_lock(weft_notify *n, const wf_wait_kind *its_kind)
{
    weft_wait *first;

    wf_lock(&n->waits_.lock_);
    while ((first = wf_wait_first(&n->waits_)) && wf_wait_is_of_past_round(first, n->round_)) {
        wf_wait_settle_unlock(&n->waits_, its_kind, n); /* S5 in waits.h */
        wf_lock(&n->waits_.lock_);
    }
}

WEFT_API void weft_notify_one(weft_notify *notify)
{
    wf_notify_lock(notify, &kind);
    store_permit(notify);
    wf_wait_settle_unlock(&notify->waits_, &kind, notify);
}

WEFT_API void weft_notify_all(weft_notify *notify)
{
    wf_lock(&notify->waits_.lock_);
    notify->round_++;
    wf_wait_settle_unlock(&notify->waits_, &kind, notify);
}
