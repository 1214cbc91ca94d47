/* pool.c - see pool.h */
#include "pool.h"

#include "executor.h"
#include "invariant.h"
#include "lock.h"
#include "pool_threads.h"
#include "timer.h"

#include <stdio.h>
#include <string.h>

#define AT_ONCE    8  /* most threads that a pool begins with */
#define NAMED_MOST 20 /* most running jobs that are logged */

/* ---- the queue (_locked: the caller holds the pool's lock) ---- */

static void append_locked(weft_pool *p, wf_job *job)
{
    WF_ASSERT(!job->queued && !job->thread); /* L1 */
    job->queued = true;
    job->next = NULL;
    job->prev = p->last;
    if (p->last)
        p->last->next = job;
    else
        p->first = job;
    p->last = job;
    p->counters.jobs++;
    if (++p->counters.queued > p->counters.queued_peak)
        p->counters.queued_peak = p->counters.queued;
}

static void unlink_locked(weft_pool *p, wf_job *job)
{
    WF_ASSERT(job->queued && p->counters.queued > 0);                /* L1 */
    WF_ASSERT(job->prev ? job->prev->next == job : p->first == job); /* L1 */
    if (job->next)
        job->next->prev = job->prev;
    else
        p->last = job->prev;
    if (job->prev)
        job->prev->next = job->next;
    else
        p->first = job->next;
    job->queued = false;
    p->counters.queued--;
}

static void count_wait_locked(weft_pool *p, int64_t wait)
{
    uint64_t ns = wait > 0 ? (uint64_t)wait : 0, us = ns / 1000;
    uint32_t i = us ? 64 - (uint32_t)__builtin_clzll(us) : 0;

    p->counters.wait_ns += ns;
    if (ns > p->counters.wait_max_ns)
        p->counters.wait_max_ns = ns;
    p->counters.waits[i < WEFT_POOL_WAITS ? i : WEFT_POOL_WAITS - 1]++;
}

wf_job *wf_pool_take_locked(weft_pool *p, int64_t now)
{
    wf_job *job = p->first;

    unlink_locked(p, job);
    count_wait_locked(p, now - job->since);
    return job;
}

wf_job *wf_pool_take_all_locked(weft_pool *p)
{
    wf_job *jobs = p->first;

    for (wf_job *job = jobs; job; job = job->next)
        job->queued = false;
    p->first = p->last = NULL;
    p->counters.queued = 0;
    return jobs;
}

int wf_pool_submit(weft_pool *p, wf_job *job)
{
    int64_t now = wf_now();
    int     r = 0;
    wf_call c = {NULL, false};

    if (wf_executor_is_child(p->rt->executor))
        return -ECHILD;
    job->since = now;
    wf_lock(&p->lock);
    if (p->closing) {
        r = -ESHUTDOWN;
    } else if ((int64_t)p->counters.queued + p->n_running >= p->most_jobs) {
        p->counters.rejected++;
        r = -EAGAIN;
    } else {
        append_locked(p, job);
        c = wf_pool_threads_queued_locked(p, now);
    }
    wf_unlock(&p->lock);
    wf_pool_threads_call(p, c);
    return r;
}

static bool withdraw_locked(weft_pool *p, wf_job *job)
{
    if (!job->queued)
        return false;
    unlink_locked(p, job);
    p->counters.cancelled++;
    return true;
}

bool wf_pool_withdraw(weft_pool *p, wf_job *job)
{
    bool queued;

    wf_lock(&p->lock);
    queued = withdraw_locked(p, job);
    wf_unlock(&p->lock);
    return queued;
}

bool wf_pool_abandon(weft_pool *p, wf_job *job)
{
    bool queued;

    wf_lock(&p->lock);
    queued = withdraw_locked(p, job);
    if (!queued && job->thread) {
        wf_pool_threads_leave_locked(job->thread);
        wf_add(&p->n_ended, 1, RELEASE); /* [pool-2] the closing thread waits for one less */
        if (p->closing)
            wf_futex_wake(&p->n_ended, 1);
    }
    wf_unlock(&p->lock);
    return queued;
}

/* ---- opening and closing ---- */

/* Includes running jobs: a job that a thread is about to take does not count as waiting. */
static int64_t most_jobs(const weft_pool_config *c)
{
    if (c->queue_max == WEFT_OFF)
        return c->threads;
    return c->queue_max == 0 || c->queue_max > INT64_MAX - c->threads ? INT64_MAX
                                                                      : c->threads + c->queue_max;
}

int wf_pool_new(weft_runtime *rt, const weft_pool_config *complete, int64_t cpus, weft_pool **ret)
{
    weft_pool *p = wf_alloc_aligned(&rt->config.allocator, sizeof *p);

    if (!p)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->rt = rt;
    p->alloc = rt->config.allocator;
    snprintf(p->name, sizeof p->name, "%s", complete->name ? complete->name : "user");
    p->most_threads = complete->threads;
    p->most_jobs = most_jobs(complete);
    p->keep = WEFT_MS(complete->keep_ms);
    p->base = p->room = cpus < AT_ONCE ? cpus : AT_ONCE;
    p->refs = 1;
    *ret = p;
    return 0;
}

void wf_pool_hold(weft_pool *p)
{
    wf_add(&p->refs, 1, RELAXED); /* the caller knows that the pool is open */
}

void wf_pool_drop(weft_pool *p)
{
    weft_allocator alloc = p->alloc;
    uint64_t       before = wf_sub(&p->refs, 1, ACQ_REL); /* [pool-1] */

    WF_ASSERT(before > 0); /* L2 */
    if (before != 1)
        return;
    WF_ASSERT(!p->first); /* L1 */
    wf_pool_threads_free(p);
    wf_release_aligned(&alloc, p, sizeof *p);
}

bool wf_pool_end(weft_pool *p, int64_t until, bool leave)
{
    uint32_t seen;

    wf_lock(&p->lock);
    p->closing = true;
    for (wf_thread *t = p->newest; t; t = t->older)
        wf_park_wake(&t->park);
    while (p->n_threads > (leave ? p->n_left : 0)) {
        seen = wf_load(&p->n_ended, ACQUIRE); /* [pool-2] */
        wf_unlock(&p->lock);
        if (!wf_futex_wait(&p->n_ended, seen, until))
            return false;
        wf_lock(&p->lock);
    }
    p->left_behind = p->n_threads > 0;
    wf_unlock(&p->lock);
    if (p->left_behind)
        return true; /* threads left behind may end at any time */
    if (p->has_corpse)
        pthread_join(p->corpse, NULL);
    p->has_corpse = false;
    return true;
}

void wf_pool_count(weft_pool *p, struct weft_pool_counters *ret)
{
    wf_lock(&p->lock);
    *ret = p->counters;
    ret->threads = (uint64_t)p->n_threads;
    ret->running = (uint64_t)p->n_running;
    wf_unlock(&p->lock);
}

bool wf_pool_is_quiet(weft_pool *p)
{
    bool quiet;

    wf_lock(&p->lock);
    quiet = !p->first && p->n_running == 0 && wf_load(&p->n_telling, ACQUIRE) == 0; /* [pool-3] */
    wf_unlock(&p->lock);
    return quiet;
}

void wf_pool_report(weft_pool *p, const char *what)
{
    struct {
        const char *name;
        int64_t     since;
    } job[NAMED_MOST];
    int64_t n = 0, now = wf_now();

    wf_lock(&p->lock);
    for (wf_thread *t = p->newest; t; t = t->older)
        if (t->kind && n++ < NAMED_MOST) {
            job[n - 1].name = t->kind->name;
            job[n - 1].since = t->since;
        }
    wf_unlock(&p->lock);
    for (int64_t i = 0; i < n && i < NAMED_MOST; i++)
        wf_log(&p->rt->config, WEFT_LOG_WARNING, "%sblocking job %s (%s) has run for %lld ms", what,
               job[i].name, job[i].name + strlen(job[i].name) + 1,
               (long long)((now - job[i].since) / WEFT_MS(1)));
    if (n > NAMED_MOST)
        wf_log(&p->rt->config, WEFT_LOG_WARNING, "%s%lld more blocking jobs of pool %s", what,
               (long long)(n - NAMED_MOST), p->name);
}
