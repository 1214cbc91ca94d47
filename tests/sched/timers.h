/* timers.h - timers without a runtime for the tests of the wheels; the test says what time it is */
#ifndef TIMERS_H
#define TIMERS_H

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

static inline void wake(wf_driver *driver)
{
    driver->state = WF_DRIVER_IN_KERNEL; /* the driver has seen the notice and sleeps again */
    n_wakes++;
}

static inline void begin(void)
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

static inline weft_waker nap_clone(void *data);

static inline void nap_wake(void *data)
{
    fired[(int64_t *)data - fired]++;
    n_fired++;
    last_fired = (int64_t *)data - fired;
}

static inline void nap_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable nap_vtable = {nap_clone, nap_wake, nap_wake, nap_drop, NULL};

static inline weft_waker nap_clone(void *data)
{
    return (weft_waker){&nap_vtable, data};
}

static inline void arm(int i, int64_t deadline)
{
    weft_waker waker = {&nap_vtable, &fired[i]};

    fired[i] = 0;
    nap[i] = (struct weft_sleep){.deadline_ = deadline};
    check(wf_timer_arm(timers, &nap[i], wf_clock_now(&timers->clock), &waker));
}

/* Pseudo-random, the same in each run. */
static inline uint64_t dice(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

#endif
