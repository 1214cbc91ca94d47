/* test_time_accuracy.c - timers share wakes as far as their accuracies allow */
#include "clocks.h"

struct lazy {
    WEFT_FRAME;
    struct {
        int64_t duration, accuracy;
    } in;
    struct weft_sleep nap;
    int64_t           begun;
};
WEFT_ASYNC(lazy)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_sleep_about(&self->nap, self->in.duration, self->in.accuracy));
    check_eq(n, 0);
    n = weft_now() - self->begun - self->in.duration;
    check_cmp(n, >=, 0);
    check_cmp(n, <=, self->in.accuracy + TICK);
    WEFT_END(0);
}

/* Returns how many wakes a thousand timers within 10 s need. */
static uint64_t wakes_of(int64_t accuracy)
{
    static weft_handle           handle[1000];
    weft_runtime                *rt = start(2);
    struct weft_runtime_counters c;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    for (int64_t i = 0; i < 1000; i++)
        check_eq(weft_spawn_on(rt, &handle[i], lazy, WEFT_MS(10) * (i * 7919 % 1000), accuracy), 0);
    until_armed(rt, 999); /* all but the timer of 0 ns */
    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    for (int i = 0; i < 1000; i++)
        check_eq(join(rt, &handle[i]), 0);
    weft_runtime_counters(rt, &c);
    check_cmp(c.timers_fired, >=, 999);
    check_cmp(c.timers_late_max_ns, <=, TICK);
    stop(rt);
    return c.timer_wakes;
}

Test(time_accuracy, accuracy_of_a_second_saves_most_wakes)
{
    check_cmp(wakes_of(0), >=, 900);
    check_cmp(wakes_of(WEFT_S(1)), <=, 24);
}
