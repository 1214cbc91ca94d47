/* test_timer.c - the timer wheels against a naive model */
#include "timers.h"

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
