/*
 * test_stop_orders.c - tasks are spawned, woken and cancelled while the runtime stops, in every
 * order
 */
#include "stop_orders.h"

static void set_up_one(void)
{
    set_up(1);
}

/* ---- tasks that spawn ---- */

/* A task that spawns one and waits, or ends. */
static void set_up_parent(void)
{
    set_up(1);
    spawn[0].at_first = spawn_1;
    spawn_it(0, false);
}

static void set_up_parent_ends(void)
{
    set_up_parent();
    spawn[0].ends = true;
}

static void set_up_two(void)
{
    set_up(2);
    spawn[0].at_first = spawn_1;
    spawn[0].ends = true;
    spawn_it(0, false);
}

Test(stop_orders, a_child_is_refused_or_cancelled)
{
    explore(3, 1, set_up_parent, all_ended, 2, (void (*const[])(void)){stop_all, work_0});
}

Test(stop_orders, a_child_of_a_task_that_ends_is_refused_or_cancelled)
{
    explore(3, 1, set_up_parent_ends, all_ended, 2, (void (*const[])(void)){stop_all, work_0});
}

Test(stop_orders, a_child_that_another_worker_takes_is_refused_or_cancelled)
{
    explore(2, 1, set_up_two, all_ended, 3, (void (*const[])(void)){stop_all, work_0, work_1});
}

/* The worker does not get a CPU for longer than the stopping thread waits before its second visit.
 * By then the worker's writes have left its buffer. */
static void set_up_slow_parent(void)
{
    set_up_parent_ends();
    passes = ONCE_MORE;
}

Test(stop_orders, a_child_that_is_spawned_for_long_is_refused_or_cancelled)
{
    explore(3, 0, set_up_slow_parent, all_ended, 2, (void (*const[])(void)){stop_all, work_0});
}

/* ---- counting ---- */

/* Each task spawns the next one and ends. */
static void set_up_chain(void)
{
    set_up_parent_ends();
    spawn[1].at_first = spawn_2;
    spawn[1].ends = true;
}

static void count_and_stop(void)
{
    check_cmp(wf_tasks_alive(&executor), >=, 1);
    stop_all();
}

Test(stop_orders, no_task_is_overlooked_while_others_end)
{
    explore(3, 1, set_up_chain, all_ended, 2, (void (*const[])(void)){count_and_stop, work_0});
}

/* The stopping thread does not sleep until its second visit. */
static void all_ended_at_once(void)
{
    all_ended();
    check_eq(explorer.now, WEFT_S(1));
}

static void set_up_last(void)
{
    set_up(1);
    spawn[0].ends = true;
    spawn_it(0, false);
}

Test(stop_orders, a_worker_tells_that_it_has_ended_the_last_task)
{
    explore(3, 1, set_up_last, all_ended_at_once, 2, (void (*const[])(void)){stop_all, work_0});
}

/* The last task runs on a spare worker, which becomes idle after it. */
static void dismiss(void)
{
    wf_store(&worker[1].wanted, false, RELEASE); /* as the monitor does */
}

static void set_up_spare(void)
{
    set_up(2);
    executor.idle.n_workers = 1;
    worker[0].has_thread = false;
    worker[1].wanted = true;
    worker[1].thread = 1;
    spawn[0].at_first = dismiss;
    spawn[0].ends = true;
    spawn_it(0, false);
}

Test(stop_orders, a_spare_worker_tells_that_it_has_ended_the_last_task)
{
    explore(3, 1, set_up_spare, all_ended_at_once, 2, (void (*const[])(void)){stop_all, work_1});
}

/* ---- other threads that spawn ---- */

static void spawn_foreign_1(void)
{
    spawn_from_outside(false);
}

Test(stop_orders, what_a_foreign_thread_spawns_is_refused_or_cancelled)
{
    explore(3, 1, set_up_one, all_ended, 3,
            (void (*const[])(void)){stop_beside_spawn, work_0, spawn_foreign_1});
}

static void job_spawns(void)
{
    wf_current_thread = (wf_current){.rt = &rt, .owned = true};
    spawn_from_outside(false);
}

Test(stop_orders, what_a_job_spawns_is_refused_or_cancelled)
{
    explore(2, 1, set_up_one, all_ended, 3,
            (void (*const[])(void)){stop_beside_spawn, work_0, job_spawns});
}

/* A task of another executor joins a task of this runtime. Its waker runs on the worker here, when
 * the joined task has ended. */
static void foreign_wake(void *data)
{
    (void)data;
    spawn_1();
}

static weft_waker foreign_clone(void *data);

static void foreign_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable foreign_vtable = {foreign_clone, foreign_wake, foreign_wake,
                                                 foreign_drop, NULL};

static weft_waker foreign_clone(void *data)
{
    return (weft_waker){&foreign_vtable, data};
}

static void set_up_joined(void)
{
    weft_waker waker = {&foreign_vtable, NULL};

    set_up(1);
    spawn[0].ends = true;
    spawn_it(0, true);
    check(!wf_join_await(spawn[0].handle.task_, &spawn[0].handle, &waker));
}

Test(stop_orders, what_a_foreign_waker_spawns_is_refused_or_cancelled)
{
    explore(3, 1, set_up_joined, all_ended, 2, (void (*const[])(void)){stop_all, work_0});
}

/* ---- other threads that wake and cancel ---- */

static void set_up_waker(void)
{
    set_up(1);
    spawn[0].tells = true;
    spawn_it(0, true);
    poll_before(0);
}

static void wake_twice(void)
{
    weft_waker_wake_by_ref(&spawn[0].waker);
    weft_waker_wake(spawn[0].waker);
}

Test(stop_orders, wakers_may_be_used_while_and_after_the_runtime_stops)
{
    explore(2, 1, set_up_waker, all_ended, 3,
            (void (*const[])(void)){stop_all, work_0, wake_twice});
}

static void cancel_and_detach(int i)
{
    wf_task *t = spawn[i].handle.task_;

    if (wf_task_to_cancelled(t) == WF_TASK_WAKE_QUEUE)
        wf_dispatch_queue(t);
    wf_task_unref_handle(t);
}

static void cancel_0(void)
{
    cancel_and_detach(0);
}

static void cancelled_and_dropped(void)
{
    all_ended();
    weft_waker_drop(spawn[0].waker);
}

Test(stop_orders, handles_may_be_used_while_and_after_the_runtime_stops)
{
    explore(2, 1, set_up_waker, cancelled_and_dropped, 3,
            (void (*const[])(void)){stop_all, work_0, cancel_0});
}

static void spawn_and_cancel(void)
{
    spawn_from_outside(true);
    if (spawn[1].answer == 0)
        cancel_and_detach(1);
}

Test(stop_orders, a_thread_that_spawns_may_cancel_while_and_after_the_runtime_stops)
{
    explore(2, 1, set_up_one, all_ended, 3,
            (void (*const[])(void)){stop_beside_spawn, work_0, spawn_and_cancel});
}

/* ---- patience ---- */

/* In the middle of a spawn, a thread needs long to allocate the memory. */
static void set_up_slow(void)
{
    set_up(1);
    allocating = WEFT_MS(300);
}

static void stop_twice(void)
{
    int64_t before = explorer.now;

    if (!stop_tasks(WEFT_MS(50)))
        check_cmp(explorer.now, >=, before + WEFT_MS(50));
    check_cmp(explorer.now, <=, before + WEFT_MS(100));
    stop_beside_spawn();
}

Test(stop_orders, patience_holds_while_a_thread_spawns_for_long)
{
    explore(2, 1, set_up_slow, all_ended, 3,
            (void (*const[])(void)){stop_twice, work_0, spawn_foreign_1});
}

/* ---- a current-thread runtime ---- */

static void set_up_current(void)
{
    set_up(1);
    rt.config.current_thread = 1;
    worker[0].has_thread = false;
    wf_worker_lend(&worker[0]);
    spawn[0].at_first = spawn_2;
    spawn_it(0, false);
}

static void stop_all_current(void)
{
    check(stop_tasks(WEFT_FOREVER));
    await(1);
    end_all();
}

Test(stop_orders, the_thread_that_stops_a_current_thread_runtime_runs_what_others_spawn)
{
    explore(3, 1, set_up_current, all_ended, 2,
            (void (*const[])(void)){stop_all_current, spawn_foreign_1});
}
