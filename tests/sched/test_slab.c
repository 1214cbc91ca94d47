/* test_slab.c - the memory of tasks: sizes, freeing by any thread, visiting, what outlives the
 * runtime */
#include "../helpers.h"

#include "region.c"
#include "slab.c"
#undef send

#include <unistd.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* Whole slots, from the least to more than a region. */
static const size_t sizes[] = {64,          96,          128,         160,        480,
                               512,         513,         1000,        4 * KIB,    8 * KIB,
                               8 * KIB + 1, 20 * KIB,    64 * KIB,    65 * KIB,   700 * KIB,
                               MIB + 1,     2 * MIB - 1, 2 * MIB + 7, 5 * MIB + 3};
#define N_SIZES (sizeof sizes / sizeof *sizes)
#define N_SMALL 10            /* of them, whose slabs are a page */
#define KEPT    (1 + N_SMALL) /* regions of an unused heap: one, and a page of each size */
#define USED    WF_TASK_REF

static weft_future_ops ops[N_SIZES];
static weft_runtime    rt;
static wf_memory       memory = {.rt = &rt};
static struct memory   hooks;
static wf_heap         heaps[4], *heap = &heaps[0];

static void begin(void)
{
    rt.config.allocator = memory_hooks(&hooks);
    for (int i = 0; i < 4; i++)
        wf_heap_init(&heaps[i], &memory);
    for (size_t i = 0; i < N_SIZES; i++)
        ops[i].size = (uint32_t)(sizes[i] - offsetof(wf_task, frame));
}

static void end(void)
{
    wf_memory_close(&memory);
    check_eq(hooks.live, 0);
}

/* A slot of sizes[i] as a task would use it; NULL: out of memory. */
static wf_task *take_one(wf_heap *h, size_t i)
{
    wf_task *t = wf_heap_take_owner(h, sizes[i]);

    if (!t)
        return NULL;
    check_eq((uintptr_t)t % 32, 0);
    check_eq(t->state, 0);
    check_eq(wf_region_of(t)->rt, &rt);
    t->site = "a slot\0here";
    t->frame.future.ops = &ops[i];
    wf_store(&t->state, USED, RELEASE);
    return t;
}

static char *body(wf_task *t)
{
    return (char *)&t->frame.future.result;
}

static size_t body_size(size_t i)
{
    return sizes[i] - offsetof(wf_task, frame.future.result);
}

/* ---- sizes ---- */

Test(slab, a_slot_is_large_enough_and_wastes_less_than_an_eighth)
{
    for (size_t n = 1; n < 3 * MIB; n += 1 + n / 997) {
        size_t got = wf_slot_size(wf_slot_class(n));

        check_cmp(got, >=, n);
        check_cmp(got - n, <, 32 + n / 8);
        check_eq(got % 32, 0);
    }
    for (uint32_t c = 0; c < WF_SLAB_CLASSES; c++)
        check_eq(wf_slot_class(wf_slot_size(c)), c);
    check_cmp(wf_slot_size(WF_SLAB_CLASSES - 1), >=, 2048 * MIB);
}

Test(slab, a_frame_beyond_all_classes_is_refused)
{
    begin();
    check(!wf_heap_take_owner(heap, 4096 * MIB));
    check_eq(hooks.live, 0);
    end();
}

Test(slab, slots_of_all_sizes_lie_apart)
{
    enum { N = 40 };
    static wf_task *t[N_SIZES][N];

    begin();
    for (size_t j = 0; j < N; j++)
        for (size_t i = 0; i < (j < 3 ? N_SIZES : 14); i++) {
            t[i][j] = take_one(heap, i);
            memset(body(t[i][j]), (int)(i * 7 + j), body_size(i));
        }
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < N && t[i][j]; j++) {
            const char *b = body(t[i][j]);

            for (size_t k = 0; k < body_size(i); k += k + 64 < body_size(i) ? 64 : 1)
                check_eq(b[k], (char)(i * 7 + j));
            wf_heap_free_any(heap, t[i][j]);
        }
    wf_heap_tidy_owner(heap);
    check_cmp(heap->n_empty, <=, 1);
    end();
}

Test(slab, a_thousand_slots_may_be_freed_in_any_order_again_and_again)
{
    enum { N = 1000 };
    static wf_task *t[N];
    uint32_t        random = 1;

    begin();
    for (int64_t round = test_scaled(200000); round > 0; round--) {
        size_t at, i;

        random = random * 1664525 + 1013904223;
        at = (random >> 8) % N;
        i = (random >> 20) % 15;
        if (t[at]) {
            check_eq(t[at]->state, USED);
            check_eq(*body(t[at]), (char)at);
            wf_heap_free_any(heap, t[at]);
            t[at] = NULL;
        } else {
            t[at] = take_one(heap, i);
            *body(t[at]) = (char)at;
        }
    }
    for (size_t at = 0; at < N; at++)
        if (t[at])
            wf_heap_free_any(heap, t[at]);
    wf_heap_tidy_owner(heap);
    check_cmp(heap->n_regions, <=, KEPT);
    end();
}

/* ---- what goes back ---- */

Test(slab, what_a_burst_needed_goes_back_to_the_allocator)
{
    enum { N = 60000 };
    static wf_task *t[N];

    begin();
    for (int i = 0; i < N; i++)
        t[i] = take_one(heap, 2);
    check_cmp(heap->n_regions, >=, N * 128 / WF_REGION_SIZE);
    for (int i = 0; i < N; i++)
        wf_heap_free_any(heap, t[i * 7919 % N]);
    wf_heap_tidy_owner(heap);
    check_cmp(heap->n_regions, <=, 2); /* an empty one, and one with the page in use last */
    check_eq(hooks.live, heap->n_regions * 2 * WF_REGION_SIZE);
    end();
}

Test(slab, a_slot_larger_than_a_region_goes_back_at_once)
{
    wf_task *t;

    begin();
    t = take_one(heap, N_SIZES - 1);
    check_cmp(hooks.live, >=, 5 * MIB);
    wf_heap_free_any(heap, t);
    check_eq(hooks.live, 0);
    end();
}

Test(slab, pages_of_one_size_serve_another_once_they_are_free)
{
    enum { N = 1500 };
    static wf_task *t[N];
    uint32_t        most;

    begin();
    for (int i = 0; i < N; i++)
        t[i] = take_one(heap, 7);
    for (int i = 0; i < N; i++)
        wf_heap_free_any(heap, t[i]);
    most = heap->n_regions;
    for (int i = 0; i < N / 8; i++)
        t[i] = take_one(heap, 9); /* the eightfold size */
    check_cmp(heap->n_regions, <=, most);
    for (int i = 0; i < N / 8; i++)
        wf_heap_free_any(heap, t[i]);
    end();
}

/* In pages. */
static int64_t resident(void)
{
    long long size = 0, resident = 0;
    FILE     *f = fopen("/proc/self/statm", "re");

    check(f);
    check_eq(fscanf(f, "%lld %lld", &size, &resident), 2);
    fclose(f);
    return resident;
}

Test(slab, with_the_default_hooks_memory_goes_back_to_the_kernel)
{
    enum { N = 30000 };
    static wf_task *t[N];
    int64_t         page = sysconf(_SC_PAGESIZE), before, most, after;

    test_skip_under_valgrind("it keeps memory of its own");
    begin();
    if (TEST_SANITIZED) {
        end();
        test_skip("the sanitizer keeps memory of its own");
    }
    rt.config.allocator = wf_alloc_default;
    memset(t, 1, sizeof t);
    before = resident();
    for (int i = 0; i < N; i++) {
        t[i] = take_one(heap, 7);
        memset(body(t[i]), 1, body_size(7));
    }
    most = resident();
    for (int i = 0; i < N; i++)
        wf_heap_free_any(heap, t[i]);
    wf_heap_tidy_owner(heap);
    after = resident();
    check_cmp((most - before) * page, >=, N * 1000);
    check_cmp((after - before) * page, <=, 3 * WF_REGION_SIZE);
    wf_memory_close(&memory);
}

/* ---- out of memory ---- */

/* Takes 8 slots of each size up to the failure; how many it got. */
static int take_all(wf_task *t[N_SIZES][8])
{
    int n = 0;

    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < 8; j++)
            n += (t[i][j] = take_one(heap, i)) != NULL;
    return n;
}

static void free_all(wf_task *t[N_SIZES][8])
{
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < 8; j++)
            if (t[i][j])
                wf_heap_free_any(heap, t[i][j]);
    wf_heap_tidy_owner(heap);
}

Test(slab, when_any_allocation_fails_one_slot_is_missing_and_nothing_else)
{
    static wf_task *t[N_SIZES][8];
    int64_t         n;

    begin();
    check_eq(take_all(t), N_SIZES * 8);
    n = hooks.n;
    free_all(t);
    end();
    check_cmp(n, >, 20);
    for (int64_t fail_at = 1; fail_at <= n; fail_at++) {
        begin();
        hooks.fail_at = fail_at;
        check_eq(take_all(t), N_SIZES * 8 - 1);
        free_all(t);
        check_cmp(heap->n_regions, <=, KEPT);
        end();
    }
}

/* ---- visiting ---- */

static void count_visit(wf_task *t, void *arg)
{
    check_eq(wf_load(&t->state, RELAXED), USED); /* one thread */
    *body(t) += 1;
    ++*(int *)arg;
}

Test(slab, a_visitor_sees_every_used_slot_once_and_no_free_one)
{
    static wf_task *t[N_SIZES][8];
    int             n = 0, n_used = 0;

    begin();
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < 8; j++) {
            t[i][j] = take_one(&heaps[(i + j) % 4], i);
            *body(t[i][j]) = 0;
        }
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < 8; j++)
            if ((i + j) % 3 == 0)
                wf_heap_free_any(&heaps[j % 4], t[i][j]); /* of its own and others' */
            else
                n_used++;
    wf_memory_visit(&memory, count_visit, &n);
    check_eq(n, n_used);
    for (size_t i = 0; i < N_SIZES; i++)
        for (size_t j = 0; j < 8; j++)
            if ((i + j) % 3 != 0) {
                check_eq(*body(t[i][j]), 1);
                wf_heap_free_any(heap, t[i][j]);
            }
    for (int i = 0; i < 4; i++)
        wf_heap_tidy_owner(&heaps[i]);
    n = 0;
    wf_memory_visit(&memory, count_visit, &n);
    check_eq(n, 0);
    end();
}

/* Takes and frees until *arg, many sizes, so that slabs and regions come and go. */
static void *churn(void *arg)
{
    enum { N = 300 };
    wf_task *t[N];

    for (size_t round = 0; !get(arg); round++) {
        for (size_t j = 0; j < N; j++)
            t[j] = take_one(&heaps[1], j % 50 ? (round + j) % N_SMALL : 15);
        for (size_t j = 0; j < N; j++)
            wf_heap_free_any(&heaps[1], t[j]);
        wf_heap_tidy_owner(&heaps[1]);
    }
    return NULL;
}

struct seen {
    wf_task *stays[100];
    int      n[100], n_others;
};

static void see(wf_task *t, void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 100; i++)
        if (t == seen->stays[i]) {
            seen->n[i]++;
            return;
        }
    seen->n_others++;
}

Test(slab, a_visitor_misses_none_while_another_thread_takes_and_frees)
{
    static struct seen seen;
    int64_t            enough = 0;
    pthread_t          churns;

    begin();
    for (size_t i = 0; i < 100; i++)
        seen.stays[i] = take_one(&heaps[i % 2], i % N_SMALL);
    churns = thread(churn, &enough);
    for (int64_t round = test_scaled(3000); round > 0; round--) {
        memset(seen.n, 0, sizeof seen.n);
        wf_memory_visit(&memory, see, &seen);
        for (int i = 0; i < 100; i++)
            check_eq(seen.n[i], 1);
    }
    add(&enough, 1);
    pthread_join(churns, NULL);
    for (size_t i = 0; i < 100; i++)
        wf_heap_free_any(heap, seen.stays[i]);
    for (int i = 0; i < 2; i++)
        wf_heap_tidy_owner(&heaps[i]);
    end();
}
