/*
 * test_task_orders.c - the real state word of a task in every order of its transitions
 *
 * The queue is ours: one slot, since a task is in at most one queue.
 */
#include "explore.h"

#define sched_yield() explore_wait() /* in the loop that takes JLOCK */
#include "task.c"
#include "waker.c"

static wf_task    *task;
static weft_handle handle;
static int64_t     n_queued, n_freed; /* how often it is in the queue; its memory was released */
static int         data[2], seen[2];  /* what wakers wrote and polls read */
static bool        told, woken_up;
static int         n_wakers; /* clones of the joiner's waker that are out */

void wf_dispatch_queue(wf_task *t)
{
    check(t == task);
    check_eq(add(&n_queued, 1), 1); /* T1 */
}

void wf_dispatch_queue_chain(wf_task *t)
{
    check(!t->next);
    wf_dispatch_queue(t);
}

/* In place of slab.c. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    static _Alignas(wf_task) char slot[256];

    (void)h;
    check_cmp(size, <=, sizeof slot);
    return (wf_task *)(void *)slot;
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    (void)h;
    check(t == task);
    wf_store(&t->state, 0, RELEASE);
    n_freed++;
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
    wf_task_origin from = {weft_ops_nothing(), "", 0, offsetof(struct nothing, in), 0, "\0here"};

    task = wf_task_new_owner(NULL, &from, true);
    handle = (weft_handle){.task_ = task};
    n_queued = 1;
    n_freed = 0;
    memset(data, 0, sizeof data);
    memset(seen, 0, sizeof seen);
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
        (void)!wf_task_to_running(task);
        explore_step();
        memcpy(seen, data, sizeof seen);
        explore_step();
        if (wf_task_to_idle(task) == WF_TASK_IDLE_REQUEUE)
            wf_dispatch_queue(task);
    }
}

static void wake_0(void)
{
    data[0] = 1;
    task_wake_by_ref(task);
}

static void wake_1_twice(void)
{
    task_wake_by_ref(task);
    data[1] = 1;
    task_wake_by_ref(task);
}

static void every_wake_was_seen(void)
{
    check(seen[0] && seen[1]);
    check_eq(n_queued, 0);
    wf_task_discard(task);
}

Test(task_orders, a_poll_sees_what_every_waker_did_and_the_task_is_never_queued_twice)
{
    explore(3, set_up, every_wake_was_seen, 3,
            (void (*const[])(void)){run_while_queued, wake_0, wake_1_twice});
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
    explore_step();
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
    wf_task_to_complete(task);
}

static void join_task(void)
{
    told = wf_task_join(task, &handle, &joiner);
    check(!told || task->frame.future.result == 7);
}

static void told_or_woken(void)
{
    check(told != woken_up);
    check_eq(n_wakers, 0);
    check(wf_task_is_complete(task));
    check_eq(n_freed, 0);
    wf_task_unref_handle(task);
    check_eq(n_freed, 1);
}

Test(task_orders, a_joiner_is_either_told_at_once_or_woken)
{
    explore(8, set_up, told_or_woken, 2, (void (*const[])(void)){complete, join_task});
}

/* A cancelled join, and then the handle is dropped. */
static void join_and_leave(void)
{
    if (!wf_task_join(task, &handle, &joiner))
        wf_task_unjoin(task);
    wf_task_unref_handle(task);
}

static void freed_once(void)
{
    check_eq(n_wakers, 0);
    check_eq(n_freed, 1);
}

Test(task_orders, a_join_that_is_given_up_keeps_no_waker_and_the_last_frees_the_task)
{
    explore(8, set_up, freed_once, 2, (void (*const[])(void)){complete, join_and_leave});
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
    wf_task_unref_handle(task); /* detached */
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
    explore(4, set_up_clone, not_queued_while_it_ran, 2,
            (void (*const[])(void)){clone_complete, clone_then_drop});
}
