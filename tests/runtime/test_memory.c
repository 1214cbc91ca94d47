/* test_memory.c - the allocation hooks fail: the caller gets an error, and nothing leaks */
#include "../actors.h"

#include <time.h>

Test(memory, start_without_it_says_enomem_and_leaves_nothing_behind)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    weft_config    config = {
           .workers = 2, .ring_entries = 8, .allocator = hooks, .log = weft_log_none};
    weft_runtime *rt = NULL;
    int64_t       n, fail_at;
    int           fds;

    check_eq(weft_runtime_start(&config, &rt), 0);
    n = get(&memory.n);
    stop(rt);
    fds = n_fds();
    check(n > 5);
    for (fail_at = 1; fail_at <= n; fail_at++) {
        memory = (struct memory){.fail_at = fail_at};
        rt = NULL;
        check_eq(weft_runtime_start(&config, &rt), -ENOMEM);
        check(!rt);
        check_eq(memory.live, 0);
    }
    check_eq(n_fds(), fds);
    EVENTUALLY(n_weft_threads() == 0); /* a joined one may be there for a moment */
}

Test(memory, spawn_without_it_says_enomem_and_leaves_the_handle_alone)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    int64_t       ran = 0, live = get(&memory.live);
    weft_handle   handle = {.task_ = NULL};

    __atomic_store_n(&memory.fail_at, get(&memory.n) + 1, __ATOMIC_RELEASE);
    check_eq(weft_spawn_on(rt, &handle, sets, &ran), -ENOMEM);
    check(!handle.task_);
    check_eq(get(&memory.live), live);
    check_eq(weft_spawn_on(rt, NULL, sets, &ran), 0);
    spin_until(&ran, 1);
    stop(rt);
    check_eq(memory.live, 0);
}

/* Spawns children although every third allocation fails. */
struct spawns {
    WEFT_FRAME;
    struct {
        int64_t *ran;
        int      n;
    } in;
    int64_t n_spawned;
};

WEFT_ASYNC(spawns)
{
    WEFT_BEGIN();
    self->n_spawned = 0;
    for (int i = 0; i < self->in.n; i++) {
        int r = weft_spawn(NULL, sets, self->in.ran);
        check(r == 0 || r == -ENOMEM);
        self->n_spawned += r == 0;
    }
    WEFT_END(self->n_spawned);
}

static void *sometimes(void *arg, size_t size)
{
    struct memory *m = arg;

    if (get(&m->fail_at) && add(&m->n, 1) % 3 == 0)
        return NULL;
    add(&m->live, (int64_t)size);
    return malloc(size);
}

Test(memory, that_fails_now_and_then_loses_no_task_that_was_spawned)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    weft_runtime  *rt;
    int64_t        ran = 0, spawned;
    weft_handle    handle;

    hooks.allocate = sometimes;
    rt = start_with(&(weft_config){.workers = 2, .allocator = hooks});
    check_eq(weft_spawn_on(rt, &handle, spawns, &ran, .n = 5000), 0);
    __atomic_store_n(&memory.fail_at, 1, __ATOMIC_RELEASE);
    spin_until(&ran, 100);
    __atomic_store_n(&memory.fail_at, 0, __ATOMIC_RELEASE);
    spawned = join(rt, &handle);
    spin_until(&ran, spawned);
    stop(rt);
    check_eq(get(&ran), spawned);
    check_eq(memory.live, 0);
}

/* Memory with the least alignment that the contract allows: a multiple of 16, but not of 32. */
static void *allocate_16(void *arg, size_t size)
{
    char *block = NULL;

    (void)arg;
    check_eq(posix_memalign((void **)&block, 128, size + 128), 0);
    return block + 16;
}

static void release_16(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    free((char *)memory - 16);
}

Test(memory, need_not_be_aligned_to_more_than_16)
{
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 2, .allocator = {allocate_16, release_16, NULL}});
    int64_t     ran = 0;
    weft_handle handle;

    check_eq(weft_spawn_on(rt, &handle, spawns, &ran, .n = 1000), 0);
    check_eq(join(rt, &handle), 1000);
    stop(rt);
}

/* ---- what a burst of tasks needed ---- */

#define BURST  30000
#define REGION ((int64_t)4 << 20) /* what a region costs with hooks */
#define KEPT   (5 * REGION)       /* two heaps: an empty one, and one with the page in use last */

struct waits {
    WEFT_FRAME;
    struct {
        int64_t *ran, *until;
    } in;
    struct weft_sleep nap;
    char              more[1000];
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    do
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(200)));
    while (!get(self->in.until));
    WEFT_END(n);
}

struct bursts {
    WEFT_FRAME;
    struct {
        int64_t *ran, *until;
    } in;
};
WEFT_ASYNC(bursts)
{
    WEFT_BEGIN();
    for (int i = 0; i < BURST; i++)
        check_eq(weft_spawn(NULL, waits, self->in.ran, self->in.until), 0);
    WEFT_END(0);
}

/* How much a burst leaves, once all have ended and the workers rest. */
static int64_t burst(bool from_a_task, int64_t *ret_most)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .allocator = memory_hooks(&memory)});
    int64_t       ran = 0, until = 0, before = get(&memory.live), left;
    int64_t       end;
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    if (from_a_task) {
        check_eq(weft_spawn_on(rt, &handle, bursts, &ran, &until), 0);
        check_eq(join(rt, &handle), 0);
    } else {
        for (int i = 0; i < BURST; i++)
            check_eq(weft_spawn_on(rt, NULL, waits, &ran, &until), 0);
    }
    spin_until(&ran, BURST);
    *ret_most = get(&memory.live) - before;
    add(&until, 1);
    do
        weft_runtime_counters(rt, &counters);
    while (counters.tasks_alive > 0);
    end = weft_now() + WEFT_S(10) * test_slow();
    do { /* all rest */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        left = get(&memory.live) - before;
    } while (left > KEPT && weft_now() < end);
    stop(rt);
    check_eq(memory.live, 0);
    return left;
}

Test(memory, of_a_burst_of_children_goes_back_when_the_workers_rest)
{
    int64_t most, left = burst(true, &most);

    check_cmp(most, >=, 8 * REGION);
    check_cmp(left, <=, KEPT);
}

Test(memory, of_a_burst_from_outside_goes_back_when_the_workers_rest)
{
    int64_t most, left = burst(false, &most);

    check_cmp(most, >=, 8 * REGION);
    check_cmp(left, <=, KEPT);
}
