/* waits.c - see waits.h */
#include "waits.h"

/* The states of a wait, written under the lock. NEW must be 0: see wf_wait_is_new. */
enum { NEW, QUEUED, ANSWERED };

static void enqueue(weft_waits_ *waits, weft_wait *wait)
{
    wf_store(&wait->state_, QUEUED, RELAXED); /* under the lock */
    wait->next_ = NULL;
    wait->prev_ = waits->last_;
    if (waits->last_)
        waits->last_->next_ = wait;
    else
        waits->first_ = wait;
    waits->last_ = wait;
}

static void dequeue(weft_waits_ *waits, weft_wait *wait)
{
    if (wait->next_)
        wait->next_->prev_ = wait->prev_;
    else
        waits->last_ = wait->prev_;
    if (wait->prev_)
        wait->prev_->next_ = wait->next_;
    else
        waits->first_ = wait->next_;
}

void wf_wait_settle_unlock(weft_waits_ *waits, const wf_wait_kind *kind, void *object)
{
    wf_wakes   wakes = {0};
    weft_wait *wait;
    int64_t    answer;

    while ((wait = waits->first_) && (answer = kind->take(object, wait)) != -EAGAIN) {
        dequeue(waits, wait);
        wf_store(&wait->state_, ANSWERED, RELAXED); /* under the lock */
        wait->answer_ = answer;
        wf_waker_fire(&wait->waker_, &wakes);
        if (wf_wakes_full(&wakes)) {
            wf_unlock(&waits->lock_);
            wf_wakes_flush(&wakes);
            wf_lock(&waits->lock_);
        }
    }
    wf_unlock(&waits->lock_);
    wf_wakes_flush(&wakes);
}

/* Ends a cancelled wait, and unlocks. The next wait may then be able to pass, because this one
 * wanted many permits or gives back what it was granted. */
static int64_t withdraw_unlock(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    weft_waker before = wf_waker_take(&wait->waker_);
    void      *object = wait->object_;
    int64_t    answer = -ECANCELED;

    if (wait->state_ == QUEUED) {
        dequeue(waits, wait);
        if (kind->leave)
            kind->leave(object, wait);
    } else if (wait->state_ == ANSWERED && !kind->give_back(object, wait)) {
        answer = wait->answer_;
    }
    wf_wait_settle_unlock(waits, kind, object);
    wf_waker_discard(before);
    return answer;
}

/* The first poll. If it gets its answer without budget, it keeps the answer for the next poll, for
 * which its task has been woken. */
static void begin(weft_wait *wait, weft_waits_ *waits, const wf_wait_kind *kind)
{
    int64_t answer = -EAGAIN;

    if (!waits->first_ || kind->counts)
        answer = kind->take(wait->object_, wait);
    if (answer == -EAGAIN) {
        enqueue(waits, wait);
    } else {
        wf_store(&wait->state_, ANSWERED, RELAXED); /* under the lock */
        wait->answer_ = answer;
    }
}

int64_t wf_wait_poll(weft_wait *wait, const weft_context *cx, bool cancelled, bool has_budget,
                     weft_waits_ *waits, const wf_wait_kind *kind)
{
    weft_waker next = {0};
    int64_t    answer = -EAGAIN;

    if (!cancelled)
        next = wf_waker_prepare(cx->waker);
    wf_lock(&waits->lock_);
    if (cancelled)
        return withdraw_unlock(wait, waits, kind);
    if (wait->state_ == NEW)
        begin(wait, waits, kind);
    if (wait->state_ == QUEUED)
        wf_waker_exchange(&wait->waker_, &next);
    else if (has_budget)
        answer = wait->answer_;
    wf_wait_settle_unlock(waits, kind, wait->object_);
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
