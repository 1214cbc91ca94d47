/*
 * rwlock.c - see weft/sync.h
 *
 * Purpose     Many readers, or one writer.
 * Threads     Any.
 * Invariants  L1 A reader is queued behind a writer that waits, so writers do not starve. A writer
 *             that is kept (keep.h) lets readers pass.
 *             L2 While LOOK is set, only holders of the queue's lock change the word: K1 in look.h.
 *             So a newcomer can't overtake, and an unlock looks into the queue.
 * Ordering    [rwlock-1] Unlocking releases to the lock that comes next. The queue's lock orders
 *             what it guards, and [look-1] what was unlocked without it.
 * Failure     Unlocking a lock that is not held aborts.
 */
#include "held.h"
#include "look.h"

enum { READ, WRITE }; /* the own bits of n_ */

/* The word: a writer's owner and WRITER, or the number of readers times READER. */
enum {
    WRITER = 1,
    LOOK = 2, /* there may be waits: take the lock of the queue */
    READER = 8,
};

static bool wants_to_write(const weft_wait *wait)
{
    return wait->n_ & WRITE;
}

/* Whether another holder may come to those in the word. */
static inline bool admits(uint64_t word, bool writes)
{
    return writes ? word == 0 : !(word & (WRITER | LOOK));
}

/* The word once it has come. */
static inline uint64_t joined(uint64_t word, bool writes, uint64_t owner)
{
    return writes ? owner | WRITER : word + READER;
}

/* Locks without the queue's lock if no wait can be queued. *ret_seen is the word that was seen. */
static inline bool lock_at_once(weft_rwlock *l, bool writes, uint64_t owner, uint64_t *ret_seen)
{
    *ret_seen = wf_load(&l->holders_, RELAXED); /* the CAS checks it */
    while (admits(*ret_seen, writes))
        if (wf_cas(&l->holders_, ret_seen, joined(*ret_seen, writes, owner), ACQUIRE))
            return true; /* [rwlock-1] */
    return false;
}

static int64_t take(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;
    bool         writes = wants_to_write(wait);
    uint64_t     held = wf_look(&l->holders_, LOOK); /* L2 */

    if (!admits(held, writes))
        return -EAGAIN;
    held = joined(held, writes, wf_held_owner(wait));
    wf_store(&l->holders_, held | LOOK, RELAXED); /* under the lock */
    return 0;
}

/* Leaves the lock to its other holders, and LOOK if waits are asked. The caller holds the queue's
 * lock. */
static void leave(weft_rwlock *l, uint64_t held)
{
    wf_store(&l->holders_, held | (wf_wait_first(&l->waits_) ? LOOK : 0), RELEASE); /* [rwlock-1] */
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;
    uint64_t     held = wf_look(&l->holders_, LOOK); /* L2 */

    WF_ASSERT(wants_to_write(wait) == (held & WRITER) && held > 0);
    held = wants_to_write(wait) ? 0 : held - READER;
    leave(l, held);
    return true;
}

static const wf_wait_kind kind = {
    .take = take, .give_back = give_back, .needs_budget = true, .ends_alone = true};

static weft_poll lock_poll(weft_future *future, weft_context *cx)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_rwlock *l = wait->object_;
    bool         cancelled = weft_future_is_cancelled(future);
    bool         has_budget = cancelled || weft_context_spend(cx);
    uint64_t     seen;
    int64_t      answer;

    if (!cancelled && wf_wait_is_new(wait)) {
        if (!has_budget)
            return wf_held_begin_unpaid(wait, cx, &l->waits_, &kind);
        if (lock_at_once(l, wants_to_write(wait), wf_owner_of(cx), &seen))
            return weft_ready(future, 0);
    }
    answer = wf_held_poll(wait, cx, cancelled, has_budget, &l->waits_, &kind);
    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

static bool lock_keep(weft_future *future)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_rwlock *l = wait->object_;

    return wf_wait_keep(wait, &l->waits_, &kind);
}

/* Readers have no names. */
static bool find_holder(const weft_future *future, wf_held_by *ret)
{
    weft_rwlock *l = weft_container(future, weft_wait, future)->object_;
    uint64_t     holders;

    if (!wf_held_find(future, &l->waits_, &l->holders_, &holders))
        return false;
    *ret = (wf_held_by){l, holders & WRITER ? wf_owner_in(holders) : 0};
    return true;
}

static const wf_outer_ops read_ops = {.ops = {sizeof(weft_wait),
                                              WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                              "weft_rwlock_read", lock_poll, wf_wait_cancel},
                                      .find_holder = find_holder,
                                      .keep = lock_keep};
static const wf_outer_ops write_ops = {.ops = {sizeof(weft_wait),
                                               WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                               "weft_rwlock_write", lock_poll, wf_wait_cancel},
                                       .find_holder = find_holder,
                                       .keep = lock_keep};

WEFT_API weft_future *weft_rwlock_read(weft_wait *wait, weft_rwlock *lock)
{
    return wf_wait_init(wait, &read_ops.ops, lock, READ);
}

WEFT_API weft_future *weft_rwlock_write(weft_wait *wait, weft_rwlock *lock)
{
    return wf_wait_init(wait, &write_ops.ops, lock, WRITE);
}

static int try_lock(weft_rwlock *l, uint32_t how)
{
    weft_wait wait = {.n_ = how, .answer_ = (int64_t)wf_owner_of_caller()};
    int64_t   r = -EAGAIN;
    uint64_t  seen;

    if (lock_at_once(l, how == WRITE, wf_held_owner(&wait), &seen))
        return 0;
    if (!(seen & LOOK))
        return -EBUSY;
    wf_lock(&l->waits_.lock_);
    if (!wf_wait_first(&l->waits_))
        r = take(l, &wait);
    wf_unlock(&l->waits_.lock_);
    return r < 0 ? -EBUSY : 0;
}

WEFT_API int weft_rwlock_try_read(weft_rwlock *lock)
{
    return try_lock(lock, READ);
}

WEFT_API int weft_rwlock_try_write(weft_rwlock *lock)
{
    return try_lock(lock, WRITE);
}

static inline void must_read(const weft_rwlock *l, uint64_t held)
{
    if (held < READER || (held & WRITER))
        wf_sync_misuse("weft_rwlock_unlock_read", "no reader holds the lock", "rwlock", l);
}

static inline void must_write(const weft_rwlock *l, uint64_t held, const char *function)
{
    if (!(held & WRITER))
        wf_sync_misuse(function, "no writer holds the lock", "rwlock", l);
}

/* Leaves the lock to its other holders and to the waits. The caller holds the queue's lock, which
 * is released. */
static void leave_unlock(weft_rwlock *l, uint64_t held)
{
    leave(l, held);
    wf_wait_settle_unlock(&l->waits_, &kind, l);
}

WEFT_API void weft_rwlock_unlock_read(weft_rwlock *lock)
{
    uint64_t seen = wf_load(&lock->holders_, RELAXED); /* the CAS checks it */

    while (!(seen & LOOK)) {
        must_read(lock, seen);
        if (wf_cas(&lock->holders_, &seen, seen - READER, RELEASE)) /* [rwlock-1] */
            return;
    }
    wf_lock(&lock->waits_.lock_);
    seen = wf_look(&lock->holders_, LOOK); /* L2 */
    must_read(lock, seen);
    leave_unlock(lock, seen - READER);
}

/* Ends the writer's hold. `left` is READER if the writer stays as a reader, else 0. */
static inline void unlock_writer(weft_rwlock *lock, uint64_t left, const char *function)
{
    uint64_t seen = wf_load(&lock->holders_, RELAXED); /* the CAS checks it */

    while (!(seen & LOOK)) {
        must_write(lock, seen, function);
        if (wf_cas(&lock->holders_, &seen, left, RELEASE)) /* [rwlock-1] */
            return;
    }
    wf_lock(&lock->waits_.lock_);
    must_write(lock, wf_look(&lock->holders_, LOOK) /* L2 */, function);
    leave_unlock(lock, left);
}

WEFT_API void weft_rwlock_unlock_write(weft_rwlock *lock)
{
    unlock_writer(lock, 0, "weft_rwlock_unlock_write");
}

WEFT_API void weft_rwlock_downgrade(weft_rwlock *lock)
{
    unlock_writer(lock, READER, "weft_rwlock_downgrade");
}
