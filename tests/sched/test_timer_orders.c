/* test_timer_orders.c - a timer fires while its owner polls, cancels or moves it, in every order
 * of their steps */
#include "explore.h"

#include "timer.c"
#include "wheel.c"

#define BASE (INT64_C(1000) * WF_TIMER_TICK)

static union {
    wf_timers timers;
    char      room[sizeof(wf_timers) + sizeof(wf_wheel)];
} memory;
static wf_timers        *timers = &memory.timers;
static struct weft_sleep nap;
static int               n_wakes;
static bool              ended, fired;
static wf_driver         driver = {.sleeps_until = WF_DRIVER_NO_WAIT};
static weft_runtime      rt = {.driver = &driver};

static weft_waker waker_clone(void *data);

static void waker_wake(void *data)
{
    (void)data;
    n_wakes++;
}

static void waker_drop(void *data)
{
    (void)data;
}

/* Does what a task's waker does: marks the task under the lock, in one step. */
static void *waker_notify(void *data)
{
    (void)data;
    wf_add(&n_wakes, 1, RELAXED); /* a step: the other thread may come first */
    return NULL;
}

static const weft_waker_vtable vtable = {waker_clone, waker_wake, waker_wake, waker_drop,
                                         waker_notify};
static const weft_waker_vtable others = {waker_clone, waker_wake, waker_wake, waker_drop,
                                         waker_notify};

static weft_waker waker_clone(void *data)
{
    return (weft_waker){&vtable, data};
}

static const weft_waker waker = {&vtable, NULL};

static void set_up(void)
{
    memset(&memory, 0, sizeof memory);
    wf_clock_init(&timers->clock);
    timers->rt = &rt;
    timers->n_wheels = 1;
    timers->wheel[0].timers = timers;
    timers->wheel[0].next = WEFT_FOREVER;
    nap = (struct weft_sleep){.deadline_ = BASE};
    n_wakes = 0;
    ended = fired = false;
    check(wf_timer_arm(timers, &nap, BASE - WF_TIMER_TICK, &waker));
}

static void fire(void)
{
    wf_timers_fire(timers, BASE);
}

/* The owner has the timer back, and uses its memory for another purpose. */
static void reuse(void)
{
    memset(&nap, 0, sizeof nap);
    nap.waker_.vtable = &others;
    ended = true;
}

static void poll(void)
{
    for (int i = 0; i < 2 && !ended; i++)
        if (wf_timer_poll(&nap, &waker)) {
            fired = true;
            check_eq(wf_load(&n_wakes, RELAXED), 1); /* published by FIRED */
            reuse();
        }
}

static void disarm(void)
{
    wf_timer_disarm(&nap);
    /* Published by FIRED, unless this thread has cancelled the timer. */
    check_eq(wf_load(&n_wakes, RELAXED) + (int)timers->wheel[0].n_cancelled, 1);
    reuse();
}

static void is_untouched(void)
{
    check_eq(n_wakes, timers->n_fired);
    check_cmp(timers->n_fired + timers->wheel[0].n_cancelled, <=, 1);
    if (fired)
        check_eq(n_wakes, 1);
    if (ended)
        check(nap.waker_.vtable == &others && !nap.next_ && !nap.link_);
    else
        check_eq(nap.state_, WF_NAP_FIRED);
}

Test(timer_orders, who_reads_that_it_has_fired_has_it_for_himself)
{
    explore(4, 2, set_up, is_untouched, 2, (void (*const[])(void)){fire, poll});
}

Test(timer_orders, who_cancels_has_it_for_himself)
{
    explore(4, 2, set_up, is_untouched, 2, (void (*const[])(void)){fire, disarm});
    explore(4, 2, set_up, is_untouched, 2, (void (*const[])(void)){disarm, fire});
}

static void move(void)
{
    wf_timer_move(&nap, BASE + WF_TIMER_TICK);
}

static void fires_once_now_or_later(void)
{
    int before = n_wakes;

    if (nap.state_ == WF_NAP_UNARMED) {
        check_eq(before, 1);
        return;
    }
    wf_timers_fire(timers, BASE + WF_TIMER_TICK);
    check_eq(n_wakes, 1);
    check_eq(nap.state_, WF_NAP_FIRED);
}

Test(timer_orders, who_moves_it_finds_it_fired_or_fires_it_later)
{
    explore(4, 2, set_up, fires_once_now_or_later, 2, (void (*const[])(void)){fire, move});
}
