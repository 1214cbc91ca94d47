/*
 * blocking.c - the pool of threads for calls that block
 *
 * Purpose     See blocking.h.
 * Threads     See blocking.h.
 * Invariants  See blocking.h.
 * Ordering    See blocking.h.
 * Failure     See blocking.h.
 */
#include "blocking.h"

#include "executor.h"
#include "lock.h"
#include "timer.h"
#include "waker.h"

#include <pthread.h>
#include <string.h>
#include <weft/blocking.h>

typedef struct wf_job {
    struct wf_job  *next, *prev; /* the queue: under the pool's mutex */
    struct wf_pool *pool;        /* constant, as are the next two */
    int64_t (*run)(void *args);
    size_t     size;
    bool       queued; /* under the pool's mutex */
    bool       done;   /* under the lock, as are the next three */
    uint32_t   n_holders;
    int64_t    result;
    weft_waker waker;
    uint32_t   lock;
    _Alignas(16) char args[]; /* whoever runs it; then whoever awaits it */
} wf_job;

typedef struct wf_pool {
    weft_runtime   *rt;
    pthread_mutex_t mutex;
    pthread_cond_t  work;   /* a job was queued, or the pool stops */
    pthread_cond_t  ended;  /* a thread has ended */
    pthread_t       corpse; /* the thread that ended last, not yet joined */
    bool            has_corpse;
    wf_job         *first, *last;
    int64_t         n_threads, n_idle, n_queued, n_running;
    uint64_t        n_jobs;
    bool            stopping;
} wf_pool;

/* ---- jobs ---- */

static wf_job *job_new(wf_pool *p, const weft_job *from)
{
    wf_job *job = wf_alloc(&p->rt->config.allocator, sizeof *job + from->size_);

    if (!job)
        return NULL;
    *job = (wf_job){.pool = p, .run = from->run_, .size = from->size_, .n_holders = 1};
    memcpy(job->args, from->from_ ? from->from_ : from->args_, from->size_);
    return job;
}

/* Drops one of the two holders; under no lock. */
static void job_drop(wf_job *job)
{
    bool last;

    wf_lock(&job->lock);
    last = --job->n_holders == 0;
    wf_unlock(&job->lock);
    if (last)
        wf_release(&job->pool->rt->config.allocator, job, sizeof *job + job->size);
}

static void job_finish(wf_job *job, int64_t result)
{
    wf_wakes wakes = {0};

    wf_lock(&job->lock);
    job->result = result;
    job->done = true;
    wf_waker_fire(&job->waker, &wakes);
    wf_unlock(&job->lock);
    wf_wakes_flush(&wakes);
    job_drop(job);
}

/* ---- the pool; its mutex is held where the name says so ---- */

static wf_job *take_locked(wf_pool *p)
{
    wf_job *job = p->first;

    if (job) {
        p->first = job->next;
        if (p->first)
            p->first->prev = NULL;
        else
            p->last = NULL;
        p->n_queued--;
        p->n_running++;
        job->queued = false;
    }
    return job;
}

static void queue_locked(wf_pool *p, wf_job *job)
{
    job->queued = true;
    job->next = NULL;
    job->prev = p->last;
    if (p->last)
        p->last->next = job;
    else
        p->first = job;
    p->last = job;
    p->n_queued++;
    p->n_jobs++;
}

static void unqueue_locked(wf_pool *p, wf_job *job)
{
    if (job->next)
        job->next->prev = job->prev;
    else
        p->last = job->prev;
    if (job->prev)
        job->prev->next = job->next;
    else
        p->first = job->next;
    p->n_queued--;
    job->queued = false;
}

/* The next job, waiting for one; NULL: this thread is not needed any more. */
static wf_job *next_locked(wf_pool *p)
{
    int64_t         until = wf_now() + WEFT_MS(p->rt->config.blocking_keep_ms);
    struct timespec at = {.tv_sec = until / WEFT_S(1), .tv_nsec = until % WEFT_S(1)};
    wf_job         *job;
    int             r = 0;

    while (!(job = take_locked(p)) && !p->stopping && r == 0) {
        p->n_idle++;
        r = pthread_cond_timedwait(&p->work, &p->mutex, &at);
        p->n_idle--;
    }
    return job ? job : take_locked(p);
}

static void *thread_main(void *arg)
{
    wf_pool  *p = arg;
    wf_job   *job;
    pthread_t before;
    bool      has_before;

    wf_current_thread = (wf_current){.rt = p->rt, .owned = true};
    pthread_mutex_lock(&p->mutex);
    while ((job = next_locked(p))) {
        pthread_mutex_unlock(&p->mutex);
        job_finish(job, job->run(job->args));
        pthread_mutex_lock(&p->mutex);
        p->n_running--;
        if (p->stopping)
            pthread_cond_broadcast(&p->ended);
    }
    before = p->corpse; /* each thread that ends joins the one before, stop joins the last */
    has_before = p->has_corpse;
    p->corpse = pthread_self();
    p->has_corpse = true;
    p->n_threads--;
    pthread_cond_broadcast(&p->ended);
    pthread_mutex_unlock(&p->mutex);
    if (has_before)
        pthread_join(before, NULL);
    return NULL;
}

static int add_thread_locked(wf_pool *p)
{
    pthread_t thread;
    int       r = wf_executor_thread(&thread, thread_main, p, "weft-blocking");

    if (r == 0)
        p->n_threads++;
    return r;
}

/* Queues the job; the pool then holds it too. */
static int submit(wf_pool *p, wf_job *job)
{
    int r = 0;

    pthread_mutex_lock(&p->mutex);
    if (p->stopping)
        r = -ESHUTDOWN;
    else if (p->n_queued >= p->n_idle && p->n_threads < p->rt->config.blocking_threads)
        r = add_thread_locked(p);
    if (r == -ESHUTDOWN || p->n_threads == 0) {
        pthread_mutex_unlock(&p->mutex);
        return r;
    }
    job->n_holders++; /* nobody else knows it yet */
    queue_locked(p, job);
    pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mutex);
    return 0;
}

/* ---- the future ---- */

/* The awaiting side lets go; the pool's side may still run. */
static weft_poll job_leave(weft_job *self, int64_t result)
{
    job_drop(self->job_);
    self->job_ = NULL;
    return weft_ready(&self->future, result);
}

static weft_poll job_start(weft_job *self, weft_context *cx)
{
    wf_job *job;
    int     r;

    if (!cx->runtime)
        return weft_ready(&self->future, -ENXIO);
    if (!weft_context_spend(cx))
        return WEFT_PENDING;
    job = job_new(cx->runtime->pool, self);
    if (!job)
        return weft_ready(&self->future, -ENOMEM);
    wf_waker_store(&job->waker, cx->waker);
    self->job_ = job;
    r = submit(cx->runtime->pool, job);
    if (r == 0)
        return WEFT_PENDING;
    wf_waker_forget(&job->waker);
    return job_leave(self, r);
}

static weft_poll job_abandon(weft_job *self)
{
    wf_job  *job = self->job_;
    wf_pool *p = job->pool;
    bool     queued;

    pthread_mutex_lock(&p->mutex);
    queued = job->queued;
    if (queued)
        unqueue_locked(p, job);
    pthread_mutex_unlock(&p->mutex);
    wf_lock(&job->lock);
    wf_waker_forget(&job->waker);
    wf_unlock(&job->lock);
    if (queued)
        job_drop(job); /* the pool's hold on it */
    return job_leave(self, -ECANCELED);
}

static weft_poll job_poll(weft_future *future, weft_context *cx)
{
    weft_job *self = weft_container(future, weft_job, future);
    wf_job   *job = self->job_;
    bool      done;

    if (!job)
        return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED)
                                                : job_start(self, cx);
    wf_lock(&job->lock);
    done = job->done;
    if (!done)
        wf_waker_store(&job->waker, cx->waker);
    wf_unlock(&job->lock);
    if (weft_future_is_cancelled(future) && !done)
        return job_abandon(self);
    if (!done)
        return WEFT_PENDING;
    if (self->out_)
        memcpy(self->out_, job->args, job->size);
    return job_leave(self, job->result);
}

static void job_cancel(weft_future *future)
{
    (void)future; /* the next poll abandons it */
}

static const weft_future_ops job_ops = {sizeof(weft_job), WEFT_FUTURE_WITHDRAWS,
                                        "weft_spawn_blocking", job_poll, job_cancel};

weft_future *wf_job_init(weft_job *job, int64_t (*run)(void *), const void *from, size_t size,
                         void *ret)
{
    weft_future_init(&job->future, &job_ops);
    job->run_ = run;
    job->job_ = NULL;
    job->from_ = from;
    job->out_ = ret;
    job->size_ = size;
    return &job->future;
}

WEFT_API weft_future *weft_spawn_blocking_(weft_job *job, int64_t (*run)(void *), const void *args,
                                           size_t size, void *ret)
{
    memcpy(job->args_, args, size); /* the macro has checked the size */
    return wf_job_init(job, run, NULL, size, ret);
}

/* ---- start and stop ---- */

int wf_pool_start(weft_runtime *rt)
{
    wf_pool           *p = wf_alloc(&rt->config.allocator, sizeof *p);
    pthread_condattr_t attr;

    if (!p)
        return -ENOMEM;
    memset(p, 0, sizeof *p);
    p->rt = rt;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->work, &attr);
    pthread_cond_init(&p->ended, &attr);
    pthread_condattr_destroy(&attr);
    rt->pool = p;
    return 0;
}

int wf_pool_stop(weft_runtime *rt, int64_t until)
{
    wf_pool        *p = rt->pool;
    struct timespec at = {.tv_sec = until / WEFT_S(1), .tv_nsec = until % WEFT_S(1)};
    int             r = 0;
    int64_t         running;

    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    while (p->n_running > 0 && r == 0)
        r = until == WEFT_FOREVER ? pthread_cond_wait(&p->ended, &p->mutex)
                                  : pthread_cond_timedwait(&p->ended, &p->mutex, &at);
    running = p->n_running;
    while (running == 0 && p->n_threads > 0) /* idle: they are on their way out */
        pthread_cond_wait(&p->ended, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    if (running > 0) {
        wf_log(&rt->config, WEFT_LOG_WARNING, "stop: %lld blocking jobs are running",
               (long long)running);
        return -ETIMEDOUT;
    }
    if (p->has_corpse)
        pthread_join(p->corpse, NULL);
    pthread_cond_destroy(&p->ended);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->mutex);
    rt->pool = NULL;
    wf_release(&rt->config.allocator, p, sizeof *p);
    return 0;
}

void wf_pool_count(weft_runtime *rt, weft_counters *counters)
{
    wf_pool *p = rt->pool;

    pthread_mutex_lock(&p->mutex);
    counters->blocking_jobs = p->n_jobs;
    counters->blocking_threads = (uint64_t)p->n_threads;
    pthread_mutex_unlock(&p->mutex);
}
