/* test_timer.c - the timer wheels against a naive model; the test says what time it is */
#include "../helpers.h"

#include "timer.h"
#include "worker.h"

#define TICK  (INT64_C(1) << 20)
#define NAPS  2000
#define YEARS (INT64_C(365) * 24 * 3600 * 1000000000)

static weft_runtime rt;
static wf_timers   *timers;
static int64_t      base;    /* all deadlines are later; arming looks at the real clock */
static int64_t      n_wakes; /* wakes that a reactor would get */

static void wake(wf_driver *driver)
{
    driver->state = WF_DRIVER_IN_KERNEL; /* the driver has seen the notice and sleeps again */
    n_wakes++;
}

static void begin(void)
{
    static struct memory memory;
    static wf_driver     driver = {
            .wake = wake, .sleeps_until = WF_DRIVER_NO_WAIT, .state = WF_DRIVER_IN_KERNEL};

    rt.config.workers = 1;
    rt.config.allocator = memory_hooks(&memory);
    check_eq(wf_timers_start(&rt), 0);
    timers = rt.timers;
    rt.driver = &driver;
    base = wf_now() + WEFT_S(3600);
}

/* A timer of the model: fired[i] is set by its waker. */
static struct weft_sleep nap[NAPS];
static int64_t           fired[NAPS], n_fired, last_fired;

static weft_waker nap_clone(void *data);

static void nap_wake(void *data)
{
    fired[(int64_t *)data - fired]++;
    n_fired++;
    last_fired = (int64_t *)data - fired;
}

static void nap_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable nap_vtable = {nap_clone, nap_wake, nap_wake, nap_drop, NULL};

static weft_waker nap_clone(void *data)
{
    return (weft_waker){&nap_vtable, data};
}

static void arm(int i, int64_t deadline)
{
    weft_waker waker = {&nap_vtable, &fired[i]};

    fired[i] = 0;
    nap[i] = (struct weft_sleep){.deadline_ = deadline};
    check(wf_timer_arm(timers, &nap[i], wf_clock_now(&timers->clock), &waker));
}

/* Pseudo-random, the same in each run. */
static uint64_t dice(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* At `now`, exactly the timers due have fired: none early, none more than a tick late. */
static void check_model(const bool *armed, int n, int64_t now)
{
    int64_t first = WEFT_FOREVER;

    for (int i = 0; i < n; i++) {
        bool due = nap[i].deadline_ <= now / TICK * TICK;

        if (!armed[i])
            continue;
        check_eq(fired[i], due);
        if (!due && nap[i].deadline_ < first)
            first = nap[i].deadline_;
    }
    if (first != WEFT_FOREVER)
        check_cmp(wf_timers_next(timers), <=, (first + TICK - 1) / TICK * TICK);
    check_cmp(wf_timers_next(timers), >, now); /* else the reactor would never sleep */
}

Test(timer, wheels_agree_with_a_naive_model_for_random_deadlines_and_cancels)
{
    static bool armed[NAPS];
    int64_t     now;
    int         n = 300;

    begin();
    now = base;
    for (int round = 0; round < test_scaled(2000); round++) {
        int64_t span = INT64_C(1) << (16 + dice() % 44); /* 65 us to 36 years */

        for (int i = 0; i < n; i++) {
            if (armed[i] && (fired[i] || dice() % 16 == 0)) {
                wf_timer_disarm(&nap[i]);
                armed[i] = false;
            } else if (!armed[i] && dice() % 4 == 0) {
                arm(i, now + 1 + (int64_t)(dice() % (uint64_t)span));
                armed[i] = true;
            }
        }
        if (now < 100 * YEARS)
            now += (int64_t)(dice() % (uint64_t)span);
        wf_timers_fire(timers, now);
        check_model(armed, n, now);
    }
    for (int i = 0; i < n; i++)
        if (armed[i])
            wf_timer_disarm(&nap[i]);
    wf_timers_stop(&rt);
}

Test(timer, at_each_edge_of_each_level_fires_in_its_tick_and_not_before)
{
    int64_t now;
    int     n = 0;

    begin();
    now = base / TICK;
    for (int level = 0; level < WF_WHEEL_LEVELS; level++)
        for (int64_t slots = 1; slots < 64; slots += 31)
            for (int64_t off = -1; off <= 1; off++) {
                int64_t lap = INT64_C(1) << (6 * level);
                int64_t tick = (now / lap + slots) * lap + off;
                if (tick <= now)
                    continue;
                arm(n, tick * TICK);
                n++;
            }
    for (int left = n; left > 0;) { /* go from one announced instant to the next */
        now = wf_timers_next(timers);
        wf_timers_fire(timers, now - 1);
        for (int i = 0; i < n; i++)
            check_eq(fired[i], nap[i].deadline_ < now);
        wf_timers_fire(timers, now);
        left = n;
        for (int i = 0; i < n; i++) {
            check_eq(fired[i], nap[i].deadline_ <= now);
            left -= fired[i] != 0;
        }
    }
    wf_timers_stop(&rt);
}

Test(timer, hops_of_the_reactor_to_one_distant_timer_are_few)
{
    int n_hops = 0;

    begin();
    arm(0, base + YEARS);
    while (!fired[0] && n_hops < 100) {
        wf_timers_fire(timers, wf_timers_next(timers));
        n_hops++;
    }
    check_cmp(n_hops, <=, WF_WHEEL_LEVELS + 1);
    wf_timers_stop(&rt);
}

Test(timer, beyond_the_wheels_stays_pending_and_can_be_cancelled)
{
    int64_t now;

    begin();
    arm(0, WEFT_FOREVER);
    arm(1, base + 200 * YEARS);
    for (now = base; now < 190 * YEARS; now += YEARS / 3)
        wf_timers_fire(timers, now);
    check_eq(n_fired, 0);
    wf_timer_disarm(&nap[0]);
    wf_timers_fire(timers, base + 201 * YEARS);
    check_eq(fired[1], 1);
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_stop(&rt);
}

Test(timer, that_was_cancelled_never_fires_wherever_it_sat)
{
    begin();
    for (int i = 0; i < NAPS; i++)
        arm(i, base + (INT64_C(1) << (i % 58)) + i * TICK);
    for (int i = 0; i < NAPS; i += 2)
        wf_timer_disarm(&nap[i]);
    wf_timers_fire(timers, base + 10 * YEARS);
    for (int i = 0; i < NAPS; i++)
        check_eq(fired[i], i % 2);
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_stop(&rt);
}

Test(timer, for_an_instant_that_has_come_is_not_armed)
{
    weft_waker waker = weft_waker_noop();

    begin();
    nap[0].deadline_ = wf_now();
    check(!wf_timer_arm(timers, &nap[0], wf_now(), &waker));
    nap[0].deadline_ = INT64_MIN;
    check(!wf_timer_arm(timers, &nap[0], wf_now(), &waker));
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_stop(&rt);
}

Test(timer, ticks_fire_in_their_order)
{
    begin();
    for (int i = 0; i < NAPS; i++) {
        int64_t at = i * 7919 % NAPS; /* a permutation */
        arm((int)at, base + at * 3 * TICK);
    }
    for (int i = 0; i < NAPS; i++) { /* one by one: the wheels are only told where time stands */
        wf_timers_fire(timers, base + i * 3 * TICK + TICK);
        check_eq(n_fired, i + 1);
        check_eq(last_fired, i);
    }
    wf_timers_stop(&rt);
}

Test(timer, more_than_a_batch_that_are_due_together_all_fire)
{
    begin();
    for (int i = 0; i < NAPS; i++)
        arm(i, base);
    wf_timers_fire(timers, base + TICK);
    check_eq(n_fired, NAPS);
    check_eq(timers->n_fired, NAPS);
    wf_timers_stop(&rt);
}

Test(timer, poll_says_whether_it_has_fired)
{
    weft_waker waker = {&nap_vtable, &fired[0]};

    begin();
    arm(0, base);
    check(!wf_timer_poll(&nap[0], &waker));
    wf_timers_fire(timers, base + TICK);
    check(wf_timer_poll(&nap[0], &waker));
    wf_timers_stop(&rt);
}

Test(timer, wakes_the_waker_of_the_last_poll)
{
    weft_waker other = {&nap_vtable, &fired[1]};

    begin();
    arm(0, base);
    check(!wf_timer_poll(&nap[0], &other));
    wf_timers_fire(timers, base + TICK);
    check_eq(fired[0], 0);
    check_eq(fired[1], 1);
    wf_timers_stop(&rt);
}

/* A waker of a foreign executor that arms the next timer: it must be called outside the lock. */
static void arms_next(void *data)
{
    nap_wake(data);
    arm((int)last_fired + 1, base + TICK * (last_fired + 2));
}

Test(timer, wakes_foreign_executors_outside_its_lock)
{
    static const weft_waker_vtable vtable = {nap_clone, arms_next, arms_next, nap_drop, NULL};
    weft_waker                     waker = {&nap_vtable, &fired[0]};

    begin();
    arm(0, base);
    arm(100, base);
    arm(101, base);
    nap[0].waker_ = (weft_waker){&vtable, waker.data};
    wf_timers_fire(timers, base + TICK);
    check_eq(n_fired, 3);
    check(nap[1].wheel_ == &timers->wheel[0]);
    wf_timers_stop(&rt);
}

Test(timer, that_comes_before_all_others_wakes_a_reactor_that_sleeps_too_long)
{
    begin();
    rt.driver->sleeps_until = WEFT_FOREVER;
    arm(0, base + YEARS);
    check_eq(n_wakes, 1);
    rt.driver->sleeps_until = wf_timers_next(timers);
    arm(1, base + YEARS + WEFT_S(1));
    check_eq(n_wakes, 1);
    arm(2, base);
    check_eq(n_wakes, 2);
    rt.driver->sleeps_until = WF_DRIVER_NO_WAIT;
    arm(3, base - WEFT_S(1800));
    check_eq(n_wakes, 2);
    wf_timers_stop(&rt);
}

Test(timer, across_the_end_of_the_top_lap_is_not_late)
{
    int64_t lap = (INT64_C(1) << (6 * WF_WHEEL_LEVELS)) * TICK, now = lap - WEFT_S(10);

    begin();
    arm(0, WEFT_FOREVER);        /* else an empty wheel would start again at the real time */
    wf_timers_fire(timers, now); /* two years of uptime */
    arm(1, now + WEFT_S(60));
    arm(2, now + WEFT_S(20));
    arm(3, now + WEFT_S(5));
    wf_timers_fire(timers, now + WEFT_S(6));
    check_eq(fired[3], 1);
    wf_timers_fire(timers, now + WEFT_S(21));
    check_eq(fired[2], 1);
    check_eq(fired[1], 0);
    wf_timers_fire(timers, now + WEFT_S(61));
    check_eq(fired[1], 1);
    wf_timers_stop(&rt);
}

/* ---- accuracies, resets, clocks ---- */

/* What the test knows of a timer: it fires at the first tick not before `from`, and not after
 * `to`. */
struct window {
    bool    armed;
    int64_t from, to;
};

static void check_windows(const struct window *window, int n, int64_t now)
{
    for (int i = 0; i < n; i++) {
        if (!window[i].armed)
            continue;
        if (fired[i])
            check_cmp(window[i].from, <=, now);
        else
            check_cmp(window[i].to, >, now / TICK * TICK);
    }
}

Test(timer, is_in_its_window_under_random_arms_cancels_and_resets)
{
    static struct window window[NAPS];
    int64_t              now;
    int                  n = 200;

    begin();
    now = base;
    for (int round = 0; round < test_scaled(3000); round++) {
        int64_t span = INT64_C(1) << (16 + dice() % 40); /* 65 us to 2 years */

        for (int i = 0; i < n; i++) {
            int64_t deadline = now + 1 + (int64_t)(dice() % (uint64_t)span);
            int64_t accuracy = dice() % 2 ? 0 : (int64_t)(dice() % (uint64_t)span) / TICK;

            if (window[i].armed && fired[i]) {
                wf_timer_disarm(&nap[i]);
                window[i].armed = false;
            } else if (window[i].armed && dice() % 16 == 0) {
                wf_timer_disarm(&nap[i]);
                window[i].armed = false;
            } else if (window[i].armed && dice() % 4 == 0) {
                wf_timer_move(&nap[i], deadline);
                check_eq(nap[i].state_, WF_NAP_ARMED);
                window[i].to += deadline - window[i].from;
                window[i].from = deadline;
            } else if (!window[i].armed && dice() % 4 == 0) {
                weft_waker waker = {&nap_vtable, &fired[i]};

                fired[i] = 0;
                accuracy = accuracy < UINT32_MAX ? accuracy : UINT32_MAX;
                nap[i] =
                    (struct weft_sleep){.deadline_ = deadline, .accuracy_ = (uint32_t)accuracy};
                check(wf_timer_arm(timers, &nap[i], now - (int64_t)(dice() % 3) * TICK, &waker));
                window[i] = (struct window){true, deadline, deadline + accuracy * TICK + TICK};
            }
        }
        if (now < 50 * YEARS)
            now += (int64_t)(dice() % (uint64_t)span);
        wf_timers_fire(timers, now);
        check_windows(window, n, now);
        check_cmp(wf_timers_next(timers), >, now);
    }
    wf_timers_stop(&rt);
}

/* Goes from one announced instant to the next until all n timers have fired. Returns how many
 * instants there were. */
static int hop(int n)
{
    int n_hops = 0;

    for (; n_fired < n; n_hops++)
        wf_timers_fire(timers, wf_timers_next(timers));
    return n_hops;
}

Test(timer, with_an_accuracy_of_a_second_a_thousand_need_few_wakes)
{
    begin();
    for (int i = 0; i < 1000; i++) {
        arm(i, base + WEFT_MS(10) * i + 1 + (int64_t)(dice() % WEFT_MS(10)));
        wf_timer_disarm(&nap[i]);
        nap[i].accuracy_ = (uint32_t)(WEFT_S(1) / TICK);
        check(wf_timer_arm(timers, &nap[i], base, &(weft_waker){&nap_vtable, &fired[i]}));
    }
    check_cmp(hop(1000), <=, 30); /* over 11 s: at least 10 would do */
    check_cmp(timers->n_wakes, <=, 22);
    check_cmp(timers->late.max, <=, TICK); /* behind what it allowed */
    wf_timers_stop(&rt);
}

Test(timer, without_an_accuracy_a_thousand_wake_as_often)
{
    begin();
    for (int i = 0; i < 1000; i++)
        arm(i, base + WEFT_MS(10) * i + 1);
    hop(1000);
    check_eq(timers->n_wakes, 1000);
    wf_timers_stop(&rt);
}

Test(timer, moved_back_again_and_again_stays_where_it_is_until_its_slot_comes)
{
    begin();
    arm(0, base + WEFT_S(1));
    for (int i = 0; i < 100; i++)
        wf_timer_move(&nap[0], base + WEFT_S(1) + WEFT_MS(100) * i);
    check_cmp(wf_timers_next(timers), <=, base + WEFT_S(1) + TICK);
    wf_timers_fire(timers, base + WEFT_S(2));
    check_eq(n_fired, 0);
    wf_timers_fire(timers, base + WEFT_MS(10900));
    check_eq(n_fired, 0);
    wf_timers_fire(timers, base + WEFT_MS(10900) + TICK);
    check_eq(n_fired, 1);
    wf_timers_stop(&rt);
}

Test(timer, moved_forward_wakes_a_reactor_that_sleeps_too_long)
{
    begin();
    arm(0, base + YEARS);
    rt.driver->sleeps_until = wf_timers_next(timers);
    wf_timer_move(&nap[0], base + YEARS + WEFT_S(5));
    check_eq(n_wakes, 0);
    wf_timer_move(&nap[0], base);
    check_eq(n_wakes, 1);
    wf_timers_fire(timers, base + TICK);
    check_eq(n_fired, 1);
    wf_timers_stop(&rt);
}

Test(timer, moved_after_it_has_fired_is_unarmed)
{
    begin();
    arm(0, base);
    wf_timers_fire(timers, base + TICK);
    wf_timer_move(&nap[0], base + WEFT_S(1));
    check_eq(nap[0].state_, WF_NAP_UNARMED);
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_stop(&rt);
}

Test(timer, armed_with_an_old_idea_of_now_fires_all_the_same)
{
    weft_waker waker = {&nap_vtable, &fired[0]};

    begin();
    wf_timers_fire(timers, base);
    nap[0] = (struct weft_sleep){.deadline_ = base - WEFT_S(1)};
    check(wf_timer_arm(timers, &nap[0], base - WEFT_S(2), &waker));
    check_cmp(wf_timers_next(timers), <=, base);
    wf_timers_fire(timers, base + TICK);
    check_eq(n_fired, 1);
    wf_timers_stop(&rt);
}

Test(timer, lateness_is_counted_in_powers_of_two)
{
    struct weft_runtime_counters c = {0};

    begin();
    arm(0, base);
    arm(1, base);
    wf_timer_disarm(&nap[1]);
    wf_timers_fire(timers, base + WEFT_S(1));
    arm(2, base + WEFT_S(2));
    wf_timers_fire(timers, base + WEFT_S(3600));
    wf_timers_count(timers, &c);
    check_eq(c.timers_armed, 3);
    check_eq(c.timers_cancelled, 1);
    check_eq(c.timers_fired, 2);
    check_eq(c.timer_wakes, 2);
    check_eq(c.timers_late_ns, WEFT_S(3599));
    check_eq(c.timers_late_max_ns, WEFT_S(3598));
    check_eq(c.timers_late[14], 1); /* less than 2^30 ns */
    check_eq(c.timers_late[WEFT_LATE_BUCKETS - 1], 1);
    wf_timers_stop(&rt);
}

Test(timer, clock_that_is_stopped_lets_nothing_fire)
{
    int64_t at;

    begin();
    wf_clock_set(&timers->clock, WEFT_CLOCK_STOPPED);
    at = wf_clock_now(&timers->clock);
    arm(0, at + WEFT_MS(5));
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_fire(timers, base + YEARS);
    check_eq(n_fired, 0);
    check_eq(wf_clock_now(&timers->clock), at);
    check(wf_clock_move(&timers->clock, WEFT_MS(5) + TICK));
    check_cmp(wf_timers_next(timers), <=, wf_now());
    wf_timers_fire(timers, wf_now());
    check_eq(n_fired, 1);
    wf_timers_stop(&rt);
}

Test(timer, clock_that_runs_again_goes_on_from_where_it_was)
{
    int64_t at, real;

    begin();
    wf_clock_set(&timers->clock, WEFT_CLOCK_STOPPED);
    check(wf_clock_move(&timers->clock, WEFT_S(1000)));
    at = wf_clock_now(&timers->clock);
    wf_clock_set(&timers->clock, WEFT_CLOCK_RUNS);
    check(!wf_clock_move(&timers->clock, 1));
    real = wf_now();
    check_cmp(wf_clock_now(&timers->clock), >=, at);
    check_cmp(wf_clock_now(&timers->clock), >=, real + WEFT_S(999));
    arm(0, at + WEFT_S(50));
    check_cmp(wf_timers_next(timers), <=, wf_now() + WEFT_S(51)); /* the kernel's time */
    wf_timers_stop(&rt);
}

Test(timer, clock_that_jumps_goes_from_timer_to_timer)
{
    begin();
    wf_clock_set(&timers->clock, WEFT_CLOCK_JUMPS);
    for (int i = 0; i < 20; i++)
        arm(i, base + WEFT_S(i) * i * i);
    arm(20, base + WEFT_S(2));
    wf_timer_disarm(&nap[20]); /* moves no clock */
    for (int i = 0; i < 20; i++) {
        check(wf_timers_jump(timers));
        check_eq(last_fired, i);
        check_cmp(wf_clock_now(&timers->clock), >=, nap[i].deadline_);
        check_cmp(wf_clock_now(&timers->clock), <, nap[i].deadline_ + TICK);
    }
    check(!wf_timers_jump(timers));
    wf_timers_stop(&rt);
}

static void wake_in_order(void *data)
{
    check_eq((int64_t *)data - fired, n_fired);
    nap_wake(data);
}

static const weft_waker_vtable in_order_vtable = {nap_clone, wake_in_order, wake_in_order, nap_drop,
                                                  NULL};

Test(timer, clock_moved_by_hand_fires_in_order_whatever_the_wheel)
{
    static wf_worker worker[2] = {{.index = 0}, {.index = 1}};

    begin();
    wf_timers_stop(&rt);
    rt.config.workers = 2;
    check_eq(wf_timers_start(&rt), 0);
    timers = rt.timers;
    wf_clock_set(&timers->clock, WEFT_CLOCK_STOPPED);
    for (int i = 0; i < 100; i++) {
        wf_current_thread.worker = &worker[i * 7 % 3 % 2];
        arm(i, base + WEFT_MS(2) * i);
        nap[i].waker_.vtable = &in_order_vtable;
    }
    wf_current_thread.worker = NULL;
    check(wf_clock_move(&timers->clock, WEFT_S(7200)));
    wf_timers_fire(timers, wf_now());
    check_eq(n_fired, 100);
    wf_timers_stop(&rt);
}
