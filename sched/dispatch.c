/* dispatch.c - see dispatch.h */
#include "dispatch.h"

#include "bound.h"
#include "task.h"
#include "visit.h"

#include <sched.h>

/* ---- waking workers ---- */

uint64_t wf_dispatch_backlog(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_worker_length_any(s->workers[i]);
    return n;
}

/* A worker that calls this stays busy and wants help on another CPU. Other callers, mostly the
 * reactor, are about to sleep. So a worker that slept on the caller's CPU starts much sooner than
 * one on an idle CPU. */
bool wf_dispatch_notify_any(wf_executor *s)
{
    int i = wf_idle_pick(&s->idle, wf_current_thread.worker ? -1 : sched_getcpu());

    if (i >= 0)
        wf_park_wake(&s->workers[i]->park);
    return i >= 0;
}

/* ---- onto the queues of all workers, and of another worker ---- */

WF_SELDOM void wf_dispatch_inject_any(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    wf_inject_push_any(&s->inject, first, last, n);
    wf_dispatch_notify_any(s);
}

/* The worker looks into its mailbox whenever it is woken. If it slept, it counts as searching from
 * then on, like every sleeper that is woken. It also counts as awake at the reactor's gate. */
WF_SELDOM bool wf_dispatch_mail_any(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    uint32_t       i = wf_task_bound_to(first) - 1;
    wf_idle_picked picked;

    wf_inject_push_any(&s->workers[i]->mailbox, first, last, n);
    picked = wf_idle_pick_this(&s->idle, i); /* [idle-1] */
    if (picked == WF_IDLE_PICKED)
        wf_park_wake(&s->workers[i]->park);
    else if (picked == WF_IDLE_LOOK_AGAIN && wf_dispatch_backlog(s) > 0)
        wf_dispatch_notify_any(s);
    return picked == WF_IDLE_PICKED;
}

void wf_dispatch_push_any(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    if (wf_task_bound_to(first))
        (void)wf_dispatch_mail_any(s, first, last, n);
    else
        wf_dispatch_inject_any(s, first, last, n);
}

/* ---- on the caller's worker ---- */

/* Wakes a sleeping worker to steal from this one, if there is enough work for it. */
WF_SELDOM static void call_thief(wf_worker *w)
{
    if (wf_load_is_worth_a_thief_owner(w))
        wf_dispatch_notify_any(w->executor);
}

/* Puts a woken task into the worker's deque. Wakes a sleeper, unless the task is what this worker
 * runs next anyway. */
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
    wf_store(&w->lifo, t, RELEASE); /* [worker-1] only the owner fills it */
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
    if (wf_idle_may_pick(&w->executor->idle)) /* [worker-3] the answer may be old */
        call_thief(w);
}

WF_SELDOM static void requeue_bound(wf_worker *w, wf_task *t)
{
    if (wf_task_bound_to(t) == w->index + 1)
        wf_bound_push_owner(w, t);
    else /* a spare worker has passed it on */
        (void)wf_dispatch_mail_any(w->executor, t, t, 1);
}

void wf_dispatch_requeue_owner(wf_worker *w, wf_task *t)
{
    if (__builtin_expect(wf_task_bound_to(t) != 0, 0))
        requeue_bound(w, t);
    else
        wf_dispatch_push_behind_owner(w, t);
}

/* ---- for any calling thread ---- */

static bool is_own_thread(const wf_executor *s)
{
    return wf_current_thread.owned && wf_current_thread.rt == s->rt;
}

/* A thread of the runtime outlives every task. Any other thread must be a visitor before it queues
 * the task. Once queued, the task may end, and then the runtime may be stopped. S3 */
static void inject_woken(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    if (wf_executor_is_child(s))
        return; /* S4: it never runs */
    if (is_own_thread(s)) {
        wf_dispatch_push_any(s, first, last, n);
        return;
    }
    wf_visit_enter(s);
    wf_dispatch_push_any(s, first, last, n);
    wf_visit_leave(s);
}

/* The caller's worker, or NULL if it is no worker of that runtime. */
static wf_worker *own_worker(const weft_runtime *rt)
{
    return wf_current_thread.rt == rt ? wf_current_thread.worker : NULL;
}

static inline bool may_run(const wf_worker *w, const wf_task *t)
{
    uint32_t bound = wf_task_bound_to(t);

    return w && (__builtin_expect(bound == 0, 1) || bound == w->index + 1);
}

/* The worker may run the task. */
static inline void queue_own(wf_worker *w, wf_task *t)
{
    if (__builtin_expect(wf_task_bound_to(t) == 0, 1))
        wf_dispatch_push_woken_owner(w, t);
    else
        wf_bound_push_owner(w, t);
}

/* The task is bound, or the caller is none of its workers. */
WF_SELDOM static void queue_elsewhere(wf_task *t)
{
    weft_runtime *rt = wf_task_rt(t);
    wf_worker    *w = own_worker(rt);

    if (may_run(w, t))
        queue_own(w, t);
    else
        inject_woken(rt->executor, t, t, 1);
}

void wf_dispatch_queue(wf_task *t)
{
    wf_worker *w = own_worker(wf_task_rt(t));

    if (w && wf_task_bound_to(t) == 0)
        wf_dispatch_push_woken_owner(w, t);
    else
        queue_elsewhere(t);
}

void wf_dispatch_queue_chain(wf_task *t)
{
    while (t) {
        weft_runtime *rt = wf_task_rt(t);
        wf_worker    *w = own_worker(rt);
        wf_task      *first = t, *last = t, *next = t->next;
        uint32_t      n = 1;

        if (may_run(w, t)) {
            queue_own(w, t);
            t = next;
            continue;
        }
        for (; next && wf_task_rt(next) == rt && wf_task_bound_to(next) == wf_task_bound_to(t);
             next = next->next, n++)
            last = next;
        inject_woken(rt->executor, first, last, n);
        t = next;
    }
}
