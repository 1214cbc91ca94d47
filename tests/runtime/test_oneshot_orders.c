/*
 * test_oneshot_orders.c - the real oneshot channel in every order of its steps
 *
 * The receiver is polled by an executor of ours, which sleeps until it is woken.
 */
#include "../sched/explore.h"

#include "oneshot.c"
#include "waker.c"

static struct memory          memory;
static weft_runtime           rt;
static weft_oneshot_sender   *sender;
static weft_oneshot_receiver *receiver;
static weft_message           wait;
static weft_waker             waker;
static uint32_t               woken;
static int                    n_wakers, got;
static int64_t                sent, received; /* what the calls answered; 1: nothing yet */

static weft_waker waker_clone(void *data)
{
    (void)data;
    explore_step();
    n_wakers++;
    return waker;
}

static void waker_drop(void *data)
{
    (void)data;
    explore_step();
    n_wakers--;
}

static void waker_wake_by_ref(void *data)
{
    (void)data;
    wf_store(&woken, 1, SEQ_CST);
    wf_futex_wake(&woken, 1);
}

static void waker_wake(void *data)
{
    waker_wake_by_ref(data);
    waker_drop(data);
}

static void *allocate(void *arg, size_t size)
{
    return memory_allocate(arg, size);
}

static void release(void *arg, void *block, size_t size)
{
    memory.live -= (int64_t)size;
    explore_release(arg, block, size);
}

static void set_up(void)
{
    static const weft_waker_vtable vtable = {waker_clone, waker_wake, waker_wake_by_ref, waker_drop,
                                             NULL};

    memory = (struct memory){0};
    rt.config.allocator = (weft_allocator){allocate, release, &memory};
    wf_current_thread.rt = &rt;
    waker.vtable = &vtable;
    woken = 0;
    n_wakers = got = 0;
    sent = received = 1;
    check_eq(weft_oneshot_open(&sender, &receiver, sizeof got), 0);
}

static bool poll(weft_future *f)
{
    weft_context cx;

    weft_context_init(&cx, &waker, &rt);
    return weft_poll_is_ready(weft_future_poll(f, &cx));
}

static void run(weft_future *f)
{
    while (!poll(f))
        while (wf_swap(&woken, 0, SEQ_CST) == 0)
            wf_futex_wait(&woken, 0, INT64_MAX);
    received = weft_future_result(f);
}

/* ---- the threads ---- */

static void send_it(void)
{
    sent = weft_oneshot_send(sender, &(int){7});
}

static void close_sender(void)
{
    weft_oneshot_sender_close(sender);
}

static void receive(void)
{
    run(weft_oneshot_receive(&wait, receiver, &got));
    weft_oneshot_receiver_close(receiver);
}

static void receive_and_cancel(void)
{
    weft_future *f = weft_oneshot_receive(&wait, receiver, &got);

    if (!poll(f) && !weft_poll_is_ready(weft_future_cancel(f)))
        run(f);
    received = weft_future_result(f);
    weft_oneshot_receiver_close(receiver);
}

static void try_twice(void)
{
    received = weft_oneshot_try_receive(receiver, &got);
    if (received == -EAGAIN)
        received = weft_oneshot_try_receive(receiver, &got);
    weft_oneshot_receiver_close(receiver);
}

/* ---- the claims ---- */

static void nothing_is_left(void)
{
    check(explorer.thread[0].ended && explorer.thread[1].ended);
    check_eq(n_wakers, 0);
    check_eq(memory.live, 0);
}

static void it_came(void)
{
    nothing_is_left();
    check_eq(received, 0);
    check_eq(got, 7);
    check_eq(sent, 0);
}

static void broken_pipe(void)
{
    nothing_is_left();
    check_eq(received, -EPIPE);
}

static void it_came_or_not(void)
{
    nothing_is_left();
    check(received == 0 || received == -ECANCELED || received == -EAGAIN);
    check_eq(got, received == 0 ? 7 : 0);
    check(sent == 0 || (sent == -EPIPE && received != 0));
}

static void try_all(void (*a)(void), void (*b)(void), void (*claim)(void))
{
    explore(6, 2, set_up, claim, 2, (void (*const[])(void)){a, b});
}

Test(oneshot_orders, what_is_sent_is_received)
{
    try_all(receive, send_it, it_came);
}

Test(oneshot_orders, who_waits_is_told_that_the_sender_is_closed)
{
    try_all(receive, close_sender, broken_pipe);
}

Test(oneshot_orders, a_receive_that_is_cancelled_answers_one_or_the_other)
{
    try_all(receive_and_cancel, send_it, it_came_or_not);
}

Test(oneshot_orders, who_tries_gets_it_or_closes_and_one_side_frees)
{
    try_all(try_twice, send_it, it_came_or_not);
}
