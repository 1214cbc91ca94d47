/* test_monitor_orders.c - when the monitor sleeps, in every order with what it must not miss */
#include "idle_orders.h"

static void monitor_sleeps_long(void)
{
    sleep_long(&executor.monitor);
}

/* [monitor-1] one worker is awake for good. */
static void the_monitor_is_awake(void)
{
    check_eq(n_taken[0], 1);
    check(explorer.thread[1].ended);
}

Test(monitor_orders, the_monitor_does_not_sleep_while_a_task_hangs)
{
    explore(3, 1, set_up_one, the_monitor_is_awake, 3,
            (void (*const[])(void)){work_once_and_hang, monitor_sleeps_long, inject_0});
}

static void set_up_lent(void)
{
    set_up_one();
    wf_worker_lend(&worker[0]);
}

static void enter_0(void)
{
    (void)wf_worker_enter(&worker[0]);
}

/* [monitor-1] the core is a thread's again. */
static void the_monitor_saw_it_enter(void)
{
    check(explorer.thread[1].ended);
}

Test(monitor_orders, the_monitor_does_not_sleep_while_a_thread_has_the_core)
{
    explore(3, 2, set_up_lent, the_monitor_saw_it_enter, 2,
            (void (*const[])(void)){enter_0, monitor_sleeps_long});
}

static char     block[5 << 20]; /* the one region */
static wf_task *slot;           /* of the heap of foreign threads */

static void *give_block(void *arg, size_t size)
{
    (void)arg;
    check_cmp(size, <=, sizeof block);
    return block;
}

static void keep_block(void *arg, void *memory, size_t size)
{
    (void)arg, (void)memory, (void)size;
}

static void set_up_heaps(void)
{
    static const weft_future_ops ops = {.name = "nothing"};

    set_up_one();
    rt.config.allocator = (weft_allocator){give_block, keep_block, NULL};
    executor.memory = (wf_memory){.rt = &rt};
    wf_shared_heap_init(&executor.shared, &executor.memory);
    wf_heap_init(&worker[0].heap, &executor.memory);
    slot = wf_shared_heap_take_any(&executor.shared, 1024);
    slot->frame.future.ops = &ops;
}

static void free_and_work(void)
{
    wf_heap_free_any(&worker[0].heap, slot);
    work_0();
}

/* Where the monitor sleeps, nothing reminds the heap any more. */
static void the_slot_is_back(void)
{
    if (explorer.thread[1].ended)
        return;
    check_eq(worker[0].heap.n_sends, 0);
    check_eq(wf_region_of(slot)->remote, NULL);
}

Test(monitor_orders, the_monitor_does_not_sleep_before_a_freed_slot_is_back_in_its_heap)
{
    explore(3, 1, set_up_heaps, the_slot_is_back, 2,
            (void (*const[])(void)){free_and_work, monitor_sleeps_long});
}
