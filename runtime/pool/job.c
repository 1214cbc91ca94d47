/* job.c - see job.h */
#include "job.h"

#include "executor.h"
#include "invariant.h"
#include "lock.h"
#include "pool.h"
#include "waker.h"

#include <string.h>

static wf_job *job_new(weft_pool *p, const struct weft_spawn_blocking *from)
{
    size_t  size = from->kind_->size;
    wf_job *job = wf_alloc(&p->alloc, sizeof *job + size);

    if (!job)
        return NULL;
    *job = (wf_job){.pool = p, .kind = from->kind_};
    memcpy(job->args, from->from_ ? from->from_ : from->args_, size);
    return job;
}

static void job_free(wf_job *job)
{
    WF_ASSERT(!job->queued && !job->thread); /* B2 */
    wf_release(&job->pool->alloc, job, sizeof *job + job->kind->size);
}

void wf_job_finish(wf_job *job, int64_t result)
{
    wf_wakes wakes = {0};
    bool     left;

    wf_lock(&job->lock);
    WF_ASSERT(!job->done); /* B3 */
    left = job->left;
    job->result = result;
    job->done = true;
    if (!left)
        wf_waker_fire(&job->waker, &wakes);
    wf_unlock(&job->lock);
    if (left)
        job_free(job);
    else
        wf_wakes_flush(&wakes);
}

/* ---- the future ---- */

/* The future no longer has the job: it is freed, or its thread frees it later. */
static weft_poll job_leave(struct weft_spawn_blocking *self, weft_pool *p, int64_t result)
{
    self->job_ = NULL;
    wf_pool_drop(p);
    return weft_ready(&self->future, result);
}

static weft_poll job_start(struct weft_spawn_blocking *self, weft_context *cx)
{
    weft_pool *p = self->pool_;
    wf_job    *job;
    int        r;

    if (!p && !cx->runtime)
        return weft_ready(&self->future, -ENXIO);
    if (!weft_context_spend(cx))
        return WEFT_PENDING;
    if (!p)
        p = weft_pool_default(cx->runtime);
    job = job_new(p, self);
    if (!job)
        return weft_ready(&self->future, -ENOMEM);
    wf_waker_store(&job->waker, cx->waker);
    self->job_ = job;
    wf_pool_hold(p);
    r = wf_pool_submit(p, job);
    if (r == 0)
        return WEFT_PENDING;
    wf_waker_forget(&job->waker);
    job_free(job);
    return job_leave(self, p, r);
}

static weft_poll job_end(struct weft_spawn_blocking *self, wf_job *job)
{
    weft_pool *p = job->pool;
    int64_t    result = job->result;

    self->returned = result;
    if (self->out_ && !job->panicked)
        memcpy(self->out_, job->args, job->kind->size);
    job_free(job);
    return job_leave(self, p, self->given_up_ ? -ECANCELED : result);
}

/* Gives up a detachable job. If a thread runs it, that thread finishes and frees it. */
static weft_poll job_abandon(struct weft_spawn_blocking *self, wf_job *job)
{
    weft_pool *p = job->pool;
    bool       ours = wf_pool_abandon(p, job);
    weft_waker before;

    WF_ASSERT(self->detachable_); /* B5 */
    wf_lock(&job->lock);
    before = wf_waker_take(&job->waker);
    ours |= job->done;
    job->left = true;
    wf_unlock(&job->lock);
    wf_waker_discard(before);
    if (ours)
        job_free(job);
    return job_leave(self, p, -ECANCELED);
}

/* READY if no thread has started the job. Then no thread touches the memory that it was lent. */
static weft_poll job_withdraw(struct weft_spawn_blocking *self, wf_job *job)
{
    weft_pool *p = job->pool;

    self->given_up_ = true;
    if (!wf_pool_withdraw(p, job))
        return WEFT_PENDING;
    wf_waker_forget(&job->waker);
    job_free(job);
    return job_leave(self, p, -ECANCELED);
}

static weft_poll job_poll(weft_future *future, weft_context *cx)
{
    struct weft_spawn_blocking *self = weft_container(future, struct weft_spawn_blocking, future);
    wf_job                     *job = self->job_;
    bool                        done, cancelled = weft_future_is_cancelled(future);
    bool                        waits = !cancelled || !self->detachable_;
    weft_waker                  next = {0};

    if (!job)
        return cancelled ? weft_ready(future, -ECANCELED) : job_start(self, cx);
    if (wf_executor_is_child(job->pool->rt->executor)) { /* only the parent has its thread */
        self->job_ = NULL;
        return weft_ready(future, -ECHILD);
    }
    if (waits)
        next = wf_waker_prepare(cx->waker);
    wf_lock(&job->lock);
    done = job->done;
    if (!done && waits)
        wf_waker_exchange(&job->waker, &next);
    wf_unlock(&job->lock);
    wf_waker_discard(next);
    if (done)
        return job_end(self, job);
    if (!cancelled)
        return WEFT_PENDING;
    return self->detachable_ ? job_abandon(self, job) : job_withdraw(self, job);
}

static void job_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws or abandons it */
}

static const weft_future_ops job_ops = {sizeof(struct weft_spawn_blocking), WEFT_FUTURE_DRAINS,
                                        "weft_spawn_blocking", job_poll, job_cancel};
static const weft_future_ops detachable_ops = {sizeof(struct weft_spawn_blocking),
                                               WEFT_FUTURE_WITHDRAWS, "weft_job_detachable",
                                               job_poll, job_cancel};

weft_future *wf_job_init(struct weft_spawn_blocking *job, weft_pool *pool,
                         const weft_job_kind_ *kind, const void *from, void *ret)
{
    weft_future_init(&job->future, &job_ops);
    job->kind_ = kind;
    job->pool_ = pool;
    job->job_ = NULL;
    job->from_ = from;
    job->out_ = ret;
    job->returned = -ECANCELED; /* unless it runs */
    job->detachable_ = job->given_up_ = false;
    return &job->future;
}

WEFT_API weft_future *weft_job_detachable(weft_future *job)
{
    if (job->ops != &job_ops || job->result != WEFT_UNPOLLED_)
        weft_misuse_("weft_job_detachable",
                     "it takes a job of weft_spawn_blocking, before its first poll",
                     job->ops ? job->ops->name : "nothing");
    weft_container(job, struct weft_spawn_blocking, future)->detachable_ = true;
    weft_future_init(job, &detachable_ops);
    return job;
}

WEFT_API weft_future *weft_spawn_blocking_(struct weft_spawn_blocking *job, weft_pool *pool,
                                           const weft_job_kind_ *kind, const void *args, void *ret)
{
    memcpy(job->args_, args, kind->size); /* the macro has checked the size */
    return wf_job_init(job, pool, kind, NULL, ret);
}
