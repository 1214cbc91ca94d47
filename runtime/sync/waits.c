/* waits.c - see waits.h */
#include "waits.h"

#include "rt.h"

#include <stdio.h>

/* The states of a wait, written under the lock. NEW must be 0: see wf_wait_is_new.
 *
 *     NEW ----> QUEUED <----> KEPT     KEPT is in the queue, too (S6). Only the owner begins and
 *      |           |         ^  |      ends it. An answer that was not seen is given back there.
 *      |           v         |  |
 *      +------> ANSWERED ----+  |
 *                  ^------------+
 */
enum { NEW, QUEUED, ANSWERED, KEPT };

#ifndef FOREIGN_AT_ONCE
#define FOREIGN_AT_ONCE 64 /* wakers of other executors that are called after one unlock: 1 KiB */
#endif

bool wf_wait_is_queued(const weft_wait *wait)
{
    return wait->state_ == QUEUED;
}

bool wf_wait_is_kept(const weft_wait *wait)
{
    return wf_load(&wait->state_, RELAXED) == KEPT; /* only its owner begins and ends that state */
}

weft_wait *wf_wait_first_polled(const weft_waits_ *waits)
{
    weft_wait *wait = waits->first_;

    while (wait && wait->state_ == KEPT)
        wait = wait->next_;
    return wait;
}

static void enqueue(weft_waits_ *waits, weft_wait *wait)
{
    WF_ASSERT(wait->state_ == NEW);           /* S2 */
    wf_store(&wait->state_, QUEUED, RELAXED); /* under the lock */
    wait->next_ = NULL;
    wait->prev_ = waits->last_;
    if (waits->last_)
        waits->last_->next_ = wait;
    else
        waits->first_ = wait;
    waits->last_ = wait;
}

/* Puts a wait that had its answer back to where it was: S1. */
static void enqueue_first(weft_waits_ *waits, weft_wait *wait)
{
    wait->prev_ = NULL;
    wait->next_ = waits->first_;
    if (waits->first_)
        waits->first_->prev_ = wait;
    else
        waits->last_ = wait;
    waits->first_ = wait;
}

static void dequeue(weft_waits_ *waits, weft_wait *wait)
{
    WF_ASSERT(wait->state_ == QUEUED);                                           /* S1 */
    WF_ASSERT(wait->prev_ ? wait->prev_->next_ == wait : waits->first_ == wait); /* S1 */
    if (wait->next_)
        wait->next_->prev_ = wait->prev_;
    else
        waits->last_ = wait->prev_;
    if (wait->prev_)
        wait->prev_->next_ = wait->next_;
    else
        waits->first_ = wait->next_;
}

bool wf_wait_settle_some(weft_waits_ *waits, const wf_wait_kind *kind, void *object,
                         wf_wakes *wakes)
{
    weft_wait *wait;
    int64_t    answer;

    while ((wait = wf_wait_first(waits)) && (answer = kind->take(object, wait)) != -EAGAIN) {
        dequeue(waits, wait);
        wait->answer_ = answer;
        wf_waker_fire(&wait->waker_, wakes);
        wf_store(&wait->state_, ANSWERED, RELEASE); /* [waits-1] */
        if (wf_wakes_full(wakes))
            return wf_wait_first(waits) != NULL;
    }
    return false;
}

/* `wakes` has the waker of another executor. Goes on, keeps such wakers apart so that the lock need
 * not be released for each of them, unlocks, and calls them. True: more waits may be answered. */
WF_SELDOM static bool settle_foreign_unlock(weft_waits_ *waits, const wf_wait_kind *kind,
                                            void *object, wf_wakes *wakes)
{
    weft_waker foreign[FOREIGN_AT_ONCE];
    int        n = 0;
    bool       more = false;

    while (wf_wakes_full(wakes) && n < FOREIGN_AT_ONCE) {
        foreign[n++] = wakes->foreign[--wakes->n_foreign];
        more = wf_wait_settle_some(waits, kind, object, wakes);
    }
    wf_unlock(&waits->lock_); /* S5 */
    wf_wakes_flush(wakes);
    for (int i = 0; i < n; i++) {
        wakes->foreign[wakes->n_foreign++] = foreign[i];
        wf_wakes_flush(wakes);
    }
    return more;
}

void wf_wait_settle_queue_unlock(weft_waits_ *waits, const wf_wait_kind *kind, void *object)
{
    wf_wakes wakes = {0};

    (void)wf_wait_settle_some(waits, kind, object, &wakes);
    while (wf_wakes_full(&wakes)) {
        if (!settle_foreign_unlock(waits, kind, object, &wakes))
            return;
        wf_lock(&waits->lock_);
        (void)wf_wait_settle_some(waits, kind, object, &wakes);
    }
    wf_unlock(&waits->lock_);
    wf_wakes_flush(&wakes);
}

/* The owner of the wait gets its answer. */
static int64_t see(weft_wait *wait, const wf_wait_kind *kind)
{
    if (kind->seen)
        kind->seen(wait->object_, wait);
    return wait->answer_;
}

static void begin_kept(weft_waits_ *waits, weft_wait *wait)
{
    wf_store(&wait->state_, KEPT, RELAXED); /* under the lock */
    waits->n_kept_++;
}

static void end_kept(weft_waits_ *waits, weft_wait *wait)
{
    WF_ASSERT(waits->n_kept_ > 0);            /* S6 */
    wf_store(&wait->state_, QUEUED, RELAXED); /* under the lock */
    waits->n_kept_--;
}

/* The next wait may be able to pass, because this one wanted many permits, or gives back what it
 * was granted. No thread wakes a kept wait, so it keeps no waker. */
bool wf_wait_keep(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    weft_waker before;
    bool       took_back = true;

    if (wf_wait_is_new(wait)) /* S7: it has no place yet, and its next poll is under way */
        return false;
    wf_lock(&waits->lock_);
    before = wf_waker_take(&wait->waker_);
    if (wait->state_ == QUEUED) {
        begin_kept(waits, wait);
    } else if (wait->state_ == ANSWERED) {
        enqueue_first(waits, wait);
        begin_kept(waits, wait);
        took_back = kind->give_back(wait->object_, wait);
    }
    WF_ASSERT(wait->state_ == KEPT && took_back); /* S6 */
    wf_wait_settle_unlock(waits, kind, wait->object_);
    wf_waker_discard(before);
    return took_back;
}

/* Ends a cancelled wait, and unlocks. The next wait may then be able to pass, because this one
 * wanted many permits or gives back what it was granted. */
static int64_t withdraw_unlock(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    weft_waker before = wf_waker_take(&wait->waker_);
    void      *object = wait->object_;
    int64_t    answer = -ECANCELED;

    if (wait->state_ == KEPT)
        end_kept(waits, wait);
    if (wait->state_ == QUEUED) {
        dequeue(waits, wait);
        if (kind->leave)
            answer = kind->leave(object, wait);
    } else if (wait->state_ == ANSWERED && !kind->give_back(object, wait)) {
        answer = see(wait, kind);
    }
    wf_wait_settle_unlock(waits, kind, object);
    wf_waker_discard(before);
    return answer;
}

/* The first poll. If it gets its answer without budget, it keeps the answer for the next poll, for
 * which its task has been woken, or leaves it (S7). */
static inline __attribute__((always_inline)) void begin(weft_wait *wait, weft_waits_ *waits,
                                                        const wf_wait_kind *kind)
{
    int64_t answer = -EAGAIN;

    if (!wf_wait_first(waits) || kind->counts)
        answer = kind->take(wait->object_, wait);
    if (answer == -EAGAIN) {
        enqueue(waits, wait);
    } else {
        wf_store(&wait->state_, ANSWERED, RELAXED); /* under the lock */
        wait->answer_ = answer;
    }
}

/* The first poll since the wait was kept. It has its place, and is asked as if it had been there
 * all the time: S6. */
WF_SELDOM static void resume(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    int64_t answer = -EAGAIN;

    end_kept(waits, wait);
    if (wf_wait_first(waits) == wait || kind->counts)
        answer = kind->take(wait->object_, wait);
    if (answer == -EAGAIN)
        return;
    dequeue(waits, wait);
    wf_store(&wait->state_, ANSWERED, RELAXED); /* under the lock */
    wait->answer_ = answer;
}

/* A poll that has no budget. What it is given now it gives back, and the next poll looks again: S7.
 * An answer that it was given before it keeps. */
WF_SELDOM static void advance_unpaid(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    uint16_t before = wait->state_;

    if (before == NEW)
        begin(wait, waits, kind);
    else if (before == KEPT)
        resume(wait, waits, kind);
    if (!kind->needs_budget || before == ANSWERED || wait->state_ != ANSWERED || wait->answer_ != 0)
        return;
    wf_store(&wait->state_, NEW, RELAXED); /* under the lock */
    if (before == KEPT) {
        enqueue_first(waits, wait);
        begin_kept(waits, wait);
    }
    (void)kind->give_back(wait->object_, wait);
}

/* Whether the wait has its answer, and the thread that gave it has unlocked since. That thread no
 * longer uses the object then (S5), so the owner of the wait need not take the lock. */
static bool is_settled(const weft_wait *wait, const weft_waits_ *waits)
{
    return wf_load(&wait->state_, ACQUIRE) == ANSWERED && /* [waits-1] */
           wf_load(&waits->lock_, ACQUIRE) == 0;          /* [lock-1] */
}

int64_t wf_wait_poll(weft_wait *wait, const weft_context *cx, bool cancelled, bool has_budget,
                     weft_waits_ *waits, const wf_wait_kind *kind)
{
    weft_waker next = {0};
    int64_t    answer = -EAGAIN;

    if (kind->ends_alone && has_budget && !cancelled && is_settled(wait, waits))
        return wait->answer_;
    if (!cancelled)
        next = wf_waker_prepare(cx->waker);
    wf_lock(&waits->lock_);
    if (cancelled)
        return withdraw_unlock(wait, waits, kind);
    if (__builtin_expect(!has_budget, 0))
        advance_unpaid(wait, waits, kind);
    else if (wait->state_ == NEW)
        begin(wait, waits, kind);
    else if (__builtin_expect(wait->state_ == KEPT, 0))
        resume(wait, waits, kind);
    if (wait->state_ == QUEUED) {
        wf_waker_exchange(&wait->waker_, &next);
        wf_unlock(&waits->lock_);
    } else {
        if (has_budget)
            answer = see(wait, kind);
        /* A new wait may let others have their answers: the last one of a barrier. */
        wf_wait_settle_unlock(waits, kind, wait->object_);
    }
    wf_waker_discard(next);
    return answer;
}

weft_poll wf_wait_poll_future(weft_future *future, weft_context *cx, weft_waits_ *waits,
                              const wf_wait_kind *kind)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    bool       cancelled = weft_future_is_cancelled(future);
    bool       has_budget = cancelled || weft_context_spend(cx);
    int64_t    answer = wf_wait_poll(wait, cx, cancelled, has_budget, waits, kind);

    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

void wf_wait_cancel(weft_future *future)
{
    (void)future;
}

void wf_sync_misuse(const char *function, const char *rule, const char *what, const void *object)
{
    char where[64];

    snprintf(where, sizeof where, "the %s at %p", what, object);
    weft_misuse_(function, rule, where);
}
