/*
 * time.h - sleeping, futures with a limit in time, and clocks for tests
 *
 * Instants are nanoseconds of the runtime's clock. That is CLOCK_MONOTONIC, unless a test has
 * changed it. Durations are nanoseconds, too. Timers are never early. They are late by up to about
 * a millisecond, and by the accuracy that was given. In a task, nanosleep(2) stops the worker: use
 * weft_sleep.
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/runtime.h>

WEFT_BEGIN_DECLS

/* The state of a weft_sleep, in memory of the caller. */
struct weft_sleep {
    weft_future        future;
    weft_waker         waker_;
    struct weft_sleep *next_;
    union {
        struct weft_sleep **link_; /* armed: the link that points at it */
        int64_t             made_; /* unarmed: when it was made, if known */
    };
    union {
        void       *wheel_; /* armed */
        const void *maker_; /* unarmed, outside_: the runtime of the clock of made_, or NULL */
    };
    int64_t  deadline_;
    uint32_t accuracy_; /* in ticks */
    uint8_t  state_;
    bool     outside_; /* made_ comes from a thread without a runtime, or from a test's clock */
    bool     foreign_; /* armed, but not by a worker of the runtime; the runtime counts it */
};

/*
 * Returns the current instant of the clock of the caller's runtime.
 *
 * Thread:  any. In a thread without a runtime the clock is CLOCK_MONOTONIC.
 */
WEFT_API int64_t weft_now(void);

/*
 * Returns the current instant of a runtime's clock. If `rt` is NULL, it is the runtime of the
 * calling thread, and without one the function aborts.
 *
 * Thread:  any.
 */
WEFT_API int64_t weft_clock_now(const weft_runtime *rt);

/*
 * Sleeps for `duration` nanoseconds. The duration counts from this call. There is one exception:
 * if the future is polled by another runtime than the caller's, and one of the two has a test's
 * clock, the duration counts from the first poll.
 *
 * Returns: 0.
 * Errors:  -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_sleep(struct weft_sleep *nap, int64_t duration);

/*
 * Sleeps until an instant of the runtime's clock.
 *
 * Returns: 0.
 * Errors:  -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_sleep_until(struct weft_sleep *nap, int64_t instant);

/*
 * Sleeps for a duration that need not be exact. The sleep may last up to `accuracy` nanoseconds
 * longer. Sleeps that overlap in this way end together, so that a process with many of them wakes
 * up rarely. The duration counts from this call. There is one exception: if the future is polled
 * by another runtime than the caller's, and one of the two has a test's clock, the duration counts
 * from the first poll.
 *
 * Returns: 0.
 * Errors:  -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_sleep_about(struct weft_sleep *nap, int64_t duration, int64_t accuracy);

/*
 * Sleeps until an instant that need not be exact. The sleep may last up to `accuracy` nanoseconds
 * longer. Sleeps that overlap in this way end together, so that a process with many of them wakes
 * up rarely.
 *
 * Returns: 0.
 * Errors:  -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED.
 */
WEFT_API weft_future *weft_sleep_until_about(struct weft_sleep *nap, int64_t instant,
                                             int64_t accuracy);

/*
 * Moves a sleep to another instant, earlier or later. It works on unpolled, pending and finished
 * sleeps. A finished one can be awaited again. The accuracy stays. Poll (await) the sleep
 * afterwards: if its time had come already, it starts to wait at that poll.
 *
 * Moving a sleep to a later instant is cheap, again and again: it does not touch the timer wheel.
 *
 * Thread:  the owner of the sleep, between polls.
 */
WEFT_API void weft_sleep_reset(struct weft_sleep *nap, int64_t instant);

/* ---- intervals ---- */

/* What an interval does when its ticks are not awaited in time. */
typedef enum weft_interval_late {
    WEFT_INTERVAL_BURST, /* missed ticks come at once, until the interval has caught up */
    /* After a tick that is 5 ms late or more, the next one comes a period later, so all shift. */
    WEFT_INTERVAL_DELAY,
    WEFT_INTERVAL_SKIP, /* missed ticks never come; the others come when they would have come */
} weft_interval_late;

/* An interval and the future of its next tick, in memory of the caller. */
typedef struct weft_interval {
    weft_future        future;
    int64_t            next_, period_;
    weft_interval_late late_;
    struct weft_sleep  nap_;
} weft_interval;

/*
 * Starts an interval. Its first tick comes at once, and then one comes each `period`. In a thread
 * without a runtime, the first tick comes when it is awaited. `period` is at least 1 ns. `late`
 * says what happens when ticks are not awaited in time. The interval is plain data until a tick is
 * awaited.
 *
 * Thread:  any.
 */
WEFT_API void weft_interval_start(weft_interval *interval, int64_t period, weft_interval_late late);

/*
 * Starts an interval that has its first tick at an instant. From then on a tick comes each
 * `period`. `period` is at least 1 ns. `late` says what happens when ticks are not awaited in
 * time. The interval is plain data until a tick is awaited.
 *
 * Thread:  any.
 */
WEFT_API void weft_interval_start_at(weft_interval *interval, int64_t instant, int64_t period,
                                     weft_interval_late late);

/*
 * Lets the ticks of an interval come up to `accuracy` nanoseconds late. Timers that overlap in
 * this way fire together: see weft_sleep_about. Call it before the first tick is awaited.
 */
WEFT_API void weft_interval_about(weft_interval *interval, int64_t accuracy);

/*
 * Waits for the next tick of an interval. One wait at a time.
 *
 *     weft_interval_start(&self->every, WEFT_S(1), WEFT_INTERVAL_SKIP);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_interval_tick(&self->every));
 *
 * Returns: the number of whole periods by which the tick is late. It is 0 as long as the caller
 *   keeps up.
 * Errors:  -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED. The next wait gets the tick that was not delivered.
 */
WEFT_API weft_future *weft_interval_tick(weft_interval *interval);

/*
 * Moves the next tick of an interval to one period from now. A tick that is being awaited is
 * moved, too. Poll it afterwards.
 *
 * Thread:  the owner of the interval, between polls.
 */
WEFT_API void weft_interval_reset(weft_interval *interval);

/*
 * Moves the next tick of an interval to an instant. A tick that is being awaited is moved, too.
 * Poll it afterwards.
 *
 * Thread:  the owner of the interval, between polls.
 */
WEFT_API void weft_interval_reset_at(weft_interval *interval, int64_t instant);

/* ---- limits ---- */

/* The state of a weft_timeout, in memory of the caller. */
struct weft_timeout {
    weft_future       future;
    weft_future      *inner_;
    struct weft_sleep nap_;
};

/*
 * Limits a future in time, to `duration` nanoseconds from this call. When the time is over, the
 * future is cancelled and polled until it has ended. If it ends with another result than
 * -ECANCELED, that is the result. `future` must stay in place until READY. The future is polled
 * first, so one that is ready at once never times out.
 *
 * The limit holds for all that the future awaits, however deep: called functions, branches and
 * other futures. Of nested limits the earliest counts. Code that is polled below can ask for it,
 * by weft_context_deadline(cx) and weft_deadline_left(cx). When the limit has passed, the awaits
 * below end with -ECANCELED, as after any cancel.
 *
 * A task that is spawned below has no limit of its parent's. To give it one, pass
 * weft_context_deadline(cx) to it as an argument and use weft_timeout_at there. The limit does not
 * hold for what weft_shield guards: that is bound by its patience only.
 *
 * Returns: the result of the future.
 * Errors:  -ETIMEDOUT, the time was over and the future ended with -ECANCELED.
 *   -ENXIO, there is no runtime, and the future ended with -ECANCELED.
 *   -ECHILD, the process is a fork of the process that started the runtime, and the future ended
 *   with -ECANCELED.
 * Cancel:  DRAINS, as long as the future does. The result is the result of the future.
 */
WEFT_API weft_future *weft_timeout(struct weft_timeout *limit, weft_future *future,
                                   int64_t duration);

/*
 * Limits a future in time, to an instant of the runtime's clock. When the instant comes, the
 * future is cancelled and polled until it has ended. If it ends with another result than
 * -ECANCELED, that is the result. `future` must stay in place until READY. The future is polled
 * first, so one that is ready at once never times out.
 *
 * The limit holds for all that the future awaits, however deep: called functions, branches and
 * other futures. Of nested limits the earliest counts. Code that is polled below can ask for it,
 * by weft_context_deadline(cx) and weft_deadline_left(cx). When the limit has passed, the awaits
 * below end with -ECANCELED, as after any cancel.
 *
 * A task that is spawned below has no limit of its parent's. To give it one, pass
 * weft_context_deadline(cx) to it as an argument and use weft_timeout_at there. The limit does not
 * hold for what weft_shield guards: that is bound by its patience only.
 *
 * Returns: the result of the future.
 * Errors:  -ETIMEDOUT, the time was over and the future ended with -ECANCELED.
 *   -ENXIO, there is no runtime, and the future ended with -ECANCELED.
 *   -ECHILD, the process is a fork of the process that started the runtime, and the future ended
 *   with -ECANCELED.
 * Cancel:  DRAINS, as long as the future does. The result is the result of the future.
 */
WEFT_API weft_future *weft_timeout_at(struct weft_timeout *limit, weft_future *future,
                                      int64_t instant);

/*
 * Returns how long it is until the nearest limit (weft_timeout) around the poll. The time is in
 * nanoseconds.
 *
 * Returns: 0 if the limit has passed. WEFT_FOREVER if there is none.
 */
static inline int64_t weft_deadline_left(const weft_context *cx)
{
    int64_t now;

    if (cx->deadline == WEFT_FOREVER)
        return WEFT_FOREVER;
    now = cx->runtime ? weft_clock_now(cx->runtime) : weft_now();
    return cx->deadline > now ? cx->deadline - now : 0;
}

/* The state of a weft_shield, in memory of the caller. */
struct weft_shield {
    weft_future       future;
    weft_future      *inner_;
    int64_t           patience_;
    struct weft_sleep nap_;
    bool              counts_; /* the cancel has come */
};

/*
 * Delays a cancel of a future by `patience` nanoseconds, so that clean-up code can await. When its
 * task or a select cancels it, the guarded future is cancelled only `patience` later. It is
 * cancelled at once if there is no runtime to count the time, or if the task panicked. In a task
 * that is cancelled already the guarded future begins all the same, if the shield itself is
 * awaited. A limit or a group around a shield is cancelled before it begins: let the shield be the
 * outer one.
 *
 *     future = weft_write_all(&self->io, conn, bye, 4);
 *     WEFT_AWAIT(n, weft_shield(&self->guard, future, WEFT_MS(500)));
 *
 * Returns: the result of the guarded future.
 * Cancel:  DRAINS, for up to `patience` and as long as the guarded future then does.
 */
WEFT_API weft_future *weft_shield(struct weft_shield *guard, weft_future *future, int64_t patience);

/* ---- clocks for tests ---- */

/* How a runtime's clock goes. */
typedef enum weft_clock {
    WEFT_CLOCK_RUNS,    /* as fast as CLOCK_MONOTONIC. From the start on it is CLOCK_MONOTONIC. */
    WEFT_CLOCK_STOPPED, /* moved by weft_clock_advance only */
    /*
     * Stopped, but it advances to the next timer by itself whenever the runtime is idle. The
     * runtime is idle if no task is runnable, each thread in weft_block_on sleeps, no blocking job
     * is queued or running, and the kernel has no operation (on files, a connect) in progress or
     * has begun none in the last 50 ms. Older ones are assumed to wait for the outside world.
     * Sockets that wait for data do not hold the clock back. The clock of a current-thread runtime
     * advances only while a thread is in weft_block_on.
     */
    WEFT_CLOCK_JUMPS,
} weft_clock;

/*
 * Sets how a runtime's clock goes: it stops, jumps, or goes on from its present instant. Sleeps,
 * limits and intervals see that clock, and weft_now() in the runtime's tasks does. Nothing else
 * does: the watchdog and the patience of weft_runtime_stop count real time. A sleep, limit or
 * interval that a thread without a runtime has made begins when it is first polled. If `rt` is
 * NULL, it is the runtime of the calling thread, and without one the function aborts.
 *
 * Thread:  the thread that started the runtime, before anything sleeps. Any thread later.
 */
WEFT_API void weft_clock_set(weft_runtime *rt, weft_clock mode);

/*
 * Moves a stopped clock by `duration` nanoseconds. Timers that are then due fire soon after, in
 * the order of their milliseconds. Timers that wait already fire late by up to 2^20 ns (1.05 ms)
 * here, too. So advance by WEFT_MS(12) to be sure that a sleep of WEFT_MS(10) ends. If `rt` is
 * NULL, it is the runtime of the calling thread.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EINVAL, the clock runs, or `duration` is below 0.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 */
WEFT_API WEFT_NODISCARD int weft_clock_advance(weft_runtime *rt, int64_t duration);

WEFT_END_DECLS

#endif
