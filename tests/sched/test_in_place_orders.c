/*
 * test_in_place_orders.c - a join runs its child and younger tasks, while thieves steal
 */
#include "explore.h"

#include "deque.c"
#include "idle.c"
#include "inject.c"
/* those first: what follows uses them */
#include "dispatch.c"
#include "executor.c"
#include "load.c"
#include "pick.c"
#include "run.c"
#include "tasks.c"
#include "visit.c"

#define TASKS 4

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker[2];
static wf_worker   *workers[2] = {&worker[0], &worker[1]};
static wf_task      task[TASKS];
static int          n_taken[TASKS];
static bool         joined[TASKS]; /* within a join of it */
static int          n_tasks;
static int          joins; /* the task that is being joined */

static struct wf_deque_buffer *buffer[2];

static int index_of(const wf_task *t)
{
    return (int)(t - task);
}

/* A poll within a join. Only the joined task and younger tasks may run there. */
static weft_poll note_poll(weft_future *future, weft_context *cx)
{
    wf_task *t = weft_container(future, wf_task, frame.future);

    (void)cx;
    check_eq(explorer.current, 0);
    check(index_of(t) >= joins);
    n_taken[index_of(t)]++;
    joined[index_of(t)] = true;
    return weft_ready(future, 0);
}

static const weft_future_ops ops = {.size = sizeof(weft_frame), .name = "noted", .poll = note_poll};

static void set_up_for(int n)
{
    n_tasks = n;
    driver = (wf_driver){0};
    rt =
        (weft_runtime){.executor = &executor, .driver = &driver, .config = {.inject_interval = 61}};
    for (uint32_t i = 0; i < 2; i++) {
        if (!buffer[i])
            buffer[i] = buffer_new(&explore_allocator, 4);
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].children = (wf_deque){.alloc = &explore_allocator, .buffer = buffer[i]};
    }
    executor = (wf_executor){.rt = &rt,
                             .workers = workers,
                             .idle.n_workers = 2,
                             .idle.n_slots = 2,
                             .monitor.awake = 1,
                             .is_parent = "yes"};
    memset(n_taken, 0, sizeof n_taken);
    memset(joined, 0, sizeof joined);
    for (int i = 0; i < TASKS; i++) {
        /* Two references: the handle's and the one of the run. */
        task[i] = (wf_task){.state = WF_TASK_RUNNING | WF_TASK_HANDLE | 2 * WF_TASK_REF};
        weft_future_init(&task[i].frame.future, &ops);
    }
}

static void set_up(void)
{
    set_up_for(3);
}

static void set_up_four(void)
{
    set_up_for(4);
}

/* Joins the children in turn, except those that ran within an earlier join. */
static void spawn_and_join_from(int first)
{
    uint32_t budget = 128;

    worker[0].polling = true;
    for (int i = 0; i < n_tasks; i++)
        wf_dispatch_push_child_owner(&worker[0], &task[i]);
    for (int i = 0; i < n_tasks; i++) {
        joins = (first + i) % n_tasks;
        if (!(task[joins].state & WF_TASK_COMPLETE) &&
            wf_run_child_owner(&worker[0], &task[joins], &budget))
            check(joined[joins]);
    }
}

static void spawn_and_join(void)
{
    spawn_and_join_from(0);
}

static void spawn_and_join_third(void)
{
    spawn_and_join_from(2);
}

static void steal_children(int most)
{
    wf_task *t;

    for (; most > 0 && (t = oldest_child(&worker[0])); most--)
        n_taken[index_of(t)]++;
}

static void steal_one(void)
{
    steal_children(1);
}

static void steal_two(void)
{
    steal_children(2);
}

/* A task that was not taken must still be in the queue. */
static void taken_once(void)
{
    for (wf_task *t; (t = take_child(&worker[0]));)
        n_taken[index_of(t)]++;
    for (int i = 0; i < n_tasks; i++)
        check_eq(n_taken[i], 1);
    check_eq(worker[0].depth, 0);
}

Test(in_place_orders, each_child_runs_once_within_a_join_or_with_one_thief)
{
    explore(4, 2, set_up, taken_once, 2, (void (*const[])(void)){spawn_and_join, steal_two});
}

Test(in_place_orders, each_child_runs_once_within_a_join_or_with_two_thieves, .timeout = 120)
{
    explore(3, 1, set_up, taken_once, 3,
            (void (*const[])(void)){spawn_and_join, steal_two, steal_one});
}

Test(in_place_orders, a_join_leaves_older_children_alone)
{
    explore(3, 1, set_up_four, taken_once, 2,
            (void (*const[])(void)){spawn_and_join_third, steal_two});
}
