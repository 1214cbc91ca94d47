/*
 * block_on.c - polling one future on a plain thread
 *
 * Purpose     The bridge from threads to futures. The thread polls the future and sleeps between
 *             polls, with a runtime or without. On a current-thread runtime the future becomes part
 *             of a task. The thread then polls tasks until that task has ended, or sleeps while
 *             another thread polls them.
 * Threads     Any but a runtime's own.
 * Invariants  A sleeper is reference-counted, because its wakers may outlive the call.
 * Ordering    [block-1] A wake stores WOKEN (release) before the thread reads it (acquire). A
 *             thread stores ASLEEP (release) after its poll.
 *             [block-2] The thread that drops the last reference acquires what the others did.
 *             [block-3] The caller is listed before its lent worker counts as in weft_block_on.
 *             [block-4] A stop that counts no caller acquires what the last one did.
 * Failure     -EDEADLK on a runtime's thread, -ENOMEM, -ECHILD in a forked child.
 */
#include "blocked.h"
#include "executor.h"
#include "futex.h"
#include "invariant.h"
#include "lock.h"
#include "order.h"
#include "panic.h"
#include "rt.h"
#include "stderr.h"

#include <weft/task.h>

enum { AWAKE, WOKEN, ASLEEP };

typedef struct wf_sleeper {
    uint32_t       state;
    uint32_t       refs;
    weft_allocator alloc; /* a copy: the runtime may be gone */
    /* -- the runtime's list -- */
    struct wf_sleeper *next, *prev;
    const wf_current  *thread; /* an address that stands for it */
} sleeper;

static weft_waker sleeper_clone(void *data);

static void sleeper_drop(void *data)
{
    sleeper       *s = data;
    weft_allocator alloc = s->alloc;
    uint32_t       before = wf_sub(&s->refs, 1, ACQ_REL); /* [block-2] */

    WF_ASSERT(before > 0);
    if (before == 1)
        wf_release(&alloc, s, sizeof *s);
}

static void sleeper_wake_by_ref(void *data)
{
    sleeper *s = data;

    if (wf_swap(&s->state, WOKEN, ACQ_REL) == ASLEEP) /* [block-1] */
        wf_futex_wake(&s->state, 1);
}

static void sleeper_wake(void *data)
{
    sleeper_wake_by_ref(data);
    sleeper_drop(data);
}

static const weft_waker_vtable sleeper_vtable = {sleeper_clone, sleeper_wake, sleeper_wake_by_ref,
                                                 sleeper_drop, NULL};

static weft_waker sleeper_clone(void *data)
{
    sleeper *s = data;

    wf_add(&s->refs, 1, RELAXED); /* the caller's waker holds a reference meanwhile */
    return (weft_waker){&sleeper_vtable, s};
}

static void sleep_until_woken(sleeper *s)
{
    uint32_t awake = AWAKE;

    if (wf_cas(&s->state, &awake, ASLEEP, ACQ_REL))   /* [block-1] */
        while (wf_load(&s->state, ACQUIRE) == ASLEEP) /* [block-1] */
            wf_futex_wait(&s->state, ASLEEP, INT64_MAX);
    wf_swap(&s->state, AWAKE, ACQUIRE); /* [block-1] also of a second wake */
}

/* ---- the list of callers, for which a test's clock and a stop wait ---- */

/* A worker that is in weft_block_in_place does not count as busy while its thread is in this call,
 * which counts instead. */
static void count_lent(const weft_runtime *rt, int32_t change)
{
    wf_worker *lent = wf_current_thread.lent;

    if (lent && lent->executor == rt->executor)
        wf_store(&lent->n_block_on, lent->n_block_on + (uint32_t)change, RELEASE); /* [block-3] */
}

/* Always: a stop asks, too, and a clock may become a test's meanwhile. */
static void enlist(weft_runtime *rt, sleeper *s)
{
    wf_lock(&rt->blocked_lock);
    s->next = rt->blocked;
    if (s->next)
        s->next->prev = s;
    rt->blocked = s;
    wf_unlock(&rt->blocked_lock);
    count_lent(rt, 1);
}

static void delist(weft_runtime *rt, sleeper *s)
{
    count_lent(rt, -1);
    wf_lock(&rt->blocked_lock);
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        rt->blocked = s->next;
    wf_unlock(&rt->blocked_lock);
}

uint32_t wf_blocked_users(weft_runtime *rt)
{
    uint32_t n = wf_load(&rt->n_as_worker, ACQUIRE); /* [block-4] */

    wf_lock(&rt->blocked_lock);
    for (const sleeper *s = rt->blocked; s; s = s->next)
        n++;
    wf_unlock(&rt->blocked_lock);
    return n;
}

bool wf_blocked_is_caller(weft_runtime *rt)
{
    bool found = false;

    wf_lock(&rt->blocked_lock);
    for (const sleeper *s = rt->blocked; s; s = s->next)
        found |= s->thread == &wf_current_thread;
    wf_unlock(&rt->blocked_lock);
    return found;
}

bool wf_blocked_are_asleep(weft_runtime *rt)
{
    bool asleep = true;

    wf_lock(&rt->blocked_lock);
    for (sleeper *s = rt->blocked; s; s = s->next)
        asleep &= wf_load(&s->state, ACQUIRE) == ASLEEP; /* [block-1] */
    wf_unlock(&rt->blocked_lock);
    return asleep;
}

/* ---- polling ---- */

/* What a thread without a runtime uses. */
static const weft_config alone = {.budget = WEFT_BUDGET_DEFAULT, .log = wf_stderr_log};

static const weft_config *config_of(const weft_runtime *rt)
{
    return rt ? &rt->config : &alone;
}

static wf_caught poll_caught(weft_runtime *rt, weft_future *future, const weft_waker *waker,
                             uint32_t flags)
{
    weft_context cx;

    weft_context_init(&cx, waker, rt);
    cx.budget = (uint32_t)config_of(rt)->budget;
    cx.flags = flags;
    return wf_panic_poll(future, &cx);
}

/* Polls once. If the future panics, sets *flags so that later polls unwind it. */
static weft_poll poll_once(weft_runtime *rt, weft_future *future, const weft_waker *waker,
                           uint32_t *flags)
{
    wf_caught caught = poll_caught(rt, future, waker, *flags);

    if (!caught.message || *flags)
        return wf_panic_refused(caught);
    wf_log(config_of(rt), WEFT_LOG_ERROR, "weft_block_on: %s panicked: %s", future->ops->name,
           caught.message);
    *flags = WEFT_CONTEXT_CANCELLED_ | WEFT_CONTEXT_UNWINDS_;
    if (weft_poll_is_ready(weft_future_cancel(future)))
        return WEFT_POLL_(1);
    return wf_panic_refused(poll_caught(rt, future, waker, *flags));
}

static int64_t poll_until_ready(weft_runtime *rt, weft_future *future, sleeper *s)
{
    weft_waker waker = {&sleeper_vtable, s};
    uint32_t   flags = 0;

    while (!weft_poll_is_ready(poll_once(rt, future, &waker, &flags)))
        sleep_until_woken(s);
    return flags ? -EOWNERDEAD : future->result;
}

static int64_t block_beside_workers(weft_runtime *rt, weft_future *future)
{
    const weft_allocator *alloc = rt ? &rt->config.allocator : &wf_alloc_default;
    wf_current            before = wf_current_thread;
    sleeper              *s = wf_alloc(alloc, sizeof *s);
    int64_t               result;

    if (!s)
        return -ENOMEM;
    *s = (sleeper){.refs = 1, .alloc = *alloc, .thread = &wf_current_thread};
    wf_current_thread = (wf_current){.rt = rt, .lent = before.lent};
    if (rt)
        enlist(rt, s);
    result = poll_until_ready(rt, future, s);
    if (rt)
        delist(rt, s);
    wf_current_thread = before;
    sleeper_drop(s);
    return result;
}

/* ---- the current-thread runtime ---- */

typedef struct core_call {
    wf_executor *executor;
    uint32_t     done;
    int64_t      result;
} core_call;

static void core_call_ends(void *arg)
{
    core_call *call = arg;

    wf_core_done(call->executor, &call->done);
}

struct weft_block_on {
    WEFT_FRAME;
    struct {
        weft_future *future;
        core_call   *call;
    } in;
    weft_deferred end;
};
WEFT_ASYNC(weft_block_on)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->end, core_call_ends, self->in.call); /* also if the future panics */
    WEFT_AWAIT(n, self->in.future);
    self->in.call->result = n;
    WEFT_END(0);
}

static int64_t block_as_worker(weft_runtime *rt, weft_future *future)
{
    core_call call = {.executor = rt->executor, .result = -EOWNERDEAD};
    int       r;

    wf_add(&rt->n_as_worker, 1, RELAXED); /* no stop may have begun to count */
    r = weft_spawn_on(rt, NULL, weft_block_on, .future = future, .call = &call);
    if (r == 0)
        wf_core_run(rt->executor, &call.done);
    wf_sub(&rt->n_as_worker, 1, RELEASE); /* [block-4] the last use of the runtime */
    return r < 0 ? r : call.result;
}

WEFT_API int64_t weft_block_on(weft_runtime *rt, weft_future *future)
{
    if (wf_executor_owns_caller())
        return -EDEADLK;
    rt = wf_rt_or_current(rt);
    if (rt && wf_executor_is_child(rt->executor))
        return -ECHILD;
    return rt && rt->config.current_thread ? block_as_worker(rt, future)
                                           : block_beside_workers(rt, future);
}
