/*
 * test_idle_orders.c - no wake-up is lost: the real search, park and notify of the workers, in every order
 */
#include "explore.h"

#include "deque.c"
#include "idle.c"
#include "inject.c"
/* those first: what follows uses them */
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

static struct wf_deque_buffer *buffer[2][2];

static wf_deque deque(struct wf_deque_buffer **b)
{
    if (!*b)
        *b = buffer_new(&explore_allocator, 4);
    return (wf_deque){.alloc = &explore_allocator, .buffer = *b};
}

static void set_up(uint32_t n_workers)
{
    driver = (wf_driver){0};
    rt =
        (weft_runtime){.executor = &executor, .driver = &driver, .config = {.inject_interval = 61}};
    for (uint32_t i = 0; i < 2; i++) {
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].woken = deque(&buffer[i][0]);
        worker[i].children = deque(&buffer[i][1]);
    }
    executor = (wf_executor){.rt = &rt, .workers = workers, .idle.n_workers = n_workers};
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

static void inject_0(void)
{
    wf_executor_inject_any(&executor, &task[0], &task[0], 1);
}

static void inject_1(void)
{
    wf_executor_inject_any(&executor, &task[1], &task[1], 1);
}

static void inject_three(void)
{
    task[0].next = &task[1];
    task[1].next = &task[2];
    wf_executor_inject_any(&executor, &task[0], &task[2], 3);
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
        park(w);
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

Test(idle_orders, one_worker_is_woken_for_every_task_of_two_threads)
{
    explore(3, 1, set_up_one, claim_two, 3, (void (*const[])(void)){work_0, inject_0, inject_1});
}

Test(idle_orders, one_worker_is_woken_for_every_task_of_one_thread)
{
    explore(4, 1, set_up_one, claim_two, 2, (void (*const[])(void)){work_0, inject_twice});
}

Test(idle_orders, two_workers_are_woken_for_every_task_of_two_threads)
{
    explore(2, 1, set_up_two, claim_two, 4,
            (void (*const[])(void)){work_0, work_1, inject_0, inject_1});
}

Test(idle_orders, two_workers_share_a_batch_and_sleep_only_when_it_is_done)
{
    explore(2, 1, set_up_two, claim_three, 3,
            (void (*const[])(void)){work_0, work_1, inject_three});
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

Test(idle_orders, a_worker_may_steal_what_a_running_task_queues_and_nothing_is_lost)
{
    explore(3, 1, set_up_two, claim_three, 2, (void (*const[])(void)){work_and_push, work_1});
}

/* As long as the worker that queued them does not get to them: it polls one task for ever. */
static void push_and_hang(void)
{
    worker[0].polling = true;
    wf_worker_push_child_owner(&worker[0], &task[0]);
    wf_worker_push_child_owner(&worker[0], &task[1]);
    n_taken[2] = 1;
}

Test(idle_orders, another_worker_takes_all_that_a_task_that_hangs_has_spawned)
{
    explore(3, 1, set_up_two, claim_three, 2, (void (*const[])(void)){push_and_hang, work_1});
}

Test(idle_orders, nothing_waits_behind_a_task_that_hangs_while_another_worker_sleeps,
     .timeout = 120)
{
    explore(3, 1, set_up_two, claim_two, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_twice});
}

Test(idle_orders, nothing_of_a_batch_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(2, 1, set_up_two, claim_three, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_three});
}

Test(idle_orders, nothing_from_two_threads_waits_behind_a_task_that_hangs)
{
    explore(2, 1, set_up_two, claim_two, 4,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_0, inject_1});
}
