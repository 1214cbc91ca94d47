/* pick.c - see pick.h */
#include "pick.h"

#include "bound.h"
#include "clock.h"
#include "dispatch.h"
#include "driver.h"
#include "executor.h"
#include "task.h"

#define INJECT_BATCH_MAX 128
#define WORTH_A_BATCH    128 /* tasks in a queue */
#define STEAL_MOST       64
#define MAIL_MOST        32
#define BUSY_LOOKS       8 /* a worker looks for sockets at this many intervals: see look_busy */
#define SPENT_PAUSE      WEFT_US(100) /* the least time between looks when budgets are spent */

static uint32_t next_random(wf_worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

/* ---- the worker's own tasks, and injected ones ---- */

/* Work is left in the queues. If it is much, waking one more worker pays. If it is little, it must
 * still not wait for ever behind this worker: while the reactor watches, it sees to that. */
static void call_for_help(wf_executor *s)
{
    if (!wf_load(&s->rt->driver->watching, SEQ_CST) /* [driver-3] */ || wf_load_wants_help(s))
        wf_dispatch_notify_any(s);
}

/* Fetches a task that will be polled soon. Mostly another CPU has written to its memory last. */
static void expect_poll(const wf_task *t)
{
    for (uint32_t at = 0; at < 2; at++)
        __builtin_prefetch((const char *)t + at * WF_CACHE_LINE, 1);
}

/* Takes up to `most` injected tasks. Returns the first and queues the others behind this worker's
 * own. */
WF_SELDOM static wf_task *take_injected(wf_worker *w, uint32_t most)
{
    wf_inject *q = &w->executor->inject;
    uint32_t   n = wf_inject_length_any(q) / w->executor->idle.n_workers + 1;
    wf_task   *t[INJECT_BATCH_MAX];

    n = wf_inject_take_any(q, t, n < most ? n : most);
    if (n == 0)
        return NULL;
    wf_count(&w->counters.injections, n);
    for (uint32_t i = 1; i < n; i++) {
        expect_poll(t[i]);
        if (!wf_deque_push_owner(&w->woken, t[i]))
            wf_dispatch_inject_any(w->executor, t[i], t[i], 1);
    }
    wf_inject_taken_any(q, n);
    if (n > 1)
        call_for_help(w->executor);
    return t[0];
}

/* Takes tasks bound to this worker that other threads have queued, behind its own. */
WF_SELDOM static void take_mail(wf_worker *w)
{
    wf_task *t[MAIL_MOST];
    uint32_t n = wf_inject_take_any(&w->mailbox, t, MAIL_MOST);

    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++)
        wf_bound_push_owner(w, t[i]);
    wf_inject_taken_any(&w->mailbox, n);
}

static wf_task *take_bound(wf_worker *w)
{
    wf_task *t;

    if (wf_inject_length_any(&w->mailbox) > 0)
        take_mail(w);
    t = wf_bound_pop_owner(w);
    if (t)
        w->may_yield = true;
    return t;
}

static wf_task *take_lifo(wf_worker *w)
{
    wf_task *t = wf_worker_take_slot_any(&w->lifo);

    if (!t)
        return NULL;
    if (w->lifo_run++ < WF_LIFO_RUN) {
        wf_count(&w->counters.lifo_hits, 1);
        return t;
    }
    wf_dispatch_push_behind_owner(w, t);
    return NULL;
}

static wf_task *oldest_child(wf_worker *w)
{
    wf_task *t = wf_worker_take_slot_any(&w->first_child);

    return t ? t : wf_deque_steal_any(&w->children);
}

static wf_task *take_child(wf_worker *w)
{
    wf_task *t;

    if (__builtin_expect(wf_load(&w->child_waits_long, RELAXED), 0)) { /* a hint */
        wf_store(&w->child_waits_long, false, RELAXED);                /* a hint */
        if ((t = oldest_child(w))) {
            wf_count(&w->counters.overdue, 1);
            return t;
        }
    }
    t = wf_deque_pop_owner(&w->children);
    return t ? t : wf_worker_take_slot_any(&w->first_child);
}

/* A worker that never runs dry polls the sockets itself as long as the reactor leaves them to
 * workers. It also does so now and then where the reactor should. Beside other processes the
 * reactor may have to wait long for a CPU. Meanwhile only the connections would be served whose
 * next request is there already. */
WF_SELDOM static void look_busy(wf_worker *w)
{
    wf_driver *driver = w->executor->rt->driver;

    if (!wf_driver_look_busy(driver) && ++w->n_unlooked >= BUSY_LOOKS) {
        w->n_unlooked = 0;
        driver->look(driver);
    }
}

/* A connection whose next request is always there already spends the budget of each poll. A client
 * that preempts the worker at each answer makes it so. Meanwhile the reactor may wait for a CPU,
 * and to count polls is not enough: look_busy would come after tens of thousands of requests. */
WF_SELDOM void wf_pick_budget_spent_owner(wf_worker *w)
{
    wf_driver *driver = w->executor->rt->driver;
    int64_t    now = wf_now();

    if (now - w->looked < SPENT_PAUSE)
        return;
    w->looked = now;
    if (driver->look(driver))
        w->inject_tick = (uint32_t)w->executor->rt->config.inject_interval; /* they go first */
}

static wf_task *take_own(wf_worker *w)
{
    wf_task *t = take_lifo(w);

    if (t)
        return t;
    w->lifo_run = 0;
    /* The monitor has moved this worker's tasks to the injection queue. Taking the oldest one first
     * keeps their order: otherwise tasks with slow polls would overtake each other for ever. */
    if (__builtin_expect(wf_load(&w->tasks_moved, RELAXED), 0)) { /* a hint */
        wf_store(&w->tasks_moved, false, RELAXED);                /* a hint */
        if ((t = take_injected(w, 1)))
            return t;
    }
    if (++w->inject_tick >= w->executor->rt->config.inject_interval) {
        w->inject_tick = 0;
        look_busy(w);
        if ((t = take_injected(w, INJECT_BATCH_MAX)))
            return t;
    }
    /* Each queue has turns at which it goes first. So none of them, however full, keeps the tasks
     * of another waiting: docs/design/fairness.md. */
    w->tick++;
    if (w->tick % 4 == 0 && (t = take_bound(w)))
        return t;
    if (w->tick % 2) {
        if (!(t = wf_deque_steal_any(&w->woken)))
            t = take_child(w);
    } else {
        if (!(t = take_child(w)))
            t = wf_deque_steal_any(&w->woken);
    }
    if (!t)
        t = take_bound(w);
    return t ? t : take_injected(w, INJECT_BATCH_MAX);
}

/* Takes more than one task from a long queue. Where tasks are short, two workers at one deque cost
 * each other more than the tasks do. No other worker misses the tasks that are in this worker's
 * hands: it counts as searching, and looks again when it stops. */
static void steal_more(wf_worker *w, wf_deque *from, wf_deque *to)
{
    int64_t  length = wf_deque_length_any(from);
    wf_task *t;

    if (length < WORTH_A_BATCH)
        return;
    for (int64_t n = length / 4 < STEAL_MOST ? length / 4 : STEAL_MOST;
         n > 1 && (t = wf_deque_steal_any(from)); n--) {
        wf_count(&w->counters.steals, 1);
        if (!wf_deque_push_owner(to, t))
            wf_dispatch_inject_any(w->executor, t, t, 1);
    }
}

WF_SELDOM static wf_task *steal(wf_worker *w)
{
    wf_executor *s = w->executor;
    uint32_t     n = s->idle.n_slots;
    uint32_t     start = next_random(w) % n;
    wf_task     *t;

    wf_count(&w->counters.searches, 1);
    for (uint32_t i = 0; i < n; i++) {
        wf_worker *victim = s->workers[(start + i) % n];

        if (victim == w)
            continue;
        if ((t = wf_deque_steal_any(&victim->woken)))
            steal_more(w, &victim->woken, &w->woken);
        else if ((t = oldest_child(victim)))
            steal_more(w, &victim->children, &w->children);
        else
            continue;
        wf_count(&w->counters.steals, 1);
        return t;
    }
    return take_injected(w, INJECT_BATCH_MAX);
}

/* The worker has searched and has a task. If it was the last searcher, it must wake another worker
 * for the work that is left. */
WF_SELDOM static void stop_searching(wf_worker *w)
{
    w->searching = false;
    if (wf_idle_stop_searching(&w->executor->idle) && wf_dispatch_backlog(w->executor) > 0)
        call_for_help(w->executor);
}

wf_task *wf_pick_task_owner(wf_worker *w)
{
    wf_task *t;

    do
        t = take_own(w);
    while (!t && wf_driver_look(w->executor->rt->driver));
    if (t) {
        if (w->searching)
            stop_searching(w);
        return t;
    }
    if (!w->searching)
        w->searching = wf_idle_start_searching(&w->executor->idle);
    if (w->searching && (t = steal(w)))
        stop_searching(w);
    return t;
}
