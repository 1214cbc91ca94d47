/*
 * test_idle_orders.c - no wake-up is lost: the real search, park and notify of the workers, in
 * every order
 */
#include "idle_orders.h"

static void set_up_two(void)
{
    set_up(2);
}

static void work_1(void)
{
    work(&worker[1]);
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
    explore(2, 0, set_up_two, claim_two, 4,
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
    wf_dispatch_push_child_owner(&worker[0], &task[0]);
    wf_dispatch_push_woken_owner(&worker[0], &task[1]);
    wf_dispatch_push_woken_owner(&worker[0], &task[2]);
    worker[0].polling = false;
    work(&worker[0]);
}

Test(idle_orders, a_worker_may_steal_what_a_running_task_queues_and_nothing_is_lost)
{
    explore(3, 1, set_up_two, claim_three, 2, (void (*const[])(void)){work_and_push, work_1});
}

/* A worker whose poll spawns and ends: it runs all that no thief takes, without the monitor. */
static void spawn_and_work(void)
{
    wf_current_thread = (wf_current){.rt = &rt, .worker = &worker[0], .owned = true};
    worker[0].polling = true;
    for (int i = 0; i < TASKS; i++)
        wf_dispatch_push_child_owner(&worker[0], &task[i]);
    worker[0].polling = false;
    work(&worker[0]);
}

Test(idle_orders, children_that_no_thief_sees_are_run_by_the_worker_that_spawned_them)
{
    explore(2, 2, set_up_two, claim_three, 2, (void (*const[])(void)){spawn_and_work, work_1});
}

/* Two of its looks; nothing is going on when they begin. */
static void monitor(void)
{
    for (int i = 0; i < 2; i++) {
        explore_wait();
        look(&executor.monitor, ++now);
    }
}

/* As long as the worker that queued them does not get to them: it polls one task for ever. Children
 * may be seen late ([worker-3]), and a worker that backs off wakes no other for a few: then the
 * monitor does. */
static void push_children_and_hang(int n)
{
    worker[0].polling = true;
    worker[0].polls_site = "task\0here";
    for (int i = 0; i < n; i++)
        wf_dispatch_push_child_owner(&worker[0], &task[i]);
}

static void push_two_and_hang(void)
{
    push_children_and_hang(2);
}

static void push_three_and_hang(void)
{
    push_children_and_hang(3);
}

Test(idle_orders, another_worker_takes_both_children_of_a_task_that_hangs)
{
    explore(2, 1, set_up_two, claim_two, 3,
            (void (*const[])(void)){push_two_and_hang, work_1, monitor});
}

Test(idle_orders, another_worker_takes_all_three_children_of_a_task_that_hangs)
{
    explore(2, 1, set_up_two, claim_three, 3,
            (void (*const[])(void)){push_three_and_hang, work_1, monitor});
}

/* Without the monitor, where a wake was always worth it. */
static void set_up_without_backoff(void)
{
    set_up_two();
    passes = WEFT_MS(1);
}

static void push_behind_and_hang(void)
{
    worker[0].polling = true;
    wf_dispatch_push_behind_owner(&worker[0], &task[0]);
    wf_dispatch_push_behind_owner(&worker[0], &task[1]);
}

Test(idle_orders, nothing_in_a_deque_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(3, 1, set_up_without_backoff, claim_two, 2,
            (void (*const[])(void)){push_behind_and_hang, work_1});
}

static void push_child_and_hang(void)
{
    push_children_and_hang(1);
}

static void claim_one(void)
{
    claim(1);
}

/* Without late reads: the store has come through, so the thief that falls asleep after it sees the
 * child. */
Test(idle_orders, a_lone_child_is_seen_by_a_worker_that_falls_asleep_behind_its_spawn)
{
    explore(4, 0, set_up_without_backoff, claim_one, 2,
            (void (*const[])(void)){push_child_and_hang, work_1});
}

/* The poll ends while the monitor takes over what waits behind it. */
static void push_and_come_back(void)
{
    wf_worker *w = &worker[0];

    wf_current_thread = (wf_current){.rt = &rt, .worker = w, .owned = true};
    w->polling = true;
    wf_store(&w->polls_site, "task\0here", RELAXED); /* advice */
    wf_dispatch_push_child_owner(w, &task[0]);
    wf_dispatch_push_woken_owner(w, &task[1]);
    wf_dispatch_push_woken_owner(w, &task[2]);
    explore_wait();
    w->polling = false;
    work(w);
}

/* In an earlier look it was in the same poll. */
static void set_up_stuck(void)
{
    set_up_two();
    executor.monitor.seen[0].since = now = 1;
}

Test(idle_orders, what_the_monitor_takes_from_a_worker_that_comes_back_is_taken_once)
{
    explore(2, 1, set_up_stuck, claim_three, 3,
            (void (*const[])(void)){push_and_come_back, work_1, monitor});
}

Test(idle_orders, nothing_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(2, 1, set_up_two, claim_two, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_twice});
}

Test(idle_orders, nothing_of_a_batch_waits_behind_a_task_that_hangs_while_another_worker_sleeps)
{
    explore(2, 1, set_up_two, claim_three, 3,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_three});
}

Test(idle_orders, nothing_from_two_threads_waits_behind_a_task_that_hangs)
{
    explore(2, 0, set_up_two, claim_two, 4,
            (void (*const[])(void)){work_once_and_hang, work_1, inject_0, inject_1});
}

/* ---- where worker 0 sleeps until it is woken ---- */

static void set_up_sleeper(void)
{
    set_up_two();
    executor.idle.sleeping[0] = 1;
}

static bool sleeper_is_called(void)
{
    return !(executor.idle.sleeping[0] & 1); /* it will look at all queues */
}

static void claim_mail(void)
{
    check(n_taken[0] == 1 && taken_by[0] == 1);
    check(n_taken[1] == 1 || sleeper_is_called());
    check_eq(executor.idle.n_searching, sleeper_is_called());
}

static void mail_0(void)
{
    task[0].state = UINT64_C(2) << WF_TASK_BOUND_SHIFT; /* to worker 1 */
    (void)wf_dispatch_mail_any(&executor, &task[0], &task[0], 1);
}

Test(idle_orders, a_pinned_task_is_taken_by_its_worker)
{
    explore(2, 1, set_up_sleeper, claim_mail, 3, (void (*const[])(void)){work_1, mail_0, inject_1});
}

static void work_once_and_hang_1(void)
{
    work_once(&worker[1]);
}

/* What is bound to a worker that hangs waits; nothing else does. */
static void claim_not_behind_mail(void)
{
    check(n_taken[1] == 1 || sleeper_is_called());
    check_eq(executor.idle.n_searching, sleeper_is_called());
}

Test(idle_orders, nothing_waits_behind_a_pinned_task_that_hangs_while_another_worker_sleeps)
{
    explore(3, 1, set_up_sleeper, claim_not_behind_mail, 3,
            (void (*const[])(void)){work_once_and_hang_1, mail_0, inject_1});
}

/* With three workers it takes one task of two. */
static void set_up_three(void)
{
    set_up_sleeper();
    executor.idle.n_workers = 3;
}

static void both_taken_or_called(void)
{
    check((n_taken[0] && n_taken[1]) || sleeper_is_called());
    check_eq(executor.idle.n_searching, sleeper_is_called());
}

Test(idle_orders, the_rest_does_not_wait_behind_a_task_that_hangs_while_a_third_worker_sleeps)
{
    explore(3, 1, set_up_three, both_taken_or_called, 3,
            (void (*const[])(void)){work_once_and_hang_1, inject_0, inject_1});
}

/* A spare worker, which isn't needed any more. */
static void set_up_spare(void)
{
    set_up_sleeper();
    executor.idle.n_workers = 1;
    worker[1].wanted = true;
}

static void look_once(void)
{
    look(&executor.monitor, ++now);
}

static void claim_or_called(void)
{
    for (int i = 0; i < 2; i++)
        check(n_taken[i] == 1 || sleeper_is_called());
    check_eq(executor.idle.n_searching, sleeper_is_called());
    check(!worker[1].wanted);
}

Test(idle_orders, nothing_counts_on_a_spare_worker_that_stands_by)
{
    explore(2, 1, set_up_spare, claim_or_called, 3,
            (void (*const[])(void)){work_1, look_once, inject_twice});
}

/* Worker 0 is busy, and takes what the other does not. */
static void set_up_busy(void)
{
    set_up_spare();
    executor.idle.sleeping[0] = 0;
    worker[1].wanted = false;
}

static void no_worker_is_counted_on(void)
{
    check_eq(executor.idle.n_searching, 0);
    check_eq(executor.idle.sleeping[0], 0);
}

Test(idle_orders, a_spare_worker_that_is_counted_on_as_it_stands_by_searches_and_then_stands_by)
{
    explore(4, 1, set_up_busy, no_worker_is_counted_on, 2,
            (void (*const[])(void)){work_1, inject_twice});
}
