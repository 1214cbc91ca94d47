/* executor.c - see executor.h */
#include "executor.h"

#include "dispatch.h"
#include "dump.h"
#include "invariant.h"
#include "tasks.h"
#include "visit.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE        4096
#define INJECT_RING 4096 /* room for a few ms of a million wakes a second */

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
    wf_stacks_free(&s->stacks);
}

/* A visitor now would use a runtime that is being freed, which breaks the rule of
 * weft_runtime_stop. */
static void check_unvisited(const wf_executor *s)
{
    if (wf_visit_any(s))
        weft_misuse_("weft_runtime_stop",
                     "a thread still uses the runtime that is freed, in weft_spawn_on or a wake",
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
    wf_thread_host_init(&s->host, rt->config.cpu_affinity);
    s->memory.rt = rt;
    wf_shared_heap_init(&s->shared, &s->memory);
    wf_monitor_init(&s->monitor, s);
    rt->executor = s;
    if (mark_parent(s) == 0 && new_ring(s) == 0 && new_workers(s) == 0)
        return 0;
    wf_executor_free(s);
    return -ENOMEM;
}

static void end_threads(wf_executor *s)
{
    wf_store(&s->stopping, true, RELEASE); /* [executor-1] */
    wf_monitor_stop(&s->monitor);          /* first, since it starts workers */
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
        wf_worker_lend(s->workers[0]); /* for the thread that calls weft_block_on */
    else
        for (uint32_t i = 0; i < s->idle.n_workers && r == 0; i++)
            r = wf_worker_start(s->workers[i]);
    if (r == 0)
        r = wf_monitor_start(&s->monitor);
    if (r < 0)
        end_threads(s);
    return r;
}

/* ---- for a clock that jumps ---- */

uint64_t wf_executor_progress(const wf_executor *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_load(&s->workers[i]->counters.polls, ACQUIRE); /* before the next look: [tasks-2] */
    return n;
}

/* Whether the worker polls nothing, and will not of itself. A thread in weft_block_on counts as
 * such, and not as a worker. */
static bool is_at_rest(const wf_executor *s, uint32_t i)
{
    const wf_worker *w = s->workers[i];

    return wf_idle_is_sleeping(&s->idle, i) ||
           wf_load(&w->n_block_on, ACQUIRE) > 0 || /* [block-3] */
           wf_worker_stands_by_any(w, s->idle.n_workers);
}

bool wf_executor_is_quiet(const wf_executor *s)
{
    /* Outside of weft_block_on no thread polls the tasks of a current-thread runtime. */
    if (s->rt->config.current_thread && wf_load(&s->workers[0]->away, RELAXED)) /* only tests ask */
        return false;
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        if (!is_at_rest(s, i) || wf_inject_length_any(&s->workers[i]->mailbox) > 0)
            return false;
    return wf_dispatch_backlog(s) == 0;
}

/* ---- stop ---- */

bool wf_executor_wait_empty(wf_executor *s, int64_t until)
{
    return s->rt->config.current_thread ? wf_core_run_until_gone(s, until)
                                        : wf_tasks_wait_gone(s, until);
}

void wf_executor_stop(wf_executor *s)
{
    end_threads(s);
    (void)wf_visit_wait_gone(s, WEFT_FOREVER); /* [visit-1] */
    WF_ASSERT(wf_tasks_alive(s) == 0);         /* S2 */
    wf_dump_open_handles(s);
    wf_memory_close(&s->memory);
}
