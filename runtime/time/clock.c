/*
 * clock.c - clocks for tests
 *
 * Purpose     Stops, moves and releases a runtime's clock. Tells the clock whether blocking jobs
 *             run and whether threads in weft_block_on are awake.
 * Threads     Any.
 * Invariants  See sched/base/clock.h.
 * Ordering    [driver-1] The clock changes before the reactor is told.
 * Failure     None.
 */
#include "blocked.h"
#include "pools.h"
#include "timer.h"

static bool is_quiet(weft_runtime *rt)
{
    return wf_pools_are_quiet(rt) && wf_blocked_are_asleep(rt);
}

static void tell_reactor(weft_runtime *rt)
{
    wf_driver_hint(rt->driver, WF_DRIVER_NOW);
}

WEFT_API void weft_clock_set(weft_runtime *rt, weft_clock mode)
{
    rt = wf_rt_needed(__func__, rt);
    wf_store(&rt->timers->clock.is_quiet, is_quiet, RELAXED); /* released with the mode */
    wf_clock_set(&rt->timers->clock, mode);
    tell_reactor(rt);
}

WEFT_API int weft_clock_advance(weft_runtime *rt, int64_t duration)
{
    rt = wf_rt_or_current(rt);
    if (!rt)
        return -ENXIO;
    if (duration < 0 || !wf_clock_move(&rt->timers->clock, duration))
        return -EINVAL;
    tell_reactor(rt);
    return 0;
}

WEFT_API int64_t weft_clock_now(const weft_runtime *rt)
{
    return wf_clock_now(&wf_rt_needed(__func__, rt)->timers->clock);
}
