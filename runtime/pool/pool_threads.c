/* pool_threads.c - see pool_threads.h */
#include "pool_threads.h"

#include "executor.h"
#include "invariant.h"
#include "lock.h"
#include "panic.h"
#include "timer.h"

#define TICK  WEFT_US(500) /* if no thread takes a job for so long, the running ones are stuck */
#define SOON  100          /* ticks in which the queue should become empty */
#define RETRY WEFT_MS(10)  /* until creating a thread is tried again after a failure */

/* ---- how many threads ---- */

static uint64_t n_taken_locked(const weft_pool *p)
{
    return p->counters.done + (uint64_t)p->n_running;
}

static bool has_room_locked(const weft_pool *p)
{
    return p->n_running - p->n_stuck < p->room;
}

/* Jobs wait, and no thread has taken one for a while. The running threads then count as stuck, and
 * as many others may run beside them. The more threads run, the longer this takes: they may just be
 * too many for the CPUs. */
static void judge_locked(weft_pool *p, int64_t now)
{
    int64_t patience = TICK + TICK * p->n_running / (8 * p->base);

    if (!p->first || p->coming || has_room_locked(p) || now - p->last_taken < patience)
        return;
    p->round++;
    p->n_stuck = p->n_running;
    p->room = p->n_running > p->base ? p->n_running : p->base;
}

/* The watcher checks the queue. A queue that shrinks too slowly gets one more thread. */
static void tick_locked(weft_pool *p, int64_t now)
{
    uint64_t taken = n_taken_locked(p) - p->n_seen;

    judge_locked(p, now);
    if (taken > 0 && !p->coming && !has_room_locked(p) && p->counters.queued > taken * SOON)
        p->room++;
}

/* Whether the queue needs no thread now: it is empty, a thread is coming, or one watches until
 * there is room for another. */
static bool is_served_locked(const weft_pool *p)
{
    return !p->first || p->coming || (p->watcher && !has_room_locked(p));
}

/* One thread more is to be created, if there may be one. Its struct is an unused one, or one that
 * wf_pool_threads_call allocates, since the allocator is not called under the lock. */
static wf_call create_locked(weft_pool *p, int64_t now)
{
    wf_call c = {p->unused, true};

    if (p->n_threads >= p->most_threads)
        return (wf_call){0};
    if (p->failed && p->n_threads > 0 && now - p->failed < RETRY)
        return (wf_call){0};
    if (c.thread)
        p->unused = c.thread->next;
    p->n_threads++;
    return c;
}

/* Q1: picks the thread that the queue needs now, to run jobs or to watch. */
static wf_call summon_locked(weft_pool *p, int64_t now)
{
    wf_call c = {NULL, false};

    if (is_served_locked(p))
        return c;
    if (p->idle) {
        c.thread = p->idle;
        p->idle = c.thread->next;
        p->counters.idle--;
    } else if (p->watcher) {
        c.thread = p->watcher;
        p->watcher = NULL;
    } else {
        c = create_locked(p, now);
    }
    if (c.thread)
        c.thread->state = WF_THREAD_COMING;
    p->coming = c.thread || c.create;
    return c;
}

wf_call wf_pool_threads_queued_locked(weft_pool *p, int64_t now)
{
    if (!p->first->next)
        p->room = p->base; /* the queue was empty */
    judge_locked(p, now);
    return summon_locked(p, now);
}

/* ---- a thread ---- */

static wf_job *take_locked(weft_pool *p, wf_thread *t, int64_t now)
{
    wf_job *job = wf_pool_take_locked(p, now);

    p->last_taken = now;
    p->n_running++;
    t->round = p->round;
    t->kind = job->kind;
    t->job = job;
    t->since = now;
    job->thread = t;
    return job;
}

void wf_pool_threads_leave_locked(wf_thread *t)
{
    t->left = true;
    t->pool->n_left++;
}

static void ran_locked(weft_pool *p, wf_thread *t, int64_t now)
{
    WF_ASSERT(t->state == WF_THREAD_RUNNING && t->job->thread == t); /* B2 in job.h */
    p->n_running--;
    wf_add(&p->n_telling, 1, RELAXED); /* published by the lock */
    if (t->round != p->round)
        p->n_stuck--;
    t->kind = NULL;
    t->job->thread = NULL;
    p->n_left -= t->left;
    WF_ASSERT(p->n_stuck >= 0 && p->n_stuck <= p->n_running); /* Q3 */
    WF_ASSERT(p->n_left >= 0 && p->n_left <= p->n_running);
    t->left = false;
    p->counters.done++;
    p->counters.run_ns += (uint64_t)(now - t->since);
}

/* Takes a job, or decides how to sleep. */
static wf_job *decide_locked(weft_pool *p, wf_thread *t, int64_t now)
{
    if (p->first && has_room_locked(p)) {
        t->state = WF_THREAD_RUNNING;
        return take_locked(p, t, now);
    }
    if (p->first && !p->watcher) {
        t->state = WF_THREAD_WATCHING;
        t->until = now + TICK;
        p->watcher = t;
        p->n_seen = n_taken_locked(p);
    } else {
        t->state = WF_THREAD_IDLE;
        t->until = p->closing ? now : now + p->keep;
        t->next = p->idle;
        p->idle = t;
        p->counters.idle++;
    }
    /* Under the lock, so the wake of a later call comes after this. */
    t->key = wf_park_prepare(&t->park);
    return NULL;
}

static void leave_idle_locked(weft_pool *p, wf_thread *t)
{
    wf_thread **at = &p->idle;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    p->counters.idle--;
}

/* Sleeps until another thread calls this one or, for the watcher, until a tick has passed. Takes
 * the lock. False: the thread is no longer needed. */
static bool sleep_and_lock(weft_pool *p, wf_thread *t, int64_t *ret_now)
{
    for (;;) {
        bool woken = wf_park_commit(&t->park, t->key, t->until);

        *ret_now = wf_now();
        wf_lock(&p->lock);
        if (t->state == WF_THREAD_COMING) {
            WF_ASSERT(p->coming); /* Q2 */
            p->coming = false;
            return true;
        }
        if (t->state == WF_THREAD_WATCHING && !woken) {
            WF_ASSERT(p->watcher == t); /* Q4 */
            p->watcher = NULL;
            tick_locked(p, *ret_now);
            return true;
        }
        if (t->state == WF_THREAD_IDLE && (!woken || p->closing)) {
            leave_idle_locked(p, t);
            return false;
        }
        t->key = wf_park_prepare(&t->park);
        wf_unlock(&p->lock);
    }
}

static int64_t run(weft_pool *p, wf_job *job)
{
    const char *message = NULL;
    int64_t     result = wf_panic_call(job->kind->run, job->args, &message);

    /* The child would run the parent's jobs a second time, or wait for locks for ever. */
    if (wf_executor_is_child(p->rt->executor))
        weft_misuse_("fork", "the child must not return from the blocking job it was forked in",
                     job->kind->name);
    if (!message)
        return result;
    job->panicked = true;
    wf_lock(&p->lock);
    p->counters.panicked++;
    wf_unlock(&p->lock);
    wf_log(&p->rt->config, WEFT_LOG_ERROR, "blocking job %s panicked: %s", job->kind->name,
           message);
    return -EOWNERDEAD;
}

/* Reports that the thread has ended, and unlocks. The pool may be gone after the unlock. */
static void end_and_unlock(weft_pool *p, wf_thread *t)
{
    /* Each thread that ends joins the one that ended before it. The closing thread joins the last
     * one. */
    pthread_t before = p->corpse;
    bool      has_before = p->has_corpse;
    bool      left_behind = p->left_behind; /* nothing will join it */

    p->corpse = pthread_self();
    p->has_corpse = !left_behind;
    p->n_threads--;
    WF_ASSERT(is_served_locked(p) || p->n_threads > 0 || p->failed); /* Q1 */
    t->next = p->unused;
    p->unused = t;
    wf_add(&p->n_ended, 1, RELEASE); /* [pool-2] */
    if (p->closing)
        wf_futex_wake(&p->n_ended, 1);
    wf_unlock(&p->lock);
    if (has_before)
        pthread_join(before, NULL);
    if (left_behind)
        pthread_detach(pthread_self());
}

/* The thread decides what it does next before it reports the end of its last job. So a task that
 * this end wakes finds the thread idle unless other jobs wait. */
static void *thread_main(void *arg)
{
    wf_thread *t = arg;
    weft_pool *p = t->pool;
    wf_job    *job, *ended = NULL;
    int64_t    result = 0, now = wf_now();
    bool       stays = true;

    wf_current_thread = (wf_current){.rt = p->rt, .owned = true};
    wf_thread_name("%s", p->name);
    wf_thread_run_as_host(&p->rt->executor->host);
    wf_lock(&p->lock);
    WF_ASSERT(p->coming); /* Q2 */
    p->coming = false;
    if ((uint64_t)p->n_threads > p->counters.threads_peak)
        p->counters.threads_peak = (uint64_t)p->n_threads;
    while (stays) {
        wf_call c;

        job = decide_locked(p, t, now);
        c = summon_locked(p, now);
        WF_ASSERT(is_served_locked(p) || (!p->idle && !p->watcher)); /* Q1 */
        wf_unlock(&p->lock);
        wf_pool_threads_call(p, c);
        if (ended) {
            wf_job_finish(ended, result);
            wf_sub(&p->n_telling, 1, RELEASE); /* [pool-3] */
        }
        ended = job;
        if (job) {
            result = run(p, job);
            now = wf_now();
            wf_lock(&p->lock);
            ran_locked(p, t, now);
        } else {
            stays = sleep_and_lock(p, t, &now);
        }
    }
    end_and_unlock(p, t);
    return NULL;
}

/* ---- calling threads ---- */

static wf_thread *thread_new(weft_pool *p)
{
    wf_thread *t = wf_alloc(&p->alloc, sizeof *t);

    if (!t)
        return NULL;
    *t = (wf_thread){.pool = p, .state = WF_THREAD_COMING};
    wf_lock(&p->lock);
    t->older = p->newest;
    p->newest = t;
    wf_unlock(&p->lock);
    return t;
}

/* Whether the queue waits for threads that all run jobs, none of which may end soon. */
static bool needs_retry_locked(const weft_pool *p)
{
    return p->first && !p->watcher && p->n_threads > 0 && p->n_threads < p->most_threads;
}

/* Tries once more. Returns whether it may be needed again. */
static bool retry(weft_pool *p)
{
    wf_call c = {NULL, false};
    bool    needed;

    wf_lock(&p->lock);
    needed = needs_retry_locked(p);
    if (needed)
        c = summon_locked(p, wf_now());
    wf_unlock(&p->lock);
    wf_pool_threads_call(p, c);
    return needed;
}

static void end_retrying(weft_pool *p)
{
    wf_lock(&p->lock);
    p->retrying = false;
    wf_unlock(&p->lock);
    wf_pool_drop(p);
}

/* A thread of the pool can't do this, because all of them run jobs. */
struct weft_pool_retry {
    WEFT_FRAME;
    struct {
        weft_pool *pool; /* with a reference */
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(weft_pool_retry)
{
    int64_t n;

    WEFT_BEGIN();
    do
        WEFT_AWAIT(n, weft_sleep(&self->nap, RETRY));
    while (n == 0 && retry(self->in.pool));
    end_retrying(self->in.pool);
    WEFT_END(0);
}

/* Takes a reference for the task that tries again. Returns false if no task is needed. */
static bool claim_retry_locked(weft_pool *p)
{
    if (p->closing || p->retrying || !needs_retry_locked(p))
        return false;
    p->retrying = true;
    wf_pool_hold(p);
    return true;
}

/* `t`: its struct, or NULL if there was no memory for one. */
static void creating_failed(weft_pool *p, wf_thread *t, int error)
{
    wf_call c;
    wf_job *jobs;
    bool    retries;

    wf_lock(&p->lock);
    WF_ASSERT(p->coming); /* Q2 */
    p->n_threads--;
    p->coming = false;
    p->counters.threads_failed++;
    p->failed = wf_now();
    if (t) {
        t->next = p->unused;
        p->unused = t;
    }
    jobs = p->n_threads == 0 ? wf_pool_take_all_locked(p) : NULL;
    /* The queue has relied on the thread that was coming: Q1. No other is created so soon. The wake
     * is made under the lock, because the pool may be gone once n_ended has grown. */
    c = summon_locked(p, p->failed);
    WF_ASSERT(!c.create);
    if (c.thread)
        wf_park_wake(&c.thread->park);
    retries = !c.thread && claim_retry_locked(p);
    wf_add(&p->n_ended, 1, RELEASE); /* [pool-2] */
    if (p->closing)
        wf_futex_wake(&p->n_ended, 1);
    wf_unlock(&p->lock);
    for (wf_job *next; jobs; jobs = next) {
        next = jobs->next;
        wf_job_finish(jobs, error);
    }
    /* While the runtime stops there is no such task, and the queue waits for the threads. */
    if (retries && weft_spawn_on(p->rt, NULL, weft_pool_retry, .pool = p) < 0)
        end_retrying(p);
}

void wf_pool_threads_call(weft_pool *p, wf_call c)
{
    pthread_t thread;
    int       r;

    if (c.create) {
        if (!c.thread)
            c.thread = thread_new(p);
        r = c.thread ? wf_thread_start(&thread, thread_main, c.thread) : -ENOMEM;
        if (r < 0)
            creating_failed(p, c.thread, r);
    } else if (c.thread) {
        wf_park_wake(&c.thread->park);
    }
}

void wf_pool_threads_free(weft_pool *p)
{
    WF_ASSERT(p->n_threads == 0); /* Q5 */
    for (wf_thread *t = p->newest, *older; t; t = older) {
        older = t->older;
        wf_release(&p->alloc, t, sizeof *t);
    }
}
