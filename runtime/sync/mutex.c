/*
 * mutex.c - see weft/sync.h
 *
 * Purpose     A lock that a task may hold across an await.
 * Threads     Any.
 *
 *               FREE --lock--> HELD --another waits--> CONTENDED --unlock--> PASSES
 *                 ^              |                        |    ^               |
 *                 +---unlock-----+                        |    +--to the first-+
 *                 +------------unlock, and no wait is left-+
 *
 * Invariants  X1 CONTENDED is set before a wait is queued, under the queue's lock, and by the poll
 *             that ends the time in which a wait was kept (keep.h). So the holder's unlock looks
 *             into the queue.
 *             X2 An unlock that finds a wait passes the mutex on. The mutex is never free in
 *             between, so a newcomer can't overtake. Kept waits do not count: for them alone the
 *             mutex becomes free.
 *             X3 A word with CONTENDED or PASSES changes under the queue's lock only.
 * Ordering    [mutex-1] Unlocking releases to the next lock. The queue's lock orders what it
 *             guards.
 * Failure     Unlocking a mutex that is not locked aborts.
 */
#include "mutex.h"

#include "rt.h"

/* The word: FREE, or one of these beside the owner. */
enum {
    FREE = 0,
    HELD = 1,
    CONTENDED = 2, /* held, and there may be waits */
    PASSES = 4,    /* on its way to the first wait; there is no owner */
};

static int64_t take(void *object, weft_wait *wait)
{
    weft_mutex *m = object;
    uint64_t    seen = wf_load(&m->state_, RELAXED); /* under the lock, or the CAS checks it */
    uint64_t    owned = wf_held_owner(wait) | CONTENDED;

    if (seen == PASSES) {                     /* X2: it is never free in between */
        wf_store(&m->state_, owned, RELAXED); /* X3 */
        return 0;
    }
    while (!(seen & CONTENDED))
        if (wf_cas(&m->state_, &seen, seen == FREE ? owned : wf_owner_in(seen) | CONTENDED,
                   ACQUIRE)) /* [mutex-1] */
            return seen == FREE ? 0 : -EAGAIN;
    return -EAGAIN;
}

/* Passes the mutex on to the first wait, or frees it. The caller holds the queue's lock. */
static void pass(weft_mutex *m)
{
    WF_ASSERT(wf_peek(&m->state_) & CONTENDED);                               /* X1 */
    wf_store(&m->state_, wf_wait_first(&m->waits_) ? PASSES : FREE, RELEASE); /* [mutex-1] X2 */
}

static bool give_back(void *object, weft_wait *wait)
{
    (void)wait;
    pass(object);
    return true;
}

const wf_wait_kind wf_mutex_kind = {
    .take = take, .give_back = give_back, .needs_budget = true, .ends_alone = true};

bool wf_mutex_find_holder(const weft_future *future, wf_held_by *ret)
{
    weft_mutex *m = weft_container(future, weft_wait, future)->object_;
    uint64_t    word;

    if (!wf_held_find(future, &m->waits_, &m->state_, &word))
        return false;
    *ret = (wf_held_by){m, wf_owner_in(word)};
    return true;
}

static weft_poll lock_poll(weft_future *future, weft_context *cx)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_mutex *m = wait->object_;
    bool        cancelled = weft_future_is_cancelled(future);
    bool        has_budget = cancelled || weft_context_spend(cx);
    uint64_t    seen = FREE;
    int64_t     answer;

    if (!cancelled && wf_wait_is_new(wait)) {
        if (!has_budget)
            return wf_held_begin_unpaid(wait, cx, &m->waits_, &wf_mutex_kind);
        if (wf_cas(&m->state_, &seen, wf_owner_of(cx) | HELD, ACQUIRE)) /* [mutex-1] */
            return weft_ready(future, 0);
    }
    answer = wf_held_poll(wait, cx, cancelled, has_budget, &m->waits_, &wf_mutex_kind);
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static bool lock_keep(weft_future *future)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_mutex *m = wait->object_;

    return wf_wait_keep(wait, &m->waits_, &wf_mutex_kind);
}

static const wf_outer_ops lock_ops = {.ops = {sizeof(weft_wait),
                                              WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                              "weft_mutex_lock", lock_poll, wf_wait_cancel},
                                      .find_holder = wf_mutex_find_holder,
                                      .keep = lock_keep};

/* Sets what a poll reads before it writes it, and no more. The lock of a free mutex does little
 * else. See wf_wait_init. */
WEFT_API weft_future *weft_mutex_lock(weft_wait *wait, weft_mutex *mutex)
{
    wait->waker_.vtable = NULL;
    wait->object_ = mutex;
    wait->n_ = 0;
    wait->outcome_ = 0;
    wait->state_ = 0;
    weft_future_init(&wait->future, &lock_ops.ops);
    return &wait->future;
}

WEFT_API int weft_mutex_try_lock(weft_mutex *mutex)
{
    uint64_t seen = FREE, owned = wf_owner_of_caller() | HELD;

    return wf_cas(&mutex->state_, &seen, owned, ACQUIRE) ? 0 : -EBUSY; /* [mutex-1] */
}

WF_SELDOM static void unlock_contended(weft_mutex *m, uint64_t seen)
{
    if (seen == FREE)
        wf_sync_misuse("weft_mutex_unlock", "the mutex is not locked", "mutex", m);
    wf_lock(&m->waits_.lock_);
    pass(m);
    wf_wait_settle_unlock(&m->waits_, &wf_mutex_kind, m);
}

WEFT_API void weft_mutex_unlock(weft_mutex *mutex)
{
    uint64_t seen = wf_load(&mutex->state_, RELAXED); /* the CAS checks it */

    if (!(seen & HELD) || !wf_cas(&mutex->state_, &seen, FREE, RELEASE)) /* [mutex-1] */
        unlock_contended(mutex, seen);
}
