/*
 * clock.h - the time, for a runtime
 *
 * Purpose     CLOCK_MONOTONIC. For tests, a clock that stands still, and that the test or an idle
 *             runtime moves.
 * Threads     Any. A thread that sets it holds its lock.
 * Invariants  O1 a clock never goes back, and stops at WEFT_FOREVER. O2 `used` is set before the
 *             clock differs from CLOCK_MONOTONIC, and stays set.
 * Ordering    [clock-1] `stopped_at` releases the fields that were set before it.
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
    bool     jumps;      /* stopped, but goes to the first timer whenever the runtime is idle */
    bool (*is_quiet)(weft_runtime *rt); /* whether all that the reactor doesn't see is idle */
} wf_clock;

static inline int64_t wf_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* The instant plus the duration, at most WEFT_FOREVER and at least INT64_MIN. */
static inline int64_t wf_after(int64_t instant, int64_t duration)
{
    int64_t sum;

    if (__builtin_expect(!__builtin_add_overflow(instant, duration, &sum), 1))
        return sum;
    return duration > 0 ? WEFT_FOREVER : INT64_MIN;
}

/* Makes a clock that is CLOCK_MONOTONIC. */
void wf_clock_init(wf_clock *c);
/* The time of a clock that is used. */
int64_t wf_clock_now_moved(const wf_clock *c);
void    wf_clock_set(wf_clock *c, weft_clock mode);
/* Whether the clock jumps, and all that the reactor doesn't see is idle. */
bool wf_clock_is_quiet(wf_clock *c, weft_runtime *rt);
/* The runtime ends: `is_quiet` is not called after this. */
void wf_clock_end(wf_clock *c);
/* Moves a clock that jumps forward to the instant. Returns false if it doesn't jump any more. */
bool wf_clock_jump(wf_clock *c, int64_t instant);
/* Moves a stopped clock by a duration. Returns false if it isn't stopped. */
bool wf_clock_move(wf_clock *c, int64_t duration);

static inline bool wf_clock_is_used(const wf_clock *c)
{
    return __builtin_expect(wf_load(&c->used, RELAXED), 0); /* tests set it before they begin */
}

static inline int64_t wf_clock_now(const wf_clock *c)
{
    return wf_clock_is_used(c) ? wf_clock_now_moved(c) : wf_now();
}

/* Whether the clock jumps. */
static inline bool wf_clock_jumps(const wf_clock *c)
{
    return wf_clock_is_used(c) && wf_load(&c->jumps, ACQUIRE); /* [clock-1] */
}

#endif
