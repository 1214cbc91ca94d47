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
#include "timer.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE         4096
#define NAMED_MOST   20 /* open handles named at stop */
#define REPORT_SLACK 64 /* tasks spawned while the others are gathered */
#define QUIET        WEFT_MS(10)

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

/* ---- start ---- */

static wf_worker *worker_new(wf_executor *s, uint32_t index)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    wf_worker            *w = wf_alloc_aligned(alloc, sizeof *w);

    if (!w)
        return NULL;
    if (wf_worker_init(w, s, index) == 0)
        return w;
    wf_worker_free(w);
    wf_release_aligned(alloc, w, sizeof *w);
    return NULL;
}

static void free_workers(wf_executor *s)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    uint32_t              n = s->idle.n_slots;

    for (uint32_t i = 0; i < n && s->workers[i]; i++) {
        wf_worker_free(s->workers[i]);
        wf_release_aligned(alloc, s->workers[i], sizeof *s->workers[i]);
    }
    wf_release(alloc, s->workers, n * sizeof *s->workers);
}

void wf_executor_free(wf_executor *s)
{
    if (s->workers)
        free_workers(s);
    if (s->is_parent)
        munmap((void *)s->is_parent, PAGE);
    s->rt->executor = NULL;
    wf_release_aligned(&s->rt->config.allocator, s, sizeof *s);
}

static int new_workers(wf_executor *s)
{
    uint32_t n = s->idle.n_slots;

    s->workers = wf_alloc(&s->rt->config.allocator, n * sizeof *s->workers);
    if (!s->workers)
        return -ENOMEM;
    memset(s->workers, 0, n * sizeof *s->workers);
    for (uint32_t i = 0; i < n; i++)
        if (!(s->workers[i] = worker_new(s, i)))
            return -ENOMEM;
    return 0;
}

static int mark_parent(wf_executor *s)
{
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return -ENOMEM;
    *page = 1;
    madvise(page, PAGE, MADV_WIPEONFORK);
    s->is_parent = page;
    return 0;
}

int wf_executor_new(weft_runtime *rt)
{
    wf_executor *s = wf_alloc_aligned(&rt->config.allocator, sizeof *s);

    if (!s)
        return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->rt = rt;
    s->idle.n_workers = (uint32_t)rt->config.workers;
    s->idle.n_slots = s->idle.n_workers + (uint32_t)rt->config.spare_workers;
    s->poll_ns = 2000; /* until it has been measured */
    s->memory.rt = rt;
    wf_heap_init(&s->shared, &s->memory);
    wf_monitor_init(&s->monitor, s);
    rt->executor = s;
    if (mark_parent(s) == 0 && new_workers(s) == 0)
        return 0;
    wf_executor_free(s);
    return -ENOMEM;
}

int wf_executor_start_worker(wf_executor *s, uint32_t index)
{
    wf_worker *w = s->workers[index];
    char       name[16];
    int        r;

    snprintf(name, sizeof name, "weft-%u", index);
    r = wf_executor_thread(&w->thread, wf_worker_main, w, name);
    w->has_thread = r == 0;
    return r;
}

static void end_threads(wf_executor *s)
{
    wf_store(&s->stopping, true, RELEASE); /* [executor-2] */
    wf_monitor_stop(&s->monitor);          /* it starts workers: first */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        if (s->workers[i]->has_thread)
            wf_park_wake(&s->workers[i]->park);
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        if (s->workers[i]->has_thread)
            pthread_join(s->workers[i]->thread, NULL);
}

int wf_executor_start(wf_executor *s)
{
    int r = 0;

    if (s->rt->config.current_thread)
        wf_worker_lend(s->workers[0]); /* to whoever calls weft_block_on */
    else
        for (uint32_t i = 0; i < s->idle.n_workers && r == 0; i++)
            r = wf_executor_start_worker(s, i);
    if (r == 0)
        r = wf_monitor_start(&s->monitor);
    if (r < 0)
        end_threads(s);
    return r;
}

/* ---- all tasks ---- */

static void chain_add(wf_wakes *chain, wf_task *t)
{
    t->next = chain->first;
    chain->first = t;
}

static void cancel_visited(wf_task *t, void *arg)
{
    if (wf_task_to_notified_visitor(t, true) == WF_TASK_WAKE_QUEUE)
        chain_add(arg, t);
}

static void cancel_all(wf_executor *s)
{
    wf_wakes wakes = {0};

    wf_memory_visit(&s->memory, cancel_visited, &wakes);
    wf_wakes_flush(&wakes);
}

void wf_executor_close(wf_executor *s)
{
    wf_store(&s->closing, true, SEQ_CST); /* [executor-3] [executor-4] */
    cancel_all(s);
}

uint64_t wf_executor_alive(wf_executor *s)
{
    uint64_t ended = 0, spawned = 0;

    /* In this order: a task that counts as ended counts as spawned. [executor-4] */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        ended += wf_load(&s->workers[i]->counters.ended, ACQUIRE); /* [executor-4] */
    spawned = wf_load(&s->foreign_spawned, ACQUIRE);               /* [executor-4] */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        spawned += wf_load(&s->workers[i]->counters.spawned, ACQUIRE); /* [executor-4] */
    return spawned - ended;
}

void wf_executor_ran_dry(wf_executor *s)
{
    if (!wf_load(&s->closing, SEQ_CST)) /* [executor-4] */
        return;
    wf_add(&s->n_dry, 1, RELEASE); /* [executor-4] */
    wf_futex_wake(&s->n_dry, INT32_MAX);
}

static bool is_empty(wf_executor *s)
{
    while (wf_load(&s->n_visitors, SEQ_CST) != 0) /* [executor-1] [executor-3] */
        sched_yield(); /* somebody is in the middle of spawning: a few instructions */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        (void)wf_idle_is_sleeping(&s->idle, i); /* [executor-4] what those counted is seen */
    return wf_executor_alive(s) == 0;
}

void wf_executor_tidy(wf_executor *s)
{
    wf_lock(&s->shared_lock);
    wf_heap_tidy_owner(&s->shared);
    wf_unlock(&s->shared_lock);
}

/* ---- the core of a current-thread runtime ---- */

static bool core_take(wf_executor *s)
{
    uint32_t free = 0;

    return wf_cas(&s->core, &free, 1, ACQUIRE); /* [executor-5] */
}

static void core_wake(wf_executor *s)
{
    wf_add(&s->n_core, 1, RELEASE); /* [executor-5] */
    wf_futex_wake(&s->n_core, INT32_MAX);
}

static void core_give(wf_executor *s)
{
    wf_store(&s->core, 0, RELEASE); /* [executor-5] */
    core_wake(s);
}

void wf_executor_core_done(wf_executor *s, uint32_t *done)
{
    wf_store(done, 1, RELEASE); /* [executor-5]; whoever waits may be gone now: */
    core_wake(s);               /* the executor is not, we are its worker */
}

void wf_executor_run_core(wf_executor *s, uint32_t *done)
{
    wf_current before;

    while (!wf_load(done, ACQUIRE)) {                 /* [executor-5] */
        uint32_t seen = wf_load(&s->n_core, ACQUIRE); /* [executor-5] */

        if (wf_load(done, ACQUIRE)) /* [executor-5] */
            return;
        if (!core_take(s)) {
            wf_futex_wait(&s->n_core, seen, INT64_MAX);
            continue;
        }
        before = wf_worker_enter(s->workers[0]);
        while (!wf_load(done, RELAXED)) /* our own tasks set it, or who woke us released it */
            wf_worker_turn_owner(s->workers[0], INT64_MAX);
        wf_worker_leave(s->workers[0], before);
        core_give(s);
    }
}

/* Nobody polls the tasks of a current-thread runtime but who stops it. */
static bool run_until_empty(wf_executor *s, int64_t until)
{
    wf_current before;
    bool       empty;

    if (!core_take(s))
        return false; /* some thread is in weft_block_on, against the rule */
    before = wf_worker_enter(s->workers[0]);
    while (!(empty = is_empty(s)) && wf_now() < until)
        wf_worker_turn_owner(s->workers[0], until);
    wf_worker_leave(s->workers[0], before);
    core_give(s);
    return empty;
}

bool wf_executor_wait_empty(wf_executor *s, int64_t until)
{
    if (s->rt->config.current_thread)
        return run_until_empty(s, until);
    for (bool again = true;;) {
        uint32_t seen = wf_load(&s->n_dry, ACQUIRE); /* [executor-4] */
        int64_t  pause = wf_now() + QUIET;

        if (is_empty(s))
            return true;
        if (wf_futex_wait(&s->n_dry, seen, again && pause < until ? pause : until)) {
            again = true;
        } else if (again && pause < until) {
            cancel_all(
                s); /* who spawned a lone child as we began may not have seen it [executor-3] */
            again = false;
        } else {
            return is_empty(s);
        }
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

/* What the log is to be told, gathered while the tasks can't be freed; the log is called later, without a
 * lock. Constants only. */
typedef struct line {
    const char *name, *awaits; /* NULL: it is queued or being polled */
} line;

typedef struct report {
    line    *lines;
    uint64_t n, most;
    wf_wakes wakes;
} report;

static void report_visited(wf_task *t, void *arg)
{
    report *r = arg;
    line    l = {.name = wf_task_name(t)};

    if (wf_task_is_complete(t) || r->n++ >= r->most)
        return;
    /* Marking an idle task keeps its worker away while we look at what it awaits. */
    if (wf_task_to_notified_visitor(t, false) == WF_TASK_WAKE_QUEUE) {
        l.awaits = awaited_name(t);
        chain_add(&r->wakes, t);
    }
    r->lines[r->n - 1] = l;
}

static void handle_visited(wf_task *t, void *arg)
{
    report *r = arg;

    if ((wf_load(&t->state, RELAXED) & WF_TASK_HANDLE) && r->n++ < r->most) /* only named */
        r->lines[r->n - 1] = (line){.name = wf_task_name(t)};
}

void wf_executor_report(wf_executor *s, weft_log_level level, const char *what)
{
    const weft_config *config = &s->rt->config;
    report             r = {.most = wf_executor_alive(s) + REPORT_SLACK};

    if (wf_executor_is_child(s))
        return;
    r.lines = wf_alloc(&config->allocator, r.most * sizeof *r.lines);
    if (!r.lines)
        r.most = 0;
    wf_memory_visit(&s->memory, report_visited, &r);
    wf_wakes_flush(&r.wakes);
    for (uint64_t i = 0; i < r.n && i < r.most; i++)
        wf_log(config, level, "%stask %s (spawned at %s) %s%s", what, r.lines[i].name,
               wf_task_where(r.lines[i].name),
               r.lines[i].awaits ? "awaits " : "is queued or being polled",
               r.lines[i].awaits ? r.lines[i].awaits : "");
    if (r.n > r.most)
        wf_log(config, level, "%s%llu more tasks", what, (unsigned long long)(r.n - r.most));
    if (r.lines)
        wf_release(&config->allocator, r.lines, r.most * sizeof *r.lines);
}

static void name_open_handles(wf_executor *s)
{
    line   lines[NAMED_MOST];
    report r = {.lines = lines, .most = NAMED_MOST};

    wf_memory_visit(&s->memory, handle_visited, &r);
    for (uint64_t i = 0; i < r.n && i < r.most; i++)
        wf_log(&s->rt->config, WEFT_LOG_WARNING,
               "stop: the handle of task %s (spawned at %s) is still open", lines[i].name,
               wf_task_where(lines[i].name));
    if (r.n > r.most)
        wf_log(&s->rt->config, WEFT_LOG_WARNING, "stop: and %llu more handles",
               (unsigned long long)(r.n - r.most));
}

void wf_executor_stop(wf_executor *s)
{
    end_threads(s);
    while (wf_load(&s->n_visitors, ACQUIRE) != 0)
        sched_yield(); /* [executor-1] they have a few instructions left */
    name_open_handles(s);
    wf_memory_close(&s->memory);
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

/* To the worker that it is pinned to: it looks into its mailbox whenever it is woken. */
static void mail(wf_executor *s, wf_task *t)
{
    uint32_t i = wf_task_pin(t) - 1;

    wf_inject_push_any(&s->workers[i]->mailbox, t, t, 1);
    if (wf_idle_is_sleeping(&s->idle, i)) /* [idle-1] */
        wf_park_wake(&s->workers[i]->park);
}

void wf_executor_requeue_owner(wf_worker *w, wf_task *t)
{
    if (__builtin_expect(wf_task_pin(t) != 0, 0))
        mail(w->executor, t);
    else
        wf_worker_push_behind_owner(w, t);
}

static bool is_own_thread(const wf_executor *s)
{
    return wf_current_thread.owned && wf_current_thread.rt == s->rt;
}

/* Runtime threads outlive every task, so they may touch the runtime at will; others are counted (S3). */
static void visitor_enters(wf_executor *s)
{
    if (!is_own_thread(s))
        wf_add(&s->n_visitors, 1, SEQ_CST); /* [executor-1] [executor-3] */
}

static void visitor_leaves(wf_executor *s)
{
    if (!is_own_thread(s))
        wf_sub(&s->n_visitors, 1, RELEASE); /* [executor-1] */
}

/* From before the task is queued: then it may end, and the runtime be stopped. */
static void inject(wf_executor *s, wf_task *first, wf_task *last, uint32_t n)
{
    if (wf_executor_is_child(s))
        return; /* S4: it never runs */
    visitor_enters(s);
    if (wf_task_pin(first))
        mail(s, first);
    else
        wf_executor_inject_any(s, first, last, n);
    visitor_leaves(s);
}

static wf_worker *own_worker(const weft_runtime *rt)
{
    return wf_current_thread.rt == rt ? wf_current_thread.worker : NULL;
}

void wf_executor_queue(wf_task *t)
{
    weft_runtime *rt = wf_task_rt(t);
    wf_worker    *w = own_worker(rt);

    if (w && !wf_task_pin(t))
        wf_worker_push_woken_owner(w, t);
    else
        inject(rt->executor, t, t, 1);
}

void wf_executor_queue_chain(wf_task *t)
{
    while (t) {
        weft_runtime *rt = wf_task_rt(t);
        wf_task      *first = t, *last = t, *next = t->next;
        uint32_t      n = 1;

        if (own_worker(rt) || wf_task_pin(t)) {
            wf_executor_queue(t);
            t = next;
            continue;
        }
        for (; next && wf_task_rt(next) == rt && !wf_task_pin(next); next = next->next, n++)
            last = next;
        inject(rt->executor, first, last, n);
        t = next;
    }
}

bool wf_executor_hand_over(wf_executor *s, wf_wakes *wakes)
{
    wf_wakes others = {0}, ours = {0};
    uint32_t n = 0;

    for (wf_task *t = wakes->first, *next; t; t = next) {
        wf_wakes *to = wf_task_rt(t) == s->rt && !wf_task_pin(t) ? &ours : &others;

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

/* ---- how much waits ---- */

bool wf_executor_wants_help(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_slots; i++) {
        if (wf_worker_children_any(s->workers[i]) > 0)
            return true; /* they may be anything: the normal rule */
        n += (uint64_t)wf_deque_length_any(&s->workers[i]->woken);
    }
    return n * wf_load(&s->poll_ns, RELAXED) / 1000 >
           (uint64_t)s->rt->config.wake_us; /* estimate */
}

uint64_t wf_executor_backlog(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_worker_length_any(s->workers[i]);
    return n;
}

/* ---- spawning ---- */

static int spawn_own(wf_executor *s, wf_worker *w, const wf_task_origin *from, weft_handle *ret)
{
    wf_task *t = wf_task_new_owner(&w->heap, from, ret != NULL);

    if (__builtin_expect(!t, 0))
        return -ENOMEM;
    if (ret)
        ret->task_ = t;
    wf_store(&w->counters.spawned, w->counters.spawned + 1, RELEASE); /* [executor-4] */
    if (__builtin_expect(from->pin != 0, 0))
        mail(s, t);
    else
        wf_worker_push_child_owner(w, t);
    if (__builtin_expect(wf_load(&s->closing, SEQ_CST), 0)) /* [executor-3] after it was queued */
        cancel_all(s);
    return 0;
}

static int spawn_visiting(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    wf_task *t;

    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */
        return -ESHUTDOWN;
    wf_lock(&s->shared_lock);
    t = wf_task_new_owner(&s->shared, from, ret != NULL);
    wf_unlock(&s->shared_lock);
    if (!t)
        return -ENOMEM;
    if (ret)
        ret->task_ = t;
    wf_add(&s->foreign_spawned, 1, RELEASE); /* [executor-4] */
    inject(s, t, t, 1);
    if (wf_load(&s->closing, SEQ_CST)) /* [executor-3] */
        cancel_all(s);
    return 0;
}

static int spawn_foreign(wf_executor *s, const wf_task_origin *from, weft_handle *ret)
{
    int r;

    visitor_enters(s);
    r = spawn_visiting(s, from, ret);
    visitor_leaves(s);
    return r;
}

int wf_executor_spawn(wf_executor *s, const wf_task_origin *from, weft_handle *ret_handle)
{
    wf_worker *w = own_worker(s->rt);

    if (__builtin_expect(wf_load(&s->closing, RELAXED), 0)) /* looked at again */
        return -ESHUTDOWN;
    if (__builtin_expect(from->pin > s->idle.n_workers, 0))
        return -EINVAL;
    if (__builtin_expect(wf_executor_is_child(s), 0))
        return -ECHILD;
    return w ? spawn_own(s, w, from, ret_handle) : spawn_foreign(s, from, ret_handle);
}
