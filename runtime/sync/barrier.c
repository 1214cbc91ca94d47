/*
 * barrier.c - see weft/sync.h
 *
 * Purpose     A point that tasks pass together.
 * Threads     Any.
 * Invariants  `arrived_` counts the waits of this round. The wait that makes it `n_` is the leader.
 *             It begins the next round, which ends the waits of the round before.
 * Ordering    The queue's lock.
 * Failure     A barrier for no task aborts.
 */
#include "waits.h"

static int64_t take(void *object, weft_wait *wait)
{
    weft_barrier *b = object;
    bool          is_new = wait->n_ == 0;

    if (wf_wait_is_of_past_round(wait, b->round_))
        return 0;
    if (!is_new || ++b->arrived_ < b->n_)
        return -EAGAIN;
    b->arrived_ = 0;
    b->round_++;
    return 1;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    /* The other waits of the round have already passed the barrier together with this one. */
    return false;
}

/* If the barrier has been passed, the thread that ends the waits of that round has released the
 * lock in between: S5 in waits.h. */
static int64_t leave(void *object, weft_wait *wait)
{
    weft_barrier *b = object;

    if (wf_wait_is_of_past_round(wait, b->round_))
        return 0;
    WF_ASSERT(b->arrived_ > 0 && b->arrived_ < b->n_);
    b->arrived_--;
    return -ECANCELED;
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .leave = leave, .counts = true};

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait    *wait = weft_container(future, weft_wait, future);
    weft_barrier *b = wait->object_;

    return wf_wait_poll_future(future, cx, &b->waits_, &kind);
}

static const weft_future_ops wait_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_barrier_wait", wait_poll, wf_wait_cancel};

WEFT_API void weft_barrier_init(weft_barrier *barrier, uint32_t n)
{
    if (n == 0)
        wf_sync_misuse("weft_barrier_init", "a barrier needs at least one task", "barrier",
                       barrier);
    *barrier = (weft_barrier){.n_ = n};
}

WEFT_API weft_future *weft_barrier_wait(weft_wait *wait, weft_barrier *barrier)
{
    return wf_wait_init(wait, &wait_ops, barrier, 0);
}
