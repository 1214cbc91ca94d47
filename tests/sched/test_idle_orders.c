/*
 * test_idle_orders.c - the real workers' search and sleep, in every order: no wake-up is lost
 *
 * Workers take tasks without polling them. Where one hangs in its first task, the rest is for others.
 */
#include "explore.h"

#include "deque.c"
#include "driver.h"
#include "idle.c"
#include "inject.c"
#include "task.h"
/* those first: what follows uses them */
#include "executor.c"
#include "worker.c"

#define TASKS 4

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker[2];
static wf_worker   *workers[2] = {&worker[0], &worker[1]};
static wf_task      task[TASKS];
static int          n_tasks, n_taken[TASKS];

static struct wf_deque_buffer *buffer[2][2];

static void set_up(void)
{
    rt = (weft_runtime){.executor = &executor, .driver = &driver};
    rt.config.inject_interval = 61;
    driver = (wf_driver){.sleeps_until = WF_DRIVER_AWAKE};
    executor = (wf_executor){.rt = &rt, .workers = workers};
    executor.idle.n_workers = 2;
    for (uint32_t i = 0; i < 2; i++) {
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].woken = worker[i].children = (wf_deque){.alloc = &explore_allocator};
        worker[i].woken.buffer = buffer[i][0];
        worker[i].children.buffer = buffer[i][1];
    }
    for (int i = 0; i < TASKS; i++)
        task[i] = (wf_task){.rt = &rt};
    memset(n_taken, 0, sizeof n_taken);
}

/* ---- the threads ---- */

static void work(wf_worker *w)
{
    for (int idle_rounds = 0;; idle_rounds++) {
        wf_task *t = next_task(w);

        if (t) {
            n_taken[t - task]++;
            idle_rounds = 0;
        } else {
            park(w);
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

static void inject_one_by_one(void)
{
    wf_executor_inject_any(&executor, &task[0], &task[0], 1);
    wf_executor_inject_any(&executor, &task[1], &task[1], 1);
}

/* Worker 0 in a task that spawns a task, wakes two (the first is the one to run next, until the second
 * comes), and then keeps its worker: the other two must be taken by worker 1. */
static void spawn_wake_and_hang(void)
{
    worker[0].polling = true;
    wf_worker_push_child_owner(&worker[0], &task[0]);
    wf_worker_push_woken_owner(&worker[0], &task[1]);
    wf_worker_push_woken_owner(&worker[0], &task[2]);
    worker[0].lifo = NULL;
}

static void inject_third(void)
{
    wf_executor_inject_any(&executor, &task[2], &task[2], 1);
}

/* When everybody sleeps. */
static void all_taken(void)
{
    for (int i = 0; i < TASKS; i++)
        check_eq(n_taken[i], i < n_tasks);
    check_eq(executor.idle.n_searching, 0);
}

static void try_all(int preemptions, int n, void (*a)(void), void (*b)(void), void (*c)(void))
{
    n_tasks = n;
    for (int i = 0; i < 4; i++)
        buffer[i / 2][i % 2] = buffer_new(&explore_allocator, 4);
    explore(preemptions, 1, set_up, all_taken, c ? 3 : 2, (void (*const[])(void)){a, b, c});
}

Test(idle_orders, a_worker_takes_what_threads_inject_as_it_goes_to_sleep)
{
    try_all(2, 3, work_0, inject_one_by_one, inject_third);
}

Test(idle_orders, two_workers_take_what_a_thread_injects_as_they_go_to_sleep)
{
    try_all(2, 2, work_0, work_1, inject_one_by_one);
}

Test(idle_orders, a_worker_takes_what_waits_behind_a_task_that_hangs)
{
    try_all(4, 2, spawn_wake_and_hang, work_1, NULL);
}
