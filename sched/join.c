/* join.c - see join.h */
#include "join.h"

#include "lock.h"
#include "worker.h"

WF_SELDOM void wf_join_complete(wf_task *t)
{
    wf_wakes wakes = {0};
    uint64_t was = wf_lock_bit(&t->state, WF_TASK_JLOCK), joiner = was & WF_TASK_JOINER;

    if (joiner)
        wf_waker_fire(&t->joiner->waker_, &wakes);
    /* The lock settles what races with the joiner. A joiner that has withdrawn before it is not
     * seen. A joiner that comes meanwhile sets JOINER, which stays set, and waits for JLOCK. */
    was = wf_word_change(&t->state, WF_TASK_RUNNING | WF_TASK_JLOCK | joiner, WF_TASK_COMPLETE, -1,
                         ACQ_REL); /* [task-2] [task-3] */
    wf_lock_gave();
    if (wf_word_is_only_ref(was))
        wf_task_discard(t);
    wf_wakes_flush(&wakes);
}

/* The longer way: the run may be firing the waker just now. */
static bool join_locked(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    weft_waker next = wf_waker_prepare(waker), before = {0};
    uint64_t   was = wf_lock_bit(&t->state, WF_TASK_JLOCK);

    /* weft_join empties the slot of a handle. While a join waits, that slot is full. */
    if (!(was & WF_TASK_COMPLETE) && !handle->waker_.vtable)
        weft_misuse_("weft_join", "another join of the task is pending", wf_task_name(t));
    /* Wakers are swapped under the lock and dropped after it: dropping one may run foreign code. A
     * run that has ended meanwhile may have left the waker that came too late to be fired. */
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

/* Whether `other` awaits the end of the task, by a join that it polls itself. */
static bool is_joined_by(wf_task *t, const wf_task *other)
{
    bool     found;
    uint64_t was;

    if (!(wf_load(&t->state, SEQ_CST) & WF_TASK_JOINER)) /* [join-1] */
        return false;
    was = wf_lock_bit(&t->state, WF_TASK_JLOCK);
    found = (was & WF_TASK_JOINER) && t->joiner->waker_.vtable == &wf_task_vtable && /* J1, J2 */
            t->joiner->waker_.data == other;
    (void)wf_word_change(&t->state, WF_TASK_JLOCK, 0, 0, RELEASE); /* [task-2] */
    wf_lock_gave();
    return found;
}

/* A task that joins itself, or that joins a task which joins it, waits for ever. The monitor then
 * looks at all tasks and logs the circle. Longer circles of joins are found only when the monitor
 * looks because a wait for a lock has got old. `self` is being polled, so it does not end
 * meanwhile. */
static void suspect(const wf_task *joined, wf_task *self)
{
    wf_worker *w = wf_current_thread.worker;

    if (w && (joined == self || is_joined_by(self, joined)))
        wf_count(&w->locks.suspected, 1);
}

bool wf_join_await(wf_task *t, weft_handle *handle, const weft_waker *waker)
{
    uint64_t state = wf_load(&t->state, ACQUIRE); /* [task-2] */

    if (state & WF_TASK_COMPLETE)
        return true;
    if (state & WF_TASK_JOINER)
        return join_locked(t, handle, waker);
    /* No other thread uses the waker before JOINER is set, so no lock is needed here. */
    t->joiner = handle;
    wf_waker_store(&handle->waker_, waker);
    state = wf_word_change(&t->state, 0, WF_TASK_JOINER, 0, SEQ_CST); /* [task-2] [join-1] */
    if (state & (WF_TASK_COMPLETE | WF_TASK_JLOCK)) /* it has ended, or ends and did not see us */
        return join_locked(t, handle, waker);
    if (waker->vtable == &wf_task_vtable)
        suspect(t, waker->data);
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
