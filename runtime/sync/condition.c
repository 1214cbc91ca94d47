/*
 * condition.c - see weft/sync.h
 *
 * Purpose     Waits for a change of the state that a mutex guards.
 * Threads     Any.
 * Invariants  The wait is queued before the mutex is unlocked, so no signal is lost. After its
 *             signal or its cancel the wait queues for the mutex. It ends only when it holds the
 *             mutex.
 * Ordering    The queues' locks.
 * Failure     Waiting without holding the mutex aborts (weft_mutex_unlock).
 */
#include "mutex.h"
#include "notify.h"

/* A cancelled wait keeps a signal that has reached it. It still locks the mutex, and its caller
 * checks the condition. */
static bool keep_signal(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return false;
}

static const wf_wait_kind kind = {.take = wf_notify_take, .give_back = keep_signal, .counts = true};

/* The wait has its signal or was cancelled. From here on it waits for the mutex. */
static void turn_to_mutex(weft_wait *wait, int64_t outcome)
{
    wait->object_ = wait->second_;
    wait->second_ = NULL;
    wait->outcome_ = (int16_t)outcome;
    wait->n_ = 0;
    wf_wait_renew(wait);
}

/* Polls the wait for a signal. False: it is PENDING. */
static bool poll_signal(weft_wait *wait, weft_context *cx)
{
    weft_condition *c = wait->object_;
    bool            is_new = wf_wait_is_new(wait);
    bool            cancelled = weft_future_is_cancelled(&wait->future);
    bool            has_budget = cancelled || weft_context_spend(cx);
    int64_t answer = wf_wait_poll(wait, cx, cancelled, has_budget, &c->notify_.waits_, &kind);

    if (is_new)
        weft_mutex_unlock(wait->second_);
    if (answer == -EAGAIN)
        return false;
    turn_to_mutex(wait, answer);
    return true;
}

static weft_poll wait_poll(weft_future *future, weft_context *cx)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_mutex *m;

    if (wait->second_ && !poll_signal(wait, cx))
        return WEFT_PENDING;
    /* Neither a cancel nor an empty budget ends the wait for the mutex. */
    m = wait->object_;
    if (wf_held_poll(wait, cx, false, true, &m->waits_, &wf_mutex_kind) == -EAGAIN)
        return WEFT_PENDING;
    return weft_ready(future, wait->outcome_);
}

/* It waits for its mutex once it has had its signal. */
static bool find_holder(const weft_future *future, wf_held_by *ret)
{
    return !weft_container(future, weft_wait, future)->second_ && wf_mutex_find_holder(future, ret);
}

/* A signal is for those that wait when it comes, so a kept wait has it. Only the mutex goes on. */
static bool condition_keep(weft_future *future)
{
    weft_wait  *wait = weft_container(future, weft_wait, future);
    weft_mutex *m = wait->object_;

    return !wait->second_ && wf_wait_keep(wait, &m->waits_, &wf_mutex_kind);
}

static const wf_outer_ops wait_ops = {.ops = {sizeof(weft_wait),
                                              WEFT_FUTURE_DRAINS | WEFT_FUTURE_SHOWS_,
                                              "weft_condition_wait", wait_poll, wf_wait_cancel},
                                      .find_holder = find_holder,
                                      .keep = condition_keep};

WEFT_API weft_future *weft_condition_wait(weft_wait *wait, weft_condition *condition,
                                          weft_mutex *mutex)
{
    wf_wait_init(wait, &wait_ops.ops, condition, 0);
    wait->second_ = mutex;
    return &wait->future;
}

WEFT_API void weft_condition_signal(weft_condition *condition)
{
    weft_notify *n = &condition->notify_;

    wf_notify_lock(n, &kind);
    n->permits_ = n->waits_.first_ != NULL;
    wf_wait_settle_unlock(&n->waits_, &kind, condition);
}

WEFT_API void weft_condition_broadcast(weft_condition *condition)
{
    weft_notify *n = &condition->notify_;

    wf_lock(&n->waits_.lock_);
    n->round_++;
    wf_wait_settle_unlock(&n->waits_, &kind, condition);
}
