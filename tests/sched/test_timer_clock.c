/* test_timer_clock.c - clocks that a test stops, moves and lets jump */
#include "timers.h"

Test(timer_clock, that_is_stopped_lets_nothing_fire)
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

Test(timer_clock, that_runs_again_goes_on_from_where_it_was)
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

Test(timer_clock, that_jumps_goes_from_timer_to_timer)
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

Test(timer_clock, moved_by_hand_fires_in_order_whatever_the_wheel)
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
