/*
 * sched_time.c - what timers cost
 *
 * Purpose     sleep_1m: a million tasks each sleep 0 to 1 s; memory is the process's when all have
 *             been spawned. timers_1m: a million sleeps are begun and dropped, one after the other,
 *             beside a thousand that wait.
 * Threads     Any worker.
 * Invariants  Task number i sleeps (i * 7919) % 1000000 us, in every peer. The task that spawns
 *             them yields after each YIELD_AFTER, in every peer. Else the timers would wait for a
 *             poll of a second.
 * Ordering    Relaxed sums: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

enum { SLEEPERS = 1000000, DROPS = 1000000, OTHERS = 1000, YIELD_AFTER = 256 };

struct sleepers {
    struct countdown countdown;
    _Atomic int64_t  late_ns, early;
};

struct sleeper {
    WEFT_FRAME;
    struct {
        struct sleepers *all;
        int64_t          i;
    } in;
    struct weft_sleep nap;
    int64_t           until;
};

WEFT_ASYNC(sleeper)
{
    int64_t n;

    WEFT_BEGIN();
    self->until = weft_now() + WEFT_US(self->in.i * 7919 % 1000000);
    WEFT_AWAIT(n, weft_sleep_until(&self->nap, self->until));
    must(n);
    n = weft_now() - self->until;
    atomic_fetch_add_explicit(&self->in.all->late_ns, n, memory_order_relaxed);
    if (n < 0)
        atomic_fetch_add_explicit(&self->in.all->early, 1, memory_order_relaxed);
    countdown_down(&self->in.all->countdown);
    WEFT_END(0);
}

struct sleep_1m {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct sleepers all;
    int64_t         k;
};

WEFT_ASYNC(sleep_1m)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    countdown_begin(&self->all.countdown, bench_scaled(run, SLEEPERS));
    for (self->k = 0; self->k < self->all.countdown.n; self->k++) {
        must(weft_spawn(NULL, sleeper, .all = &self->all, .i = self->k));
        if (self->k % YIELD_AFTER == 0)
            WEFT_YIELD();
    }
    run->rss_kb = run->rss_after_kb = bench_rss_kb();
    WEFT_AWAIT(n, countdown_wait(&self->all.countdown));
    run->ops = countdown_end(&self->all.countdown);
    run->has_late = true;
    run->late_ns_mean = atomic_load(&self->all.late_ns) / run->ops;
    run->early = atomic_load(&self->all.early);
    WEFT_END(n);
}

BENCH_ASYNC(sleep_1m)

void bench_sleep_1m(struct bench_run *run, int argument)
{
    run_sleep_1m(run, argument);
}

/* ---- begun and dropped ---- */

/* Polls its sleep once, then cancels it. */
struct dropped {
    weft_future       future;
    struct weft_sleep nap;
    int64_t           n;
};

static weft_poll dropped_poll(weft_future *future, weft_context *cx)
{
    struct dropped *self = weft_container(future, struct dropped, future);

    while (self->n > 0) {
        if (!weft_context_spend(cx))
            return WEFT_PENDING;
        self->n--;
        cx->budget++; /* the sleep's */
        expect("a sleep of seconds",
               weft_poll_is_ready(weft_future_poll_inner(
                   weft_sleep(&self->nap, WEFT_S(10) + WEFT_US(self->n * 7919 % 1000000)), cx)),
               0);
        if (!weft_poll_is_ready(weft_future_cancel(&self->nap.future)))
            expect("a cancelled sleep",
                   weft_poll_is_ready(weft_future_poll_inner(&self->nap.future, cx)), 1);
    }
    return weft_ready(future, 0);
}

static weft_future *drop(struct dropped *self, int64_t n)
{
    static const weft_future_ops ops = {sizeof(struct dropped), WEFT_FUTURE_WITHDRAWS, "drop",
                                        dropped_poll, NULL};

    weft_future_init(&self->future, &ops);
    self->n = n;
    return &self->future;
}

struct timers_1m {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct dropped drop;
    weft_handle    other[OTHERS];
    int64_t        k;
};

struct waits {
    WEFT_FRAME;
    struct {
        int64_t i;
    } in;
    struct weft_sleep nap;
};

WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600) + WEFT_MS(self->in.i)));
    WEFT_END(n);
}

WEFT_ASYNC(timers_1m)
{
    struct bench_run *run = self->in.run;
    int64_t           n;

    WEFT_BEGIN();
    for (n = 0; n < OTHERS; n++)
        must(weft_spawn(&self->other[n], waits, .i = n));
    WEFT_AWAIT(n, weft_sleep(&self->drop.nap, WEFT_MS(5))); /* they sleep now */
    bench_start(run);
    WEFT_AWAIT(n, drop(&self->drop, bench_scaled(run, DROPS)));
    run->ns = weft_now() - run->begin;
    run->ops = bench_scaled(run, DROPS);
    for (self->k = 0; self->k < OTHERS; self->k++) {
        weft_cancel(&self->other[self->k]);
        WEFT_AWAIT(n, weft_join(&self->other[self->k]));
        expect("a cancelled task", n, -ECANCELED);
    }
    WEFT_END(0);
}

BENCH_ASYNC(timers_1m)

void bench_timers_1m(struct bench_run *run, int argument)
{
    run_timers_1m(run, argument);
}
