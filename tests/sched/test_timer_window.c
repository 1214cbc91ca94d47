/* test_timer_window.c - timers that may be late, and timers that are moved */
#include "timers.h"

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

Test(timer_window, is_in_its_window_under_random_arms_cancels_and_resets)
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

Test(timer_window, with_an_accuracy_of_a_second_a_thousand_need_few_wakes)
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

Test(timer_window, without_an_accuracy_a_thousand_wake_as_often)
{
    begin();
    for (int i = 0; i < 1000; i++)
        arm(i, base + WEFT_MS(10) * i + 1);
    hop(1000);
    check_eq(timers->n_wakes, 1000);
    wf_timers_stop(&rt);
}

Test(timer_window, moved_back_again_and_again_stays_where_it_is_until_its_slot_comes)
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

Test(timer_window, moved_forward_wakes_a_reactor_that_sleeps_too_long)
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

Test(timer_window, moved_after_it_has_fired_is_unarmed)
{
    begin();
    arm(0, base);
    wf_timers_fire(timers, base + TICK);
    wf_timer_move(&nap[0], base + WEFT_S(1));
    check_eq(nap[0].state_, WF_NAP_UNARMED);
    check_eq(wf_timers_next(timers), WEFT_FOREVER);
    wf_timers_stop(&rt);
}
