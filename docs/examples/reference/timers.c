/*
 * timers.c - sleeping, intervals, limits, shields, and a clock for tests
 *
 * The runtime's clock jumps from timer to timer here, so that the example takes no time.
 */
#include "expect.h"

struct sleeps {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap;
    int64_t           begin;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->begin = weft_now();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(100)));
    EXPECT(n == 0 && weft_now() - self->begin >= WEFT_MS(100)); /* never early */
    WEFT_AWAIT(n, weft_sleep_until(&self->nap, self->begin + WEFT_MS(250)));
    EXPECT(weft_now() - self->begin >= WEFT_MS(250));

    /* This one may be up to a second late: it ends together with others. */
    WEFT_AWAIT(n, weft_sleep_about(&self->nap, WEFT_S(5), WEFT_S(1)));
    WEFT_AWAIT(n, weft_sleep_until_about(&self->nap, weft_now() + WEFT_S(5), WEFT_S(1)));

    /* A deadline that moves: set to an hour, then moved to another instant before it is awaited. */
    weft_sleep(&self->nap, WEFT_S(3600));
    weft_sleep_reset(&self->nap, weft_now() + WEFT_MS(1));
    WEFT_AWAIT(n, &self->nap.future);
    WEFT_END(n);
}

struct ticks {
    WEFT_FRAME;
    struct {
    } in;
    weft_interval every;
    int           i;
};
WEFT_ASYNC(ticks)
{
    int64_t late;

    WEFT_BEGIN();
    /* The first tick comes at once; ticks that were not awaited in time are left out. */
    weft_interval_start(&self->every, WEFT_S(1), WEFT_INTERVAL_SKIP);
    weft_interval_about(&self->every, WEFT_MS(50)); /* before the first tick */
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(late, weft_interval_tick(&self->every));
        EXPECT(late == 0); /* whole periods by which this tick is late */
    }
    weft_interval_reset(&self->every); /* the next tick: one period from now */
    WEFT_AWAIT(late, weft_interval_tick(&self->every));
    weft_interval_reset_at(&self->every, weft_now() + WEFT_MS(10)); /* or at that instant */
    WEFT_AWAIT(late, weft_interval_tick(&self->every));

    /* One whose first tick has an instant of its own. */
    weft_interval_start_at(&self->every, weft_now() + WEFT_S(2), WEFT_S(1), WEFT_INTERVAL_DELAY);
    WEFT_AWAIT(late, weft_interval_tick(&self->every));
    WEFT_END(late);
}

struct slow {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(slow)
{
    int64_t n;

    WEFT_BEGIN();
    /* A future inside a timeout can ask how much time is left. */
    EXPECT(weft_deadline_left(cx) > 0 && weft_context_deadline(cx) != WEFT_FOREVER);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(60)));
    WEFT_END(n);
}

struct limits {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    struct slow         slow;
};
WEFT_ASYNC(limits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_async(slow, &self->slow), WEFT_MS(200)));
    EXPECT(n == -ETIMEDOUT);
    WEFT_AWAIT(n, weft_timeout_at(&self->limit, weft_sleep(&self->nap, WEFT_MS(1)),
                                  weft_now() + WEFT_MS(200)));
    EXPECT(n == 0);
    WEFT_END(n);
}

struct careful {
    WEFT_FRAME;
    struct {
        bool *ret_said_bye;
    } in;
    struct weft_shield guard;
    struct weft_sleep  nap;
};
WEFT_ASYNC(careful)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    EXPECT(n == -ECANCELED);
    /* The task is cancelled, but still has half a second for a last word. */
    WEFT_AWAIT(n, weft_shield(&self->guard, weft_sleep(&self->nap, WEFT_MS(10)), WEFT_MS(500)));
    *self->in.ret_said_bye = n == 0;
    WEFT_END(n);
}

struct timers {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap;
    weft_handle       handle;
    bool              said_bye;
    struct sleeps     sleeps;
    struct ticks      ticks;
    struct limits     limits;
};
WEFT_ASYNC(timers)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, sleeps, &self->sleeps);
    EXPECT(n == 0);
    WEFT_CALL(n, ticks, &self->ticks);
    EXPECT(n == 0);
    WEFT_CALL(n, limits, &self->limits);
    EXPECT(n == 0);
    if (weft_spawn(&self->handle, careful, .ret_said_bye = &self->said_bye) < 0)
        WEFT_RETURN(-ENOMEM);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(10)));
    weft_cancel(&self->handle);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(self->said_bye);
    WEFT_END(0);
}

/* A stopped clock moves only when the program moves it. */
static void stopped_clock(weft_runtime *rt)
{
    struct weft_sleep nap;
    int64_t           before;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    before = weft_clock_now(rt);
    EXPECT(weft_clock_advance(rt, WEFT_S(10)) == 0);
    EXPECT(weft_clock_now(rt) == before + WEFT_S(10));
    weft_clock_set(rt, WEFT_CLOCK_JUMPS); /* jumps to the next timer by itself */
    EXPECT(weft_block_on(rt, weft_sleep(&nap, WEFT_S(3600))) == 0);
}

int main(void)
{
    weft_runtime *rt;
    weft_handle   handle;

    if (weft_runtime_start(NULL, &rt) < 0)
        return 1;
    stopped_clock(rt);
    EXPECT(weft_spawn_on(rt, &handle, timers) == 0);
    EXPECT(weft_block_on(rt, weft_join(&handle)) == 0);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}
