/* test_worker.c - which task a worker takes next; the real worker without its thread */
#include "../helpers.h"

#include "pick.c"
#include "worker.c"

#define TASKS 600

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker;
static wf_worker   *workers[1] = {&worker};
static wf_task      task[TASKS];

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    free(memory);
}

static int n_looks;

static bool look(wf_driver *of)
{
    (void)of;
    n_looks++;
    return false;
}

static void begin(int64_t inject_interval)
{
    driver.look = look;
    rt = (weft_runtime){
        .executor = &executor,
        .driver = &driver,
        .config = {.inject_interval = inject_interval, .allocator = {allocate, release, NULL}}};
    executor = (wf_executor){
        .rt = &rt, .workers = workers, .idle.n_workers = 1, .idle.n_slots = 1, .is_parent = "yes"};
    worker.executor = &executor;
    worker.random = 1;
    check_eq(wf_deque_init(&worker.woken, &rt.config.allocator), 0);
    check_eq(wf_deque_init(&worker.children, &rt.config.allocator), 0);
    wf_current_thread = (wf_current){.rt = &rt, .worker = &worker, .owned = true};
}

static void end(void)
{
    wf_deque_free(&worker.woken);
    wf_deque_free(&worker.children);
}

static int taken(void)
{
    const wf_task *t = wf_pick_task_owner(&worker);

    return t ? (int)(t - task) : -1;
}

/* Wakes the task as if a task that is being polled did it. */
static void wake(int i)
{
    worker.polling = true;
    wf_dispatch_push_woken_owner(&worker, &task[i]);
    worker.polling = false;
}

Test(worker, takes_woken_tasks_oldest_first)
{
    begin(1000);
    for (int i = 0; i < 4; i++) {
        wf_dispatch_push_woken_owner(&worker, &task[i]); /* not by a poll: no LIFO slot */
    }
    for (int i = 0; i < 4; i++)
        check_eq(taken(), i);
    check_eq(taken(), -1);
    end();
}

Test(worker, takes_children_newest_first)
{
    begin(1000);
    worker.tick = 2; /* at the first turn of all, the oldest is taken */
    for (int i = 0; i < 4; i++)
        wf_dispatch_push_child_owner(&worker, &task[i]);
    for (int i = 3; i >= 0; i--)
        check_eq(taken(), i);
    end();
}

Test(worker, alternates_between_woken_tasks_and_children)
{
    int n_woken = 0;

    begin(1000);
    for (int i = 0; i < 20; i++) {
        wf_dispatch_push_woken_owner(&worker, &task[i]);
        wf_dispatch_push_child_owner(&worker, &task[100 + i]);
    }
    for (int i = 0; i < 20; i++)
        n_woken += taken() < 100;
    check_eq(n_woken, 10);
    end();
}

Test(worker, runs_the_task_that_was_woken_last_before_all_others)
{
    begin(1000);
    wf_dispatch_push_child_owner(&worker, &task[0]);
    wake(1);
    wake(2); /* takes the slot; 1 becomes an ordinary woken task */
    check_eq(taken(), 2);
    end();
}

Test(worker, runs_at_most_three_tasks_in_a_row_from_the_lifo_slot)
{
    int n = 0;

    begin(1000);
    wf_dispatch_push_woken_owner(&worker, &task[7]);
    for (wake(1); taken() == 1; wake(1)) /* two tasks that wake each other for ever */
        n++;
    check_eq(n, 3);
    check_eq(worker.counters.lifo_hits, 3);
    end();
}

Test(worker, takes_the_oldest_child_once_when_it_has_waited_for_long)
{
    begin(100000);
    for (int i = 0; i < 4; i++)
        wf_dispatch_push_child_owner(&worker, &task[i]);
    check_eq(taken(), 3);
    worker.child_waits_long = true;
    check_eq(taken(), 0);
    check_eq(taken(), 2);
    worker.child_waits_long = true;
    check_eq(taken(), 1);
    check_eq(taken(), -1);
    end();
}

Test(worker, whose_tasks_were_moved_takes_one_task_from_where_they_went)
{
    begin(100000);
    for (int i = 0; i < 3; i++)
        wf_dispatch_inject_any(&executor, &task[i], &task[i], 1);
    wake(3);
    wake(4); /* 3 goes to the queue */
    check_eq(taken(), 4);
    worker.tasks_moved = true;
    check_eq(taken(), 0);
    check_eq(taken(), 3);
    check_eq(taken(), 1);
    check_eq(taken(), 2);
    end();
}

Test(worker, looks_at_outside_tasks_after_so_many_polls_however_much_it_has_itself)
{
    int i;

    begin(61);
    wf_dispatch_inject_any(&executor, &task[0], &task[0], 1);
    for (i = 1; i < TASKS; i++) {
        wf_dispatch_push_woken_owner(&worker, &task[i]);
        if (taken() == 0)
            break;
    }
    check_cmp(i, <=, 61);
    end();
}

Test(worker, takes_outside_tasks_in_batches_and_in_their_order)
{
    begin(1000);
    for (int i = 0; i < 200; i++)
        wf_dispatch_inject_any(&executor, &task[i], &task[i], 1);
    for (int i = 0; i < 200; i++)
        check_eq(taken(), i);
    check_eq(taken(), -1);
    end();
}

Test(worker, puts_what_its_deque_can_not_hold_into_the_injection_queue)
{
    struct memory memory;
    int           n = 0;

    begin(1000);
    end();
    rt.config.allocator = memory_hooks(&memory);
    check_eq(wf_deque_init(&worker.woken, &rt.config.allocator), 0);
    check_eq(wf_deque_init(&worker.children, &rt.config.allocator), 0);
    memory.fail_at = memory.n + 1; /* the first growth; there is only one */
    for (int i = 0; i < 300; i++)
        wf_dispatch_push_child_owner(&worker, &task[i]);
    check_cmp(wf_inject_length_any(&executor.inject), >, 0);
    while (taken() >= 0)
        n++;
    check_eq(n, 300);
    end();
    check_eq(memory.live, 0);
}
