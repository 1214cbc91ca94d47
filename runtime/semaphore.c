/*
 * semaphore.c - see weft/sync.h
 *
 * Purpose     Permits, granted in the order in which they were requested.
 * Threads     Any.
 * Invariants  A wait is queued only while there are too few permits for the first one.
 * Ordering    The queue's lock.
 * Failure     -EPIPE once the semaphore is closed.
 */
#include "waits.h"

static int64_t take(void *object, weft_wait *wait)
{
    weft_semaphore *s = object;

    if (s->closed_)
        return -EPIPE;
    if (s->available_ < wait->n_)
        return -EAGAIN;
    s->available_ -= wait->n_;
    return 0;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_semaphore *s = object;

    if (wait->answer_ == 0)
        s->available_ += wait->n_;
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back};

static weft_poll acquire_poll(weft_future *future, weft_context *cx)
{
    weft_wait      *wait = weft_container(future, weft_wait, future);
    weft_semaphore *s = wait->object_;

    return wf_wait_poll_future(future, cx, &s->waits_, &kind);
}

static const weft_future_ops acquire_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                            "weft_semaphore_acquire", acquire_poll, wf_wait_cancel};

WEFT_API void weft_semaphore_init(weft_semaphore *semaphore, uint32_t permits)
{
    *semaphore = (weft_semaphore){.available_ = permits};
}

WEFT_API weft_future *weft_semaphore_acquire(weft_wait *wait, weft_semaphore *semaphore, uint32_t n)
{
    return wf_wait_init(wait, &acquire_ops, semaphore, n);
}

WEFT_API int weft_semaphore_try_acquire(weft_semaphore *semaphore, uint32_t n)
{
    weft_wait wait = {.n_ = n};
    int64_t   r = -EAGAIN;

    wf_lock(&semaphore->waits_.lock_);
    if (!semaphore->waits_.first_)
        r = take(semaphore, &wait);
    wf_unlock(&semaphore->waits_.lock_);
    return (int)r;
}

WEFT_API void weft_semaphore_release(weft_semaphore *semaphore, uint32_t n)
{
    wf_lock(&semaphore->waits_.lock_);
    semaphore->available_ += n;
    wf_wait_settle_unlock(&semaphore->waits_, &kind, semaphore);
}

WEFT_API void weft_semaphore_close(weft_semaphore *semaphore)
{
    wf_lock(&semaphore->waits_.lock_);
    semaphore->closed_ = true;
    wf_wait_settle_unlock(&semaphore->waits_, &kind, semaphore);
}

WEFT_API uint64_t weft_semaphore_available(weft_semaphore *semaphore)
{
    uint64_t n;

    wf_lock(&semaphore->waits_.lock_);
    n = semaphore->available_;
    wf_unlock(&semaphore->waits_.lock_);
    return n;
}
