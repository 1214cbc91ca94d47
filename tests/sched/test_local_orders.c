/*
 * test_local_orders.c - wakes of local tasks, in every order: none is lost
 *
 * With a port that masks, a waker is an interrupt. It does not interrupt another waker, and it does
 * not run while the owner masks. The owner's idle ends only by a wake that comes after it began.
 * With a port that notifies, a waker is any thread. A lost wake leaves the owner asleep.
 */
#include "explore.h"

#define nanosleep(time, left) explore_wait()
#include "local.c"
#include "lock.h"

/* A value and the waker of its reader. An interrupt handler would fill it in this way, without a
 * lock. */
struct cell {
    weft_future future;
    uint8_t     full, watched;
    weft_waker  waker;
    int         n_polls;
};

static weft_local      local;
static weft_local_task task[2];
static struct cell     cell[2];
static uint32_t        masked, n_wakes; /* with the masking port */
static uint32_t        rung;            /* with the notifying port */
static bool            masks, returned;

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

static void mask(void *arg)
{
    (void)arg;
    wf_lock(&masked);
}

static void unmask(void *arg)
{
    (void)arg;
    wf_unlock(&masked);
}

static void sleep_until_a_wake(void *arg)
{
    uint32_t n = n_wakes;

    unmask(arg);
    wf_futex_wait(&n_wakes, n, INT64_MAX);
    mask(arg);
}

/* Runs a waker as an interrupt. */
static void interrupt(void (*handler)(void))
{
    if (masks)
        mask(NULL);
    handler();
    if (masks) {
        n_wakes++;
        wf_futex_wake(&n_wakes, 1);
        unmask(NULL);
    }
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
    static const weft_local_port masking = {
        .mask = mask, .idle = sleep_until_a_wake, .unmask = unmask};
    static const weft_local_port notifying = {.idle = sleep_until_rung, .notify = ring};
    static const weft_future_ops ops = {.size = sizeof(struct cell),
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "cell",
                                        .poll = cell_poll,
                                        .cancel = cell_cancel};

    masked = n_wakes = rung = 0;
    returned = false;
    weft_local_init(&local, masks ? &masking : &notifying);
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

static void fill_both(void)
{
    fill(&cell[1]);
    fill(&cell[0]);
}

static void cancel_0(void)
{
    weft_local_cancel(&task[0]);
}

static void fill_0(void)
{
    fill(&cell[0]);
}

static void fill_1(void)
{
    fill(&cell[1]);
}

static void both_interrupt(void)
{
    interrupt(fill_both);
}

static void cancel_0_interrupts(void)
{
    interrupt(cancel_0);
}

static void fill_0_interrupts(void)
{
    interrupt(fill_0);
}

static void fill_1_interrupts(void)
{
    interrupt(fill_1);
}

static void ended(void)
{
    check(returned);
    check_eq(weft_local_count(&local), 0);
}

static void ended_without_a_poll_for_nothing(void)
{
    ended();
    for (int i = 0; i < 2; i++)
        check_cmp(cell[i].n_polls, <=, 2); /* the first, and one for its wake */
}

static void cancelled_and_filled(void)
{
    ended();
    check_eq(weft_future_result(&cell[0].future), -ECANCELED);
    check_eq(weft_future_result(&cell[1].future), 0);
}

/* Explores both ports. Only another core sees a write late, and the masking port has none. */
static void explore_ports(int preemptions, void (*claim)(void), void (*a)(void), void (*b)(void))
{
    for (int i = 0; i < 2; i++) {
        masks = i == 0;
        explore(preemptions, masks || WF_ONE_CORE ? 0 : 2, set_up, claim, 3,
                (void (*const[])(void)){run, a, b});
    }
}

Test(local_orders, a_waker_for_each_task)
{
    explore_ports(3, ended_without_a_poll_for_nothing, fill_0_interrupts, fill_1_interrupts);
}

Test(local_orders, two_wakers_of_one_task)
{
    explore_ports(3, ended, fill_0_interrupts, both_interrupt);
}

Test(local_orders, a_cancel_is_seen)
{
    explore_ports(3, cancelled_and_filled, cancel_0_interrupts, fill_1_interrupts);
}
