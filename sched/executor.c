/*
 * executor.c - the workers of a runtime, from start to stop
 *
 * Purpose     See executor.h.
 * Threads     See executor.h.
 * Invariants  See executor.h.
 * Ordering    See executor.h.
 * Failure     See executor.h.
 */
#include "executor.h"

#include "dispatch.h"
#include "lock.h"
#include "report.h"
#include "task.h"
#include "timer.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
/* When the stopping thread visits all tasks again. */
#define ONCE_MORE WEFT_MS(10)
/* How long visitors may keep the stopping thread beyond its patience. */
#define GRACE       WEFT_MS(10)
#define INJECT_RING 4096 /* woken tasks of a few ms, a million a second */

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

/* A thread that visits now has a runtime that is being freed: see weft_runtime_stop. */
static void check_unvisited(const wf_executor *s)
{
    if (wf_load(&s->visitors, RELAXED) >= WF_VISITOR) /* best effort */
        weft_misuse_("weft_runtime_stop",
                     "a thread still uses the runtime that ends, in weft_spawn_on or a wake",
                     "weft_runtime");
}

void wf_executor_free(wf_executor *s)
{
    check_unvisited(s);
    if (s->workers)
        free_workers(s);
    if (s->inject.ring)
        wf_release(&s->rt->config.allocator, s->inject.ring, INJECT_RING * sizeof *s->inject.ring);
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

static int new_ring(wf_executor *s)
{
    s->inject.ring = wf_alloc(&s->rt->config.allocator, INJECT_RING * sizeof *s->inject.ring);
    if (!s->inject.ring)
        return -ENOMEM;
    s->inject.ring_size = INJECT_RING;
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
    wf_load_init(&s->load);
    wf_thread_host_init(&s->host, rt->config.pin_workers);
    s->memory.rt = rt;
    wf_heap_init(&s->shared, &s->memory);
    wf_monitor_init(&s->monitor, s);
    rt->executor = s;
    if (mark_parent(s) == 0 && new_ring(s) == 0 && new_workers(s) == 0)
        return 0;
    wf_executor_free(s);
    return -ENOMEM;
}

int wf_executor_start_worker(wf_executor *s, uint32_t index)
{
    wf_worker *w = s->workers[index];
    int        r = wf_thread_start(&w->thread, wf_worker_main, w);

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

static void cancel_visited(wf_task *t, void *arg)
{
    if (wf_task_to_notified_visitor(t, true) == WF_TASK_WAKE_QUEUE)
        wf_wakes_add(arg, t);
}

WF_SELDOM void wf_executor_cancel_all(wf_executor *s)
{
    wf_wakes wakes = {0};

    wf_memory_visit(&s->memory, cancel_visited, &wakes);
    wf_wakes_flush(&wakes);
}

void wf_executor_close(wf_executor *s)
{
    wf_store(&s->closing, true, SEQ_CST); /* [executor-3] [executor-4] */
    wf_executor_cancel_all(s);
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

/* The stopping thread sleeps until no visitor is left; false at the instant. */
static bool wait_for_visitors(wf_executor *s, int64_t until)
{
    uint32_t n;

    while ((n = wf_load(&s->visitors, SEQ_CST)) >= WF_VISITOR) { /* [executor-1] [executor-3] */
        if (until != WEFT_FOREVER && wf_now() >= until)
            return false;
        if (n & WF_VISITORS_AWAITED)
            wf_futex_wait(&s->visitors, n, until);
        else
            wf_or(&s->visitors, WF_VISITORS_AWAITED, SEQ_CST); /* [executor-1] stays from now on */
    }
    return true;
}

static uint64_t count_alive(wf_executor *s)
{
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        (void)wf_idle_is_sleeping(&s->idle, i); /* [executor-4] what those counted is seen */
    return wf_executor_alive(s);
}

/* While a task is alive other threads may wake it without end, so the stopping thread waits for
 * visitors only when no task seems to be: a visitor in the middle of a spawn counts the task
 * before it leaves, and later ones are refused. GRACE, since most visitors have only a few
 * instructions left. */
static bool is_empty(wf_executor *s, int64_t until)
{
    return count_alive(s) == 0 && wait_for_visitors(s, wf_after(until, GRACE)) &&
           count_alive(s) == 0;
}

/* Sleeping workers tidy up when they are woken for nothing. */
static void remind(wf_heap *h)
{
    if (h != &h->memory->rt->executor->shared)
        wf_park_wake(&weft_container(h, wf_worker, heap)->park);
}

void wf_executor_tidy(wf_executor *s)
{
    wf_lock(&s->shared_lock);
    wf_heap_tidy_owner(&s->shared);
    wf_unlock(&s->shared_lock);
    wf_memory_remind(&s->memory, remind);
}

/* ---- for a clock that jumps ---- */

uint64_t wf_executor_progress(const wf_executor *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_load(&s->workers[i]->counters.polls, ACQUIRE); /* before we look on: [executor-4] */
    return n;
}

bool wf_executor_is_quiet(const wf_executor *s)
{
    if (s->rt->config.current_thread && wf_load(&s->workers[0]->away, RELAXED)) /* a test's time */
        return false;
    for (uint32_t i = 0; i < s->idle.n_slots; i++) {
        const wf_worker *w = s->workers[i];
        bool stands_by = i >= s->idle.n_workers && !wf_load(&w->wanted, ACQUIRE); /* [worker-2] */

        if ((!stands_by && !wf_idle_is_sleeping(&s->idle, i)) ||
            wf_inject_length_any(&w->mailbox) > 0)
            return false;
    }
    return wf_dispatch_backlog(s) == 0;
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
    /* One turn at least: a stop without patience that is called again and again ends, too. */
    for (bool any = false; !(empty = is_empty(s, until)) && (!any || wf_now() < until); any = true)
        wf_worker_turn_owner(s->workers[0], until);
    wf_worker_leave(s->workers[0], before);
    core_give(s);
    return empty;
}

bool wf_executor_wait_empty(wf_executor *s, int64_t until)
{
    if (s->rt->config.current_thread)
        return run_until_empty(s, until);
    for (int64_t visit = wf_now() + ONCE_MORE;;) {
        uint32_t seen = wf_load(&s->n_dry, ACQUIRE); /* [executor-4] */
        int64_t  now = wf_now();

        if (is_empty(s, until))
            return true;
        if (now >= until)
            return false;
        if (now >= visit) {
            wf_executor_cancel_all(s); /* the children that the first visit missed: [executor-3] */
            visit = INT64_MAX;
        } else {
            wf_futex_wait(&s->n_dry, seen, visit < until ? visit : until);
        }
    }
}

void wf_executor_stop(wf_executor *s)
{
    end_threads(s);
    (void)wait_for_visitors(s, WEFT_FOREVER); /* [executor-1] */
    wf_report_open_handles(s);
    wf_memory_close(&s->memory);
}
