/*
 * join.c - a task's end is handed over to the task that joins it
 *
 * Purpose     See join.h.
 * Threads     See join.h.
 * Invariants  See join.h.
 * Ordering    See join.h.
 * Failure     None.
 */
#include "join.h"

#include "lock.h"

WF_SELDOM void wf_join_complete(wf_task *t)
{
    wf_wakes wakes = {0};
    uint64_t was = wf_lock_bit(&t->state, WF_TASK_JLOCK), joiner = was & WF_TASK_JOINER;

    if (joiner)
        wf_waker_fire(&t->joiner->waker_, &wakes);
    /* A joiner that has just been withdrawn is not there any more. One that comes meanwhile sets
     * JOINER, which stays, and waits for JLOCK. */
    was = wf_word_change(&t->state, WF_TASK_RUNNING | WF_TASK_JLOCK | joiner, WF_TASK_COMPLETE, -1,
                         ACQ_REL); /* [task-2] [task-3] */
    wf_lock_gave();
    if (wf_word_is_only_ref(was))
        wf_task_discard(t);
    wf_wakes_flush(&wakes);
}

/* The waker may be being fired. */
static bool join_locked(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker), before = {0};
    uint64_t   was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    if (was & WF_TASK_COMPLETE)
        before = wf_waker_take(&handle->waker_);
    else
        wf_waker_exchange(&handle->waker_, &next);
    (void)wf_word_change(&t->state, WF_TASK_JLOCK, 0, 0, RELEASE); /* [task-2] */
    wf_lock_gave();
    wf_waker_discard(before);
    wf_waker_discard(next);
    return was & WF_TASK_COMPLETE;
}

bool wf_join_await(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-2] */

    if (state & WF_TASK_COMPLETE)
        return true;
    if (state & WF_TASK_JOINER)
        return join_locked(t, handle, waker);
    /* The waker is the joiner's alone until JOINER says that it is there. */
    t->joiner = handle;
    wf_waker_store(&handle->waker_, waker);
    state = wf_word_change(&t->state, 0, WF_TASK_JOINER, 0, ACQ_REL); /* [task-2] */
    if (state & (WF_TASK_COMPLETE | WF_TASK_JLOCK)) /* it has ended, or ends without seeing this */
        return join_locked(t, handle, waker);
    return false;
}

void wf_join_withdraw(wf_task *t)
{
    weft_waker before = {0};
    uint64_t   was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    if ((was & WF_TASK_JOINER) && !(was & WF_TASK_COMPLETE))
        before = wf_waker_take(&t->joiner->waker_);
    (void)wf_word_change(&t->state, WF_TASK_JLOCK | (was & WF_TASK_JOINER), 0, 0,
                         RELEASE); /* [task-2] */
    wf_lock_gave();
    wf_waker_discard(before);
}
