/*
 * test_task_orders.c - the real state word of a task in every order of its transitions
 *
 * The test has its own queue of one slot, since a task is in at most one queue, and its own heap.
 */
#include "explore.h"

#include <ck_backoff.h>
#define ck_backoff_eb(backoff)                                                                     \
    (*(backoff) = WF_LOCK_LAST) /* a thread that waits for JLOCK yields */
#define nanosleep(time, left) explore_wait()
#include "join.c"
#include "task.c"
#include "waker.c"

static wf_task    *task;
static wf_heap    *heap; /* NULL: a freed slot stays free; else the next task gets it */
static weft_handle handle;
static int64_t     n_queued, n_freed; /* how often the task is queued, and was freed */
static int         data[2], seen[2];  /* what wakers wrote and polls read */
static int         n_polls, n_taken;  /* polls, counted by modelled writes and by plain ones */
static int         n_yields;          /* polls that are to yield */
static bool        cancelled;
static int         dropped; /* written before a reference goes, where free_sees it */
static bool        free_sees;
static int         result;       /* what the task left, beside what it returned */
static int         n_cloned;     /* written by the joiner as its waker is cloned */
static const void *told, *woken; /* the join that got the result at once; the join that was woken */
static bool        there, visited; /* visitors can cancel the task; a visitor has done so */
static int         n_wakers;       /* clones of the joiner's waker that are out */

void wf_dispatch_queue(wf_task *t)
{
    check(t == task);
    check_eq(wf_add(&n_queued, 1, RELEASE), 0); /* T1; every queue releases */
}

void wf_dispatch_queue_chain(wf_task *t)
{
    check(!t->next);
    wf_dispatch_queue(t);
}

static bool take(void)
{
    int64_t one = 1;

    return wf_cas(&n_queued, &one, 0, ACQ_REL); /* every queue acquires */
}

/* In place of slab.c. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    static _Alignas(wf_task) char slot[256];

    check_cmp(size, <=, sizeof slot);
    return h ? (void *)slot : explore_allocate(NULL, size);
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    check(t == task);
    if (free_sees)
        check_eq(wf_load(&dropped, RELAXED), 1); /* [task-3] */
    wf_store(&t->state, 0, RELEASE);
    n_freed++;
    if (!h)
        explore_release(NULL, t, offsetof(wf_task, frame) + t->frame.future.ops->size);
}

struct nothing {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(7);
}

static void new_task(bool with_handle)
{
    wf_task_origin from = {weft_ops_nothing(), "", 0, offsetof(struct nothing, in), 0, "\0here"};

    task = wf_task_new_owner(heap, &from, with_handle);
}

static void set_up_for(wf_heap *h)
{
    wf_current_thread.heap = heap = h;
    new_task(true);
    handle = (weft_handle){.task_ = task};
    n_queued = 1;
    n_freed = 0;
    memset(data, 0, sizeof data);
    memset(seen, 0, sizeof seen);
    result = n_polls = n_taken = n_yields = n_cloned = dropped = 0;
    cancelled = free_sees = there = visited = false;
    told = woken = NULL;
    n_wakers = 0;
}

static void set_up(void)
{
    set_up_for(NULL);
}

/* Taken from its queue. */
static void poll_task(void)
{
    cancelled |= (wf_task_to_running(task) & WF_TASK_CANCEL) != 0;
    wf_store(&n_polls, wf_load(&n_polls, RELAXED) + 1, RELAXED); /* one polls at a time */
    n_taken++;
    for (int i = 0; i < 2; i++)
        seen[i] = wf_load(&data[i], RELAXED); /* ordered by the wake */
    if (n_yields > 0) {
        n_yields--;
        wf_dispatch_queue(task); /* RUNNING as it is */
    } else if (wf_task_to_idle(task) == WF_TASK_IDLE_REQUEUE) {
        wf_dispatch_queue(task);
    }
}

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

/* ---- joining ---- */

static const weft_waker_vtable joiner_vtable;
static const weft_waker        joiner[2] = {{&joiner_vtable, (void *)&joiner[0]},
                                            {&joiner_vtable, (void *)&joiner[1]}};

static weft_waker joiner_clone(void *which)
{
    n_wakers++;
    wf_store(&n_cloned, n_cloned + 1, RELAXED); /* ordered by JOINER or JLOCK */
    return (weft_waker){&joiner_vtable, which};
}

static void joiner_drop(void *which)
{
    (void)which;
    n_wakers--;
}

static void joiner_wake(void *which)
{
    check_cmp(wf_load(&n_cloned, RELAXED), >=, which == &joiner[1] ? 2 : 1);
    check_eq(wf_load(&result, RELAXED), 7);
    check(!woken);
    woken = which;
    joiner_drop(which);
}

static const weft_waker_vtable joiner_vtable = {joiner_clone, joiner_wake, joiner_wake, joiner_drop,
                                                NULL};

static void set_up_taken(void)
{
    set_up();
    n_queued = 0;
}

/* The last steps of a worker that has polled the task to READY. */
static void poll_to_ready(void)
{
    check(wf_task_to_running(task) & WF_TASK_RUNNING);
    (void)weft_ready(&task->frame.future, 7);
    wf_store(&result, 7, RELAXED); /* ordered by COMPLETE */
}

static void complete(void)
{
    poll_to_ready();
    wf_task_to_complete(task);
}

static bool join_with(const weft_waker *waker)
{
    if (wf_join_await(task, &handle, waker))
        told = waker;
    for (int i = 0; i < 2; i++)
        if (told || wf_task_is_complete(task))
            check(task->frame.future.result == 7 && wf_load(&result, RELAXED) == 7);
    return told;
}

static void join_once(void)
{
    join_with(&joiner[0]);
}

/* Another task polls the join, with another waker. */
static void join_twice(void)
{
    if (!join_with(&joiner[0]))
        join_with(&joiner[1]);
}

/* Between two joins the handle may move. */
static void unjoin(void)
{
    wf_join_withdraw(task);
    check(!handle.waker_.vtable);
    memset(&handle, 0xdd, sizeof handle);
}

static void join_unjoin_join(void)
{
    if (join_with(&joiner[0]))
        return;
    unjoin();
    handle.waker_.vtable = NULL; /* as weft_join does */
    join_with(&joiner[1]);
}

static void told_or_woken(void)
{
    check(told || woken);
    check_eq(n_wakers, 0);
    check(wf_task_is_complete(task));
    check_eq(n_freed, 0);
    wf_task_unref_handle(task);
    check_eq(n_freed, 1);
}

static void told_or_woken_once(void)
{
    check(!told != !woken);
    told_or_woken();
}

/* If the first waker was woken, the second join must have got the result at once. */
static void the_last_was_told_or_woken(void)
{
    check(told || woken == &joiner[1]);
    told_or_woken();
}

Test(task_orders, a_joiner_is_either_told_at_once_or_woken)
{
    explore(6, 2, set_up_taken, told_or_woken_once, 2,
            (void (*const[])(void)){complete, join_once});
}

Test(task_orders, a_joiner_that_is_polled_again_is_told_or_its_new_waker_is_woken)
{
    explore(6, 2, set_up_taken, the_last_was_told_or_woken, 2,
            (void (*const[])(void)){complete, join_twice});
}

Test(task_orders, a_joiner_that_gave_up_and_joins_again_is_told_or_woken)
{
    explore(5, 2, set_up_taken, the_last_was_told_or_woken, 2,
            (void (*const[])(void)){complete, join_unjoin_join});
}

/* A cancelled join, and then the handle is dropped. */
static void join_and_leave(void)
{
    if (!wf_join_await(task, &handle, &joiner[0]))
        unjoin();
    wf_task_unref_handle(task);
}

static void freed_once(void)
{
    check_eq(n_wakers, 0);
    check_eq(n_queued, 0);
    check_eq(n_freed, 1);
}

Test(task_orders, a_join_that_is_given_up_keeps_no_waker_and_the_last_frees_the_task)
{
    explore(6, 2, set_up_taken, freed_once, 2, (void (*const[])(void)){complete, join_and_leave});
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
