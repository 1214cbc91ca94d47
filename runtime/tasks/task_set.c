/*
 * task_set.c - see weft/task_set.h
 *
 * Purpose     Joins many tasks, and gives out their results in the order in which they end.
 * Threads     Any.
 * Invariants  M1 The lock of the waits guards the lists. M2 A member joins its task with a waker of
 *             its own, from its spawn on. The end of the task, or the join that finds it ended,
 *             moves the member to the list of ended ones, exactly once. So the set never looks for
 *             a task that has ended. M3 A member in `running_` holds its task's handle. Once it is
 *             in `ended_`, its result is constant and the handle is empty. M4 A member that a
 *             cancelled wait gives back is the first of the ended ones again. Until the owner of
 *             the wait has seen the answer, the member counts in `n_given_`, and the set is not
 *             empty. M5 A spawn counts in `n_entering_` from its look at `closed_` until its task
 *             is in `running_`. So a close does not overlook it.
 * Ordering    The lock, and the end of a task ([task-2] in task.h).
 * Failure     That of spawning. Then the set is as it was.
 */
#include "task_set.h"

#include "inner.h"
#include "join.h"
#include "task.h"
#include "waits.h"

enum { FOR_NEXT, FOR_CLOSE }; /* n_ of a wait: what it waits for */

#define CANCELS_AT_ONCE 64 /* tasks that are cancelled before the lock is free for a moment */

/* ---- lists of members: the caller holds the lock ---- */

static void append(weft_members_ *list, weft_member *m)
{
    m->next_ = NULL;
    m->prev_ = list->last_;
    if (list->last_)
        list->last_->next_ = m;
    else
        list->first_ = m;
    list->last_ = m;
    list->n_++;
}

static void prepend(weft_members_ *list, weft_member *m)
{
    m->prev_ = NULL;
    m->next_ = list->first_;
    if (list->first_)
        list->first_->prev_ = m;
    else
        list->last_ = m;
    list->first_ = m;
    list->n_++;
}

static void delist(weft_members_ *list, weft_member *m)
{
    WF_ASSERT(list->n_ > 0 && (m->prev_ ? m->prev_->next_ == m : list->first_ == m)); /* M1 */
    if (m->next_)
        m->next_->prev_ = m->prev_;
    else
        list->last_ = m->prev_;
    if (m->prev_)
        m->prev_->next_ = m->next_;
    else
        list->first_ = m->next_;
    list->n_--;
}

/* ---- what waits get ---- */

/* The answer of a wait for the next member is the member's address. It is given to the caller by
 * the poll that sees it, so a wait that is cancelled writes nothing. */
static int64_t take(void *object, weft_wait *wait)
{
    weft_task_set *set = object;
    weft_member   *m = set->ended_.first_;

    if (wait->n_ == FOR_CLOSE)
        return set->running_.n_ > 0 || set->n_entering_ > 0 ? -EAGAIN : 0; /* M5 */
    if (!m)
        return set->running_.n_ > 0 || set->n_given_ > 0 ? -EAGAIN : WEFT_EOF; /* M4 */
    delist(&set->ended_, m);
    set->n_given_++;
    return (int64_t)(uintptr_t)m;
}

/* The wait's owner has the member now. If it was the last one, other waits are at the end. */
static void seen(void *object, weft_wait *wait)
{
    weft_task_set *set = object;

    set->n_given_ -= wait->answer_ > 0;
}

static bool give_back(void *object, weft_wait *wait)
{
    weft_task_set *set = object;

    if (wait->answer_ > 0)
        prepend(&set->ended_, (weft_member *)(uintptr_t)wait->answer_); /* M4 */
    seen(set, wait);
    return true;
}

static const wf_wait_kind kind = {.take = take, .give_back = give_back, .seen = seen};

/* ---- the end of a task ---- */

static void member_ended(weft_member *m)
{
    weft_task_set *set = m->set_;
    wf_task       *t = m->handle_.task_;

    WF_ASSERT(wf_task_is_complete(t)); /* M2 */
    m->result = t->frame.future.result;
    m->panic_ = wf_task_panic(t);
    wf_lock(&set->waits_.lock_);
    delist(&set->running_, m);
    m->handle_.task_ = NULL; /* M3 */
    append(&set->ended_, m);
    wf_wait_settle_unlock(&set->waits_, &kind, set); /* from here on the set may be gone */
    wf_task_unref_handle(t);
}

/* The waker with which a member joins its task. It has no notify_, so it is woken after the task's
 * own lock was released. It belongs to one join, so it need not be counted. */
static weft_waker member_clone(void *data);

static void member_wake(void *data)
{
    member_ended(data);
}

static void member_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable member_vtable = {member_clone, member_wake, member_wake, member_drop,
                                                NULL};

static weft_waker member_clone(void *data)
{
    return (weft_waker){&member_vtable, data};
}

/* ---- spawning ---- */

/* Begins a spawn, unless the set is closed. */
static bool enter(weft_task_set *set)
{
    bool may;

    wf_lock(&set->waits_.lock_);
    may = !set->closed_;
    set->n_entering_ += may;
    wf_unlock(&set->waits_.lock_);
    return may;
}

/* The spawn has failed. */
static void turn_back(weft_task_set *set)
{
    wf_lock(&set->waits_.lock_);
    set->n_entering_--;
    wf_wait_settle_unlock(&set->waits_, &kind, set);
}

/* Marks the member's task cancelled. The caller holds the lock, and flushes after it. */
static void cancel_marked(weft_member *m, wf_wakes *wakes)
{
    wf_task *t = m->handle_.task_;

    if (wf_task_to_cancelled(t) == WF_TASK_WAKE_QUEUE)
        wf_wakes_add(wakes, t);
}

/* Takes a new task into the set. If the set was closed since, the task is cancelled, and the close
 * waits for it. */
static void enlist(weft_task_set *set, weft_member *m)
{
    wf_wakes wakes = {0};

    wf_lock(&set->waits_.lock_);
    set->n_entering_--;
    append(&set->running_, m);
    if (set->closed_)
        cancel_marked(m, &wakes);
    wf_unlock(&set->waits_.lock_);
    wf_wakes_flush(&wakes);
}

/* Ends a spawn, which has returned `r`. */
static int entered(weft_task_set *set, weft_member *member, int r)
{
    weft_waker waker = {&member_vtable, member};

    if (r < 0) {
        turn_back(set);
        return r;
    }
    enlist(set, member);
    if (wf_join_await(member->handle_.task_, &member->handle_, &waker))
        member_ended(member);
    return 0;
}

WEFT_API int weft_task_set_spawn_(weft_runtime *rt, weft_task_set *set, weft_member *member,
                                  const weft_future_ops *ops, uint32_t at, const void *args,
                                  size_t size, const char *site)
{
    int r;

    if (!enter(set))
        return -ESHUTDOWN;
    *member = (weft_member){.set_ = set};
    r = rt ? weft_spawn_(rt, &member->handle_, WEFT_ANYWHERE_, ops, at, args, size, site)
           : weft_spawn_here_(&member->handle_, ops, at, args, size, site);
    return entered(set, member, r);
}

WEFT_API int weft_task_set_fiber_(weft_runtime *rt, weft_task_set *set, weft_member *member,
                                  const weft_fiber_options *options, weft_fiber_function *function,
                                  void *argument, const char *site)
{
    if (!enter(set))
        return -ESHUTDOWN;
    *member = (weft_member){.set_ = set};
    return entered(set, member,
                   weft_fiber_spawn_(rt, &member->handle_, options, function, argument, site));
}

/* ---- waiting ---- */

/* Writes the member that is the answer, if it is one. */
static int64_t deliver(int64_t answer, weft_member **ret_member)
{
    if (answer <= 0)
        return answer;
    *ret_member = (weft_member *)(uintptr_t)answer;
    return 0;
}

static weft_poll next_poll(weft_future *future, weft_context *cx)
{
    weft_wait     *wait = weft_container(future, weft_wait, future);
    weft_task_set *set = wait->object_;
    bool           cancelled = weft_future_is_cancelled(future);
    bool           has_budget = cancelled || weft_context_spend(cx);
    int64_t        answer = wf_wait_poll(wait, cx, cancelled, has_budget, &set->waits_, &kind);

    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, deliver(answer, wait->second_));
}

int64_t wf_task_set_poll_next(weft_wait *wait, weft_context *cx, weft_member **ret_member)
{
    weft_task_set *set = wait->object_;

    return deliver(wf_wait_poll(wait, cx, false, true, &set->waits_, &kind), ret_member);
}

static bool next_keep(weft_future *future)
{
    weft_wait     *wait = weft_container(future, weft_wait, future);
    weft_task_set *set = wait->object_;

    return wf_wait_keep(wait, &set->waits_, &kind);
}

static const wf_outer_ops next_ops = {.ops = {sizeof(weft_wait),
                                              WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_,
                                              "weft_task_set_next", next_poll, wf_wait_cancel},
                                      .keep = next_keep};

WEFT_API weft_future *weft_task_set_next(weft_wait *wait, weft_task_set *set,
                                         weft_member **ret_member)
{
    wf_wait_init(wait, &next_ops.ops, set, FOR_NEXT);
    wait->second_ = ret_member;
    return &wait->future;
}

WEFT_API int weft_task_set_try_next(weft_task_set *set, weft_member **ret_member)
{
    weft_wait wait = {.n_ = FOR_NEXT};
    int64_t   answer = -EAGAIN;

    wf_lock(&set->waits_.lock_);
    if (!wf_wait_first(&set->waits_))
        answer = take(set, &wait);
    set->n_given_ -= answer > 0;
    wf_unlock(&set->waits_.lock_);
    return (int)deliver(answer, ret_member);
}

WEFT_API uint32_t weft_task_set_count(weft_task_set *set)
{
    uint32_t n;

    wf_lock(&set->waits_.lock_);
    n = set->running_.n_ + set->ended_.n_ + set->n_given_;
    wf_unlock(&set->waits_.lock_);
    return n;
}

/* ---- cancelling ---- */

WEFT_API void weft_member_cancel(weft_member *member)
{
    weft_task_set *set = member->set_;
    wf_wakes       wakes = {0};

    wf_lock(&set->waits_.lock_);
    if (member->handle_.task_)
        cancel_marked(member, &wakes);
    wf_unlock(&set->waits_.lock_);
    wf_wakes_flush(&wakes);
}

/* Cancels the first tasks of the list, and puts them behind the others. `left` of those that were
 * there at first are still to be cancelled. Returns how many are left after this step. */
static uint32_t cancel_some(weft_task_set *set, uint32_t left)
{
    wf_wakes wakes = {0};

    wf_lock(&set->waits_.lock_);
    for (int i = 0; i < CANCELS_AT_ONCE && left > 0; i++, left--) {
        weft_member *m = set->running_.first_;

        if (!m) {
            left = 0;
            break;
        }
        cancel_marked(m, &wakes);
        delist(&set->running_, m);
        append(&set->running_, m);
    }
    wf_unlock(&set->waits_.lock_);
    wf_wakes_flush(&wakes);
    return left;
}

static void cancel_all(weft_task_set *set, bool close)
{
    uint32_t left;

    wf_lock(&set->waits_.lock_);
    left = set->running_.n_;
    set->closed_ |= close;
    wf_unlock(&set->waits_.lock_);
    while (left > 0)
        left = cancel_some(set, left);
}

void wf_task_set_open(weft_task_set *set)
{
    wf_lock(&set->waits_.lock_);
    set->closed_ = false;
    wf_unlock(&set->waits_.lock_);
}

void wf_task_set_shut(weft_task_set *set)
{
    cancel_all(set, true);
}

WEFT_API void weft_task_set_cancel_all(weft_task_set *set)
{
    cancel_all(set, false);
}

/* ---- closing ---- */

/* Neither a cancel nor an empty budget ends the wait for the tasks. */
static weft_poll close_poll(weft_future *future, weft_context *cx)
{
    weft_wait     *wait = weft_container(future, weft_wait, future);
    weft_task_set *set = wait->object_;

    if (wf_wait_is_new(wait))
        cancel_all(set, true);
    if (wf_wait_poll(wait, cx, false, true, &set->waits_, &kind) == -EAGAIN)
        return WEFT_PENDING;
    return weft_ready(future, 0);
}

static const weft_future_ops close_ops = {sizeof(weft_wait),
                                          WEFT_FUTURE_DRAINS | WEFT_FUTURE_CLEANS_UP,
                                          "weft_task_set_close", close_poll, wf_wait_cancel};

WEFT_API weft_future *weft_task_set_close(weft_wait *wait, weft_task_set *set)
{
    return wf_wait_init(wait, &close_ops, set, FOR_CLOSE);
}
