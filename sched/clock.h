/*
 * clock.h - what time it is, for a runtime
 *
 * Purpose     CLOCK_MONOTONIC; or, for tests, a clock that stands still and is moved by hand or by
 *             idleness.
 * Threads     Any. Who sets it holds its lock.
 * Invariants  O1 a clock never goes back, and stops at WEFT_FOREVER. O2 `used` is set before the
 *             clock differs from CLOCK_MONOTONIC, and stays.
 * Ordering    [clock-1] `stopped_at` releases what was set before.
 * Failure     None.
 */
#ifndef WF_CLOCK_H
#define WF_CLOCK_H

#include "order.h"
#include "rt.h"

#include <time.h>
#include <weft/time.h>

#define WF_CLOCK_RUNS INT64_MIN

typedef struct wf_clock {
    bool     used;
    uint32_t lock;
    int64_t  stopped_at; /* WF_CLOCK_RUNS, or where it stands */
    int64_t  offset;     /* to CLOCK_MONOTONIC while it runs */
    bool     jumps; /* stopped: goes to the first timer when nobody has anything to do, as ... */
    bool (*is_quiet)(weft_runtime *rt); /* ... those say whom the reactor doesn't see */
} wf_clock;

static inline int64_t wf_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* `duration` behind the instant: WEFT_FOREVER at most, INT64_MIN at least. */
static inline int64_t wf_after(int64_t instant, int64_t duration)
{
    int64_t sum;

    if (__builtin_expect(!__builtin_add_overflow(instant, duration, &sum), 1))
        return sum;
    return duration > 0 ? WEFT_FOREVER : INT64_MIN;
}

/* Of CLOCK_MONOTONIC. */
void wf_clock_init(wf_clock *c);
/* Of a clock in use. */
int64_t wf_clock_now_moved(const wf_clock *c);
void    wf_clock_set(wf_clock *c, weft_clock mode);
/* Whether it jumps, and nobody whom the reactor doesn't see is busy. */
bool wf_clock_is_quiet(wf_clock *c, weft_runtime *rt);
/* The runtime ends: `is_quiet` is not called any more. */
void wf_clock_end(wf_clock *c);
/* Forward to the instant; false: it doesn't jump any more. */
bool wf_clock_jump(wf_clock *c, int64_t instant);
/* False: it isn't stopped. */
bool wf_clock_move(wf_clock *c, int64_t duration);

static inline bool wf_clock_is_used(const wf_clock *c)
{
    return __builtin_expect(wf_load(&c->used, RELAXED), 0); /* tests set it before they begin */
}

static inline int64_t wf_clock_now(const wf_clock *c)
{
    return wf_clock_is_used(c) ? wf_clock_now_moved(c) : wf_now();
}

/* Whether it jumps. */
static inline bool wf_clock_jumps(const wf_clock *c)
{
    return wf_clock_is_used(c) && wf_load(&c->jumps, ACQUIRE); /* [clock-1] */
}

#endif
