/*
 * rwlock.c - see weft/sync.h
 *
 * Purpose     Many readers, or one writer.
 * Threads     Any.
 * Invariants  A reader is queued behind a writer that waits, so writers do not starve.
 * Ordering    The queue's lock.
 * Failure     Unlocking a lock that is not held aborts.
 */
#include "waits.h"

enum { READ, WRITE };

static int64_t take(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;

    if (l->writer_ || (wait->n_ == WRITE && l->readers_ > 0))
        return -EAGAIN;
    if (wait->n_ == WRITE)
        l->writer_ = true;
    else
        l->readers_++;
    return 0;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_rwlock *l = object;

    if (wait->n_ == WRITE)
        l->writer_ = false;
    else
        l->readers_--;
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back};

static weft_poll lock_poll(weft_future *future, weft_context *cx)
{
    weft_wait   *wait = weft_container(future, weft_wait, future);
    weft_rwlock *l = wait->object_;

    return wf_wait_poll_future(future, cx, &l->waits_, &kind);
}

static const weft_future_ops read_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                         "weft_rwlock_read", lock_poll, wf_wait_cancel};
static const weft_future_ops write_ops = {sizeof(weft_wait), WEFT_FUTURE_WITHDRAWS,
                                          "weft_rwlock_write", lock_poll, wf_wait_cancel};

WEFT_API weft_future *weft_rwlock_read(weft_wait *wait, weft_rwlock *lock)
{
    return wf_wait_init(wait, &read_ops, lock, READ);
}

WEFT_API weft_future *weft_rwlock_write(weft_wait *wait, weft_rwlock *lock)
{
    return wf_wait_init(wait, &write_ops, lock, WRITE);
}

static int try_lock(weft_rwlock *l, uint32_t how)
{
    weft_wait wait = {.n_ = how};
    int64_t   r = -EAGAIN;

    wf_lock(&l->waits_.lock_);
    if (!l->waits_.first_)
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
    if (lock->readers_ == 0)
        weft_misuse_("weft_rwlock_unlock_read", "no reader holds the lock", "sync.h");
    lock->readers_--;
    wf_wait_settle_unlock(&lock->waits_, &kind, lock);
}

/* Ends the writer's hold. `readers` is 1 if the writer stays as a reader, else 0. */
static void unlock_writer(weft_rwlock *lock, uint32_t readers, const char *function)
{
    wf_lock(&lock->waits_.lock_);
    if (!lock->writer_)
        weft_misuse_(function, "no writer holds the lock", "sync.h");
    lock->writer_ = false;
    lock->readers_ = readers;
    wf_wait_settle_unlock(&lock->waits_, &kind, lock);
}

WEFT_API void weft_rwlock_unlock_write(weft_rwlock *lock)
{
    unlock_writer(lock, 0, "weft_rwlock_unlock_write");
}

WEFT_API void weft_rwlock_downgrade(weft_rwlock *lock)
{
    unlock_writer(lock, 1, "weft_rwlock_downgrade");
}
