/*
 * runtime.c - starting and stopping a runtime
 *
 * Purpose     The phases of a runtime's life.
 *
 *             start   1 configuration  2 timer wheels, workers without threads  3 reactor
 *                     4 blocking pools  5 the workers' threads
 *             stop    1 no new tasks, cancel all  2 wait for the last task
 *                     3 wait until no other executor has an operation or a timer here, and no
 *                     thread is in weft_block_on
 *                     4 end a clock that jumps  5 end the pools  6 end the workers
 *                     7 end the reactor  8 free
 *
 *             All threads run until phase 5 of stop. A stop whose time runs out in phase 2, 3 or 5
 *             may be called again: what was closed stays closed, and nothing was freed.
 * Threads     Any but the runtime's own.
 * Invariants  U1 If a phase of start fails, the phases before it are undone.
 *             U2 Stop reaches phase 4 only without tasks and without operations and timers of other
 *             executors, so none of them uses what the later phases end.
 *             U3 If blocking jobs are left behind, the memory that their threads come back to
 *             stays. If threads in weft_block_on are, all of the runtime stays, and goes on. The
 *             process is about to end.
 * Ordering    Thread creation and joining.
 * Failure     start: -errno, logged. stop: -ETIMEDOUT names what remains.
 */
#include "blocked.h"
#include "config.h"
#include "dump.h"
#include "executor.h"
#include "invariant.h"
#include "limit.h"
#include "pools.h"
#include "reactor.h"
#include "runtimes.h"
#include "stderr.h"
#include "stop.h"
#include "switch.h"
#include "tasks.h"
#include "timer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

WEFT_API int weft_version(void)
{
    return WEFT_VERSION;
}

/* U3: runtimes that are never freed. The list keeps them reachable for leak checkers. */
typedef struct left_behind {
    struct left_behind *next;
    weft_runtime       *rt;
} left_behind;

static left_behind *all_left;

static void leave_behind(weft_runtime *rt)
{
    left_behind *l = wf_alloc(&rt->config.allocator, sizeof *l);

    if (!l)
        return;
    *l = (left_behind){wf_load(&all_left, RELAXED), rt};
    while (!wf_cas(&all_left, &l->next, l, ACQ_REL)) /* nothing reads or shortens the list */
        ;
}

static void runtime_free(weft_runtime *rt)
{
    if (rt->config.log == wf_stderr_log)
        wf_stderr_tell_dropped();
    wf_release(&rt->config.allocator, rt, sizeof *rt);
}

static int start_workers(weft_runtime *rt)
{
    int           r = wf_executor_start(rt->executor);
    wf_limit_room room;

    if (r < 0)
        wf_log(&rt->config, WEFT_LOG_ERROR, "start: can't create %lld worker threads: %s: %s",
               (long long)rt->config.workers, strerror(-r), wf_limit_threads(&room));
    return r;
}

static int allocated(const weft_config *config, int r)
{
    if (r < 0)
        wf_log(config, WEFT_LOG_ERROR, "start: out of memory");
    return r;
}

static int start_phases(weft_runtime *rt)
{
    int r = allocated(&rt->config, wf_timers_start(rt));

    if (r < 0)
        return r;
    if ((r = allocated(&rt->config, wf_executor_new(rt))) < 0)
        goto no_executor;
    if ((r = wf_reactor_start(rt)) < 0)
        goto no_reactor;
    if ((r = allocated(&rt->config, wf_pools_start(rt))) < 0)
        goto no_pools;
    if ((r = start_workers(rt)) < 0)
        goto no_workers;
    return 0;
no_workers:
    (void)wf_pools_stop(rt, 0, false); /* the pools have no threads yet */
no_pools:
    wf_reactor_stop(rt);
no_reactor:
    wf_executor_free(rt->executor);
no_executor:
    wf_timers_stop(rt);
    return r;
}

/* A panic, and a switch to a fiber, leave frames without returning from them. */
static int refuse_shadow_stack(const weft_config *config)
{
    wf_log(config, WEFT_LOG_ERROR,
           "start: the thread has a shadow stack, which weft does not support; link the program "
           "without -z shstk, or start it with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
    return -ENOTSUP;
}

WEFT_API int weft_runtime_start(const weft_config *config, weft_runtime **ret_runtime)
{
    weft_config   complete;
    weft_runtime *rt;
    int           r = wf_config_complete(&complete, config);

    if (r < 0)
        return r;
    if (wf_switch_is_shadowed())
        return refuse_shadow_stack(&complete);
    rt = wf_alloc(&complete.allocator, sizeof *rt);
    if (!rt)
        return allocated(&complete, -ENOMEM);
    *rt = (weft_runtime){.config = complete};
    r = start_phases(rt);
    if (r < 0) {
        runtime_free(rt);
        return r;
    }
    wf_runtimes_add(rt);
    *ret_runtime = rt;
    return 0;
}

/* Tasks that a stop names. A line for each of a million would fill the log, and take longer than
 * the patience of most callers. */
#define STRAGGLERS_MOST 1000

/* After a second, logs the tasks that still run. */
static bool wait_empty(wf_executor *s, int64_t now, int64_t until)
{
    if (until - now > WEFT_S(1)) {
        if (wf_executor_wait_empty(s, now + WEFT_S(1)))
            return true;
        wf_dump_tasks(s, WEFT_LOG_WARNING, "stop: still running: ", STRAGGLERS_MOST);
    }
    return wf_executor_wait_empty(s, until);
}

bool wf_stop_wait(weft_runtime *rt, uint32_t (*count)(weft_runtime *rt), const char *what,
                  const char *remedy, int64_t until)
{
    int64_t  now = wf_now(), told = wf_after(now, WEFT_S(1));
    uint32_t n;

    for (; (n = count(rt)) > 0; now = wf_now()) {
        if (now >= until || now >= told) {
            wf_log(&rt->config, WEFT_LOG_WARNING, "stop: %s: %u; %s", what, n, remedy);
            told = WEFT_FOREVER;
        }
        if (now >= until)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL); /* nothing wakes this thread */
    }
    return true;
}

static bool wait_operations(weft_runtime *rt, int64_t until)
{
    return wf_stop_wait(rt, wf_reactor_users, "operations of other executors are under way",
                        "cancel them, and poll them to their end", until) &&
           wf_stop_wait(rt, wf_timers_users, "sleeps of other executors are under way",
                        "cancel them, and poll them to their end", until);
}

/* A thread in weft_block_on may leave operations behind, in a future set. */
static bool wait_unused(weft_runtime *rt, int64_t until)
{
    return wait_operations(rt, until) &&
           wf_stop_wait(rt, wf_blocked_users, "threads are in weft_block_on with the runtime",
                        "end what they wait for", until) &&
           wait_operations(rt, until);
}

int wf_runtime_stop(weft_runtime *rt, int64_t patience, bool leave)
{
    int64_t          now = wf_now(), until;
    int              left;
    const wf_worker *lent = wf_current_thread.lent;

    if (wf_executor_is_child(rt->executor))
        return -ECHILD;
    if (wf_current_thread.rt == rt || (lent && lent->executor == rt->executor) ||
        wf_blocked_is_caller(rt))
        return -EDEADLK;
    patience = patience > 0 ? patience : 0;
    until = wf_after(now, patience);
    wf_tasks_close(rt->executor);
    if (!wait_empty(rt->executor, now, until)) {
        wf_dump_tasks(rt->executor, WEFT_LOG_WARNING, "stop: ", STRAGGLERS_MOST);
        wf_pools_report(rt, "stop: "); /* a task may wait for its job */
        return -ETIMEDOUT;
    }
    if (leave && wf_blocked_users(rt) > 0) {
        leave_behind(rt); /* U3 */
        return 0;
    }
    if (!wait_unused(rt, until))
        return -ETIMEDOUT;
    WF_ASSERT(wf_tasks_alive(rt->executor) == 0); /* U2 */
    wf_clock_end(&rt->timers->clock);
    if ((left = wf_pools_stop(rt, until, leave)) < 0)
        return -ETIMEDOUT;
    wf_runtimes_remove(rt);
    wf_executor_stop(rt->executor); /* workers use the reactor to their end */
    wf_reactor_stop(rt);
    if (left > 0) {
        leave_behind(rt);
        return 0;
    }
    wf_executor_free(rt->executor);
    wf_timers_stop(rt);
    runtime_free(rt);
    return 0;
}

WEFT_API int weft_runtime_stop(weft_runtime *rt, int64_t patience)
{
    if (!rt)
        weft_misuse_(__func__, "the runtime is NULL", "a stop frees its runtime, so name it");
    return wf_runtime_stop(rt, patience, false);
}

/* Copies the counters of a worker. Each counter has one writer. */
static struct weft_worker_counters count_worker(const wf_worker *w)
{
    struct weft_worker_counters c;
    const uint64_t             *from = (const uint64_t *)&w->counters;

    for (size_t i = 0; i < sizeof c / sizeof *from; i++)
        ((uint64_t *)&c)[i] = wf_load(&from[i], RELAXED); /* counters: see wf_count */
    return c;
}

static void add_worker(struct weft_runtime_counters *to, const struct weft_worker_counters *from)
{
    to->tasks_spawned += from->spawned;
    to->tasks_ended += from->ended;
    to->polls += from->polls;
    to->searches += from->searches;
    to->steals += from->steals;
    to->lifo_hits += from->lifo_hits;
    to->overdue += from->overdue;
    to->in_place_joins += from->in_place_joins;
    to->parks += from->parks;
    to->yields += from->yields;
}

WEFT_API weft_backend weft_runtime_backend(const weft_runtime *rt)
{
    rt = wf_rt_needed(__func__, rt);
    /* A hint: the ring may be lost a moment later. */
    return wf_load(&rt->reactor->ring.error, RELAXED) < 0 ? WEFT_BACKEND_EPOLL : WEFT_BACKEND_URING;
}

WEFT_API uint32_t weft_runtime_workers(const weft_runtime *rt)
{
    return wf_rt_needed(__func__, rt)->executor->idle.n_workers;
}

WEFT_API int weft_worker_counters(const weft_runtime *rt, uint32_t index,
                                  struct weft_worker_counters *ret_counters)
{
    if (!rt)
        rt = wf_current_thread.rt;
    if (!rt)
        return -ENXIO;
    if (index >= rt->executor->idle.n_slots)
        return -EINVAL;
    *ret_counters = count_worker(rt->executor->workers[index]);
    return 0;
}

WEFT_API void weft_runtime_dump(weft_runtime *rt)
{
    wf_dump_tasks(wf_rt_needed(__func__, rt)->executor, WEFT_LOG_INFO, "", UINT64_MAX);
}

WEFT_API void weft_runtime_counters(weft_runtime *rt, struct weft_runtime_counters *ret_counters)
{
    struct weft_runtime_counters c = {0};
    const wf_executor           *e;

    rt = wf_rt_needed(__func__, rt);
    e = rt->executor;
    for (uint32_t i = 0; i < e->idle.n_slots; i++) {
        struct weft_worker_counters w = count_worker(e->workers[i]);

        add_worker(&c, &w);
    }
    c.tasks_spawned += wf_load(&e->foreign_spawned, RELAXED); /* a counter */
    c.injected = wf_load(&e->inject.n_total, RELAXED);
    c.tasks_alive = wf_tasks_alive(rt->executor);
    wf_reactor_count(rt, &c);
    wf_timers_count(rt->timers, &c);
    if (!wf_executor_is_child(rt->executor))
        wf_pools_count(rt, &c); /* takes a lock, which a forked child may never get */
    *ret_counters = c;
}
