/*
 * semaphore.c - see weft/sync.h
 *
 * Purpose     Permits, granted in the order in which they were requested.
 * Threads     Any.
 * Invariants  D1 A wait is queued only while there are too few permits for the first one, or is
 *             kept (keep.h).
 *             D2 LOOK is set before a wait is queued or a kept one is polled again, and when the
 *             semaphore is closed, under the queue's lock. While it is set, only holders of that
 *             lock change the word: K1 in look.h. So a newcomer can't overtake, and a release looks
 *             into the queue.
 * Ordering    [semaphore-1] A release of permits is seen by the acquire that takes them. The
 *             queue's lock orders what it guards, and [look-1] what was released without it.
 * Failure     -EPIPE once the semaphore is closed.
 */
#include "inner.h"
#include "look.h"
#include "waits.h"

/* The word available_ is the number of permits, and LOOK. */
#define LOOK (UINT64_C(1) << 63) /* there may be waits, or the semaphore is closed: take the lock */

/* Whether permits can be taken without the lock. Then no wait is queued. */
static bool has_at_once(uint64_t word, uint32_t n)
{
    return !(word & LOOK) && word >= n;
}

/* Takes permits without the lock. *ret_seen is the word that was seen. */
static bool take_at_once(weft_semaphore *s, uint32_t n, uint64_t *ret_seen)
{
    *ret_seen = wf_load(&s->available_, RELAXED); /* the CAS checks it */
    while (has_at_once(*ret_seen, n))
        if (wf_cas(&s->available_, ret_seen, *ret_seen - n, ACQUIRE)) /* [semaphore-1] */
            return true;
    return false;
}

static int64_t take(void *object, weft_wait *wait)
{
    weft_semaphore *s = object;
    uint64_t        permits = wf_look(&s->available_, LOOK); /* D2 */

    if (s->closed_)
        return -EPIPE;
    if (permits < wait->n_)
        return -EAGAIN;
    wf_store(&s->available_, (permits - wait->n_) | LOOK, RELAXED); /* under the lock */
    return 0;
}

/* Adds permits. The caller holds the queue's lock. */
static void put(weft_semaphore *s, uint32_t n)
{
    bool     keep = wf_wait_first(&s->waits_) || s->closed_;
    uint64_t seen = wf_look(&s->available_, LOOK); /* D2 */

    wf_store(&s->available_, (seen + n) | (keep ? LOOK : 0), RELEASE); /* [semaphore-1] */
}

static bool give_back(void *object, weft_wait *wait)
{
    if (wait->answer_ == 0)
        put(object, wait->n_);
    return true;
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .needs_budget = true, .ends_alone = true};

static weft_poll acquire_poll(weft_future *future, weft_context *cx)
{
    weft_wait      *wait = weft_container(future, weft_wait, future);
    weft_semaphore *s = wait->object_;
    bool            cancelled = weft_future_is_cancelled(future);
    bool            has_budget = cancelled || weft_context_spend(cx);
    uint64_t        seen;
    int64_t         answer;

    if (!cancelled && wf_wait_is_new(wait) && has_budget && take_at_once(s, wait->n_, &seen))
        return weft_ready(future, 0);
    answer = wf_wait_poll(wait, cx, cancelled, has_budget, &s->waits_, &kind);
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static bool acquire_keep(weft_future *future)
{
    weft_wait      *wait = weft_container(future, weft_wait, future);
    weft_semaphore *s = wait->object_;

    return wf_wait_keep(wait, &s->waits_, &kind);
}

static const wf_outer_ops acquire_ops = {
    .ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, "weft_semaphore_acquire",
            acquire_poll, wf_wait_cancel},
    .keep = acquire_keep};

WEFT_API void weft_semaphore_init(weft_semaphore *semaphore, uint32_t permits)
{
    *semaphore = (weft_semaphore){.available_ = permits};
}

WEFT_API weft_future *weft_semaphore_acquire(weft_wait *wait, weft_semaphore *semaphore, uint32_t n)
{
    return wf_wait_init(wait, &acquire_ops.ops, semaphore, n);
}

WEFT_API int weft_semaphore_try_acquire(weft_semaphore *semaphore, uint32_t n)
{
    weft_wait wait = {.n_ = n};
    int64_t   r = -EAGAIN;
    uint64_t  seen;

    if (take_at_once(semaphore, n, &seen))
        return 0;
    if (!(seen & LOOK))
        return -EAGAIN;
    wf_lock(&semaphore->waits_.lock_);
    if (!wf_wait_first(&semaphore->waits_))
        r = take(semaphore, &wait);
    wf_unlock(&semaphore->waits_.lock_);
    return (int)r;
}

WEFT_API void weft_semaphore_release(weft_semaphore *semaphore, uint32_t n)
{
    uint64_t seen = wf_load(&semaphore->available_, RELAXED); /* the CAS checks it */

    while (!(seen & LOOK))
        if (wf_cas(&semaphore->available_, &seen, seen + n, RELEASE)) /* [semaphore-1] */
            return;
    wf_lock(&semaphore->waits_.lock_);
    put(semaphore, n);
    wf_wait_settle_unlock(&semaphore->waits_, &kind, semaphore);
}

WEFT_API void weft_semaphore_close(weft_semaphore *semaphore)
{
    wf_lock(&semaphore->waits_.lock_);
    semaphore->closed_ = true;
    wf_look(&semaphore->available_, LOOK); /* D2 */
    wf_wait_settle_unlock(&semaphore->waits_, &kind, semaphore);
}

WEFT_API uint64_t weft_semaphore_available(weft_semaphore *semaphore)
{
    return wf_load(&semaphore->available_, RELAXED) & ~LOOK; /* the number alone is used */
}
