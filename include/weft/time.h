/*
 * time.h - sleeping, futures with a limit in time, and clocks for tests
 *
 * Instants are nanoseconds of the runtime's clock: CLOCK_MONOTONIC, unless a test has changed that. Timers
 * are never early; they are late by up to about a millisecond, and by the accuracy that was given.
 * `nanosleep` in a task stops its worker: use weft_sleep.
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/runtime.h>

WEFT_BEGIN_DECLS

typedef struct weft_nap {
    weft_future      future;
    weft_waker       waker_;
    struct weft_nap *next_;
    union {
        struct weft_nap **link_; /* armed: what points at it */
        int64_t           made_; /* unarmed: when, if known */
    };
    union {
        void       *wheel_; /* armed */
        const void *maker_; /* unarmed, outside_: whose clock made_ is of, a runtime; NULL: none */
    };
    int64_t  deadline_;
    uint32_t accuracy_; /* in ticks */
    uint8_t  state_;
    bool     outside_; /* made_ is of a thread without a runtime, or of a test's clock */
    bool     foreign_; /* armed: not by a worker of the runtime, which counts it */
} weft_nap;

/* Now, by the clock of the caller's runtime; without one CLOCK_MONOTONIC. Any thread. */
WEFT_API int64_t weft_now(void);

/* Ends with 0 once `duration` has passed since this call; polled by another runtime than the caller's,
 * one of the two with a test's clock, since its first poll. WITHDRAWS. -ENXIO without a runtime. */
WEFT_API weft_future *weft_sleep(weft_nap *nap, int64_t duration);

/* Ends with 0 once the instant has come. WITHDRAWS. */
WEFT_API weft_future *weft_sleep_until(weft_nap *nap, int64_t instant);

/* The same two for what is in no hurry: they may end up to `accuracy` nanoseconds later. Timers whose times
 * overlap end together, so that a process with many of them wakes up rarely. */
WEFT_API weft_future *weft_sleep_about(weft_nap *nap, int64_t duration, int64_t accuracy);
WEFT_API weft_future *weft_sleep_until_about(weft_nap *nap, int64_t instant, int64_t accuracy);

/* Gives a sleep another instant, earlier or later, whether it has been polled or not; one that was READY
 * is as good as new. Its accuracy stays. Poll it afterwards (await it): if its time had come already,
 * only that poll begins to wait again. Its owner, between polls. Cheap: moving a timer back,
 * again and again, does not touch the wheel. */
WEFT_API void weft_nap_reset(weft_nap *nap, int64_t instant);

/* ---- intervals ---- */

/* What an interval does when its ticks are not awaited in time. */
typedef enum weft_interval_late {
    WEFT_INTERVAL_BURST, /* the ticks that were missed come at once, until it has caught up */
    WEFT_INTERVAL_DELAY, /* the next tick comes a period after this one, if that was 5 ms late or more:
                            all later ones shift */
    WEFT_INTERVAL_SKIP, /* ticks that were missed never come; the others come when they would have */
} weft_interval_late;

typedef struct weft_interval {
    weft_future        future;
    int64_t            next_, period_;
    weft_interval_late late_;
    weft_nap           nap_;
} weft_interval;

/* An interval whose first tick comes at once (for a thread without a runtime: when it is awaited), or at
 * the instant, and then one each `period` (at least 1 ns). Plain data until a tick is awaited; any thread. The caller's memory. */
WEFT_API void weft_interval_start(weft_interval *interval, int64_t period, weft_interval_late late);
WEFT_API void weft_interval_start_at(weft_interval *interval, int64_t instant, int64_t period,
                                     weft_interval_late late);

/* Its ticks may come that much later; see weft_sleep_about. Before the first tick is awaited. */
WEFT_API void weft_interval_about(weft_interval *interval, int64_t accuracy);

/* Ends when the next tick comes, with the number of whole periods by which it is late: 0 as long as the
 * caller keeps up. One at a time. WITHDRAWS; a tick that was not delivered is the next one's.
 * -ENXIO without a runtime.
 *
 *     weft_interval_start(&self->every, WEFT_S(1), WEFT_INTERVAL_SKIP);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_interval_tick(&self->every));
 */
WEFT_API weft_future *weft_interval_tick(weft_interval *interval);

/* The next tick comes one period from now, or at the instant; also one that is being awaited, which is
 * to be polled afterwards. Its owner, between polls. */
WEFT_API void weft_interval_reset(weft_interval *interval);
WEFT_API void weft_interval_reset_at(weft_interval *interval, int64_t instant);

/* ---- limits ---- */

typedef struct weft_limit {
    weft_future  future;
    weft_future *inner_;
    weft_nap     nap_;
} weft_limit;

/* The future's own result if it ends within `duration` of this call. Otherwise the future is cancelled
 * and polled until it has ended; the result is -ETIMEDOUT if it then answered -ECANCELED, else its
 * own. The future is polled first: one that is ready at once never times out. -ENXIO without a
 * runtime. DRAINS as the future does.
 *
 * The limit holds for all that the future awaits, however deep: functions called, branches, futures.
 * Of limits within each other the earliest counts. Whoever is polled below can ask for it:
 * weft_context_deadline(cx), weft_deadline_left(cx). When it has passed, the awaits below end with
 * -ECANCELED as by any cancel, and the timeout with -ETIMEDOUT. A task spawned below lives its own life and
 * has no limit, unless it is told one: `.until = weft_context_deadline(cx)`, and weft_timeout_at there. What
 * weft_shield guards is bound by nothing but its patience. */
WEFT_API weft_future *weft_timeout(weft_limit *limit, weft_future *future, int64_t duration);

/* The same with an instant. */
WEFT_API weft_future *weft_timeout_at(weft_limit *limit, weft_future *future, int64_t instant);

/* How long until the nearest limit around the poll: 0 if it has passed, WEFT_FOREVER if there is none. */
static inline int64_t weft_deadline_left(const weft_context *cx)
{
    int64_t now;

    if (cx->deadline == WEFT_FOREVER)
        return WEFT_FOREVER;
    now = weft_now();
    return cx->deadline > now ? cx->deadline - now : 0;
}

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

/* ---- clocks for tests ---- */

typedef enum weft_clock {
    WEFT_CLOCK_RUNS,    /* as fast as CLOCK_MONOTONIC; from the start on it is just that */
    WEFT_CLOCK_STOPPED, /* moved by weft_clock_advance only */
    /* Also goes to the next timer by itself when nobody has anything to do: no task can run, no thread in
     * weft_block_on, no blocking job is there, and the kernel has had no operation (on files, a connect)
     * for less than 50 ms: those that last longer wait for somebody outside. Sockets that wait for
     * bytes don't hold it up. Of a current-thread runtime only while some thread is in
     * weft_block_on. */
    WEFT_CLOCK_JUMPS,
} weft_clock;

/* Makes the runtime's clock stop where it is, jump or go on from where it is. What sleeps, limits and
 * intervals see, and weft_now() in its tasks, is that clock; nothing else is (the watchdog, the patience of
 * weft_runtime_stop). What a thread without a runtime makes (sleeps, limits, intervals) begins when it is first polled. Before anything
 * sleeps, by the thread that started the runtime; later by any. */
WEFT_API void weft_clock_set(weft_runtime *rt, weft_clock mode);

/* Moves a clock that is stopped; what is due fires in the order of its milliseconds, soon after. 0;
 * -EINVAL: it runs, or `duration` is below 0. Any thread. */
WEFT_API WEFT_NODISCARD int weft_clock_advance(weft_runtime *rt, int64_t duration);

/* What time it is there. Any thread. */
WEFT_API int64_t weft_clock_now(const weft_runtime *rt);

WEFT_END_DECLS

#endif
