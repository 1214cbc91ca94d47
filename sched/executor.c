/*
 * executor.c - the workers of a runtime, and all of its tasks
 *
 * Purpose     See executor.h.
 * Threads     See executor.h.
 * Invariants  See executor.h.
 * Ordering    See executor.h.
 * Failure     See executor.h.
 */
#include "executor.h"

#include "lock.h"
#include "task.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

int wf_executor_thread(pthread_t *thread, void *(*body)(void *), void *arg, const char *name)
{
    sigset_t all, before;
    int      r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits it */
    r = pthread_create(thread, NULL, body, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        pthread_setname_np(*thread, name);
    return -r;
}

/* ---- start and stop ---- */

static void worker_free(wf_executor *s, wf_worker *w)
{
    wf_deque_free(&w->woken);
    wf_deque_free(&w->children);
    wf_release_aligned(&s->rt->config.allocator, w, sizeof *w);
}

static wf_worker *worker_new(wf_executor *s, uint32_t index)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    wf_worker            *w = wf_alloc_aligned(alloc, sizeof *w);

    if (!w)
        return NULL;
    memset(w, 0, sizeof *w);
    w->executor = s;
    w->index = index;
    w->random = (index + 1) * 2654435761u;
    if (wf_deque_init(&w->woken, alloc) < 0 || wf_deque_init(&w->children, alloc) < 0) {
        worker_free(s, w);
        return NULL;
    }
    return w;
}

static void end_workers(wf_executor *s)
{
    wf_store(&s->stopping, true, RELEASE); /* [executor-2] */
    for (uint32_t i = 0; i < s->n_started; i++)
        wf_park_wake(&s->workers[i]->park);
    for (uint32_t i = 0; i < s->n_started; i++)
        pthread_join(s->workers[i]->thread, NULL);
}

void wf_executor_free(wf_executor *s)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    uint32_t              n = s->idle.n_workers;

    for (uint32_t i = 0; s->workers && i < n; i++)
        if (s->workers[i])
            worker_free(s, s->workers[i]);
    if (s->workers)
        wf_release(alloc, s->workers, n * sizeof *s->workers);
    s->rt->executor = NULL;
    wf_release_aligned(alloc, s, sizeof *s);
}

int wf_executor_new(weft_runtime *rt)
{
    const weft_allocator *alloc = &rt->config.allocator;
    uint32_t              n = (uint32_t)rt->config.workers;
    wf_executor          *s = wf_alloc_aligned(alloc, sizeof *s);

    if (!s)
        return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->rt = rt;
    s->idle.n_workers = n;
    s->poll_ns = 2000; /* until it has been measured */
    rt->executor = s;
    s->workers = wf_alloc(alloc, n * sizeof *s->workers);
    if (s->workers)
        memset(s->workers, 0, n * sizeof *s->workers);
    for (uint32_t i = 0; s->workers && i < n; i++)
        if (!(s->workers[i] = worker_new(s, i)))
            break;
    if (s->workers && s->workers[n - 1])
        return 0;
    wf_executor_free(s);
    return -ENOMEM;
}

int wf_executor_start(wf_executor *s)
{
    char name[16];
    int  r = 0;

    for (uint32_t i = 0; i < s->idle.n_workers && r == 0; i++) {
        wf_worker *w = s->workers[i];

        snprintf(name, sizeof name, "weft-%u", i);
        r = wf_executor_thread(&w->thread, wf_worker_main, w, name);
        if (r == 0)
            s->n_started++;
    }
    if (r < 0)
        end_workers(s);
    return r;
}

void wf_executor_close(wf_executor *s)
{
    wf_wakes wakes = {0};

    wf_store(&s->closing, true, SEQ_CST); /* [executor-3] */
    for (int i = 0; i < WF_EXECUTOR_SHARDS; i++) {
        wf_shard *shard = &s->shard[i];

        wf_lock(&shard->lock);
        shard->closed = true;
        for (wf_task *t = shard->first; t; t = t->all.next) {
            if (wf_task_to_cancelled(t) == WF_TASK_WAKE_NOTHING)
                continue;
            t->next = wakes.first;
            wakes.first = t;
        }
        wf_unlock(&shard->lock);
    }
    wf_wakes_flush(&wakes);
}

uint64_t wf_executor_alive(wf_executor *s)
{
    uint64_t n = 0;

    for (int i = 0; i < WF_EXECUTOR_SHARDS; i++)
        n += wf_load(&s->shard[i].n, SEQ_CST); /* [executor-3] */
    return n;
}

bool wf_executor_wait_empty(wf_executor *s, int64_t until)
{
    for (;;) {
        uint32_t seen = wf_load(&s->n_ended, ACQUIRE); /* [executor-3] */

        if (wf_executor_alive(s) == 0)
            return true;
        if (!wf_futex_wait(&s->n_ended, seen, until))
            return wf_executor_alive(s) == 0;
    }
}

void wf_executor_stop(wf_executor *s)
{
    end_workers(s);
    while (wf_load(&s->n_visitors, ACQUIRE) !=
           0) /* [executor-1] they have a few instructions left */
        sched_yield();
}

/* ---- the list of tasks ---- */

static wf_shard *shard_of(wf_executor *s, const wf_task *t)
{
    return &s->shard[((uintptr_t)t >> 6 ^ (uintptr_t)t >> 12) % WF_EXECUTOR_SHARDS];
}

static int adopt(wf_executor *s, wf_task *t)
{
    wf_shard *shard = shard_of(s, t);
    int       r = -ESHUTDOWN;

    wf_lock(&shard->lock);
    if (!shard->closed) {
        t->all.prev = NULL;
        t->all.next = shard->first;
        if (shard->first)
            shard->first->all.prev = t;
        shard->first = t;
        wf_store(&shard->n, shard->n + 1, RELAXED); /* nobody waits for it to grow */
        r = 0;
    }
    wf_unlock(&shard->lock);
    return r;
}

void wf_executor_forget_task(wf_executor *s, wf_task *t)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    wf_shard             *shard = shard_of(s, t);

    wf_lock(&shard->lock);
    if (t->all.next)
        t->all.next->all.prev = t->all.prev;
    if (t->all.prev)
        t->all.prev->all.next = t->all.next;
    else
        shard->first = t->all.next;
    wf_store(&shard->n, shard->n - 1, SEQ_CST); /* [executor-3] */
    wf_unlock(&shard->lock);
    t->memory.release = alloc->release;
    t->memory.arg = alloc->arg;
    if (wf_load(&s->closing, SEQ_CST)) { /* [executor-3] */
        wf_add(&s->n_ended, 1, RELEASE); /* [executor-3] */
        wf_futex_wake(&s->n_ended, INT32_MAX);
    }
}

static const char *awaited_name(const wf_task *t)
{
    const weft_future *f = &t->frame.future;

    while (f && f->ops->cancel == weft_frame_cancel_ &&
           ((const weft_frame *)(const void *)f)->awaiting_)
        f = ((const weft_frame *)(const void *)f)->awaiting_;
    return f->ops->name;
}

void wf_executor_report(wf_executor *s)
{
    wf_wakes wakes = {0};

    for (int i = 0; i < WF_EXECUTOR_SHARDS; i++) {
        wf_lock(&s->shard[i].lock);
        for (wf_task *t = s->shard[i].first; t; t = t->all.next) {
            /* Marking an idle task keeps its worker away while we look at what it awaits. */
            bool idle = wf_task_to_notified(t) == WF_TASK_WAKE_QUEUE;

            wf_log(&s->rt->config, WEFT_LOG_WARNING, "stop: task %s (spawned at %s) %s%s",
                   t->frame.future.ops->name, t->site,
                   idle ? "awaits " : "is queued or being polled", idle ? awaited_name(t) : "");
            if (idle) {
                t->next = wakes.first;
                wakes.first = t;
            }
        }
        wf_unlock(&s->shard[i].lock);
    }
    wf_wakes_flush(&wakes);
}

/* ---- queueing ---- */

void wf_executor_notify_any(wf_executor *s)
{
    int i = wf_idle_pick(&s->idle);

    if (i >= 0)
        wf_park_wake(&s->workers[i]->park);
}

void wf_executor_inject_any(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    wf_inject_push_any(&s->inject, first, last, n);
    wf_executor_notify_any(s);
}

/* ---- how much waits ---- */

bool wf_executor_wants_help(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_workers; i++) {
        if (wf_deque_length_any(&s->workers[i]->children) > 0)
            return true; /* they may be anything: the normal rule */
        n += (uint64_t)wf_deque_length_any(&s->workers[i]->woken);
    }
    return n * wf_load(&s->poll_ns, RELAXED) / 1000 >
           (uint64_t)s->rt->config.wake_us; /* estimate */
}

uint64_t wf_executor_backlog(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_workers; i++)
        n += (uint64_t)wf_deque_length_any(&s->workers[i]->woken) +
             (uint64_t)wf_deque_length_any(&s->workers[i]->children);
    return n;
}

bool wf_executor_hand_over(wf_executor *s, wf_wakes *wakes)
{
    wf_wakes others = {0}, ours = {0};
    uint32_t n = 0;

    for (wf_task *t = wakes->first, *next; t; t = next) {
        wf_wakes *to = t->rt == s->rt ? &ours : &others;

        next = t->next;
        t->next = NULL;
        if (to->last)
            to->last->next = t;
        else
            to->first = t;
        to->last = t;
        n += to == &ours;
    }
    wakes->first = wakes->last = NULL;
    if (n > 0)
        wf_inject_push_any(&s->inject, ours.first, ours.last, n);
    wf_wakes_flush(&others);
    return n > 0;
}

static bool is_own_thread(const wf_executor *s)
{
    return wf_current_thread.owned && wf_current_thread.rt == s->rt;
}

/* Runtime threads outlive every task, so they may touch the runtime at will; others are counted from
 * before the task is queued (S3). */
static void inject(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    bool visitor = !is_own_thread(s);

    if (visitor)
        wf_add(&s->n_visitors, 1, RELAXED); /* [executor-1] ordered by queueing the task */
    wf_executor_inject_any(s, first, last, n);
    if (visitor)
        wf_sub(&s->n_visitors, 1, RELEASE); /* [executor-1] */
}

static wf_worker *own_worker(const wf_task *t)
{
    return wf_current_thread.rt == t->rt ? wf_current_thread.worker : NULL;
}

void wf_executor_queue(wf_task *t)
{
    wf_worker *w = own_worker(t);

    if (w)
        wf_worker_push_woken_owner(w, t);
    else
        inject(t->rt->executor, t, t, 1);
}

void wf_executor_queue_chain(wf_task *t)
{
    while (t) {
        wf_task *first = t, *last = t, *next = t->next;
        uint32_t n = 1;

        if (own_worker(t)) {
            wf_executor_queue(t);
            t = next;
            continue;
        }
        for (; next && next->rt == first->rt; next = next->next, n++)
            last = next;
        inject(first->rt->executor, first, last, n);
        t = next;
    }
}

int wf_executor_spawn(wf_executor *s, wf_task *t)
{
    wf_worker *w = own_worker(t);
    int        r = adopt(s, t);

    if (r < 0)
        return r;
    if (w) {
        wf_count(&w->counters.spawned, 1);
        wf_worker_push_child_owner(w, t);
    } else {
        wf_add(&s->foreign_spawned, 1, RELAXED); /* a counter */
        inject(s, t, t, 1);
    }
    return 0;
}
