/* test_time.c - sleeping and timeouts: never early, and they leave nothing behind */
#include "../helpers.h"

/* Sleeps in.n times, and returns how often it was early. */
struct sleeps {
    WEFT_FRAME;
    struct {
        int64_t n, duration;
    } in;
    struct weft_sleep nap;
    int64_t           i, until, n_early;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_early = 0;
    for (self->i = 0; self->i < self->in.n; self->i++) {
        self->until = weft_now() + self->in.duration;
        WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.duration));
        if (n < 0)
            WEFT_RETURN(n);
        self->n_early += weft_now() < self->until;
    }
    WEFT_END(self->n_early);
}

/* test_time_clock.c tests how late a sleep may be, with a clock that other programs can't delay. */
Test(time, sleep_is_never_early)
{
    weft_runtime *rt = start(1);
    weft_handle   handle[50];

    for (int i = 0; i < 50; i++)
        check_eq(weft_spawn_on(rt, &handle[i], sleeps, 2, WEFT_MS(1) * i + i * 1000), 0);
    for (int i = 0; i < 50; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}

Test(time, sleep_of_ten_thousand_tasks_ends_them_all_and_none_early)
{
    weft_runtime *rt = start(2);
    int64_t       n = test_scaled(10000);
    weft_handle  *handle = calloc((size_t)n, sizeof *handle);

    for (int64_t i = 0; i < n; i++)
        check_eq(weft_spawn_on(rt, &handle[i], sleeps, 1, WEFT_US(50) * (i * 7919 % 10000)), 0);
    for (int64_t i = 0; i < n; i++)
        check_eq(join(rt, &handle[i]), 0);
    free(handle);
    stop(rt);
}

/* Moves a stopped clock on, and by as much as a timer may be late. */
static void pass(weft_runtime *rt, int64_t duration)
{
    check_eq(weft_clock_advance(rt, duration + (1 << 20)), 0);
}

static void await_wake(const struct hand *hand)
{
    while (!__atomic_load_n(&hand->woken, __ATOMIC_ACQUIRE))
        sched_yield();
}

Test(time, sleep_in_block_on_is_never_early)
{
    weft_runtime     *rt = start(1);
    struct weft_sleep nap;
    int64_t           until = weft_now() + WEFT_MS(5);

    check_eq(weft_block_on(rt, weft_sleep_until(&nap, until)), 0);
    check_cmp(weft_now(), >=, until);
    stop(rt);
}

Test(time, sleep_until_an_instant_that_has_passed_is_ready_at_its_first_poll)
{
    weft_runtime     *rt = start(1);
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, rt);
    check(hand_poll(&hand, weft_sleep(&nap, 0)));
    check(hand_poll(&hand, weft_sleep(&nap, -WEFT_S(5))));
    check(hand_poll(&hand, weft_sleep_until(&nap, INT64_MIN)));
    check_eq(weft_future_result(&nap.future), 0);
    stop(rt);
}

Test(time, sleep_for_ever_and_beyond_can_be_cancelled)
{
    weft_runtime     *rt = start(1);
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_FOREVER)));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
    check(!hand_poll(&hand, weft_sleep_until(&nap, WEFT_FOREVER)));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    stop(rt);
}

Test(time, sleep_that_waits_begins_without_budget_and_one_that_is_due_waits_for_some)
{
    weft_runtime     *rt = start(1);
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, rt);
    check(!hand_poll_budget(&hand, weft_sleep(&nap, WEFT_MS(1)), 0));
    await_wake(&hand); /* the reactor fires it */
    check_eq(hand_run(&hand, &nap.future), 0);
    check(!hand_poll_budget(&hand, weft_sleep(&nap, WEFT_S(3600)), 0));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    check(!hand_poll_budget(&hand, weft_sleep(&nap, 0), 0));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    check(!hand_poll_budget(&hand, weft_sleep(&nap, 0), 0));
    check(hand_poll_budget(&hand, &nap.future, 0));
    stop(rt);
}

Test(time, sleep_of_an_hour_ends_at_once_when_its_task_is_cancelled)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, sleeps, 1, WEFT_S(3600)), 0);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
}

Test(time, sleep_may_be_polled_by_another_executor_of_the_same_runtime)
{
    weft_runtime     *rt = start(1);
    struct hand       hand, other;
    struct weft_sleep nap;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt);
    hand_init(&other, rt);
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_MS(20))));
    check(!hand_poll(&other, &nap.future));
    check_eq(hand.n_wakers, 0);
    pass(rt, WEFT_MS(20));
    await_wake(&other);
    check_eq(hand_run(&other, &nap.future), 0);
    stop(rt); /* no wake is under way any more */
    check_eq(other.n_wakers, 0);
    check_eq(hand.n_wakes, 0);
}

/* ---- timeout ---- */

static weft_runtime       *rt_now;
static struct hand         hand;
static struct event        inner;
static struct weft_timeout limit;

/* Time passes by hand only: however slow the machine is, a limit is not over before its case says
 * so. */
static void begin(void)
{
    rt_now = start(1);
    weft_clock_set(rt_now, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt_now);
    event(&inner);
}

static void end(void)
{
    stop(rt_now); /* no wake is under way any more */
    check_eq(hand.n_wakers, 0);
}

/* Until its waker is called by the runtime. */
static bool polled_again(weft_future *future)
{
    await_wake(&hand);
    return hand_poll(&hand, future);
}

Test(time, timeout_of_a_future_that_is_ready_at_once_never_strikes)
{
    begin();
    at_once(&inner, 7);
    check_eq(hand_run(&hand, weft_timeout(&limit, &inner.future, -WEFT_S(1))), 7);
    end();
}

Test(time, timeout_passes_the_result_of_a_future_that_ends_in_time)
{
    begin();
    check(!hand_poll(&hand, weft_timeout(&limit, &inner.future, WEFT_S(3600))));
    event_set(&inner, -EIO);
    check_eq(hand_run(&hand, &limit.future), -EIO);
    end();
}

Test(time, timeout_cancels_the_future_and_answers_etimedout)
{
    int64_t until;

    begin();
    until = weft_clock_now(rt_now) + WEFT_MS(3);
    check(!hand_poll(&hand, weft_timeout_at(&limit, &inner.future, until)));
    pass(rt_now, WEFT_MS(3));
    while (!polled_again(&limit.future))
        ;
    check_cmp(weft_clock_now(rt_now), >=, until);
    check_eq(weft_future_result(&limit.future), -ETIMEDOUT);
    check_eq(inner.n_cancels, 1);
    check_eq(weft_future_result(&inner.future), -ECANCELED);
    end();
}

Test(time, timeout_answers_the_true_result_of_a_future_that_completes_all_the_same)
{
    begin();
    inner.when_cancelled = 4096;
    check(!hand_poll(&hand, weft_timeout(&limit, &inner.future, WEFT_MS(5))));
    pass(rt_now, WEFT_MS(5));
    while (!polled_again(&limit.future))
        ;
    check_eq(weft_future_result(&limit.future), 4096);
    end();
}

Test(time, timeout_waits_until_the_future_has_drained)
{
    begin();
    inner.lingers = true;
    check(!hand_poll(&hand, weft_timeout(&limit, &inner.future, 0)));
    check(!hand_poll(&hand, &limit.future));
    check_eq(inner.n_cancels, 1);
    event_set(&inner, 0);
    check_eq(hand_run(&hand, &limit.future), -ETIMEDOUT);
    end();
}

Test(time, timeout_that_is_cancelled_cancels_its_future_and_says_ecanceled)
{
    begin();
    check(!hand_poll(&hand, weft_timeout(&limit, &inner.future, WEFT_S(3600))));
    check_eq(hand_cancel(&hand, &limit.future), -ECANCELED);
    check_eq(inner.n_cancels, 1);
    end();
}

Test(time, timeout_passes_on_an_ecanceled_that_is_the_futures_own)
{
    begin();
    check(!hand_poll(&hand, weft_timeout(&limit, &inner.future, WEFT_S(3600))));
    event_set(&inner, -ECANCELED);
    check_eq(hand_run(&hand, &limit.future), -ECANCELED);
    end();
}

Test(time, timeout_that_began_without_budget_leaves_no_timer_behind)
{
    begin();
    check(!hand_poll_budget(&hand, weft_timeout(&limit, &inner.future, WEFT_MS(1)), 0));
    event_set(&inner, 5);
    check_eq(hand_run(&hand, &limit.future), 5);
    check(weft_future_is_ready(&limit.nap_.future));
    end();
}

Test(time, timeout_without_a_runtime_ends_with_enxio)
{
    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_timeout(&limit, event(&inner), WEFT_S(1))), -ENXIO);
    check_eq(hand.n_wakers, 0);
}

/* A timeout around each of many receives, most of which come in time. */
struct impatient {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        int64_t             n;
    } in;
    struct weft_timeout limit;
    weft_wait           wait;
    int64_t             i, got, n_late;
};
WEFT_ASYNC(impatient)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_late = 0;
    for (self->i = 0; self->i < self->in.n;) {
        WEFT_AWAIT(n, weft_timeout(&self->limit,
                                   weft_mpsc_receive(&self->wait, self->in.from, &self->got),
                                   WEFT_US(self->i % 50)));
        if (n == 0)
            check_eq(self->got, self->i++);
        else
            self->n_late++;
    }
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->i);
}

Test(time, timeout_that_strikes_at_any_moment_loses_no_message)
{
    weft_runtime       *rt = start_with(&(weft_config){.workers = 2, .budget = 7});
    int64_t             n = test_scaled(20000);
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_wait           wait;
    weft_handle         handle;

    check_eq(weft_mpsc_open(sizeof n, 4, &sender, &receiver), 0);
    check_eq(weft_spawn_on(rt, &handle, impatient, receiver, n), 0);
    for (int64_t i = 0; i < n; i++)
        check_eq(weft_block_on(rt, weft_mpsc_send(&wait, sender, &i)), 0);
    check_eq(join(rt, &handle), n);
    weft_mpsc_sender_close(sender);
    stop(rt);
}
