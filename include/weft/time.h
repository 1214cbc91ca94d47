/*
 * time.h - sleeping, and futures with a limit in time
 *
 * Instants count CLOCK_MONOTONIC in nanoseconds. Timers are never early; they are late by up to
 * about a millisecond. `nanosleep` in a task stops its worker: use weft_sleep.
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/runtime.h>

WEFT_BEGIN_DECLS

typedef struct weft_nap {
    weft_future      future;
    weft_waker       waker_;
    struct weft_nap *next_, *prev_;
    void            *wheel_;
    int64_t          deadline_;
    uint32_t         slot_;
    uint32_t         state_;
} weft_nap;

/* Now. Any thread. */
WEFT_API int64_t weft_now(void);

/* Ends with 0 once `duration` has passed since this call. WITHDRAWS. -ENXIO without a runtime. */
WEFT_API weft_future *weft_sleep(weft_nap *nap, int64_t duration);

/* Ends with 0 once the instant has come. WITHDRAWS. */
WEFT_API weft_future *weft_sleep_until(weft_nap *nap, int64_t instant);

typedef struct weft_limit {
    weft_future  future;
    weft_future *inner_;
    weft_nap     nap_;
} weft_limit;

/* The future's own result if it ends within `duration` of this call. Otherwise the future is cancelled
 * and polled until it has ended; the result is -ETIMEDOUT if it then answered -ECANCELED, else its
 * own. The future is polled first: one that is ready at once never times out. -ENXIO without a
 * runtime. DRAINS as the future does. */
WEFT_API weft_future *weft_timeout(weft_limit *limit, weft_future *future, int64_t duration);

/* The same with an instant. */
WEFT_API weft_future *weft_timeout_at(weft_limit *limit, weft_future *future, int64_t instant);

typedef struct weft_guard {
    weft_future  future;
    weft_future *inner_;
    int64_t      patience_;
    weft_nap     nap_;
    bool         counts_; /* the cancel has come */
} weft_guard;

/* A future that lets clean-up code await: when its task or a select cancels it, the guarded future hears of
 * that only `patience` nanoseconds later (at once if there is no runtime to count them, or the task
 * panicked). In a task that is cancelled already it begins all the same. The result is the guarded
 * future's. DRAINS.
 *
 *     WEFT_AWAIT(n, weft_shield(&self->guard, weft_write_all(&self->io, conn, bye, 4), WEFT_MS(500)));
 */
WEFT_API weft_future *weft_shield(weft_guard *guard, weft_future *future, int64_t patience);

WEFT_END_DECLS

#endif
