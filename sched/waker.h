/*
 * waker.h - storing wakers in futures, and waking in two steps
 *
 * Purpose     What a leaf future does with its task's waker, and what the thread that completes the
 *             future does with it.
 * Threads     Any. The slot is guarded by the lock of the object that the future waits on.
 * Invariants  W1 the slot is touched only under that lock. W2 step one of a wake (wf_waker_fire:
 *             mark the task) happens under the lock. So the future can't end before step one is
 *             done, and a stored waker may be borrowed. W3 step two (wf_wakes_flush: queue the
 *             task) happens outside the lock. A marked task can't end before it has been queued and
 *             run. W4 at most two wakers are fired between looks at wf_wakes_full. W5 a slot holds
 *             a reference unless its vtable is one of weft's own (notify_); of weft's own only
 *             wf_task_counted_vtable holds one. W6 no code of another executor runs under the lock,
 *             because it may use the very object that the lock guards. So a waker is cloned before
 *             the lock is taken, and dropped or woken after it was released. The order is
 *             wf_waker_prepare, lock, wf_waker_exchange or wf_waker_take, unlock, wf_waker_discard.
 * Ordering    The lock, and the task's state word [task-1].
 * Failure     None.
 */
#ifndef WF_WAKER_H
#define WF_WAKER_H

#include <weft/waker.h>

struct wf_task;

/* Tasks that are marked woken and wait to be queued, oldest first. */
typedef struct wf_wakes {
    struct wf_task *first, *last;
    weft_waker      foreign[2]; /* of other executors, to be woken outside the lock */
    uint32_t        n_foreign;
} wf_wakes;

/* Declared in task.h, too. */
extern const weft_waker_vtable wf_task_counted_vtable;

/* Whether the waker holds no reference: W5. */
static inline bool wf_waker_is_borrowed(const weft_waker *waker)
{
    return waker->vtable->notify_ && waker->vtable != &wf_task_counted_vtable;
}

/* Stores the context's waker in place of the present one. weft's own wakers are borrowed. Wakers of
 * other executors and of weft_future_poll are cloned. Outside all locks, while no other thread
 * knows the slot. */
void wf_waker_store(weft_waker *slot, const weft_waker *waker);
/* Empties the slot without waking. Outside all locks. */
void wf_waker_forget(weft_waker *slot);

/* Returns what wf_waker_store would put into an empty slot. Outside all locks. */
static inline weft_waker wf_waker_prepare(const weft_waker *waker)
{
    weft_waker prepared = {0};

    if (__builtin_expect(wf_waker_is_borrowed(waker), 1))
        return *waker;
    wf_waker_store(&prepared, waker);
    return prepared;
}

/* Stores a borrowed waker if the slot is empty or has another borrowed one, so that no reference
 * changes. False: the caller must do it in the order of W6. Under the lock. */
static inline bool wf_waker_store_own(weft_waker *slot, const weft_waker *waker)
{
    if (__builtin_expect(
            !wf_waker_is_borrowed(waker) || (slot->vtable && !wf_waker_is_borrowed(slot)), 0))
        return false;
    *slot = *waker;
    return true;
}

/* Swaps the slot and the prepared waker. *prepared is then what the caller must discard. Under the
 * lock. */
static inline void wf_waker_exchange(weft_waker *slot, weft_waker *prepared)
{
    weft_waker before = *slot;

    *slot = *prepared;
    *prepared = before;
}

/* Empties the slot and returns what the caller must discard. Under the lock. */
static inline WEFT_NODISCARD weft_waker wf_waker_take(weft_waker *slot)
{
    weft_waker before = *slot;

    slot->vtable = NULL;
    return before;
}

/* Drops what was exchanged or taken. Outside all locks. */
static inline void wf_waker_discard(weft_waker waker)
{
    if (__builtin_expect(waker.vtable && !wf_waker_is_borrowed(&waker), 0))
        wf_waker_forget(&waker);
}

/* Step one: empties the slot and marks its task. */
void wf_waker_fire(weft_waker *slot, wf_wakes *wakes);
/* Whether the caller must flush them, outside the lock, before it fires more. */
static inline bool wf_wakes_full(const wf_wakes *wakes)
{
    return wakes->n_foreign > 0;
}
/* Adds a marked task. */
void wf_wakes_add(wf_wakes *wakes, struct wf_task *t);
/* Step two: queues the tasks, of which there must be some. Outside all locks. */
void wf_wakes_flush_some(wf_wakes *wakes);
/* Step two: queues the tasks, if there are any. Outside all locks. */
static inline void wf_wakes_flush(wf_wakes *wakes)
{
    if (wakes->first || wakes->n_foreign > 0)
        wf_wakes_flush_some(wakes);
}
/* Step two for the wakers of other executors only. Outside all locks. */
void wf_wakes_flush_foreign(wf_wakes *wakes);

#endif
