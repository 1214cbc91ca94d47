/*
 * test_oneshot_orders.c - the real oneshot channel in every order of its steps
 *
 * An executor of the test polls the receiver, and sleeps until it is woken.
 */
#include "../sched/explore.h"

#include <ck_backoff.h>
#include <time.h>
#define ck_backoff_eb(backoff) (*(backoff) = WF_LOCK_LAST) /* a thread that waits for LOCK yields */
#define nanosleep(time, left)  explore_wait()
#include "oneshot.c"
#include "waker.c"

static struct memory          memory;
static weft_runtime           rt;
static weft_oneshot_sender   *sender;
static weft_oneshot_receiver *receiver;
static weft_wait              wait;
static weft_waker             waker;
static uint32_t               woken;
static int                    n_wakers, got;
static int                    cloned[2]; /* written as a waker is cloned */
static int                    left[2];   /* by the sender, and the receiver, before they close */
static int64_t                sent, received, closed; /* results of calls; 1: no result yet */

static weft_waker waker_clone(void *data)
{
    n_wakers++;
    wf_store((int *)data, 1, RELAXED); /* ordered by WAITING or LOCK */
    return (weft_waker){waker.vtable, data};
}

static void waker_drop(void *data)
{
    (void)data;
    n_wakers--;
}

static void waker_wake_by_ref(void *data)
{
    check_eq(wf_load((int *)data, RELAXED), 1);
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
    waker = (weft_waker){&vtable, &cloned[0]};
    woken = 0;
    n_wakers = got = cloned[0] = cloned[1] = left[0] = left[1] = 0;
    sent = received = closed = 1;
    check_eq(weft_oneshot_open(sizeof got, &sender, &receiver), 0);
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
    wf_store(&left[0], 1, RELAXED); /* ordered by DONE */
    sent = weft_oneshot_send(sender, &(int){7});
    if (sent == -EPIPE)
        check_eq(wf_load(&left[1], RELAXED), 1);
}

/* Polls the sender's wait for the receiver's end, and then sends. The test's only waker is this
 * thread's: the receiver does not wait meanwhile. */
static void send_late(bool polled_twice, bool gives_up)
{
    weft_future *f = weft_oneshot_closed(&wait, sender);
    bool         ready = poll(f);

    if (!ready && polled_twice) {
        waker.data = &cloned[1];
        ready = poll(f);
    }
    if (!ready && (!gives_up || !weft_poll_is_ready(weft_future_cancel(f))))
        while (!poll(f))
            while (wf_swap(&woken, 0, SEQ_CST) == 0)
                wf_futex_wait(&woken, 0, INT64_MAX);
    closed = weft_future_result(f);
    memset(&wait, 0xdd, sizeof wait); /* weft may not use it any more */
    if (closed == 0)
        check_eq(wf_load(&left[1], RELAXED), 1); /* ordered by CLOSED */
    send_it();
}

static void send_when_closed(void)
{
    send_late(false, false);
}

static void send_when_closed_polled_twice(void)
{
    send_late(true, false);
}

static void give_up_and_send(void)
{
    send_late(false, true);
}

static void close_sender(void)
{
    wf_store(&left[0], 1, RELAXED); /* ordered by DONE */
    weft_oneshot_sender_close(sender);
}

static void close_receiver(void)
{
    if (received == 0 || received == WEFT_EOF)
        check_eq(wf_load(&left[0], RELAXED), 1);
    wf_store(&left[1], 1, RELAXED); /* ordered by CLOSED */
    weft_oneshot_receiver_close(receiver);
}

static void receive(void)
{
    run(weft_oneshot_receive(&wait, receiver, &got));
    close_receiver();
}

static void receive_or_give_up(void)
{
    weft_future *f = weft_oneshot_receive(&wait, receiver, &got);

    if (!poll(f) && !weft_poll_is_ready(weft_future_cancel(f)))
        run(f);
    received = weft_future_result(f);
}

static void receive_and_cancel(void)
{
    receive_or_give_up();
    close_receiver();
}

static void receive_cancel_receive(void)
{
    receive_or_give_up();
    if (received == -ECANCELED) {
        memset(&wait, 0xdd, sizeof wait); /* weft may not use it any more */
        run(weft_oneshot_receive(&wait, receiver, &got));
    }
    close_receiver();
}

/* Polled once more for another reason, by another task. */
static void receive_polled_twice(void)
{
    weft_future *f = weft_oneshot_receive(&wait, receiver, &got);

    if (!poll(f)) {
        waker.data = &cloned[1];
        if (!poll(f))
            run(f);
    }
    received = weft_future_result(f);
    close_receiver();
}

static void try_twice(void)
{
    received = weft_oneshot_try_receive(receiver, &got);
    if (received == -EAGAIN)
        received = weft_oneshot_try_receive(receiver, &got);
    close_receiver();
}

static void try_and_finish(void)
{
    received = weft_oneshot_try_receive(receiver, &got);
    wf_store(&left[1], 1, RELAXED); /* ordered by CLOSED */
    if (received == -EAGAIN)
        received = weft_oneshot_receiver_finish(receiver, &got);
    else
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
    check_eq(received, WEFT_EOF);
}

static void sender_was_told(void)
{
    nothing_is_left();
    check_eq(closed, 0);
    check_eq(sent, -EPIPE);
}

static void sender_was_told_or_gave_up(void)
{
    nothing_is_left();
    check(closed == -ECANCELED || (closed == 0 && sent == -EPIPE));
}

static void it_came_or_not(void)
{
    nothing_is_left();
    check(received == 0 || received == -ECANCELED || received == -EAGAIN);
    check_eq(got, received == 0 ? 7 : 0);
    check(sent == 0 || (sent == -EPIPE && received != 0));
}

static void it_came_or_the_sender_has_it(void)
{
    nothing_is_left();
    check(received == 0 || received == WEFT_EOF);
    check_eq(sent, received == 0 ? 0 : -EPIPE);
    check_eq(got, received == 0 ? 7 : 0);
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

Test(oneshot_orders, who_gave_up_and_receives_again_gets_it)
{
    try_all(receive_cancel_receive, send_it, it_came);
}

Test(oneshot_orders, who_is_polled_again_gets_it)
{
    try_all(receive_polled_twice, send_it, it_came);
}

Test(oneshot_orders, who_gave_up_and_receives_again_is_told_that_the_sender_is_closed)
{
    try_all(receive_cancel_receive, close_sender, broken_pipe);
}

Test(oneshot_orders, who_tries_gets_it_or_closes_and_one_side_frees)
{
    try_all(try_twice, send_it, it_came_or_not);
}

Test(oneshot_orders, a_receiver_that_finishes_loses_no_message)
{
    try_all(try_and_finish, send_it, it_came_or_the_sender_has_it);
    try_all(try_and_finish, give_up_and_send, it_came_or_the_sender_has_it);
}

Test(oneshot_orders, a_sender_that_waits_is_told_that_the_receiver_is_closed)
{
    try_all(close_receiver, send_when_closed, sender_was_told);
    try_all(close_receiver, send_when_closed_polled_twice, sender_was_told);
}

Test(oneshot_orders, a_sender_that_gave_up_waiting_sends_or_is_told)
{
    try_all(close_receiver, give_up_and_send, sender_was_told_or_gave_up);
}
