/*
 * clocks.h - a runtime with a test clock, for the tests of time that several files hold
 */
#ifndef CLOCKS_H
#define CLOCKS_H

#include "../helpers.h"

#define TICK (INT64_C(1) << 20) /* how late a timer may be */

static inline weft_runtime *start_jumping(int64_t workers)
{
    weft_runtime *rt = start(workers);

    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    return rt;
}

/* Returns when n timers of the runtime are armed. */
static inline void until_armed(weft_runtime *rt, uint64_t n)
{
    struct weft_runtime_counters c;

    do
        weft_runtime_counters(rt, &c);
    while (c.timers_armed < n);
}

#endif
