/*
 * test_idle.c - no wake-up is lost: the real search, park and notify of the workers, in every order
 */
#include "explore.h"

#include "deque.c"
#include "idle.c"
#include "inject.c"
/* those first: what follows uses them */
#include "dispatch.c"
#include "executor.c"
#include "worker.c"

#define TASKS 3

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker[2];
static wf_worker   *workers[2] = {&worker[0], &worker[1]};
static wf_task      task[TASKS];
static int          n_taken[TASKS];

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

static void set_up(uint32_t n_workers)
{
    static bool begun;

    driver = (wf_driver){0};
    rt = (weft_runtime){.executor = &executor,
                        .driver = &driver,
                        .config = {.inject_interval = 61, .allocator = {allocate, release, NULL}}};
    for (uint32_t i = 0; i < 2; i++) {
        if (begun) {
            wf_deque_free(&worker[i].woken);
            wf_deque_free(&worker[i].children);
        }
        memset(&worker[i], 0, sizeof worker[i]);
        wf_deque_init(&worker[i].woken, &rt.config.allocator);
        wf_deque_init(&worker[i].children, &rt.config.allocator);
        worker[i].executor = &executor;
        worker[i].index = i;
        worker[i].random = i + 1;
    }
    begun = true;
    executor = (wf_executor){.rt = &rt,
                             .workers = workers,
                             .idle.n_workers = n_workers,
                             .idle.n_slots = n_workers,
                             .monitor.awake = 1,
                             .is_parent = "yes"};
    memset(n_taken, 0, sizeof n_taken);
}

static void set_up_one(void)
{
    set_up(1);
}

static void set_up_two(void)
{
    set_up(2);
}

/* A worker's loop, but that it takes tasks without polling them, and never ends. */
static void work(wf_worker *w)
{
    for (int idle_rounds = 0;; idle_rounds++) {
        wf_task *t = next_task(w);

        if (t) {
            n_taken[t - task]++;
            idle_rounds = 0;
        } else {
            park(w, INT64_MAX);
        }
        if (idle_rounds == 2) { /* it goes round while another is at the work */
            explore_wait();
            idle_rounds = 0;
        }
    }
}

static void work_0(void)
{
    work(&worker[0]);
}

static void work_1(void)
{
    work(&worker[1]);
}

static void inject_0(void)
{
    wf_dispatch_inject_any(&executor, &task[0], &task[0], 1);
}

static void inject_1(void)
{
    wf_dispatch_inject_any(&executor, &task[1], &task[1], 1);
}

static void inject_three(void)
{
    task[0].next = &task[1];
    task[1].next = &task[2];
    wf_dispatch_inject_any(&executor, &task[0], &task[2], 3);
}

static void inject_twice(void)
{
    inject_0();
    inject_1();
}

/* A worker whose first task never comes back from its poll. */
static void work_once_and_hang(void)
{
    wf_worker *w = &worker[0];
    wf_task   *t;

    for (int idle_rounds = 0; !(t = next_task(w));) {
        park(w, INT64_MAX);
        if (++idle_rounds == 3) {
            explore_wait();
            idle_rounds = 0;
        }
    }
    n_taken[t - task]++;
    w->polling = true;
}

/* All sleep: then there must be nothing to do. */
static void claim(int n)
{
    for (int i = 0; i < TASKS; i++)
        check_eq(n_taken[i], i < n);
    check_eq(executor.idle.n_searching, 0);
}

static void claim_two(void)
{
    claim(2);
}

static void claim_three(void)
{
    claim(3);
}

Test(idle, one_worker_is_woken_for_every_task_of_two_threads)
{
    explore(3, set_up_one, claim_two, 3, (void (*const[])(void)){work_0, inject_0, inject_1});
}

Test(idle, one_worker_is_woken_for_every_task_of_one_thread)
{
    explore(4, set_up_one, claim_two, 2, (void (*const[])(void)){work_0, inject_twice});
}

Test(idle, two_workers_are_woken_for_every_task_of_two_threads)
{
    explore(2, set_up_two, claim_two, 4,
            (void (*const[])(void)){work_0, work_1, inject_0, inject_1});
}

Test(idle, two_workers_share_a_batch_and_sleep_only_when_it_is_done)
{
    explore(2, set_up_two, claim_three, 3, (void (*const[])(void)){work_0, work_1, inject_three});
}

/* A worker that queues tasks as a polled task would: a child, and tasks woken. */
static void work_and_push(void)
{
    wf_current_thread = (wf_current){.rt = &rt, .worker = &worker[0], .owned = true};
    worker[0].polling = true;
    wf_worker_push_child_owner(&worker[0], &task[0]);
    wf_worker_push_woken_owner(&worker[0], &task[1]);
    wf_worker_push_woken_owner(&worker[0], &task[2]);
    worker[0].polling = false;
    work(&worker[0]);
}

Test(idle, a_worker_may_steal_what_a_running_task_queues_and_nothing_is_lost)
{
    explore(3, set_up_two, claim_three, 2, (void (*const[])(void)){work_and_push, work_1});
}

/* As the monitor does now and then: what few tasks a wary worker has woken nobody for. */
static void monitor_looks(void)
{
    for (int round = 0;; round++) {
        explore_wait();
        if (wf_dispatch_backlog(&executor) == 0)
            return;
        check_cmp(round, <, TASKS);
        wf_dispatch_notify_any(&executor);
    }
}

/* As long as the worker that queued them does not get to them: it polls one task for ever. */
static void push_and_hang(void)
{
    worker[0].polling = true;
    wf_worker_push_child_owner(&worker[0], &task[0]);
    wf_worker_push_child_owner(&worker[0], &task[1]);
    n_taken[2] = 1;
    monitor_looks();
}

Test(idle, another_worker_takes_all_that_a_task_that_hangs_has_spawned)
{
    explore(3, set_up_two, claim_three, 2, (void (*const[])(void)){push_and_hang, work_1});
}

Test(idle, nothing_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(3, set_up_two, claim_two, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_twice});
}

Test(idle, nothing_of_a_batch_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(2, set_up_two, claim_three, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_three});
}

Test(idle, nothing_from_two_threads_waits_behind_a_task_that_hangs)
{
    explore(2, set_up_two, claim_two, 4,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_0, inject_1});
}
