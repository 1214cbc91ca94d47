/* test_task_orders.c - the real state word of a task in every order of its transitions */
#include "task_orders.h"

/* The worker runs the task each time it is queued, until no thread is left to wake it. */
static void run_while_queued(void)
{
    for (int idle_rounds = 0; idle_rounds < 4;) {
        if (!take()) {
            if (++idle_rounds == 3)
                explore_wait();
            continue;
        }
        idle_rounds = 0;
        poll_task();
    }
}

static void wake_0(void)
{
    wf_store(&data[0], 1, RELAXED); /* ordered by the wake */
    task_wake_by_ref(task);
}

static void wake_1_twice(void)
{
    task_wake_by_ref(task);
    wf_store(&data[1], 1, RELAXED); /* ordered by the wake */
    task_wake_by_ref(task);
}

static void every_wake_was_seen(void)
{
    check(seen[0] && seen[1]);
    check_eq(n_polls, n_taken);
    check_eq(n_queued, 0);
    wf_task_discard(task);
}

Test(task_orders, a_poll_sees_what_every_waker_did_and_the_task_is_never_queued_twice)
{
    explore(3, 2, set_up, every_wake_was_seen, 3,
            (void (*const[])(void)){run_while_queued, wake_0, wake_1_twice});
}

static void set_up_seen_0(void)
{
    set_up();
    data[0] = 1;
}

Test(task_orders, two_workers_that_poll_it_in_turn_see_what_the_other_and_the_wakers_did)
{
    explore(3, 2, set_up_seen_0, every_wake_was_seen, 3,
            (void (*const[])(void)){run_while_queued, run_while_queued, wake_1_twice});
}

static void set_up_yields(void)
{
    set_up_seen_0();
    n_yields = 2;
}

Test(task_orders, a_task_that_yields_is_queued_once_whoever_wakes_it_meanwhile)
{
    explore(3, 2, set_up_yields, every_wake_was_seen, 3,
            (void (*const[])(void)){run_while_queued, run_while_queued, wake_1_twice});
}

static void cancel_it(void)
{
    wf_store(&data[0], 1, RELAXED); /* ordered by the cancel */
    if (wf_task_to_cancelled(task) == WF_TASK_WAKE_QUEUE)
        wf_dispatch_queue(task);
}

static void every_wake_and_the_cancel_were_seen(void)
{
    check(cancelled);
    every_wake_was_seen();
}

Test(task_orders, a_poll_sees_that_it_is_cancelled_and_what_was_done_before)
{
    explore(3, 2, set_up, every_wake_and_the_cancel_were_seen, 3,
            (void (*const[])(void)){run_while_queued, cancel_it, wake_1_twice});
}

/* ---- wakers that are cloned ---- */

/* Another thread has a clone of the waker, and uses and drops it at any time. */
static void clone_and_wake(void)
{
    weft_waker waker = task_clone(task), other = task_clone(task);

    weft_waker_wake(waker);
    weft_waker_wake_by_ref(&other);
    weft_waker_drop(other);
}

static void clone_complete(void)
{
    wf_task_unref_handle(task); /* detached */
    complete();
}

static void set_up_clone(void)
{
    set_up_taken();
    (void)task_clone(task); /* keeps the memory until the thread below has its clones */
    free_sees = true;
}

static void clone_then_drop(void)
{
    clone_and_wake();
    wf_store(&dropped, 1, RELAXED); /* ordered by the last reference */
    task_drop(task);
}

static void wake_then_drop(void)
{
    task_wake_by_ref(task);
    wf_store(&dropped, 1, RELAXED); /* ordered by the last reference */
    task_drop(task);
}

Test(task_orders, wakers_outlive_the_task_and_the_last_one_frees_it)
{
    explore(4, 2, set_up_clone, freed_once, 2,
            (void (*const[])(void)){clone_complete, clone_then_drop});
}

Test(task_orders, whoever_drops_the_last_of_handle_waker_and_run_frees_the_task)
{
    explore(3, 2, set_up_clone, freed_once, 3,
            (void (*const[])(void)){complete, join_and_leave, wake_then_drop});
}

/* ---- visitors: threads without a reference, while the slot stays ---- */

static void visit(bool cancel)
{
    bool alive = wf_load(&there, ACQUIRE);

    wf_store(&data[0], 1, RELAXED); /* ordered by the cancel */
    if (wf_task_to_notified_visitor(task, cancel) == WF_TASK_WAKE_QUEUE)
        wf_dispatch_queue(task);
    visited |= cancel && alive;
}

static void visit_to_cancel(void)
{
    visit(true);
}

static void visit_to_look(void)
{
    visit(false);
}

/* A join runs the task itself. No other thread has the handle. */
static void complete_in_place_and_join(void)
{
    poll_to_ready();
    if (wf_task_to_complete_in_place(task)) {
        told = task;
        wf_task_discard(task);
        return;
    }
    check(!join_with(&joiner[0]) == !told);
    if (!told) {
        check(task->state & WF_TASK_JOINER);
        unjoin();
    }
    wf_task_unref_handle(task);
}

static void set_up_in_place(void)
{
    static wf_heap slots;

    set_up_for(&slots);
    n_queued = 0;
}

static void set_up_in_place_clone(void)
{
    set_up_in_place();
    (void)task_clone(task);
    free_sees = true;
}

static void freed_once_and_told(void)
{
    check(told);
    freed_once();
    check_eq(task->state, 0);
}

Test(task_orders, a_task_that_ends_in_place_is_freed_once_whoever_has_wakers)
{
    explore(4, 2, set_up_in_place_clone, freed_once_and_told, 2,
            (void (*const[])(void)){complete_in_place_and_join, clone_then_drop});
}

Test(task_orders, a_task_that_ends_in_place_is_freed_once_whoever_visits)
{
    explore(4, 2, set_up_in_place, freed_once_and_told, 3,
            (void (*const[])(void)){complete_in_place_and_join, visit_to_cancel, visit_to_look});
}

/* One task ends. The next task gets its slot and never ends. */
static void end_and_begin_another(void)
{
    complete();
    wf_task_unref_handle(task);
    check_eq(n_freed, 1);
    new_task(false);
    poll_task();
    wf_store(&there, true, RELEASE);
    run_while_queued();
}

/* The visitor may have cancelled the first task instead, or no task. */
static void it_was_cancelled_if_it_was_there(void)
{
    check(!visited || cancelled);
    check(!cancelled || seen[0]);
    check_eq(n_queued, 0);
    check_eq(task->state & ~(uint64_t)WF_TASK_CANCEL, WF_TASK_REF);
    check_eq(n_freed, 1);
}

Test(task_orders, visitors_of_a_slot_that_is_freed_and_used_again_find_one_task_or_the_other)
{
    explore(3, 2, set_up_in_place, it_was_cancelled_if_it_was_there, 3,
            (void (*const[])(void)){end_and_begin_another, visit_to_cancel, visit_to_look});
}
