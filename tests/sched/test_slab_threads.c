/* test_slab_threads.c - task memory freed by other threads, and after its runtime's end */
#include "../helpers.h"

#include "memcheck.h"
#include "task.h"

#define REGION_BYTES (2 * WF_REGION_SIZE) /* that a region costs with hooks */
#define USED         WF_TASK_REF
#define THREADS      4

static const size_t    sizes[] = {64, 128, 700, 6000, 30000, 100000};
static weft_future_ops ops[6];
static weft_runtime    rt;
static wf_memory       memory = {.rt = &rt};
static struct memory   hooks;
static wf_heap         heaps[THREADS];
static int64_t         n_released;

static void release_counted(void *arg, void *block, size_t size)
{
    add(&n_released, 1);
    memory_release(arg, block, size);
}

static void begin(void)
{
    rt.config.allocator = memory_hooks(&hooks);
    rt.config.allocator.release = release_counted;
    n_released = 0;
    for (int i = 0; i < THREADS; i++)
        wf_heap_init(&heaps[i], &memory);
    for (size_t i = 0; i < 6; i++)
        ops[i].size = (uint32_t)(sizes[i] - offsetof(wf_task, frame));
}

static wf_task *take_one(wf_heap *h, size_t i)
{
    wf_task *t = wf_heap_take_owner(h, sizes[i]);

    check(t);
    check_eq(t->state, 0);
    t->site = "a slot\0here";
    t->frame.future.ops = &ops[i];
    t->frame.future.result = (int64_t)(uintptr_t)t;
    wf_store(&t->state, USED, RELEASE);
    return t;
}

static void free_one(wf_heap *h, wf_task *t)
{
    check_eq(t->frame.future.result, (uintptr_t)t); /* no other thread has written into it */
    wf_heap_free_any(h, t);
}

static void count_visit(wf_task *t, void *arg)
{
    (void)t;
    ++*(int64_t *)arg;
}

static int64_t n_used(void)
{
    int64_t n = 0;

    wf_memory_visit(&memory, count_visit, &n);
    return n;
}

static void run_threads(void *(*body)(void *))
{
    pthread_t t[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        t[i] = thread(body, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
}

/* ---- freed by others ---- */

Test(slab_threads, a_slot_that_another_heap_frees_comes_back_to_its_own)
{
    enum { N = 100 };
    wf_task *t[N], *again;

    begin();
    for (int i = 0; i < N; i++)
        t[i] = take_one(&heaps[0], 3);
    for (int i = 0; i < N; i++)
        free_one(&heaps[1], t[i]);
    wf_heap_tidy_owner(&heaps[1]); /* the last of them are on their way */
    wf_heap_tidy_owner(&heaps[0]);
    check_eq(n_used(), 0);
    check_eq(heaps[0].n_regions, 1);
    check_eq(heaps[1].n_regions, 0);
    again = take_one(&heaps[0], 3);
    check_eq(wf_region_of(again), wf_region_of(t[0]));
    free_one(NULL, again);
    wf_memory_close(&memory);
    check_eq(hooks.live, 0);
}

Test(slab_threads, a_heap_that_runs_out_takes_what_others_have_freed_before_it_grows)
{
    enum { N = 20000 };
    static wf_task *t[N];
    int64_t         most;

    begin();
    for (int i = 0; i < N; i++)
        t[i] = take_one(&heaps[0], 1);
    most = hooks.live;
    for (int i = 0; i < N; i++)
        free_one(NULL, t[i]);
    for (int i = 0; i < N; i++)
        t[i] = take_one(&heaps[0], 1); /* without having tidied */
    check_eq(hooks.live, most);
    for (int i = 0; i < N; i++)
        free_one(i % 2 ? &heaps[1] : NULL, t[i]);
    wf_heap_tidy_owner(&heaps[1]);
    wf_heap_tidy_owner(&heaps[0]);
    check_cmp(hooks.live, <=, 2 * REGION_BYTES);
    wf_memory_close(&memory);
    check_eq(hooks.live, 0);
}

#define RING   256
#define ROUNDS test_scaled(60000)

/* Each thread passes its slots to the next one. */
static wf_task *mailbox[THREADS][RING];

static void *pass_on(void *arg)
{
    intptr_t me = (intptr_t)arg;
    int64_t  sent = 0, got = 0, n = ROUNDS;
    wf_task *t;

    while (sent < n || got < n) {
        wf_task **to = &mailbox[(me + 1) % THREADS][sent % RING];

        if (sent < n && !wf_load(to, ACQUIRE)) {
            wf_store(to, take_one(&heaps[me], (size_t)(sent * 7 + me) % (sent % 64 ? 3 : 6)),
                     RELEASE);
            sent++;
        }
        if (got < n && (t = wf_load(&mailbox[me][got % RING], ACQUIRE))) {
            wf_store(&mailbox[me][got % RING], NULL, RELEASE);
            free_one(got % 3 ? &heaps[me] : NULL, t);
            got++;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

Test(slab_threads, four_threads_that_free_each_others_slots_lose_none)
{
    begin();
    run_threads(pass_on);
    check_eq(n_used(), 0);
    for (int i = 0; i < THREADS; i++)
        wf_heap_tidy_owner(&heaps[i]);
    for (int i = 0; i < THREADS; i++)
        wf_heap_tidy_owner(&heaps[i]); /* what the others have sent */
    for (int i = 0; i < THREADS; i++)
        check_cmp(heaps[i].n_regions, <=, 1);
    wf_memory_close(&memory);
    check_eq(hooks.live, 0);
}

/* ---- after the runtime's end ---- */

#define LEFT 8000

static wf_task *left[LEFT];

static void leave(void)
{
    begin();
    for (int i = 0; i < LEFT; i++)
        left[i] = take_one(&heaps[i % THREADS], (size_t)i % 3);
}

static void *free_left(void *arg)
{
    wf_memory other = {.rt = &rt};
    wf_heap   heap; /* as of a worker of another runtime */

    wf_heap_init(&heap, &other);
    for (intptr_t i = (intptr_t)arg; i < LEFT; i += THREADS)
        free_one(i % 7 ? &heap : NULL, left[i]);
    wf_heap_tidy_owner(&heap);
    return NULL;
}

static int64_t n_regions(void)
{
    int64_t n = 0;

    for (int i = 0; i < THREADS; i++)
        n += heaps[i].n_regions;
    return n;
}

Test(slab_threads, a_closed_memory_without_used_slots_is_gone)
{
    leave();
    for (int i = 0; i < LEFT; i++)
        free_one(i % 2 ? NULL : &heaps[i % THREADS], left[i]);
    wf_memory_close(&memory);
    check_eq(hooks.live, 0);
    check_eq(n_released, hooks.n);
}

Test(slab_threads, an_orphaned_slot_keeps_its_region_and_no_other)
{
    int64_t regions;

    leave();
    regions = n_regions();
    check_eq(regions, THREADS);
    for (int i = 1; i < LEFT; i++)
        free_one(NULL, left[i]);
    wf_memory_close(&memory);
    check_eq(n_released, regions - 1);
    free_one(NULL, left[0]);
    check_eq(n_released, regions);
    check_eq(hooks.live, 0);
}

Test(slab_threads, orphans_freed_by_four_threads_release_each_region_once)
{
    for (int64_t round = test_scaled(30); round > 0; round--) {
        leave();
        wf_memory_close(&memory);
        check_eq(n_released, 0);
        run_threads(free_left);
        check_eq(n_released, hooks.n);
        check_eq(hooks.live, 0);
    }
}

static int64_t may_close;

static void *close_or_free(void *arg)
{
    if ((intptr_t)arg > 0)
        return free_left(arg);
    spin_until(&may_close, 1);
    wf_memory_close(&memory);
    return free_left(arg);
}

Test(slab_threads, slots_freed_while_the_memory_closes_release_each_region_once)
{
    for (int64_t round = test_scaled(60); round > 0; round--) {
        leave();
        for (int i = 0; i < LEFT / 2; i++) { /* some have been freed before, and wait */
            free_one(NULL, left[i]);
            left[i] = take_one(&heaps[i % THREADS], (size_t)i % 3);
        }
        may_close = round % 2; /* at once, or a little later */
        if (!may_close) {
            pthread_t t = thread(close_or_free, NULL);

            add(&may_close, 1);
            for (intptr_t i = 1; i < THREADS; i++)
                free_left((void *)i);
            pthread_join(t, NULL);
        } else {
            run_threads(close_or_free);
        }
        check_eq(n_released, hooks.n);
        check_eq(hooks.live, 0);
    }
}

Test(slab_threads, large_orphans_go_one_by_one)
{
    wf_task *t[5];

    begin();
    for (int i = 0; i < 5; i++)
        t[i] = take_one(&heaps[0], 5);
    wf_memory_close(&memory);
    for (int i = 0; i < 5; i++)
        free_one(NULL, t[i]);
    check_eq(hooks.live, 0);
    check_eq(n_released, hooks.n);
}
