/* test_time_deadline.c - deadlines: inherited, passed on by hand, behind a shield, from outside */
#include "clocks.h"

/* ---- limits within limits ---- */

struct inner {
    WEFT_FRAME;
    struct {
        int64_t patience;
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    int64_t             left;
};
WEFT_ASYNC(inner)
{
    int64_t n;

    WEFT_BEGIN();
    self->left = weft_deadline_left(cx);
    if (self->in.patience > 0) {
        WEFT_AWAIT(
            n, weft_timeout(&self->limit, weft_sleep(&self->nap, WEFT_S(100)), self->in.patience));
    } else {
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    }
    check_eq(weft_deadline_left(cx) == 0, n == -ECANCELED);
    WEFT_END(n);
}

static int64_t seconds(int64_t ns)
{
    return ns / WEFT_S(1);
}

struct outer {
    WEFT_FRAME;
    struct {
        int64_t patience, inners;
    } in;
    struct weft_timeout  limit;
    struct inner         inner[2];
    struct weft_join_all both;
    int64_t              begun;
};
WEFT_ASYNC(outer)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_deadline_left(cx), WEFT_FOREVER);
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_join_all(&self->both,
                                             weft_async(inner, &self->inner[0], self->in.inners),
                                             weft_async(inner, &self->inner[1], 0)),
                               self->in.patience));
    check_eq(weft_context_deadline(cx), WEFT_FOREVER);
    check_eq(self->inner[1].left, self->in.patience);
    check_eq(self->inner[1].weft_frame_.future.result, -ECANCELED);
    check_eq(n, -ETIMEDOUT);
    check_eq(self->inner[0].weft_frame_.future.result,
             self->in.inners > 0 && self->in.inners < self->in.patience ? -ETIMEDOUT : -ECANCELED);
    WEFT_END(weft_now() - self->begun);
}

Test(time_deadline, deadline_is_inherited_and_the_earliest_counts)
{
    static const struct {
        int64_t outer, inner;
    } rows[] = {{5, 0}, {5, 10}, {10, 5}, {7, 3}};
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_eq(weft_spawn_on(rt, &handle, outer, WEFT_S(rows[i].outer), WEFT_S(rows[i].inner)),
                 0);
        check_eq(seconds(join(rt, &handle)), rows[i].outer);
    }
    stop(rt);
}

/* A spawned task has no deadline but the one that its parent passes on. */
struct told {
    WEFT_FRAME;
    struct {
        int64_t until;
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
};
WEFT_ASYNC(told)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_context_deadline(cx), WEFT_FOREVER);
    WEFT_AWAIT(n,
               weft_timeout_at(&self->limit, weft_sleep(&self->nap, WEFT_S(20)), self->in.until));
    WEFT_END(n);
}

struct tells {
    WEFT_FRAME;
    struct {
        bool tell;
    } in;
    weft_handle       handle;
    struct weft_sleep nap;
};
WEFT_ASYNC(tells)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->handle, told,
                        .until = self->in.tell ? weft_context_deadline(cx) : WEFT_FOREVER),
             0);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    check_eq(n, -ECANCELED);
    WEFT_END(n);
}

struct limits {
    WEFT_FRAME;
    struct {
        bool tell;
    } in;
    struct tells        tells;
    struct weft_timeout limit;
};
WEFT_ASYNC(limits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_timeout(&self->limit, weft_async(tells, &self->tells, self->in.tell), WEFT_S(5)));
    check_eq(n, -ETIMEDOUT);
    WEFT_AWAIT(n, weft_join(&self->tells.handle));
    check_eq(n, self->in.tell ? -ETIMEDOUT : 0);
    WEFT_END(n);
}

Test(time_deadline, deadline_of_a_spawned_task_is_the_one_that_it_was_told)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, limits, true), 0);
    check_eq(join(rt, &handle), -ETIMEDOUT);
    check_eq(weft_spawn_on(rt, &handle, limits, false), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* Behind a shield an outer deadline is not seen. A limit set behind the shield still holds. */
struct guarded {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    int64_t             before, after;
};
WEFT_ASYNC(guarded)
{
    int64_t n;

    WEFT_BEGIN();
    self->before = weft_deadline_left(cx);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_sleep(&self->nap, WEFT_S(100)), WEFT_S(7)));
    self->after = weft_deadline_left(cx);
    WEFT_END(n);
}

struct guards {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    struct weft_shield  guard;
    struct guarded      guarded;
    int64_t             begun;
};
WEFT_ASYNC(guards)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_timeout(
                      &self->limit,
                      weft_shield(&self->guard, weft_async(guarded, &self->guarded, ), WEFT_S(50)),
                      WEFT_S(5)));
    check_eq(n, -ETIMEDOUT); /* the guarded one's own, at 7 */
    check_eq(seconds(weft_now() - self->begun), 7);
    check_eq(self->guarded.before, WEFT_FOREVER);
    check_cmp(self->guarded.after, <=, WEFT_S(48) + 2 * TICK); /* of patience */
    check_cmp(self->guarded.after, >=, WEFT_S(48) - 2 * TICK);
    WEFT_END(0);
}

Test(time_deadline, deadline_stops_at_a_shield)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, guards, ), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* A thread without a runtime makes the limit and the interval, while the runtime's clock is far
 * ahead. Both begin with the first poll. */
Test(time_deadline, limits_and_intervals_from_outside_go_by_the_clock_of_the_runtime)
{
    weft_runtime       *rt = start_jumping(1);
    weft_interval       every;
    struct weft_timeout limit;
    struct inner        inner;
    struct weft_sleep   nap;
    int64_t             begun;

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(3600))), 0);
    begun = weft_clock_now(rt);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_async(inner, &inner, 0), WEFT_S(5))),
             -ETIMEDOUT);
    check_eq(inner.left, WEFT_S(5));
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(5) + TICK);

    weft_interval_start(&every, WEFT_S(1), WEFT_INTERVAL_BURST);
    check_eq(weft_block_on(rt, weft_interval_tick(&every)), 0);
    begun = weft_clock_now(rt);
    check_eq(weft_block_on(rt, weft_interval_tick(&every)), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(1) - TICK);
    stop(rt);
}

Test(time_deadline, a_limit_before_all_time_has_passed)
{
    weft_context cx;
    weft_waker   waker = weft_waker_noop();

    weft_context_init(&cx, &waker, NULL);
    cx.deadline = INT64_MIN;
    check_eq(weft_deadline_left(&cx), 0);
    cx.deadline = WEFT_FOREVER;
    check_eq(weft_deadline_left(&cx), WEFT_FOREVER);
}
