/*
 * sync.h - locks and the like for tasks: a wait blocks no worker
 *
 * Each of these is a plain struct in memory of yours. All bytes zero is a valid start, nothing is
 * allocated, and no runtime is needed. Waiting is a future in a weft_wait of the caller's. A task
 * may hold a lock across an await; with a thread's mutex (pthread_mutex_t) that can stop the whole
 * program.
 *
 * Waiters are served in the order in which they were first polled. A task that has used up the
 * budget of its poll yields before it takes a lock that is free. All waits but that of a condition
 * WITHDRAW: a cancelled wait leaves the queue, and what it had just been granted goes to the next
 * waiter.
 *
 * The memory must stay in place while a task waits or holds, and until each call has returned: a
 * lock may be free a moment before the unlock that freed it returns. Any thread may call any of
 * these functions, unless its comment says otherwise.
 *
 * A mutex, a rwlock that is locked for writing and a once that is being made know the task that
 * holds them. weft_runtime_dump names it. Tasks that wait for each other in a circle are named in
 * the log: a warning, because a cancel or another task that unlocks may still end it. The readers
 * of a rwlock and the holders of permits are not known, and what a plain thread waits for is not
 * looked at. So a circle through any of these is not named. The dump tells what each task of it
 * waits for.
 *
 * A wait that a select keeps (weft_keep) and that is not polled is passed over until it is polled
 * again. Its place in the queue remains. A condition differs: a signal may reach a kept wait, and
 * stays with it. Only the mutex goes to the next. A kept wait at a barrier counts as one that
 * waits.
 *
 * A task that ends or panics does not give back what it holds. Unlock in a deferred call if what is
 * done under a lock may panic (weft_defer, weft_fiber_defer).
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/async.h>
#include <weft/wait.h>

WEFT_BEGIN_DECLS

/* The waits on one object, in their order. */
typedef struct weft_waits_ {
    weft_wait *first_, *last_;
    uint32_t   lock_;
    uint32_t   n_kept_; /* of them: branches of weft_keep that are not polled */
} weft_waits_;

/* ---- mutex ---- */

/* A lock that one task holds at a time. Zero: free. */
typedef struct weft_mutex {
    weft_waits_ waits_;
    uint64_t    state_; /* with the owner */
} weft_mutex;

/*
 * Locks the mutex. Tasks that wait for it already come first.
 *
 * Returns: 0, and the mutex is the caller's until weft_mutex_unlock.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS; the mutex is not held then.
 *
 * A task that locks a mutex which it holds itself waits until another task or a thread unlocks it,
 * and usually that is for ever. Two tasks that lock two mutexes in opposite order wait for each
 * other. The watchdog logs both.
 */
WEFT_API weft_future *weft_mutex_lock(weft_wait *wait, weft_mutex *mutex);

/*
 * Locks the mutex if that is possible at once.
 *
 * Returns: 0.
 * Errors:  -EBUSY, it is held.
 */
WEFT_API WEFT_NODISCARD int weft_mutex_try_lock(weft_mutex *mutex);

/*
 * Unlocks the mutex, and hands it to the first waiter if there is one. Aborts if it is not held.
 * Any task may unlock it. Until then the task that locked it counts as its owner.
 *
 * Thread: any.
 */
WEFT_API void weft_mutex_unlock(weft_mutex *mutex);

/* ---- semaphore ---- */

/* A number of permits. Zero: there is none, until some are released. */
typedef struct weft_semaphore {
    weft_waits_ waits_;
    uint64_t    available_;
    bool        closed_;
} weft_semaphore;

/* Makes a semaphore with the given number of permits. Call it before anything else uses it. */
WEFT_API void weft_semaphore_init(weft_semaphore *semaphore, uint32_t permits);

/*
 * Takes `n` permits, all at once. A wait for many permits holds up the waits behind it, so that
 * waits for a few permits can't pass it again and again.
 *
 * Returns: 0.
 * Errors:  -EPIPE, the semaphore is closed.
 * Cancel:  WITHDRAWS; no permit is taken then.
 */
WEFT_API weft_future *weft_semaphore_acquire(weft_wait *wait, weft_semaphore *semaphore,
                                             uint32_t n);

/*
 * Takes `n` permits if that is possible at once.
 *
 * Returns: 0.
 * Errors:  -EAGAIN, there are too few, or others wait. -EPIPE, the semaphore is closed.
 */
WEFT_API WEFT_NODISCARD int weft_semaphore_try_acquire(weft_semaphore *semaphore, uint32_t n);

/* Releases `n` permits. They need not have been taken before. Pending waits get them in the order
 * of the queue, and what is left is free for later callers. */
WEFT_API void weft_semaphore_release(weft_semaphore *semaphore, uint32_t n);

/* Closes the semaphore. Pending waits end with -EPIPE, and so do later ones. Permits that have been
 * taken may still be released. */
WEFT_API void weft_semaphore_close(weft_semaphore *semaphore);

/* Returns how many permits are free now. It may be another number a moment later. */
WEFT_API uint64_t weft_semaphore_available(weft_semaphore *semaphore);

/* ---- rwlock ---- */

/* A lock that many readers hold at a time, or one writer. Zero: free. */
typedef struct weft_rwlock {
    weft_waits_ waits_;
    uint64_t    holders_; /* readers or the writer, with its owner */
} weft_rwlock;

/*
 * Locks for reading. While a writer waits, later readers wait behind it, so that the writer gets
 * its turn.
 *
 * Returns: 0, and the lock is held until weft_rwlock_unlock_read.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS; the lock is not held then.
 */
WEFT_API weft_future *weft_rwlock_read(weft_wait *wait, weft_rwlock *lock);

/*
 * Locks for writing. It waits until no reader and no other writer holds the lock.
 *
 * Returns: 0, and the lock is held until weft_rwlock_unlock_write.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS; the lock is not held then.
 */
WEFT_API weft_future *weft_rwlock_write(weft_wait *wait, weft_rwlock *lock);

/*
 * Locks for reading if that is possible at once.
 *
 * Returns: 0.
 * Errors:  -EBUSY, a writer holds the lock, or others wait.
 */
WEFT_API WEFT_NODISCARD int weft_rwlock_try_read(weft_rwlock *lock);

/*
 * Locks for writing if that is possible at once.
 *
 * Returns: 0.
 * Errors:  -EBUSY, the lock is held, or others wait.
 */
WEFT_API WEFT_NODISCARD int weft_rwlock_try_write(weft_rwlock *lock);

/* Releases the lock that weft_rwlock_read or weft_rwlock_try_read has taken. Aborts if no reader
 * holds it. */
WEFT_API void weft_rwlock_unlock_read(weft_rwlock *lock);

/* Releases the lock that weft_rwlock_write or weft_rwlock_try_write has taken. Aborts if no writer
 * holds it. */
WEFT_API void weft_rwlock_unlock_write(weft_rwlock *lock);

/* Turns the lock of the writer into that of a reader. No other writer can get the lock in between.
 * Aborts if no writer holds the lock. */
WEFT_API void weft_rwlock_downgrade(weft_rwlock *lock);

/* ---- event ---- */

/* A flag that can be waited for. Zero: not set. */
typedef struct weft_event {
    weft_waits_ waits_;
    uint32_t    round_;
    bool        set_;
} weft_event;

/*
 * Waits until the event is set. A wait that is pending when weft_event_set is called ends, even if
 * the event is reset at once.
 *
 * Returns: 0.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS.
 */
WEFT_API weft_future *weft_event_wait(weft_wait *wait, weft_event *event);

/* Sets the event. All pending waits end, and later ones end at once. */
WEFT_API void weft_event_set(weft_event *event);

/* Resets the event. Later waits wait until it is set again. */
WEFT_API void weft_event_reset(weft_event *event);

/* Returns whether the event is set. */
WEFT_API bool weft_event_is_set(weft_event *event);

/* ---- notify ---- */

/* Tells tasks that something has changed. They look for themselves what it is. Zero: no permit. */
typedef struct weft_notify {
    weft_waits_ waits_;
    uint32_t    round_;   /* counts weft_notify_all */
    uint32_t    permits_; /* 0 or 1, and more while waits are kept */
} weft_notify;

/*
 * Waits for a notification.
 *
 * Returns: 0.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS. If a weft_notify_one had reached this wait, its notification goes to the next
 *          wait, or is stored.
 */
WEFT_API weft_future *weft_notify_wait(weft_wait *wait, weft_notify *notify);

/* Ends the first pending wait. If there is none, one permit is stored, and the next wait takes
 * it. */
WEFT_API void weft_notify_one(weft_notify *notify);

/* Ends all pending waits. Nothing is stored for later ones. */
WEFT_API void weft_notify_all(weft_notify *notify);

/* ---- condition ---- */

/* A condition variable: tasks wait until state that a mutex guards has changed. Zero: ready. */
typedef struct weft_condition {
    weft_notify notify_;
} weft_condition;

/*
 * Unlocks the mutex, waits for a signal, and locks the mutex again. Look at the state in a loop:
 * another task may have changed it between the signal and the lock.
 *
 * Returns: 0. The mutex is held.
 * Errors:  -ECANCELED. The mutex is held all the same.
 * Cancel:  DRAINS: a cancelled wait stays PENDING until it has locked the mutex.
 */
WEFT_API weft_future *weft_condition_wait(weft_wait *wait, weft_condition *condition,
                                          weft_mutex *mutex);

/* Wakes one waiter. Nothing is stored if there is none. The caller may hold the mutex. */
WEFT_API void weft_condition_signal(weft_condition *condition);

/* Wakes all waiters. The caller may hold the mutex. */
WEFT_API void weft_condition_broadcast(weft_condition *condition);

/* ---- barrier ---- */

/* A point that `n` tasks pass together, again and again. It must be made by weft_barrier_init. */
typedef struct weft_barrier {
    weft_waits_ waits_;
    uint32_t    n_, arrived_, round_;
} weft_barrier;

/* Makes a barrier for `n` tasks, at least 1. Call it before anything else uses it. */
WEFT_API void weft_barrier_init(weft_barrier *barrier, uint32_t n);

/*
 * Waits until `n` tasks wait at the barrier. Then all of them pass it together.
 *
 * Returns: 1 for one of the tasks, the leader, and 0 for the others.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS. The task then does not count as one that waits. If the tasks have passed the
 *          barrier before, the result is 0 or 1.
 */
WEFT_API weft_future *weft_barrier_wait(weft_wait *wait, weft_barrier *barrier);

/* ---- once ---- */

/* Something that is made once, by the first task that needs it. Zero: not made. */
typedef struct weft_once {
    weft_waits_ waits_;
    uint64_t    state_; /* with the owner */
} weft_once;

/*
 * Asks for something that is made once. The first caller gets 1 and makes it, and may await
 * meanwhile. All other callers wait until it has been made.
 *
 *     WEFT_AWAIT(n, weft_once_begin(&self->wait, &table_made));
 *     if (n == 1) {
 *         WEFT_CALL(n, make_table, &self->make_table);
 *         weft_once_end(&table_made, n >= 0);
 *     }
 *
 * Returns: 1, the caller is to make it and to call weft_once_end. 0, it has been made.
 * Errors:  none but -ECANCELED.
 * Cancel:  WITHDRAWS; another waiter gets the turn then.
 */
WEFT_API weft_future *weft_once_begin(weft_wait *wait, weft_once *once);

/* Ends the turn of a caller whose weft_once_begin returned 1. If `made` is true, all callers get 0
 * from now on. Otherwise the next caller gets 1 and tries in its turn. */
WEFT_API void weft_once_end(weft_once *once, bool made);

/* Returns whether it has been made. After true the caller sees what was written before
 * weft_once_end. */
WEFT_API bool weft_once_is_made(weft_once *once);

WEFT_END_DECLS

#endif
