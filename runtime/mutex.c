/*
 * mutex.c - see weft/sync.h
 *
 * Purpose     A lock that a task may hold across an await.
 * Threads     Any.
 * Invariants  X1 CONTENDED is set before a wait is queued, under the queue's lock. So the holder's
 *             unlock looks into the queue.
 *             X2 An unlock that finds a wait passes the mutex on. The mutex is never free in
 *             between, so a newcomer can't overtake.
 * Ordering    [mutex-1] Unlocking releases to the next lock. The queue's lock orders what it
 *             guards.
 * Failure     Unlocking a mutex that is not locked aborts.
 */
#include "mutex.h"

enum {
    FREE,
    HELD,
    CONTENDED, /* held, and there may be waits */
};

static int64_t take(void *object, weft_wait *wait)
{
    weft_mutex *m = object;

    (void)wait;
    if (m->passes_) {
        m->passes_ = false;
        return 0;
    }
    return wf_swap(&m->state_, CONTENDED, ACQUIRE) == FREE ? 0 : -EAGAIN; /* [mutex-1] */
}

/* Passes the mutex on to the first wait, or frees it. The caller holds the queue's lock. */
static void pass(weft_mutex *m)
{
    m->passes_ = m->waits_.first_ != NULL;
    if (!m->passes_)
        wf_store(&m->state_, FREE, RELEASE); /* [mutex-1] */
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)wait;
    pass(object);
    return true;
}

const wf_wait_kind wf_mutex_kind = {.take = take, .give_back = give_back};

static weft_poll lock_poll(weft_future *future, weft_context *cx)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_mutex *m = wait->object_;
    bool        cancelled = weft_future_is_cancelled(future);
    bool        has_budget = cancelled || weft_context_spend(cx);
    uint32_t    seen = FREE;
    int64_t     answer;

    if (!cancelled && has_budget && wf_wait_is_new(wait) &&
        wf_cas(&m->state_, &seen, HELD, ACQUIRE)) /* [mutex-1] */
        return weft_ready(future, 0);
    answer = wf_wait_poll(wait, cx, cancelled, has_budget, &m->waits_, &wf_mutex_kind);
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static const weft_future_ops lock_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_mutex_lock", lock_poll, wf_wait_cancel};

WEFT_API weft_future *weft_mutex_lock(weft_wait *wait, weft_mutex *mutex)
{
    return wf_wait_init(wait, &lock_ops, mutex, 0);
}

WEFT_API int weft_mutex_try_lock(weft_mutex *mutex)
{
    uint32_t seen = FREE;

    return wf_cas(&mutex->state_, &seen, HELD, ACQUIRE) ? 0 : -EBUSY; /* [mutex-1] */
}

WEFT_API void weft_mutex_unlock(weft_mutex *mutex)
{
    uint32_t seen = HELD;

    if (wf_cas(&mutex->state_, &seen, FREE, RELEASE)) /* [mutex-1] */
        return;
    if (seen == FREE)
        weft_misuse_("weft_mutex_unlock", "the mutex is not locked", "sync.h");
    wf_lock(&mutex->waits_.lock_);
    pass(mutex);
    wf_wait_settle_unlock(&mutex->waits_, &wf_mutex_kind, mutex);
}
