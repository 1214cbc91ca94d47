/*
 * test_task_orders.c - the real state word of a task in every order of its transitions
 *
 * The queue is ours: one slot, since a task is in at most one queue.
 */
#include "explore.h"

#define sched_yield() explore_wait() /* in the loop that takes JLOCK */
#include "task.c"
#include "waker.c"

static weft_runtime rt;
static wf_task     *task;
static int64_t      n_queued, n_freed; /* how often it is in the queue; its memory was released */
static int          data[2], seen[2];  /* what wakers wrote and polls read */
static int          n_polls, n_taken;  /* as the task counts them, and as we do */
static bool         cancelled;
static int          result; /* what the task left, beside what it returned */
static bool         told, woken_up;
static int          n_wakers; /* clones of the joiner's waker that are out */

void wf_executor_queue(wf_task *t)
{
    check(t == task);
    check_eq(add(&n_queued, 1), 1); /* T1 */
}

void wf_executor_queue_chain(wf_task *t)
{
    check(!t->next);
    wf_executor_queue(t);
}

static void release(void *arg, void *memory, size_t size)
{
    n_freed++;
    explore_release(arg, memory, size);
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

static void set_up(void)
{
    rt.config.allocator = (weft_allocator){explore_allocate, release, NULL};
    task = wf_task_new(&rt, weft_ops_nothing(), offsetof(struct nothing, in), &(char){0}, 0, "here",
                       2);
    n_queued = 1;
    n_freed = 0;
    memset(data, 0, sizeof data);
    memset(seen, 0, sizeof seen);
    result = n_polls = n_taken = 0;
    cancelled = false;
    told = woken_up = false;
    n_wakers = 0;
}

/* The worker: runs the task whenever it is queued, until nobody wakes it any more. */
static void run_while_queued(void)
{
    for (int idle_rounds = 0; idle_rounds < 4;) {
        explore_step();
        if (get(&n_queued) == 0) {
            if (++idle_rounds == 3)
                explore_wait();
            continue;
        }
        idle_rounds = 0;
        add(&n_queued, -1);
        cancelled |= wf_task_to_running(task);
        wf_store(&n_polls, wf_load(&n_polls, RELAXED) + 1, RELAXED); /* one polls at a time */
        n_taken++;
        for (int i = 0; i < 2; i++)
            seen[i] = wf_load(&data[i], RELAXED); /* ordered by the wake */
        if (wf_task_to_idle(task) == WF_TASK_IDLE_REQUEUE)
            wf_executor_queue(task);
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

static void cancel_it(void)
{
    wf_store(&data[0], 1, RELAXED); /* ordered by the cancel */
    if (wf_task_to_cancelled(task) == WF_TASK_WAKE_QUEUE)
        wf_executor_queue(task);
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

static const weft_waker joiner;

static weft_waker joiner_clone(void *data_)
{
    (void)data_;
    explore_step();
    n_wakers++;
    return joiner;
}

static void joiner_wake(void *data_)
{
    (void)data_;
    check_eq(wf_load(&result, RELAXED), 7);
    n_wakers--;
    woken_up = true;
}

static void joiner_drop(void *data_)
{
    (void)data_;
    explore_step();
    n_wakers--;
}

static const weft_waker_vtable joiner_vtable = {joiner_clone, joiner_wake, joiner_wake, joiner_drop,
                                                NULL};
static const weft_waker        joiner = {&joiner_vtable, NULL};

/* The last steps of a worker that has polled it to READY. */
static void complete(void)
{
    (void)!wf_task_to_running(task);
    (void)weft_ready(&task->frame.future, 7);
    wf_store(&result, 7, RELAXED); /* ordered by COMPLETE */
    task->memory.release = release;
    task->memory.arg = NULL;
    wf_task_to_complete(task);
    wf_task_unref(task);
}

static void join_task(void)
{
    told = wf_task_join(task, &joiner);
    for (int i = 0; i < 2; i++)
        if (told || wf_task_is_complete(task))
            check(task->frame.future.result == 7 && wf_load(&result, RELAXED) == 7);
}

static void told_or_woken(void)
{
    check(told != woken_up);
    check_eq(n_wakers, 0);
    check(wf_task_is_complete(task));
    check_eq(n_freed, 0);
    wf_task_unref(task);
    check_eq(n_freed, 1);
}

Test(task_orders, a_joiner_is_either_told_at_once_or_woken)
{
    explore(6, 2, set_up, told_or_woken, 2, (void (*const[])(void)){complete, join_task});
}

/* A cancelled join, and then the handle is dropped. */
static void join_and_leave(void)
{
    if (!wf_task_join(task, &joiner))
        wf_task_unjoin(task);
    wf_task_unref(task);
}

static void freed_once(void)
{
    check_eq(n_wakers, 0);
    check_eq(n_freed, 1);
}

Test(task_orders, a_join_that_is_given_up_keeps_no_waker_and_the_last_frees_the_task)
{
    explore(8, 2, set_up, freed_once, 2, (void (*const[])(void)){complete, join_and_leave});
}

/* A waker's clone on another thread: used and dropped whenever. */
static void clone_and_wake(void)
{
    weft_waker waker = task_clone(task), other = task_clone(task);

    weft_waker_wake(waker);
    weft_waker_wake_by_ref(&other);
    weft_waker_drop(other);
}

static void clone_complete(void)
{
    wf_task_unref(task); /* no handle: detached */
    complete();
}

static void not_queued_while_it_ran(void)
{
    check_eq(n_freed, 1);
}

static void set_up_clone(void)
{
    set_up();
    n_queued = 0;           /* taken: complete() runs it */
    (void)task_clone(task); /* keeps the memory until the thread below has its clones */
}

static void clone_then_drop(void)
{
    clone_and_wake();
    task_drop(task);
}

Test(task_orders, wakers_outlive_the_task_and_the_last_one_frees_it)
{
    explore(4, 2, set_up_clone, not_queued_while_it_ran, 2,
            (void (*const[])(void)){clone_complete, clone_then_drop});
}
