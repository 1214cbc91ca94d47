/*
 * test_combine_orders.c - wakes of branches, in every order: a group polls the woken branches
 *
 * The real combinators, wakers and task state; the futures are cells that two threads fill.
 */
#include "explore.h"

#define nanosleep(time, left) explore_wait()
#define WF_MARKS_BLOCK        2u /* so that few branches are many */
#include "branch.c"
#include "combine.c"
#include "join.c"
#include "lock.h"
#include "task.c"
#include "waker.c"

/* The core of each channel in weft: a value and the waker of its reader, under a lock. */
struct cell {
    weft_future future;
    uint32_t    lock;
    bool        full;
    weft_waker  waker;
    int         n_polls;
};

static weft_runtime rt;
static wf_task     *task;
static int64_t      n_queued;
static struct cell  cell[5];
static weft_group   inner, outer;
static weft_branch  branch[5]; /* of `outer` where it has many */
static bool         is_many;
static int          kind; /* WEFT_GROUP_... of both groups */

void wf_dispatch_queue(wf_task *t)
{
    check(t == task);
    check_eq(add(&n_queued, 1), 1);
}

void wf_dispatch_queue_chain(wf_task *t)
{
    check(!t->next);
    wf_dispatch_queue(t);
}

/* In place of slab.c. */
wf_task *wf_heap_take_owner(wf_heap *h, size_t size)
{
    (void)h;
    return explore_allocate(NULL, size);
}

void wf_heap_free_any(wf_heap *h, wf_task *t)
{
    (void)h;
    explore_release(NULL, t, offsetof(wf_task, frame) + t->frame.future.ops->size);
}

static weft_poll cell_poll(weft_future *future, weft_context *cx)
{
    struct cell *self = weft_container(future, struct cell, future);
    bool         cancelled = weft_future_is_cancelled(future), full;

    self->n_polls++;
    wf_lock(&self->lock);
    full = self->full;
    if (full || cancelled)
        wf_waker_forget(&self->waker);
    else
        wf_waker_store(&self->waker, cx->waker);
    wf_unlock(&self->lock);
    if (cancelled)
        return weft_ready(future, -ECANCELED);
    return full ? weft_ready(future, 0) : WEFT_PENDING;
}

static void cell_cancel(weft_future *future)
{
    (void)future;
}

static void fill(struct cell *c)
{
    wf_wakes wakes = {0};

    wf_lock(&c->lock);
    c->full = true;
    wf_waker_fire(&c->waker, &wakes);
    wf_unlock(&c->lock);
    wf_wakes_flush(&wakes);
}

struct nothing {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(0);
}

static void set_up(void)
{
    static const weft_future_ops ops = {.size = sizeof(struct cell),
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "cell",
                                        .poll = cell_poll,
                                        .cancel = cell_cancel};

    wf_task_origin from = {weft_ops_nothing(), "", 0, offsetof(struct nothing, in), 0, "\0here"};

    task = wf_task_new_owner(NULL, &from, false);
    n_queued = 1;
    for (int i = 0; i < 5; i++) {
        cell[i] = (struct cell){0};
        weft_future_init(&cell[i].future, &ops);
        branch[i].future = &cell[i].future;
    }
    if (is_many) {
        weft_join_all_array((struct weft_join_all *)(void *)&outer, branch, 5);
        return;
    }
    weft_group_init_(&inner, kind, 1, &cell[0].future, &cell[1].future, NULL, NULL, NULL, NULL,
                     NULL, NULL, NULL);
    weft_group_init_(&outer, kind, 1, &inner.future, &cell[2].future, NULL, NULL, NULL, NULL, NULL,
                     NULL, NULL);
}

/* Polls the outer group each time its task is queued. Gives up when no thread is left that could
 * wake it. */
static void run(void)
{
    weft_waker   waker = {&wf_task_vtable, task};
    weft_context cx;

    for (int idle_rounds = 0; idle_rounds < 4; idle_rounds++) {
        explore_step();
        if (get(&n_queued) == 0) {
            if (idle_rounds == 2)
                explore_wait();
            continue;
        }
        idle_rounds = 0;
        add(&n_queued, -1);
        (void)!wf_task_to_running(task);
        weft_context_init(&cx, &waker, &rt);
        if (weft_poll_is_ready(weft_future_poll(&outer.future, &cx)))
            return;
        if (wf_task_to_idle(task) == WF_TASK_IDLE_REQUEUE)
            wf_dispatch_queue(task);
    }
}

static void fill_0_and_2(void)
{
    fill(&cell[0]);
    fill(&cell[2]);
}

static void fill_1(void)
{
    fill(&cell[1]);
}

static void all_ended(void)
{
    check_eq(weft_future_result(&outer.future), 0);
    for (int i = 0; i < 3; i++)
        check_cmp(cell[i].n_polls, <=, 2); /* the first, and one for its wake */
    wf_task_discard(task);
}

Test(combine_orders, join_all_in_join_all_loses_no_wake_and_polls_each_branch_twice_at_most)
{
    kind = WEFT_GROUP_JOIN_;
    explore(3, 1, set_up, all_ended, 3, (void (*const[])(void)){run, fill_0_and_2, fill_1});
}

/* Whichever branch won, the other branches have ended, and no cell keeps a waker of the groups. */
static void one_won(void)
{
    check_cmp(weft_future_result(&outer.future), >=, 0);
    for (int i = 0; i < 3; i++) {
        check(weft_future_is_ready(&cell[i].future) || cell[i].n_polls == 0);
        check(!cell[i].waker.vtable);
    }
    wf_task_discard(task);
}

Test(combine_orders, select_in_select_ends_and_leaves_no_waker_of_its_branches)
{
    kind = WEFT_GROUP_SELECT_;
    explore(3, 1, set_up, one_won, 3, (void (*const[])(void)){run, fill_0_and_2, fill_1});
}

/* Two blocks of two branches in one part, one branch in another. */
static void many_ended(void)
{
    check_eq(weft_future_result(&outer.future), 0);
    for (int i = 0; i < 5; i++)
        check_cmp(cell[i].n_polls, <=, 2); /* the first, and one for its wake */
    wf_task_discard(task);
}

static void fill_2(void)
{
    fill(&cell[2]);
}

static void fill_3_and_4(void)
{
    fill(&cell[3]);
    fill(&cell[4]);
}

/* Cells 0 and 1 are full from the start. */
static void set_up_many(void)
{
    is_many = true;
    set_up();
    cell[0].full = cell[1].full = true;
}

Test(combine_orders, a_group_of_many_loses_no_wake_and_polls_each_branch_twice_at_most)
{
    explore(3, 2, set_up_many, many_ended, 3, (void (*const[])(void)){run, fill_2, fill_3_and_4});
}
