/*
 * rwlock.c - see weft/sync.h
 *
 * Purpose     Many readers, or one writer.
 * Threads     Any.
 * Invariants  A reader is queued behind a writer that waits, so writers do not starve. A writer
 *             that is kept (keep.h) lets readers pass.
 * Ordering    The queue's lock.
 * Failure     Unlocking a lock that is not held aborts.
 */
#include "held.h"

enum { READ, WRITE }; /* the own bits of n_ */

/* The word: a writer's owner and WRITER, or the number of readers times READER. */
enum { WRITER = 1, READER = 2 };

static bool wants_to_write(const weft_wait *wait)
{
    return wait->n_ & WRITE;
}

static void set(weft_rwlock *l, uint64_t holders)
{
    wf_store(&l->holders_, holders, RELAXED); /* under the lock */
}

static int64_t take(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;

    if ((l->holders_ & WRITER) || (wants_to_write(wait) && l->holders_ > 0))
        return -EAGAIN;
    set(l, wants_to_write(wait) ? wf_held_owner(wait) | WRITER : l->holders_ + READER);
    return 0;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;

    WF_ASSERT(wants_to_write(wait) == (l->holders_ & WRITER) && l->holders_ > 0);
    set(l, wants_to_write(wait) ? 0 : l->holders_ - READER);
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back, .ends_alone = true};

static weft_poll lock_poll(weft_future *future, weft_context *cx)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_rwlock *l = wait->object_;

    return wf_held_poll_future(future, cx, &l->waits_, &kind);
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

WEFT_API void weft_rwlock_unlock_read(weft_rwlock *lock)
{
    wf_lock(&lock->waits_.lock_);
    if (lock->holders_ < READER || (lock->holders_ & WRITER))
        wf_sync_misuse("weft_rwlock_unlock_read", "no reader holds the lock", "rwlock", lock);
    set(lock, lock->holders_ - READER);
    wf_wait_settle_unlock(&lock->waits_, &kind, lock);
}

/* Ends the writer's hold. `left` is READER if the writer stays as a reader, else 0. */
static void unlock_writer(weft_rwlock *lock, uint64_t left, const char *function)
{
    wf_lock(&lock->waits_.lock_);
    if (!(lock->holders_ & WRITER))
        wf_sync_misuse(function, "no writer holds the lock", "rwlock", lock);
    set(lock, left);
    wf_wait_settle_unlock(&lock->waits_, &kind, lock);
}

WEFT_API void weft_rwlock_unlock_write(weft_rwlock *lock)
{
    unlock_writer(lock, 0, "weft_rwlock_unlock_write");
}

WEFT_API void weft_rwlock_downgrade(weft_rwlock *lock)
{
    unlock_writer(lock, READER, "weft_rwlock_downgrade");
}
