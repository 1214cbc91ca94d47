/*
 * test_slab_orders.c - the real memory of tasks: slots freed by others, regions that end, visitors
 *
 * Regions are of their real size, with few slots: of 96 KiB, so that each is a slab of its own that
 * ends as it is freed, of 2 MiB, which has a region of its own, and small ones.
 */
#include "explore.h"

#include <ck_backoff.h>
#define ck_backoff_eb(backoff) (*(backoff) = WF_LOCK_LAST)
#include "region.c"
#include "slab.c"

#include "shared_heap.c"

#define REGIONS 3
#define SLOTS   6
#define SLOT    ((size_t)96 << 10)
#define HUGE    ((size_t)2 << 20)
#define SMALL   ((size_t)1 << 10)

static char         block[REGIONS][5 << 20];
static int          n_blocks, n_releases[REGIONS];
static weft_runtime rt;
static wf_memory    memory;
static wf_heap      heap, other; /* of that memory; of another one */
static wf_task     *slot[SLOTS];
static int          n_slots;
static int          left[SLOTS]; /* by the thread that frees the slot */
static wf_task     *taken[SLOTS];
static int          n_taken;

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    check_cmp(size, <=, sizeof block[0]);
    check_cmp(n_blocks, <, REGIONS);
    return block[n_blocks++];
}

/* The thread that releases a region has acquired what was done in all of its slots. */
static void release(void *arg, void *memory_, size_t size)
{
    int i = (int)(((char *)memory_ - block[0]) / (ptrdiff_t)sizeof block[0]);

    (void)arg;
    check_eq(n_releases[i]++, 0);
    for (int k = 0; k < n_slots; k++)
        if ((char *)slot[k] > block[i] && (char *)slot[k] < block[i] + sizeof block[i])
            check_eq(wf_load(&left[k], RELAXED), 1);
    explore_release_static(memory_, size);
}

static wf_task *use(wf_task *t)
{
    static const weft_future_ops ops = {.name = "nothing"};

    check(t);
    check_eq(wf_load(&t->state, RELAXED), 0); /* ordered by [slab-1] */
    t->frame.future.ops = &ops;
    wf_store(&t->state, WF_TASK_REF, RELEASE);
    return t;
}

static void set_up(void)
{
    n_blocks = n_slots = n_taken = 0;
    memset(n_releases, 0, sizeof n_releases);
    memset(left, 0, sizeof left);
    rt.config.allocator = (weft_allocator){allocate, release, NULL};
    memory = (wf_memory){.rt = &rt};
    wf_heap_init(&heap, &memory);
    wf_heap_init(&other, NULL);
}

static void add_slot(size_t size)
{
    slot[n_slots++] = use(wf_heap_take_owner(&heap, size));
}

static void free_as(wf_heap *h, int i)
{
    wf_store(&left[i], 1, RELAXED); /* ordered by [slab-1] or [slab-3] */
    wf_heap_free_any(h, slot[i]);
}

/* Threads that have no heap, and a worker of another runtime. */
static void free_0_and_1(void)
{
    free_as(NULL, 0);
    free_as(NULL, 1);
}

static void free_2(void)
{
    free_as(NULL, 2);
}

static void free_2_and_3_as_worker(void)
{
    free_as(&other, 2);
    free_as(&other, 3);
    wf_heap_tidy_owner(&other);
}

static void free_2_to_4_as_worker(void)
{
    free_as(&other, 4);
    free_2_and_3_as_worker();
}

/* ---- while the owner takes slots ---- */

static void set_up_four(void)
{
    set_up();
    for (int i = 0; i < 4; i++)
        add_slot(SLOT);
}

static void take_one(void)
{
    wf_task *t = wf_heap_take_owner(&heap, SLOT);

    for (int i = 0; i < n_slots; i++)
        if (t == slot[i])
            check_eq(wf_load(&left[i], RELAXED), 1);
    for (int i = 0; i < n_taken; i++)
        check(t != taken[i]);
    taken[n_taken++] = use(t);
}

static void take_and_tidy(void)
{
    take_one();
    wf_heap_tidy_owner(&heap);
    take_one();
}

/* What all have freed is the owner's again. */
static void all_came_back(void)
{
    wf_heap_tidy_owner(&heap);
    check_eq(heap.regions->n_left, 0);
    check_eq(count_used(heap.regions, NULL), n_taken);
    for (int i = 0; i < n_taken; i++)
        wf_heap_free_any(&heap, taken[i]);
    check(is_empty(heap.regions));
    check_eq(n_blocks, 1);
    wf_memory_close(&memory);
    check_eq(n_releases[0], 1);
}

Test(slab_orders, what_others_free_while_the_owner_takes_comes_back_once)
{
    explore(3, 2, set_up_four, all_came_back, 3,
            (void (*const[])(void)){take_and_tidy, free_0_and_1, free_2_and_3_as_worker});
}

/* ---- while the runtime ends ---- */

static void close_memory(void)
{
    wf_memory_close(&memory);
}

/* Two regions with slots in use, and an empty one. */
static void set_up_three_regions(void)
{
    set_up_four();
    add_slot(HUGE);
    get_region(&heap, WF_REGION_SIZE, false);
}

static void each_region_was_released_once(void)
{
    check_eq(n_blocks, REGIONS);
    for (int i = 0; i < REGIONS; i++)
        check_eq(n_releases[i], 1);
}

Test(slab_orders, a_region_is_released_once_while_the_runtime_ends_and_others_free_its_slots)
{
    explore(3, 2, set_up_three_regions, each_region_was_released_once, 3,
            (void (*const[])(void)){close_memory, free_0_and_1, free_2_to_4_as_worker});
}

static void set_up_three_in_one(void)
{
    set_up_four();
    n_slots--;
    wf_heap_free_any(&heap, slot[3]);
}

static void the_region_was_released_once(void)
{
    check_eq(n_blocks, 1);
    check_eq(n_releases[0], 1);
}

Test(slab_orders, a_region_is_released_once_by_whoever_frees_its_last_slot)
{
    explore(4, 2, set_up_three_in_one, the_region_was_released_once, 3,
            (void (*const[])(void)){close_memory, free_0_and_1, free_2});
}

/* ---- visitors ---- */

static int n_visited;

/* What is found is a task, or has been one. */
static void look(wf_task *t, void *arg)
{
    uint64_t state = wf_load(&t->state, RELAXED);
    bool     known = false;

    (void)arg;
    for (int i = 0; i < n_slots; i++)
        known |= t == slot[i];
    check(known);
    check(state == 0 || state == WF_TASK_REF);
    n_visited++;
}

static void visit(void)
{
    wf_memory_visit(&memory, look, NULL);
}

/* Small slots share a slab; behind the first is what another use of the page has left. */
static void set_up_visit(void)
{
    wf_region *r;

    set_up();
    n_visited = 0;
    add_slot(HUGE);
    add_slot(SMALL);
    r = wf_region_of(slot[1]);
    for (uint32_t i = 1; i < 4; i++)
        wf_region_slot(r, slab_of(r, slot[1]), i)->state = 0xdddd;
    slot[2] = wf_region_slot(r, slab_of(r, slot[1]), 1);
    n_slots = 3;
}

static void take_and_free(void)
{
    wf_task *t = use(wf_heap_take_owner(&heap, SMALL));

    check(t == slot[2]);
    free_as(&heap, 0); /* its region goes */
    wf_heap_free_any(&heap, t);
    check(use(wf_heap_take_owner(&heap, SMALL)) == t);
}

static void one_was_there_all_the_time(void)
{
    check(n_visited >= 1 && n_visited <= 3);
    check_eq(n_releases[0], 1);
    for (int i = 1; i < n_slots; i++) {
        free_as(&heap, i);
    }
    wf_memory_close(&memory);
    check_eq(n_releases[1], 1);
}

Test(slab_orders, visitors_find_what_is_used_while_slots_and_regions_come_and_go)
{
    explore(3, 2, set_up_visit, one_was_there_all_the_time, 2,
            (void (*const[])(void)){take_and_free, visit});
}

/* ---- the heap of foreign threads ---- */

static wf_shared_heap shared;

static void set_up_shared(void)
{
    set_up();
    wf_shared_heap_init(&shared, &memory);
}

static void take_shared(void)
{
    wf_task *t = use(wf_shared_heap_take_any(&shared, SLOT));

    slot[n_slots++] = t; /* no step of the explorer: it happens at once */
}

/* Large enough for a region of its own, which is spare if the other thread frees its slot first. */
static void take_and_free_huge(void)
{
    wf_task *t = use(wf_shared_heap_take_any(&shared, HUGE));

    wf_heap_free_any(NULL, t);
    wf_shared_heap_tidy_any(&shared);
}

static void both_have_a_slot(void)
{
    check_eq(n_slots, 2);
    check(slot[0] != slot[1]);
    check_cmp(n_blocks, <=, 2);
}

static void all_but_one_are_released(void)
{
    int n = 0;

    for (int i = 0; i < n_blocks; i++)
        n += n_releases[i];
    check_cmp(n, >=, n_blocks - 1);
}

Test(slab_orders, two_threads_make_regions_for_the_shared_heap)
{
    explore(2, 1, set_up_shared, both_have_a_slot, 2,
            (void (*const[])(void)){take_shared, take_shared});
}

Test(slab_orders, the_shared_heap_gives_regions_back)
{
    explore(2, 1, set_up_shared, all_but_one_are_released, 2,
            (void (*const[])(void)){take_and_free_huge, take_and_free_huge});
}
