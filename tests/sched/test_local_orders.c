/*
 * test_local_orders.c - wakes of local tasks, in every order: none is lost
 *
 * The owner sleeps on a futex when it idles; a lost wake leaves it there.
 */
#include "explore.h"

#include "local.c"

/* A value and who waits for it, as an interrupt handler would fill it: no lock. */
struct cell {
    weft_future future;
    uint8_t     full, watched;
    weft_waker  waker;
    int         n_polls;
};

static weft_local      local;
static weft_local_task task[2];
static struct cell     cell[2];
static uint32_t        rung;
static bool            returned;

static weft_poll cell_poll(weft_future *future, weft_context *cx)
{
    struct cell *self = weft_container(future, struct cell, future);

    self->n_polls++;
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    self->waker = weft_waker_clone(cx->waker);
    wf_store(&self->watched, 1, SEQ_CST);
    return wf_load(&self->full, SEQ_CST) ? weft_ready(future, 0) : WEFT_PENDING;
}

static void cell_cancel(weft_future *future)
{
    (void)future;
}

static void fill(struct cell *c)
{
    wf_store(&c->full, 1, SEQ_CST);
    if (wf_load(&c->watched, SEQ_CST))
        weft_waker_wake(c->waker);
}

static void ring(void *arg)
{
    (void)arg;
    wf_store(&rung, 1, SEQ_CST);
    wf_futex_wake(&rung, 1);
}

static void sleep_until_rung(void *arg)
{
    (void)arg;
    while (wf_swap(&rung, 0, SEQ_CST) == 0)
        wf_futex_wait(&rung, 0, INT64_MAX);
}

static void set_up(void)
{
    static const weft_local_port port = {.idle = sleep_until_rung, .notify = ring};
    static const weft_future_ops ops = {.size = sizeof(struct cell),
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "cell",
                                        .poll = cell_poll,
                                        .cancel = cell_cancel};

    rung = 0;
    returned = false;
    weft_local_init(&local, &port);
    for (int i = 0; i < 2; i++) {
        cell[i] = (struct cell){0};
        weft_future_init(&cell[i].future, &ops);
        weft_local_add(&local, &task[i], &cell[i].future);
    }
}

static void run(void)
{
    weft_local_run(&local);
    returned = true;
}

static void fill_0(void)
{
    fill(&cell[0]);
}

static void fill_1_then_0(void)
{
    fill(&cell[1]);
    fill(&cell[0]);
}

static void fill_1(void)
{
    fill(&cell[1]);
}

static void cancel_0(void)
{
    weft_local_cancel(&task[0]);
}

static void all_ended(void)
{
    check(returned);
    check_eq(weft_local_count(&local), 0);
    for (int i = 0; i < 2; i++)
        check_cmp(cell[i].n_polls, <=, 2); /* the first, and one for its wake */
}

Test(local_orders, two_wakers_end_both_tasks_and_no_poll_is_for_nothing)
{
    explore(3, set_up, all_ended, 3, (void (*const[])(void)){run, fill_0, fill_1});
}

static void ended(void)
{
    check(returned);
    check_eq(weft_local_count(&local), 0);
}

Test(local_orders, wakes_of_one_task_by_two_threads)
{
    explore(2, set_up, ended, 3, (void (*const[])(void)){run, fill_0, fill_1_then_0});
}

static void cancelled_or_filled(void)
{
    ended();
    check(weft_future_result(&cell[0].future) == -ECANCELED);
    check_eq(weft_future_result(&cell[1].future), 0);
}

Test(local_orders, a_cancel_is_seen)
{
    explore(3, set_up, cancelled_or_filled, 3, (void (*const[])(void)){run, cancel_0, fill_1});
}
