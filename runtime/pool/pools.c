/* pools.c - see pools.h */
#include "pools.h"

#include "config.h"
#include "executor.h"
#include "lock.h"
#include "stop.h"
#include "timer.h"
#include "visit.h"

#include <string.h>

#define THREADS_MOST 10000
#define KEEP_MS_MOST 3600000

static void add(wf_pools *pools, weft_pool *p)
{
    wf_lock(&pools->lock);
    p->next = pools->first;
    pools->first = p;
    wf_unlock(&pools->lock);
}

static void take_out(wf_pools *pools, weft_pool *p)
{
    weft_pool **at = &pools->first;

    wf_lock(&pools->lock);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    wf_unlock(&pools->lock);
}

/* The list grows at its head only, and no pool is closed while the runtime stops. */
static weft_pool *first_of(wf_pools *pools)
{
    weft_pool *first;

    wf_lock(&pools->lock);
    first = pools->first;
    wf_unlock(&pools->lock);
    return first;
}

static int open_pool(weft_runtime *rt, weft_pool **ret, const weft_pool_config *given)
{
    weft_pool_config c = *given;
    int              r;

    if (c.threads == 0)
        c.threads = rt->config.blocking_threads;
    if (c.keep_ms == 0)
        c.keep_ms = rt->config.blocking_keep_ms;
    if (c.threads < 1 || c.threads > THREADS_MOST || c.keep_ms < 1 || c.keep_ms > KEEP_MS_MOST ||
        c.queue_max < WEFT_OFF)
        return -EINVAL;
    r = wf_pool_new(rt, &c, rt->pools->cpus, ret);
    if (r == 0)
        add(rt->pools, *ret);
    return r;
}

WEFT_API int weft_pool_open(weft_runtime *rt, const weft_pool_config *config, weft_pool **ret_pool)
{
    int r;

    rt = wf_rt_or_current(rt);
    if (!rt)
        return -ENXIO;
    if (wf_executor_is_child(rt->executor))
        return -ECHILD;
    /* The stopping thread waits for visitors, then ends all pools. */
    if (!wf_visit_try(rt->executor))
        return -ESHUTDOWN;
    r = open_pool(rt, ret_pool, config);
    wf_visit_leave(rt->executor);
    return r;
}

WEFT_API weft_pool *weft_pool_default(weft_runtime *rt)
{
    return wf_rt_needed(__func__, rt)->pools->standard;
}

WEFT_API weft_pool *weft_pool_dns(weft_runtime *rt)
{
    return wf_rt_needed(__func__, rt)->pools->dns;
}

WEFT_API int weft_pool_counters(weft_pool *pool, struct weft_pool_counters *ret_counters)
{
    if (wf_executor_is_child(pool->rt->executor))
        return -ECHILD; /* a thread of the parent may have held the lock */
    wf_pool_count(pool, ret_counters);
    return 0;
}

/* ---- ending ---- */

/* Ends all pools of the list, or only `first`. */
static bool end(weft_pool *first, bool all, int64_t until, bool leave)
{
    bool ended = true;

    for (weft_pool *p = first; p; p = all ? p->next : NULL)
        ended &= wf_pool_end(p, until, leave);
    return ended;
}

static void report(weft_pool *first, bool all, const char *what)
{
    for (weft_pool *p = first; p; p = all ? p->next : NULL)
        wf_pool_report(p, what);
}

/* After a second, logs the jobs that still run. */
static bool end_patiently(weft_pool *first, bool all, int64_t until, bool leave)
{
    int64_t soon = wf_now() + WEFT_S(1);

    if (until > soon) {
        if (end(first, all, soon, leave))
            return true;
        report(first, all, "stop: still running: ");
    }
    if (end(first, all, until, leave))
        return true;
    report(first, all, "stop: ");
    return false;
}

WEFT_API int weft_pool_close(weft_pool *pool, int64_t patience)
{
    int64_t now = wf_now();

    if (wf_executor_owns_caller())
        return -EDEADLK;
    if (wf_executor_is_child(pool->rt->executor))
        return -ECHILD;
    if (pool == pool->rt->pools->standard || pool == pool->rt->pools->dns)
        return -EINVAL;
    patience = patience > 0 ? patience : 0;
    if (!end_patiently(pool, false, wf_after(now, patience), false))
        return -ETIMEDOUT;
    take_out(pool->rt->pools, pool);
    wf_pool_drop(pool);
    return 0;
}

void wf_pools_report(weft_runtime *rt, const char *what)
{
    report(first_of(rt->pools), true, what);
}

/* Jobs whose futures have not seen their end. All tasks have ended, so other executors poll these
 * futures. Each one looks into the runtime, and has a reference to the pool. */
static uint32_t count_unseen(weft_runtime *rt)
{
    uint32_t n = 0;

    for (const weft_pool *p = first_of(rt->pools); p; p = p->next)
        n += wf_load(&p->refs, ACQUIRE) - 1; /* [pool-1] */
    return n;
}

int wf_pools_stop(weft_runtime *rt, int64_t until, bool leave)
{
    wf_pools *pools = rt->pools;

    if (!end_patiently(pools->first, true, until, leave))
        return -ETIMEDOUT;
    for (weft_pool *p = pools->first; p; p = p->next)
        if (p->left_behind)
            return 1;
    if (!wf_stop_wait(rt, count_unseen, "blocking jobs of other executors have ended",
                      "poll their futures to the end", until))
        return -ETIMEDOUT;
    for (weft_pool *p = pools->first, *next; p; p = next) {
        next = p->next;
        wf_pool_drop(p);
    }
    rt->pools = NULL;
    wf_release(&rt->config.allocator, pools, sizeof *pools);
    return 0;
}

/* ---- starting ---- */

int wf_pools_start(weft_runtime *rt)
{
    wf_pools *pools = wf_alloc(&rt->config.allocator, sizeof *pools);
    int       r;

    if (!pools)
        return -ENOMEM;
    memset(pools, 0, sizeof *pools);
    pools->cpus = wf_config_cpus();
    rt->pools = pools;
    r = open_pool(rt, &pools->standard, &(weft_pool_config){.name = "blocking"});
    if (r == 0)
        r = open_pool(rt, &pools->dns,
                      &(weft_pool_config){.name = "dns", .threads = rt->config.dns_threads});
    if (r < 0)
        (void)wf_pools_stop(rt, 0, false); /* there are no threads yet */
    return r;
}

/* ---- counting ---- */

bool wf_pools_are_quiet(weft_runtime *rt)
{
    bool quiet = true;

    wf_lock(&rt->pools->lock);
    for (weft_pool *p = rt->pools->first; p; p = p->next)
        quiet &= wf_pool_is_quiet(p);
    wf_unlock(&rt->pools->lock);
    return quiet;
}

static void add_pool(struct weft_runtime_counters *to, const struct weft_pool_counters *from)
{
    to->blocking_jobs += from->jobs;
    to->blocking_threads += from->threads;
    to->blocking_idle += from->idle;
    to->blocking_queued += from->queued;
    to->blocking_done += from->done;
    to->blocking_cancelled += from->cancelled;
    to->blocking_rejected += from->rejected;
    to->blocking_wait_ns += from->wait_ns;
    if (from->wait_max_ns > to->blocking_wait_max_ns)
        to->blocking_wait_max_ns = from->wait_max_ns;
    to->blocking_run_ns += from->run_ns;
}

void wf_pools_count(weft_runtime *rt, struct weft_runtime_counters *counters)
{
    wf_lock(&rt->pools->lock);
    for (weft_pool *p = rt->pools->first; p; p = p->next) {
        struct weft_pool_counters c;

        wf_pool_count(p, &c);
        add_pool(counters, &c);
    }
    wf_unlock(&rt->pools->lock);
}
