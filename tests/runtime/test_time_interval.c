/* test_time_interval.c - intervals and resets, by a clock that the test moves */
#include "../helpers.h"

#define TICK (INT64_C(1) << 20) /* how late a timer may be */

static weft_runtime *rt;
static struct hand   hand;
static weft_interval every;
static int64_t       begun;

static void begin(weft_interval_late late)
{
    rt = start(1);
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt);
    begun = weft_clock_now(rt);
    weft_interval_start_at(&every, begun, WEFT_MS(100), late);
}

static void end(void)
{
    stop(rt); /* no wake is under way any more */
    check_eq(hand.n_wakers, 0);
}

/* A tick, or -EAGAIN if none is due; that one has been cancelled. */
struct once {
    weft_future  future;
    weft_future *inner;
};

static weft_poll once_poll(weft_future *future, weft_context *cx)
{
    struct once *self = weft_container(future, struct once, future);

    if (weft_poll_is_ready(weft_future_poll(self->inner, cx)))
        return weft_ready(future, self->inner->result);
    check(!weft_poll_is_ready(weft_future_cancel(self->inner)));
    check(weft_poll_is_ready(weft_future_poll(self->inner, cx)));
    check_eq(self->inner->result, -ECANCELED);
    return weft_ready(future, -EAGAIN);
}

static int64_t poll_once(weft_future *inner)
{
    static const weft_future_ops ops = {sizeof(struct once), WEFT_FUTURE_WITHDRAWS, "once",
                                        once_poll, NULL};
    struct once                  self = {.inner = inner};

    weft_future_init(&self.future, &ops);
    return weft_block_on(rt, &self.future);
}

static int64_t tick(void)
{
    return poll_once(weft_interval_tick(&every));
}

static void to(int64_t instant)
{
    check_eq(weft_clock_advance(rt, begun + instant - weft_clock_now(rt)), 0);
}

Test(time_interval, interval_ticks_at_once_and_then_each_period)
{
    begin(WEFT_INTERVAL_BURST);
    check_eq(tick(), 0);
    check_eq(tick(), -EAGAIN);
    for (int i = 1; i < 20; i++) {
        to(WEFT_MS(100) * i - 1);
        check_eq(tick(), -EAGAIN);
        to(WEFT_MS(100) * i);
        check_eq(tick(), 0);
        check_eq(tick(), -EAGAIN);
    }
    end();
}

Test(time_interval, interval_in_a_burst_catches_up)
{
    begin(WEFT_INTERVAL_BURST);
    check_eq(tick(), 0);
    to(WEFT_MS(350));
    for (int64_t late = 2; late >= 0; late--)
        check_eq(tick(), late);
    check_eq(tick(), -EAGAIN);
    to(WEFT_MS(400));
    check_eq(tick(), 0);
    end();
}

Test(time_interval, interval_that_is_delayed_shifts)
{
    begin(WEFT_INTERVAL_DELAY);
    check_eq(tick(), 0);
    to(WEFT_MS(350));
    check_eq(tick(), 2);
    to(WEFT_MS(449));
    check_eq(tick(), -EAGAIN);
    to(WEFT_MS(450));
    check_eq(tick(), 0);
    to(WEFT_MS(552)); /* as timers are: no drift */
    check_eq(tick(), 0);
    to(WEFT_MS(650));
    check_eq(tick(), 0);
    to(WEFT_MS(755)); /* the first lateness that shifts */
    check_eq(tick(), 0);
    to(WEFT_MS(855) - 1);
    check_eq(tick(), -EAGAIN);
    to(WEFT_MS(855));
    check_eq(tick(), 0);
    end();
}

Test(time_interval, interval_that_skips_keeps_its_phase)
{
    begin(WEFT_INTERVAL_SKIP);
    check_eq(tick(), 0);
    to(WEFT_MS(350));
    check_eq(tick(), 2);
    to(WEFT_MS(399));
    check_eq(tick(), -EAGAIN);
    to(WEFT_MS(400));
    check_eq(tick(), 0);
    end();
}

Test(time_interval, interval_can_be_reset_between_ticks_and_while_one_is_awaited)
{
    begin(WEFT_INTERVAL_SKIP);
    check_eq(tick(), 0);
    to(WEFT_MS(70));
    weft_interval_reset_at(&every, begun + WEFT_MS(170));
    to(WEFT_MS(169));
    check_eq(tick(), -EAGAIN);
    check(!hand_poll(&hand, weft_interval_tick(&every)));
    weft_interval_reset_at(&every, begun + WEFT_MS(500));
    to(WEFT_MS(400));
    check(!hand_poll(&hand, &every.future));
    weft_interval_reset_at(&every, begun + WEFT_MS(300));
    while (!hand_poll(&hand, &every.future))
        sched_yield();
    end();
}

Test(time_interval, interval_tick_that_is_cancelled_before_or_after_its_time_is_not_lost)
{
    begin(WEFT_INTERVAL_BURST);
    check_eq(tick(), 0);
    check(!hand_poll(&hand, weft_interval_tick(&every)));
    to(WEFT_MS(102));
    while (!__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE))
        sched_yield();
    check_eq(hand_cancel(&hand, &every.future), -ECANCELED);
    check_eq(tick(), 0);
    check_eq(tick(), -EAGAIN);
    end();
}

/* ---- an executor on a thread without a runtime: the clock is that of the polls' runtime ---- */

Test(time_interval, interval_is_late_by_the_clock_of_the_runtime_that_another_executor_polls_with)
{
    begin(WEFT_INTERVAL_SKIP);
    check_eq(hand_run(&hand, weft_interval_tick(&every)), 0);
    to(WEFT_MS(1050));
    check_eq(hand_run(&hand, weft_interval_tick(&every)), 9);
    check(!hand_poll(&hand, weft_interval_tick(&every)));
    check_eq(hand_cancel(&hand, &every.future), -ECANCELED);
    end();
}

/* Asks in each poll how much time is left. Ends when it is cancelled. */
static int64_t left;

static weft_poll asks_poll(weft_future *future, weft_context *cx)
{
    left = weft_deadline_left(cx);
    return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
}

static void asks_cancel(weft_future *future)
{
    (void)future;
}

static const weft_future_ops asks_ops = {sizeof(weft_future), WEFT_FUTURE_WITHDRAWS, "asks",
                                         asks_poll, asks_cancel};

Test(time_interval, what_is_left_of_a_limit_and_a_shield_is_by_the_clock_of_the_polls_runtime)
{
    struct weft_timeout limit;
    struct weft_shield  guard;
    weft_future         asks;

    begin(WEFT_INTERVAL_SKIP);
    to(WEFT_S(3600));
    weft_future_init(&asks, &asks_ops);
    weft_timeout(&limit, weft_shield(&guard, &asks, WEFT_S(2)), WEFT_S(5));
    check(!hand_poll(&hand, &limit.future));
    check_eq(left, WEFT_FOREVER); /* a shield hides limits around it */
    check(!weft_poll_is_ready(weft_future_cancel(&limit.future)));
    check(!hand_poll(&hand, &limit.future));
    check_eq(left, WEFT_S(2));
    check_eq(weft_clock_advance(rt, WEFT_S(2) + TICK), 0);
    while (!hand_poll(&hand, &limit.future))
        sched_yield();
    check_eq(limit.future.result, -ECANCELED);

    weft_future_init(&asks, &asks_ops);
    weft_timeout(&limit, &asks, WEFT_S(5));
    check(!hand_poll(&hand, &limit.future));
    check_eq(left, WEFT_S(5));
    check_eq(hand_cancel(&hand, &limit.future), -ECANCELED);
    end();
}

Test(time_interval, interval_without_a_runtime_ends_with_enxio)
{
    hand_init(&hand, NULL);
    weft_interval_start(&every, WEFT_S(1), WEFT_INTERVAL_BURST);
    check_eq(hand_run(&hand, weft_interval_tick(&every)), -ENXIO);
}

/* Counts a hundred ticks against a channel that always has something: selects lose ticks all the
 * time. */
struct ticks {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    weft_interval      every;
    weft_wait          wait;
    struct weft_select select;
    int64_t            got, n_ticks, n_got, begun;
};
WEFT_ASYNC(ticks)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_ticks = self->n_got = 0;
    self->begun = weft_now();
    weft_interval_start(&self->every, WEFT_MS(10), WEFT_INTERVAL_BURST);
    while (self->n_ticks < 100) {
        WEFT_AWAIT(n, weft_select(&self->select, weft_interval_tick(&self->every),
                                  weft_mpsc_receive(&self->wait, self->in.from, &self->got)));
        check_cmp(n, >=, 0);
        self->n_ticks += n == 0;
        self->n_got += n == 1;
    }
    check_cmp(weft_now() - self->begun, >=, WEFT_MS(990));
    check_cmp(weft_now() - self->begun, <=, WEFT_MS(990) + TICK);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->n_got);
}

struct floods {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
    int64_t           i;
};
WEFT_ASYNC(floods)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0;; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->i));
        if (n < 0)
            break;
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(3)));
        if (n < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(self->i);
}

Test(time_interval, interval_loses_no_tick_to_selects_that_it_lost)
{
    weft_handle         handle, flood;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;

    rt = start(2);
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_mpsc_open(sizeof(int64_t), 4, &sender, &receiver), 0);
    check_eq(weft_spawn_on(rt, &handle, ticks, receiver), 0);
    check_eq(weft_spawn_on(rt, &flood, floods, sender), 0);
    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    check_cmp(join(rt, &handle), >=, 200);
    weft_cancel(&flood);
    join(rt, &flood);
    stop(rt);
}

/* ---- resets ---- */

static struct weft_sleep nap;

static void begin_nap(void)
{
    rt = start(1);
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt);
    begun = weft_clock_now(rt);
}

Test(time_interval, reset_of_a_sleep_that_was_not_polled_or_was_ready_is_as_good_as_new)
{
    begin_nap();
    weft_sleep_until(&nap, begun + WEFT_S(1));
    weft_sleep_reset(&nap, begun);
    check(hand_poll(&hand, &nap.future));
    weft_sleep_reset(&nap, begun + WEFT_S(1));
    check(!hand_poll(&hand, &nap.future));
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    weft_sleep_reset(&nap, begun);
    check(hand_poll(&hand, &nap.future));
    check_eq(nap.future.result, 0);
    end();
}

static void until_woken(void)
{
    while (!__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE))
        sched_yield();
}

Test(time_interval, reset_of_a_pending_sleep_goes_both_ways)
{
    begin_nap();
    check(!hand_poll(&hand, weft_sleep_until(&nap, begun + WEFT_S(10))));
    weft_sleep_reset(&nap, begun + WEFT_S(20)); /* later: */
    to(WEFT_S(15));
    check(!hand_poll(&hand, &nap.future));
    weft_sleep_reset(&nap, begun + WEFT_S(16)); /* earlier: */
    to(WEFT_S(16) + TICK);
    until_woken();
    check(hand_poll(&hand, &nap.future));
    check_eq(nap.future.result, 0);
    end();
}

Test(time_interval, reset_of_one_whose_time_has_come_begins_to_wait_again)
{
    begin_nap();
    check(!hand_poll(&hand, weft_sleep_until(&nap, begun + WEFT_S(1))));
    to(WEFT_S(2));
    until_woken();
    weft_sleep_reset(&nap, begun + WEFT_S(3));
    check(!hand_poll(&hand, &nap.future));
    to(WEFT_S(3) + TICK);
    until_woken();
    check(hand_poll(&hand, &nap.future));
    end();
}

Test(time_interval, reset_of_a_cancelled_one_changes_nothing)
{
    begin_nap();
    check(!hand_poll(&hand, weft_sleep_until(&nap, begun + WEFT_S(1))));
    check(!weft_poll_is_ready(weft_future_cancel(&nap.future)));
    weft_sleep_reset(&nap, begun + WEFT_S(3));
    check(hand_poll(&hand, &nap.future));
    check_eq(nap.future.result, -ECANCELED);
    end();
}

/* ---- the ends of time ---- */

Test(time_interval, interval_that_begins_before_all_time_is_late_and_goes_on_from_now)
{
    static const weft_interval_late how[] = {WEFT_INTERVAL_DELAY, WEFT_INTERVAL_SKIP};

    for (int i = 0; i < 2; i++) {
        begin(how[i]);
        weft_interval_start_at(&every, INT64_MIN + 1, WEFT_S(1), how[i]);
        check_eq(tick(), WEFT_FOREVER / WEFT_S(1));
        while (every.next_ <= begun) /* SKIP: as late as a number can say, once more */
            check_cmp(tick(), >=, 0);
        check_cmp(every.next_, <=, begun + WEFT_S(1));
        check_eq(tick(), -EAGAIN);
        end();
    }
}

Test(time_interval, interval_of_no_period_is_one_of_a_nanosecond)
{
    begin(WEFT_INTERVAL_BURST);
    weft_interval_start_at(&every, begun, 0, WEFT_INTERVAL_BURST);
    check_eq(tick(), 0);
    check_eq(tick(), -EAGAIN);
    to(3);
    for (int64_t late = 2; late >= 0; late--)
        check_eq(tick(), late);
    check_eq(tick(), -EAGAIN);
    end();
}

Test(time_interval, interval_whose_period_has_no_end_ticks_once)
{
    begin(WEFT_INTERVAL_BURST);
    weft_interval_start_at(&every, begun, WEFT_FOREVER, WEFT_INTERVAL_BURST);
    check_eq(tick(), 0);
    to(WEFT_S(3600));
    check_eq(tick(), -EAGAIN);
    end();
}

Test(time_interval, reset_of_a_pending_sleep_to_an_instant_before_all_time_ends_it)
{
    begin_nap();
    check(!hand_poll(&hand, weft_sleep_until(&nap, begun + WEFT_S(10))));
    weft_sleep_reset(&nap, INT64_MIN);
    until_woken();
    check(hand_poll(&hand, &nap.future));
    check_eq(nap.future.result, 0);
    end();
}

static int n_asked;

static int64_t ask(void)
{
    n_asked++;
    return INT64_MAX / 2;
}

Test(time_interval, duration_that_is_too_long_is_forever_and_is_asked_for_once)
{
    volatile int64_t n = INT64_MIN / 2;

    check_eq(WEFT_S(ask()), WEFT_FOREVER);
    check_eq(n_asked, 1);
    check_eq(WEFT_MS(n), INT64_MIN);
    n = -7;
    check_eq(WEFT_US(n), -7000);
    n = WEFT_FOREVER / WEFT_S(1);
    check_eq(WEFT_S(n), WEFT_FOREVER / WEFT_S(1) * WEFT_S(1));
    check_eq(WEFT_S(n + 1), WEFT_FOREVER);
}
