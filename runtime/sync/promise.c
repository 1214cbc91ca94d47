/*
 * promise.c - see weft/promise.h
 *
 * Purpose     A result that comes once and ends all waits.
 * Threads     Any.
 * Invariants  Waits are queued only while there is no result. Once there is one, neither it nor
 *             `complete_` changes. So a wait that was answered reads the result without the lock,
 *             and the result may be any number, also one that waits.h reserves.
 * Ordering    The queue's lock.
 * Failure     A result that futures can't have aborts.
 */
#include "waits.h"

#include <weft/promise.h>

static int64_t take(void *object, weft_wait *wait)
{
    const weft_promise *p = object;

    (void)wait;
    return p->complete_ ? 0 : -EAGAIN;
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back};

static weft_poll get_poll(weft_future *future, weft_context *cx)
{
    weft_wait    *wait = weft_container(future, weft_wait, future);
    weft_promise *p = wait->object_;
    bool          cancelled = weft_future_is_cancelled(future);
    bool          has_budget = cancelled || weft_context_spend(cx);
    int64_t       answer = wf_wait_poll(wait, cx, cancelled, has_budget, &p->waits_, &kind);

    if (answer == -EAGAIN)
        return WEFT_PENDING;
    return weft_ready(future, answer == 0 ? p->result_ : answer);
}

static const weft_future_ops get_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                        "weft_promise_get", get_poll, wf_wait_cancel};

WEFT_API weft_future *weft_promise_get(weft_wait *wait, weft_promise *promise)
{
    return wf_wait_init(wait, &get_ops, promise, 0);
}

WEFT_API int weft_promise_complete(weft_promise *promise, int64_t result)
{
    if (result < WEFT_RESULT_MIN_)
        wf_sync_misuse("weft_promise_complete", "a result below -4095 is reserved", "promise",
                       promise);
    wf_lock(&promise->waits_.lock_);
    if (promise->complete_) {
        wf_unlock(&promise->waits_.lock_);
        return -EALREADY;
    }
    promise->result_ = result;
    promise->complete_ = true;
    wf_wait_settle_unlock(&promise->waits_, &kind, promise);
    return 0;
}

WEFT_API int weft_promise_try_get(weft_promise *promise, int64_t *ret_result)
{
    bool complete;

    wf_lock(&promise->waits_.lock_);
    complete = promise->complete_;
    wf_unlock(&promise->waits_.lock_);
    if (!complete)
        return -EAGAIN;
    *ret_result = promise->result_; /* it does not change any more */
    return 0;
}
