/* worker.c - see worker.h */
#include "worker.h"

#include "dispatch.h"
#include "driver.h"
#include "executor.h"
#include "invariant.h"
#include "monitor.h"
#include "overflow.h"
#include "pick.h"
#include "run.h"
#include "task.h"
#include "tasks.h"
#include "timer.h"

#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int wf_worker_init(wf_worker *w, wf_executor *s, uint32_t index)
{
    const weft_allocator *alloc = &s->rt->config.allocator;

    memset(w, 0, sizeof *w);
    w->executor = s;
    w->index = index;
    w->random = (index + 1) * 2654435761u;
    wf_heap_init(&w->heap, &s->memory);
    return wf_deque_init(&w->woken, alloc) < 0 || wf_deque_init(&w->children, alloc) < 0 ? -ENOMEM
                                                                                         : 0;
}

void wf_worker_free(wf_worker *w)
{
    wf_deque_free(&w->woken);
    wf_deque_free(&w->children);
    wf_stacks_free(&w->stacks);
}

/* ---- falling asleep ---- */

static void leave_searchers(wf_worker *w)
{
    if (w->searching)
        wf_idle_stop_searching(&w->executor->idle);
    w->searching = false;
}

static bool has_bound(const wf_worker *w)
{
    return w->bound_first || wf_inject_length_any(&w->mailbox) > 0;
}

static bool has_work(wf_worker *w)
{
    return wf_dispatch_backlog(w->executor) > 0 || has_bound(w) ||
           wf_executor_is_stopping(w->executor);
}

/* A spare worker is needed until an ordinary worker is free again, and while it has fibers. */
static bool is_needed(const wf_worker *w)
{
    return w->index < w->executor->idle.n_workers ||
           wf_load(&w->wanted, ACQUIRE) || /* [worker-2] */
           w->n_fibers > 0;
}

static bool sleeps(const wf_worker *w)
{
    return wf_idle_is_sleeping(&w->executor->idle, w->index) && !has_bound(w) && is_needed(w) &&
           !wf_executor_is_stopping(w->executor);
}

/* From here on a pusher may wake the worker. Its bit is set before it leaves the searchers, so at
 * every moment a pusher sees one of the two [idle-1]. Slots for other heaps are sent before it,
 * because the monitor makes those heaps take them once all workers sleep (K4). */
static void announce(wf_worker *w)
{
    wf_heap_flush_owner(&w->heap);
    wf_idle_announce_sleep(&w->executor->idle, w->index);
    leave_searchers(w);
}

/*
 * A worker that has run dry does four things, in this order. park and stand_by say what they do
 * beside them.
 *
 *   1. It announces its sleep and leaves the searchers.
 *   2. It looks at all queues once more, since a thread that pushed before 1 may not have seen it
 *      asleep.
 *   3. It opens the gate, since the reactor may wait there for this worker. The reactor closes the
 *      gate, then looks at the mask, so one of the two sees the other [driver-2].
 *   4. It tells the stopping thread, which looks again whether all tasks have ended.
 *
 * The caller has taken the key of its park before.
 */

/* Steps 3 and 4. */
static void tell_dry(wf_worker *w)
{
    wf_driver_open(w->executor->rt->driver); /* [driver-2] */
    wf_tasks_ran_dry(w->executor);
}

/* Takes the four steps for park. A worker that finds work in step 2 stays awake and takes it: then
 * this returns false. */
static bool fall_asleep(wf_worker *w)
{
    announce(w);
    wf_driver_end_watch(w->executor->rt->driver);
    if (has_work(w))
        return false;
    wf_count(&w->counters.parks, 1);
    tell_dry(w);
    return true;
}

/* ---- asleep ---- */

/* Gives the worker affinity to a CPU, if it is no spare worker and the configuration says so. */
static void settle(wf_worker *w)
{
    if (w->index < w->executor->idle.n_workers)
        w->has_affinity = wf_thread_settle(&w->executor->host, w->index);
}

/* Where the reactor watches the sockets, it wakes the worker that last ran on its CPU, so affinity
 * helps. A leader is woken by the sender itself. There the kernel must be free to choose the
 * CPU. */
static void settle_or_spread(wf_worker *w, bool sparse)
{
    if (w->has_affinity && sparse) {
        wf_thread_spread(&w->executor->host);
        w->has_affinity = false;
    } else if (!w->has_affinity && !sparse) {
        settle(w);
    }
}

static bool may_lead(wf_worker *w)
{
    wf_driver *driver = w->executor->rt->driver;
    bool sparse = wf_load(&driver->sparse, SEQ_CST); /* [driver-4] after the sleep was announced */

    settle_or_spread(w, sparse);
    return sparse && !wf_load(&driver->led, RELAXED) /* a hint */ &&
           !wf_swap(&driver->led, 1, ACQUIRE); /* [driver-5] */
}

/* Sleeps in epoll_wait on the sockets, so that an event wakes this worker without another thread in
 * between. Returns false if the worker was woken by its bell, or if the events were for other
 * threads. */
static bool be_leader(wf_worker *w, uint32_t key, wf_wakes *wakes)
{
    wf_driver *driver = w->executor->rt->driver;

    if (wf_park_hang_bell(&w->park, driver->bell, key))
        driver->lead(driver, wakes);
    wf_park_take_bell(&w->park);
    WF_ASSERT(wf_peek(&driver->led) == 1); /* [driver-5] one leader at a time */
    /* This worker is awake. It leads again when it runs dry. */
    wf_store(&driver->led, 0, RELEASE); /* [driver-5] */
    return wakes->first != NULL;
}

/* Sleeps once. Returns true after a wake. Returns false if the instant came, or if sockets are
 * ready: then the caller must flush `wakes`. */
static bool sleep_once(wf_worker *w, uint32_t key, int64_t until, wf_wakes *wakes)
{
    if (may_lead(w))
        return !be_leader(w, key, wakes);
    return wf_park_commit(&w->park, key, until);
}

/* The worker has fallen asleep: tidies up, then sleeps until it is woken or the instant comes. */
static void stay_asleep(wf_worker *w, uint32_t key, int64_t until, wf_wakes *wakes)
{
    wf_load_adjust_backoff_owner(w, wf_load_measure_owner(w));
    wf_heap_tidy_owner(&w->heap);
    wf_stacks_tidy(&w->executor->stacks);
    wf_store(&w->polls_site, NULL, RELAXED); /* a hint for the monitor */
    wf_executor_hook(w->executor, WEFT_THREAD_PARKS, w->index);
    while (sleeps(w) && sleep_once(w, key, until, wakes)) {
        key = wf_park_prepare(&w->park);
        if (sleeps(w))
            wf_heap_tidy_owner(&w->heap); /* the monitor woke us to tidy up */
    }
    wf_executor_hook(w->executor, WEFT_THREAD_UNPARKS, w->index);
    w->woke = w->busy_since = wf_now();
}

/* Sleeps until a thread has work for this worker. See idle.h for why no wake-up is lost. */
WF_SELDOM static void park(wf_worker *w, int64_t until)
{
    wf_idle *idle = &w->executor->idle;
    uint32_t key = wf_park_prepare(&w->park); /* taken first: a wake after it ends the sleep */
    wf_wakes wakes = {0};

    WF_ASSERT(!w->polling && w->depth == 0);
    wf_idle_set_cpu(idle, w->index, sched_getcpu());
    if (fall_asleep(w))
        stay_asleep(w, key, until, &wakes);
    wf_idle_leave_sleepers(idle, w->index);
    w->searching = true;
    wf_monitor_wake_any(&w->executor->monitor);
    wf_wakes_flush(&wakes);
}

/* Whether another ordinary worker is awake, and not known to be stuck. */
static bool another_takes_events(const wf_worker *w)
{
    const wf_executor *s = w->executor;

    for (uint32_t i = 0; i < s->idle.n_workers; i++)
        if (i != w->index && !wf_idle_is_sleeping(&s->idle, i) &&
            !wf_load(&s->workers[i]->in_place, RELAXED) && /* hints */
            !wf_load(&s->workers[i]->tasks_moved, RELAXED))
            return true;
    return false;
}

/*
 * A worker that has run dry after tasks bound to it, mostly fibers, lets other threads of its CPU
 * run once before it sleeps, and then looks again. Another worker takes the events of all sockets
 * meanwhile, and soon has some for this one. To sleep until then would open the reactor's gate, and
 * be a wake-up of this worker and one of the reactor for each few events. Returns whether the
 * worker must look again.
 */
WF_SELDOM static bool yield_once(wf_worker *w)
{
    if (!w->may_yield || !another_takes_events(w))
        return false;
    w->may_yield = false;
    leave_searchers(w);
    if (has_work(w)) /* a pusher may have relied on its search [idle-1] */
        return true;
    wf_count(&w->counters.yields, 1);
    wf_load_measure_owner(w);
    sched_yield();
    w->busy_since = wf_now();
    return true;
}

WF_FLATTEN void wf_worker_turn_owner(wf_worker *w, int64_t until)
{
    wf_task *t = wf_pick_task_owner(w);
    uint32_t budget = (uint32_t)w->executor->rt->config.budget;

    if (t)
        wf_run_task_owner(w, t, &budget);
    else if (!yield_once(w))
        park(w, until);
}

/* ---- the thread ---- */

wf_current wf_worker_enter(wf_worker *w)
{
    wf_current before = wf_current_thread;

    wf_current_thread = (wf_current){
        .rt = w->executor->rt, .worker = w, .heap = &w->heap, .owned = true, .lent = before.lent};
    w->busy_since = wf_now();
    if (wf_load(&w->away, RELAXED)) { /* this thread wrote it, or got it with the core */
        wf_idle_leave_sleepers(&w->executor->idle, w->index);
        w->searching = true;
    }
    wf_store(&w->away, false, SEQ_CST); /* [monitor-1] */
    wf_monitor_wake_any(&w->executor->monitor);
    return before;
}

void wf_worker_lend(wf_worker *w)
{
    announce(w);                             /* as if asleep: no pusher relies on it */
    wf_store(&w->away, true, SEQ_CST);       /* [driver-2] */
    wf_store(&w->polls_site, NULL, RELAXED); /* a hint for the monitor */
    wf_driver_open(w->executor->rt->driver); /* [driver-2] */
}

void wf_worker_leave(wf_worker *w, wf_current before)
{
    wf_heap_tidy_owner(&w->heap);
    wf_worker_lend(w);
    wf_current_thread = before;
}

/* Called by a spare worker that isn't needed. It falls asleep, then leaves the mask, and sleeps
 * until the monitor calls it. Work that it finds in step 2 it leaves to another worker. */
static void stand_by(wf_worker *w)
{
    wf_executor *s = w->executor;
    uint32_t     key = wf_park_prepare(&w->park);
    bool         work;

    announce(w);
    work = has_work(w);
    wf_driver_end_sparse(s->rt->driver); /* it may have been about to lead */
    tell_dry(w);
    /* If the bit is gone, a pusher has counted this worker as searching, so it must search. If not,
     * no pusher relies on it, but work that was pushed before must not wait for it. */
    if (!wf_idle_claim_sleeper(&s->idle, w->index)) {
        w->searching = true;
        return;
    }
    if (work)
        wf_dispatch_notify_any(s);
    WF_ASSERT(!wf_peek(&w->lifo) && !wf_peek(&w->first_child));           /* R5 */
    WF_ASSERT(wf_peek(&w->children.bottom) == wf_peek(&w->children.top)); /* R5 */
    WF_ASSERT(wf_peek(&w->woken.bottom) == wf_peek(&w->woken.top));       /* R5 */
    wf_heap_tidy_owner(&w->heap);
    wf_stacks_tidy(&w->executor->stacks);
    wf_store(&w->polls_site, NULL, RELAXED); /* a hint for the monitor */
    wf_store(&w->serves, false, RELEASE);    /* [worker-4] */
    while (!is_needed(w) && !wf_executor_is_stopping(s)) {
        wf_park_commit(&w->park, key, INT64_MAX);
        key = wf_park_prepare(&w->park);
        if (!is_needed(w))
            wf_heap_tidy_owner(&w->heap); /* the monitor woke us to tidy up */
    }
    wf_store(&w->serves, true, RELEASE); /* [worker-4] */
}

/* A spare worker stands by if it isn't needed and has no task of its own left. */
static bool may_stand_by(wf_worker *w)
{
    return !is_needed(w) && wf_worker_length_any(w) == 0 &&
           !wf_load(&w->lifo, RELAXED); /* only the owner fills it */
}

static void *worker_main(void *worker)
{
    wf_worker *w = worker;
    wf_current before = wf_worker_enter(w);
    void      *second_stack = wf_overflow_begin_thread();

    wf_thread_name("%u", w->index);
    wf_store(&w->kernel_id, (pid_t)syscall(SYS_gettid), RELAXED); /* for log lines */
    wf_thread_run_as_host(&w->executor->host);
    wf_store(&w->serves, true, RELEASE); /* [worker-4] */
    settle(w);
    wf_executor_hook(w->executor, WEFT_THREAD_STARTS, w->index);
    while (!wf_executor_is_stopping(w->executor)) {
        if (__builtin_expect(w->index >= w->executor->idle.n_workers, 0) && may_stand_by(w))
            stand_by(w);
        else
            wf_worker_turn_owner(w, INT64_MAX);
    }
    wf_driver_end_sparse(w->executor->rt->driver); /* this worker may have been about to lead */
    wf_executor_hook(w->executor, WEFT_THREAD_STOPS, w->index);
    wf_overflow_end_thread(second_stack);
    wf_worker_leave(w, before);
    return NULL;
}

int wf_worker_start(wf_worker *w)
{
    int r = wf_thread_start(&w->thread, worker_main, w);

    w->has_thread = r == 0;
    return r;
}
