/*
 * worker.c - one thread that polls tasks
 *
 * Purpose     See worker.h.
 * Threads     The worker's own, but for what it steals.
 * Invariants  See worker.h.
 * Ordering    See worker.h.
 * Failure     See worker.h.
 */
#include "worker.h"

#include "driver.h"
#include "executor.h"
#include "task.h"
#include "timer.h"

#define OLDEST_CHILD_EVERY 32 /* turns of the children after which the oldest goes first */
#define INJECT_BATCH_MAX   128
#define MEASURE_EVERY      256 /* polls between looks at the clock while busy */

static uint32_t next_random(wf_worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

/* Puts a task into one of our deques; wakes a sleeper unless the task is what we run next anyway. */
static void push(wf_worker *w, wf_deque *d, wf_task *t)
{
    if (!wf_deque_push_owner(d, t)) {
        wf_executor_inject_any(w->executor, t, t, 1);
        return;
    }
    if (w->polling || w->lifo ||
        wf_deque_length_any(&w->woken) + wf_deque_length_any(&w->children) > 1)
        wf_executor_notify_any(w->executor);
}

void wf_worker_push_woken_owner(wf_worker *w, wf_task *t)
{
    wf_task *before = w->lifo;

    if (!w->polling) {
        push(w, &w->woken, t);
        return;
    }
    w->lifo = t;
    if (before)
        push(w, &w->woken, before);
}

void wf_worker_push_child_owner(wf_worker *w, wf_task *t)
{
    push(w, &w->children, t);
}

/* ---- polling ---- */

/* Keeps the executor's idea of how long a poll takes: an average over the last few dozen stretches. */
static void measure_polls(wf_worker *w)
{
    int64_t  now = wf_now();
    uint32_t mean, before = wf_load(&w->executor->poll_ns, RELAXED); /* an estimate */

    if (w->busy_polls > 0) {
        mean = (uint32_t)((now - w->busy_since) / w->busy_polls);
        wf_store(&w->executor->poll_ns, before - before / 8 + mean / 8, RELAXED); /* an estimate */
    }
    w->busy_since = now;
    w->busy_polls = 0;
}

static void complete(wf_worker *w, wf_task *t)
{
    wf_executor_forget_task(w->executor, t);
    wf_count(&w->counters.ended, 1);
    wf_task_to_complete(t);
    wf_task_unref(t);
}

static void run(wf_worker *w, wf_task *t)
{
    bool         cancelled = wf_task_to_running(t);
    weft_waker   waker = {&wf_task_vtable, t};
    weft_future *root = &t->frame.future;
    weft_poll    poll;
    weft_context cx;

    weft_context_init(&cx, &waker, t->rt);
    cx.budget = (uint32_t)t->rt->config.budget;
    w->polling = true;
    if (cancelled)
        cx.flags |= WEFT_CONTEXT_CANCELLED_; /* also at its first poll: it owns its arguments */
    poll = weft_future_poll(root, &cx);
    wf_count(&w->counters.polls, 1);
    if (++w->busy_polls == MEASURE_EVERY)
        measure_polls(w);
    if (weft_poll_is_ready(poll))
        complete(w, t); /* wakes its joiner as if by the task itself */
    w->polling = false;
    if (!weft_poll_is_ready(poll) && wf_task_to_idle(t) == WF_TASK_IDLE_REQUEUE)
        push(w, &w->woken, t);
}

/* ---- finding the next task ---- */

/* Work is left in the queues. Waking one more worker pays if there is much of it; if not, somebody must
 * see to it that we aren't stuck with it: the reactor, while it watches. */
static void call_for_help(wf_executor *s)
{
    if (!wf_load(&s->rt->driver->watching, SEQ_CST) /* [driver-3] */ || wf_executor_wants_help(s))
        wf_executor_notify_any(s);
}

/* Takes a batch of outside tasks: runs the first, keeps the rest. */
static wf_task *take_injected(wf_worker *w)
{
    wf_inject *q = &w->executor->inject;
    uint32_t   n = wf_inject_length_any(q) / w->executor->idle.n_workers + 1;
    wf_task   *first = wf_inject_take_any(q, n < INJECT_BATCH_MAX ? n : INJECT_BATCH_MAX, &n);
    wf_task   *t, *next;

    if (!first)
        return NULL;
    for (t = first->next; t; t = next) {
        next = t->next;
        if (!wf_deque_push_owner(&w->woken, t))
            wf_executor_inject_any(w->executor, t, t, 1);
    }
    wf_inject_taken_any(q, n);
    if (first->next)
        call_for_help(w->executor);
    return first;
}

static wf_task *take_lifo(wf_worker *w)
{
    wf_task *t = w->lifo;

    if (!t)
        return NULL;
    w->lifo = NULL;
    if (w->lifo_run++ < WF_LIFO_RUN) {
        wf_count(&w->counters.lifo_hits, 1);
        return t;
    }
    push(w, &w->woken, t);
    return NULL;
}

static wf_task *take_child(wf_worker *w)
{
    if (w->tick / 2 % OLDEST_CHILD_EVERY == OLDEST_CHILD_EVERY - 1)
        return wf_deque_steal_any(&w->children);
    return wf_deque_pop_owner(&w->children);
}

static wf_task *take_own(wf_worker *w)
{
    wf_task *t = take_lifo(w);

    if (t)
        return t;
    w->lifo_run = 0;
    w->tick++;
    if (w->tick % (uint32_t)w->executor->rt->config.inject_interval == 0 && (t = take_injected(w)))
        return t;
    if (w->tick % 2) {
        if (!(t = wf_deque_steal_any(&w->woken)))
            t = take_child(w);
    } else {
        if (!(t = take_child(w)))
            t = wf_deque_steal_any(&w->woken);
    }
    return t ? t : take_injected(w);
}

static wf_task *steal(wf_worker *w)
{
    struct wf_executor *s = w->executor;
    uint32_t            n = s->idle.n_workers;
    uint32_t            start = next_random(w) % n;
    wf_task            *t;

    for (uint32_t i = 0; i < n; i++) {
        wf_worker *victim = s->workers[(start + i) % n];

        if (victim == w)
            continue;
        if ((t = wf_deque_steal_any(&victim->woken)) ||
            (t = wf_deque_steal_any(&victim->children))) {
            wf_count(&w->counters.steals, 1);
            return t;
        }
    }
    return take_injected(w);
}

/* We searched and have a task: if nobody else searches, somebody may be needed for what is left. */
static void stop_searching(wf_worker *w)
{
    w->searching = false;
    if (wf_idle_found(&w->executor->idle) && wf_executor_backlog(w->executor) > 0)
        call_for_help(w->executor);
}

/* Sleeps until somebody has work for us. See idle.h for why no wake-up is lost. */
static void park(wf_worker *w)
{
    wf_idle *idle = &w->executor->idle;
    uint32_t key = wf_park_prepare(&w->park);

    wf_idle_prepare(idle, w->index);
    if (w->searching) {
        w->searching = false;
        wf_idle_found(idle);
    }
    if (wf_executor_backlog(w->executor) > 0 || wf_executor_is_stopping(w->executor)) {
        w->searching = !wf_idle_take(idle, w->index); /* if not: we have been counted */
        return;
    }
    wf_driver_open(w->executor->rt->driver); /* [driver-2] we have run dry */
    measure_polls(w);
    wf_count(&w->counters.parks, 1);
    while (wf_idle_is_sleeping(idle, w->index) && !wf_executor_is_stopping(w->executor)) {
        wf_park_commit(&w->park, key);
        key = wf_park_prepare(&w->park);
    }
    w->busy_since = wf_now();
    w->searching = !wf_idle_take(idle, w->index);
}

static wf_task *next_task(wf_worker *w)
{
    wf_task *t = take_own(w);

    if (t) {
        if (w->searching)
            stop_searching(w);
        return t;
    }
    if (!w->searching)
        w->searching = wf_idle_search(&w->executor->idle);
    if (w->searching && (t = steal(w)))
        stop_searching(w);
    return t;
}

void *wf_worker_main(void *worker)
{
    wf_worker *w = worker;
    wf_task   *t;

    wf_current_thread = (wf_current){.rt = w->executor->rt, .worker = w, .owned = true};
    w->busy_since = wf_now();
    while (!wf_executor_is_stopping(w->executor)) {
        if ((t = next_task(w)))
            run(w, t);
        else
            park(w);
    }
    if (w->searching)
        wf_idle_found(&w->executor->idle);
    return NULL;
}
