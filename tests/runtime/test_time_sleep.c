/*
 * test_time_sleep.c - sleeps of years, limits without end, resets of intervals, clocks by hand
 *
 * The cases are those of Tokio's time_sleep.rs, time_timeout.rs, time_interval.rs and
 * time_pause.rs, by their behaviour. More are in test_time.c and its neighbours.
 */
#include "clocks.h"

#define YEAR WEFT_S(365 * 24 * 3600)

/* ---- sleeps on a clock that jumps ---- */

struct sleeps {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep  nap, other;
    struct weft_select sel;
    int64_t            until;
    int                i;
};
WEFT_ASYNC(sleeps)
{
    static const int64_t durations[] = {0,           1,           WEFT_US(999), WEFT_MS(1) + 1,
                                        WEFT_MS(10), WEFT_MS(60), YEAR,         10 * YEAR};
    int64_t              n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < (int)(sizeof durations / sizeof *durations); self->i++) {
        self->until = weft_now() + durations[self->i];
        WEFT_AWAIT(n, weft_sleep_until(&self->nap, self->until));
        check_eq(n, 0);
        check_cmp(weft_now(), >=, self->until);
        check_cmp(weft_now(), <=, self->until + TICK);
    }
    /* An endless sleep is no reason to jump to the end of time. */
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_sleep(&self->nap, WEFT_FOREVER),
                                     weft_sleep(&self->other, 1)));
    check_eq(n, 1);
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_sleep_until(&self->nap, WEFT_FOREVER - 1),
                                     weft_sleep(&self->other, 1)));
    check_eq(n, 1);
    WEFT_END(0);
}

Test(time_sleep, of_nanoseconds_and_of_years_end_in_their_tick)
{
    static const int64_t workers[] = {1, 2, 8};

    for (int i = 0; i < 3; i++) {
        weft_runtime *rt = start_jumping(workers[i]);

        check_eq(RUN(rt, sleeps), 0);
        stop(rt);
    }
}

/* ---- limits ---- */

Test(time_sleep, limit_without_an_end_waits_for_its_future)
{
    weft_runtime       *rt = start(1);
    struct weft_timeout limit;
    struct event        inner;
    struct hand         hand;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_timeout(&limit, event(&inner), WEFT_FOREVER)));
    check_eq(weft_clock_advance(rt, 10 * YEAR), 0);
    check(!hand_poll(&hand, &limit.future));
    check_eq(inner.n_cancels, 0);
    event_set(&inner, 7);
    check_eq(hand_run(&hand, &limit.future), 7);
    stop(rt);
    check_eq(hand.n_wakers, 0);
}

Test(time_sleep, limit_that_is_not_over_yet_lets_its_future_end)
{
    weft_runtime       *rt = start(1);
    struct weft_timeout limit;
    struct event        inner;
    struct hand         hand;
    int64_t             begin;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    begin = weft_clock_now(rt);
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_timeout_at(&limit, event(&inner), begin + WEFT_MS(100))));
    check_eq(weft_clock_advance(rt, WEFT_MS(90)), 0);
    check(!hand_poll(&hand, &limit.future));
    event_set(&inner, 7);
    check_eq(weft_clock_advance(rt, WEFT_S(90)), 0); /* too late: the future is looked at first */
    check_eq(hand_run(&hand, &limit.future), 7);
    check_eq(inner.n_cancels, 0);
    stop(rt);
    check_eq(hand.n_wakers, 0);
}

/* ---- intervals ---- */

struct ticks {
    WEFT_FRAME;
    struct {
    } in;
    weft_interval     every;
    struct weft_sleep nap;
    int64_t           begin;
};

/* The next tick comes so many milliseconds after the beginning. Each reset counts from a tick that
 * may be late, so the latenesses add up. */
#define TICK_AT(ms_)                                                                               \
    do {                                                                                           \
        WEFT_AWAIT(n, weft_interval_tick(&self->every));                                           \
        check_eq(n, 0);                                                                            \
        check_cmp(weft_now() - self->begin, >=, WEFT_MS(ms_));                                     \
        check_cmp(weft_now() - self->begin, <=, WEFT_MS(ms_) + 8 * TICK);                          \
    } while (0)

/* Tokio: reset, reset_immediately, reset_after, reset_at, reset_at_bigger_than_interval. */
WEFT_ASYNC(ticks)
{
    int64_t n;

    WEFT_BEGIN();
    self->begin = weft_now();
    weft_interval_start(&self->every, WEFT_MS(300), WEFT_INTERVAL_BURST);
    TICK_AT(0);
    TICK_AT(300);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(100)));
    weft_interval_reset(&self->every); /* a period from now */
    TICK_AT(700);
    weft_interval_reset_at(&self->every, weft_now()); /* at once */
    TICK_AT(700);
    weft_interval_reset_at(&self->every, weft_now() + WEFT_MS(20)); /* sooner than a period */
    TICK_AT(720);
    TICK_AT(1020);
    weft_interval_reset_at(&self->every, weft_now() + WEFT_MS(1000)); /* later than a period */
    TICK_AT(2020);
    TICK_AT(2320);
    WEFT_END(0);
}

Test(time_sleep, interval_that_is_reset_goes_on_from_there)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, ticks), 0);
    stop(rt);
}

/* ---- a clock that is moved by hand ---- */

Test(time_sleep, clock_moves_by_exactly_so_much_and_fires_nothing_early)
{
    static const int64_t steps[] = {WEFT_MS(1), WEFT_US(51592),   WEFT_US(1),  1,
                                    0,          WEFT_US(3141592), WEFT_US(250)};
    weft_runtime        *rt = start(1);
    struct weft_sleep    nap;
    struct hand          hand;
    int64_t              end;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    hand_init(&hand, rt);
    end = weft_clock_now(rt) + WEFT_S(60);
    check(!hand_poll(&hand, weft_sleep_until(&nap, end)));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int64_t before = weft_clock_now(rt);

        check_eq(weft_clock_advance(rt, steps[i]), 0);
        check_eq(weft_clock_now(rt), before + steps[i]);
        check(!hand_poll(&hand, &nap.future));
    }
    check_eq(weft_clock_advance(rt, end - weft_clock_now(rt) - 1), 0);
    check(!hand_poll(&hand, &nap.future));
    check_eq(weft_clock_advance(rt, 1 + TICK), 0);
    while (!__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE))
        sched_yield();
    check_eq(hand_run(&hand, &nap.future), 0);
    stop(rt);
    check_eq(hand.n_wakers, 0);
}

/* ---- jobs hold a clock that jumps, and let it go ---- */

struct fails {
    bool panics;
};
WEFT_BLOCKING(fails)
{
    pause_ms(1);
    if (self->panics)
        weft_panic("on purpose");
    return 7;
}

/* The limit is not over while the job runs, in whatever way that ends. Then the clock jumps. Tokio:
 * blocking_when_paused, blocking_task_wakes_paused_runtime, and that of a job that panics. */
struct beside_jobs {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_spawn_blocking job;
    struct weft_timeout        limit;
    struct weft_sleep          nap;
    int                        i;
};
WEFT_ASYNC(beside_jobs)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 4; self->i++) {
        WEFT_AWAIT(n,
                   weft_timeout(&self->limit, weft_spawn_blocking(&self->job, fails, self->i % 2),
                                self->i < 2 ? 1 : WEFT_S(15)));
        check_eq(n, self->i % 2 ? -EOWNERDEAD : 7);
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
        check_eq(n, 0);
    }
    WEFT_END(0);
}

Test(time_sleep, clock_jumps_again_when_a_job_has_returned_or_panicked)
{
    for (int64_t current = 0; current < 2; current++) {
        weft_runtime *rt = start_with(
            &(weft_config){.current_thread = current, .workers = 1, .log = weft_log_none});

        weft_clock_set(rt, WEFT_CLOCK_JUMPS);
        check_eq(RUN(rt, beside_jobs), 0);
        stop(rt);
    }
}

/* ---- drop_from_wake: the waker of the first sleep that ends cancels all the others ---- */

#define NAPS 100

static struct weft_sleep naps[NAPS];
static int64_t           n_ended, n_calls;
static weft_waker        ending;

static weft_waker ending_clone(void *data)
{
    (void)data;
    return ending;
}

static void ending_drop(void *data)
{
    (void)data;
}

/* The reactor calls it, outside of its locks. Meanwhile no other thread uses the sleeps. */
static void end_naps(void *data)
{
    weft_context cx;

    if (add(&n_calls, 1) > 1)
        return;
    weft_context_init(&cx, &ending, data);
    for (int i = 0; i < NAPS; i++) {
        if (!weft_poll_is_ready(weft_future_cancel(&naps[i].future)))
            check(weft_poll_is_ready(weft_future_poll(&naps[i].future, &cx)));
        add(&n_ended, 1);
    }
}

Test(time_sleep, all_may_be_cancelled_by_the_waker_of_the_first_that_ends)
{
    static const weft_waker_vtable vtable = {ending_clone, end_naps, end_naps, ending_drop, NULL};
    weft_runtime                  *rt = start(1);
    weft_context                   cx;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    ending = (weft_waker){&vtable, rt};
    weft_context_init(&cx, &ending, rt);
    for (int i = 0; i < NAPS; i++)
        check(!weft_poll_is_ready(
            weft_future_poll(weft_sleep(&naps[i], WEFT_MS(10) + i * WEFT_US(20)), &cx)));
    check_eq(weft_clock_advance(rt, WEFT_MS(11) + TICK), 0);
    while (get(&n_ended) < NAPS)
        sched_yield();
    stop(rt);
}
