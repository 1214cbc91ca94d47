/*
 * dispatch.c - where a task goes: spawning, queueing, waking workers
 *
 * Purpose     See dispatch.h.
 * Threads     See dispatch.h.
 * Invariants  See dispatch.h.
 * Ordering    See dispatch.h.
 * Failure     See dispatch.h.
 */
#include "dispatch.h"

#include "clock.h"
#include "lock.h"
#include "task.h"

#include <sched.h>

/* ---- waking workers ---- */

uint64_t wf_dispatch_backlog(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_worker_length_any(s->workers[i]);
    return n;
}

/* A worker wants help, that is another CPU. Other threads, the reactor above all, are about to
 * sleep: a worker takes over on the same CPU many times sooner than another CPU wakes up. */
bool wf_dispatch_notify_any(wf_executor *s)
{
    int i = wf_idle_pick(&s->idle, wf_current_thread.worker ? -1 : sched_getcpu());

    if (i >= 0)
        wf_park_wake(&s->workers[i]->park);
    return i >= 0;
}

/* ---- for all workers, and for one that is not the caller's ---- */

WF_SELDOM void wf_dispatch_inject_any(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    wf_inject_push_any(&s->inject, first, last, n);
    wf_dispatch_notify_any(s);
}

/* To the worker that they are pinned to, which looks into its mailbox whenever it is woken. True:
 * it slept. It counts as searching then, as any sleeper that is woken, and as present at the
 * gate. */
WF_SELDOM static bool mail(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    uint32_t       i = wf_task_pin(first) - 1;
    wf_idle_picked picked;

    wf_inject_push_any(&s->workers[i]->mailbox, first, last, n);
    picked = wf_idle_pick_this(&s->idle, i); /* [idle-1] */
    if (picked == WF_IDLE_PICKED)
        wf_park_wake(&s->workers[i]->park);
    else if (picked == WF_IDLE_LOOK_AGAIN && wf_dispatch_backlog(s) > 0)
        wf_dispatch_notify_any(s);
    return picked == WF_IDLE_PICKED;
}

/* ---- on the caller's worker ---- */

/* Wakes a sleeping worker to steal from this one, if it is worth it. */
WF_SELDOM static void call_thief(wf_worker *w)
{
    if (wf_load_is_worth_a_thief_owner(w))
        wf_dispatch_notify_any(w->executor);
}

/* Puts a woken task into its deque; wakes a sleeper unless the task is what we run next anyway. */
static void push(wf_worker *w, wf_task *t)
{
    if (__builtin_expect(!wf_deque_push_owner(&w->woken, t), 0))
        wf_dispatch_inject_any(w->executor, t, t, 1);
    else if (wf_idle_may_pick(&w->executor->idle) &&
             (w->polling || wf_load(&w->lifo, RELAXED) || /* only the owner fills it */
              wf_worker_length_any(w) > 1))
        call_thief(w);
}

void wf_dispatch_push_woken_owner(wf_worker *w, wf_task *t)
{
    wf_task *before;

    if (!w->polling) {
        push(w, t);
        return;
    }
    before = wf_worker_take_slot_any(&w->lifo);
    wf_store(&w->lifo, t, RELEASE); /* [worker-1] nobody else fills it */
    if (before)
        push(w, before);
}

void wf_dispatch_push_behind_owner(wf_worker *w, wf_task *t)
{
    push(w, t);
}

void wf_dispatch_push_child_owner(wf_worker *w, wf_task *t)
{
    if (!wf_load(&w->first_child, RELAXED) && /* only the owner fills it */
        wf_deque_length_any(&w->children) == 0) {
        wf_store(&w->first_child, t, RELEASE); /* [worker-1] */
    } else if (__builtin_expect(!wf_deque_push_unfenced_owner(&w->children, t), 0)) {
        wf_dispatch_inject_any(w->executor, t, t, 1);
        return;
    }
    if (wf_idle_may_pick(&w->executor->idle)) /* [worker-3] not always the newest answer */
        call_thief(w);
}

void wf_dispatch_requeue_owner(wf_worker *w, wf_task *t)
{
    if (__builtin_expect(wf_task_pin(t) != 0, 0))
        (void)mail(w->executor, t, t, 1);
    else
        wf_dispatch_push_behind_owner(w, t);
}

/* ---- wherever the caller stands ---- */

static bool is_own_thread(const wf_executor *s)
{
    return wf_current_thread.owned && wf_current_thread.rt == s->rt;
}

static void visitor_enters(wf_executor *s)
{
    wf_add(&s->visitors, WF_VISITOR, SEQ_CST); /* [executor-1] [executor-3] */
}

/* Behind the subtraction the executor may be gone: the visitor passes on its address, no more. */
static void visitor_leaves(wf_executor *s)
{
    if (wf_sub(&s->visitors, WF_VISITOR, RELEASE) == (WF_VISITOR | WF_VISITORS_AWAITED))
        wf_futex_wake(&s->visitors, INT32_MAX); /* [executor-1] */
}

bool wf_dispatch_visit(wf_executor *s)
{
    visitor_enters(s);
    if (!wf_load(&s->closing, SEQ_CST)) /* [executor-3] */
        return true;
    visitor_leaves(s);
    return false;
}

void wf_dispatch_leave(wf_executor *s)
{
    visitor_leaves(s);
}

static void inject(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    if (wf_task_pin(first))
        (void)mail(s, first, last, n);
    else
        wf_dispatch_inject_any(s, first, last, n);
}

/* A thread of the runtime outlives every task. Another thread visits from before it queues the
 * task: then the task may end, and the runtime be stopped. S3 */
static void inject_woken(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    if (wf_executor_is_child(s))
        return; /* S4: it never runs */
    if (is_own_thread(s)) {
        inject(s, first, last, n);
        return;
    }
    visitor_enters(s);
    inject(s, first, last, n);
    visitor_leaves(s);
}

static wf_worker *own_worker(const weft_runtime *rt)
{
    return wf_current_thread.rt == rt ? wf_current_thread.worker : NULL;
}

void wf_dispatch_queue(wf_task *t)
{
    weft_runtime *rt = wf_task_rt(t);
    wf_worker    *w = own_worker(rt);

    if (w && !wf_task_pin(t))
        wf_dispatch_push_woken_owner(w, t);
    else
        inject_woken(rt->executor, t, t, 1);
}

void wf_dispatch_queue_chain(wf_task *t)
{
    while (t) {
        weft_runtime *rt = wf_task_rt(t);
        wf_task      *first = t, *last = t, *next = t->next;
        uint32_t      n = 1;

        if (own_worker(rt) && !wf_task_pin(t)) {
            wf_dispatch_queue(t);
            t = next;
            continue;
        }
        for (; next && wf_task_rt(next) == rt && wf_task_pin(next) == wf_task_pin(t);
             next = next->next, n++)
            last = next;
        inject_woken(rt->executor, first, last, n);
        t = next;
    }
}

/* Mails each worker its tasks together: one lock, and one wake at most. */
static wf_handed mail_all(wf_executor *s, wf_task *t)
{
    wf_handed handed = {0};

    while (t) {
        wf_wakes same = {0}, rest = {0};
        uint32_t n = 0, pin = wf_task_pin(t);

        for (wf_task *next; t; t = next) {
            next = t->next;
            wf_wakes_add(wf_task_pin(t) == pin ? &same : &rest, t);
            n += wf_task_pin(t) == pin;
        }
        handed.n_bound += n;
        handed.n_woken += mail(s, same.first, same.last, n);
        t = rest.first;
    }
    return handed;
}

wf_handed wf_dispatch_hand_over(wf_executor *s, wf_wakes *wakes)
{
    wf_wakes  others = {0}, ours = {0}, bound = {0};
    wf_handed handed;
    uint32_t  n = 0;

    for (wf_task *t = wakes->first, *next; t; t = next) {
        wf_wakes *to = wf_task_rt(t) != s->rt ? &others : wf_task_pin(t) ? &bound : &ours;

        next = t->next;
        wf_wakes_add(to, t);
        n += to == &ours;
    }
    wakes->first = wakes->last = NULL;
    if (n > 0)
        wf_inject_push_any(&s->inject, ours.first, ours.last, n);
    handed = mail_all(s, bound.first);
    handed.n_free = n;
    wf_wakes_flush(&others);
    return handed;
}

/* ---- spawning ---- */

int wf_dispatch_spawn_owner(wf_worker *w, const wf_task_origin *from, weft_handle *ret_handle)
{
    wf_executor *s = w->executor;
    wf_task     *t;

    if (__builtin_expect(wf_load(&s->closing, RELAXED), 0)) /* looked at again */
        return -ESHUTDOWN;
    if (__builtin_expect(wf_executor_is_child(s), 0))
        return -ECHILD;
    t = wf_task_new_owner(&w->heap, from, ret_handle != NULL);
    if (__builtin_expect(!t, 0))
        return -ENOMEM;
    if (ret_handle)
        ret_handle->task_ = t;
    wf_store(&w->counters.spawned, w->counters.spawned + 1, RELEASE); /* [executor-4] */
    if (__builtin_expect(from->pin != 0, 0))
        (void)mail(s, t, t, 1);
    else
        wf_dispatch_push_child_owner(w, t);
    if (__builtin_expect(wf_load(&s->closing, SEQ_CST), 0)) /* [executor-3] after it was queued */
        wf_executor_cancel_all(s);
    return 0;
}

static int spawn_visiting(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    wf_task *t;

    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */
        return -ESHUTDOWN;
    wf_lock(&s->shared_lock);
    t = wf_task_new_owner(&s->shared, from, ret != NULL);
    wf_unlock(&s->shared_lock);
    if (!t)
        return -ENOMEM;
    if (ret)
        ret->task_ = t;
    wf_add(&s->foreign_spawned, 1, RELEASE); /* [executor-4] */
    inject(s, t, t, 1);
    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */
        wf_executor_cancel_all(s);
    return 0;
}

/* The caller is in no poll of a task of ours, so it visits, also if it is a thread of the
 * runtime (S3). The first look keeps threads that spawn again and again from keeping the
 * stopping thread. */
static int spawn_foreign(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    int r;

    if (wf_executor_is_child(s))
        return -ECHILD;
    if (wf_load(&s->closing, RELAXED)) /* looked at again */
        return -ESHUTDOWN;
    visitor_enters(s);
    r = spawn_visiting(s, from, ret);
    visitor_leaves(s);
    return r;
}

int wf_dispatch_spawn(wf_executor *s, const wf_task_origin *from, weft_handle *ret_handle)
{
    wf_worker *w = own_worker(s->rt);

    if (from->pin > s->idle.n_workers)
        return wf_load(&s->closing, RELAXED) ? -ESHUTDOWN : -EINVAL; /* either is true */
    return w ? wf_dispatch_spawn_owner(w, from, ret_handle) : spawn_foreign(s, from, ret_handle);
}
