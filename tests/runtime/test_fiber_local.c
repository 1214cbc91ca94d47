/* test_fiber_local.c - values that a fiber sets for its code and for what it awaits */
#include "fibers.h"

#include <fcntl.h>

static int             none, a, b;
static weft_task_local key = {.otherwise = &none}, other_key;

static void *value(void)
{
    return weft_task_local_get(&key);
}

/* PENDING once. It notes the value of each poll and of the cancel. */
struct sees {
    weft_future future;
    int         n_polls;
    void       *polled[2], *cancelled;
};

static weft_poll sees_poll(weft_future *future, weft_context *cx)
{
    struct sees *self = weft_container(future, struct sees, future);

    self->polled[self->n_polls++] = value();
    if (self->n_polls == 2)
        return weft_ready(future, weft_future_is_cancelled(future) ? -ECANCELED : 5);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static void sees_cancel(weft_future *future)
{
    weft_container(future, struct sees, future)->cancelled = value();
}

static weft_future *sees(struct sees *self)
{
    static const weft_future_ops ops = {sizeof *self, WEFT_FUTURE_WITHDRAWS, "sees", sees_poll,
                                        sees_cancel};

    *self = (struct sees){0};
    weft_future_init(&self->future, &ops);
    return &self->future;
}

/* Whether what the caller awaits sees the value, too. */
static bool awaits_with(void *expected)
{
    struct sees s;

    return weft_await(sees(&s)) == 5 && s.polled[0] == expected && s.polled[1] == expected;
}

/* ---- in blocks ---- */

static int64_t nests(void *argument)
{
    (void)argument;
    check(value() == &none && awaits_with(&none));
    for (int i = 0; i < 2; i++) {
        weft_fiber_set_local(outer, &key, &a);
        check(value() == &a && awaits_with(&a));
        {
            weft_fiber_set_local(other, &other_key, &none);
            weft_fiber_set_local(inner, &key, &b);
            check(value() == &b && awaits_with(&b));
            check(weft_task_local_get(&other_key) == &none);
            weft_fiber_yield();
            check(value() == &b && awaits_with(&b));
        }
        check(value() == &a && awaits_with(&a));
        check(weft_task_local_get(&other_key) == NULL);
    }
    check(value() == &none && awaits_with(&none));
    return 3;
}

Test(fiber_local, a_value_is_seen_in_its_block_and_in_what_is_awaited_there)
{
    weft_runtime *rt = start(2);

    check_eq(RUN_FIBER(rt, nests, NULL), 3);
    stop(rt);
}

Test(fiber_local, a_plain_thread_sets_values_too)
{
    check_eq(nests(NULL), 3);
}

/* Within an async function that a fiber awaits, a scope of its own hides the fiber's value. */
struct has_scope {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_task_local_scope scope;
    struct sees                  sees;
};
WEFT_ASYNC(has_scope)
{
    int64_t n;

    WEFT_BEGIN();
    check(value() == &a);
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &key, &b, sees(&self->sees)));
    check(value() == &a && self->sees.polled[1] == &b);
    WEFT_END(n);
}

static int64_t awaits_a_scope(void *argument)
{
    struct has_scope frame;

    (void)argument;
    weft_fiber_set_local(outer, &key, &a);
    return weft_await(weft_async(has_scope, &frame, 0));
}

Test(fiber_local, a_scope_within_what_is_awaited_hides_it)
{
    weft_runtime *rt = start(1);

    check_eq(RUN_FIBER(rt, awaits_a_scope, NULL), 5);
    stop(rt);
}

/* ---- of other tasks ---- */

/* Sees the value that it is given, while others of its worker have theirs. */
static int64_t keeps_its_own(void *number)
{
    weft_fiber_set_local(mine, &key, number);
    for (int i = 0; i < 50; i++) {
        check(value() == number && awaits_with(number));
        weft_fiber_yield();
    }
    return 0;
}

struct inherits_nothing {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct sees sees;
};
WEFT_ASYNC(inherits_nothing)
{
    int64_t n;

    WEFT_BEGIN();
    check(value() == &none);
    WEFT_AWAIT(n, sees(&self->sees));
    check(self->sees.polled[0] == &none);
    WEFT_END(n);
}

static int64_t inherits_nothing_too(void *argument)
{
    (void)argument;
    check(value() == &none && awaits_with(&none));
    return 5;
}

/* The children may run within the joins. */
static int64_t has_children(void *argument)
{
    weft_handle handle;

    (void)argument;
    weft_fiber_set_local(mine, &key, &a);
    for (int i = 0; i < 20; i++) {
        check_eq(weft_spawn(&handle, inherits_nothing), 0);
        check_eq(weft_await(weft_join(&handle)), 5);
        check_eq(weft_fiber(&handle, inherits_nothing_too, NULL), 0);
        check_eq(weft_await(weft_join(&handle)), 5);
        check(value() == &a);
    }
    return 0;
}

Test(fiber_local, each_fiber_has_its_own)
{
    static const int64_t workers[] = {1, 4};

    for (int i = 0; i < 2; i++) {
        weft_runtime *rt = start(workers[i]);
        weft_handle   handle[16];
        int           number[16];

        for (int k = 0; k < 16; k++)
            check_eq(weft_fiber_on(rt, &handle[k], keeps_its_own, &number[k]), 0);
        for (int k = 0; k < 16; k++)
            check_eq(join(rt, &handle[k]), 0);
        stop(rt);
    }
}

Test(fiber_local, is_not_inherited_also_if_a_child_runs_within_the_join)
{
    weft_runtime *rt = start(1);

    check_eq(RUN_FIBER(rt, has_children, NULL), 0);
    check(counters(rt).in_place_joins > 0);
    stop(rt);
    rt = start_with(&(weft_config){.current_thread = 1});
    {
        weft_fiber_set_local(of_the_thread, &key, &b);
        check_eq(RUN_FIBER(rt, has_children, NULL), 0);
        check(value() == &b);
    }
    stop(rt);
}

/* ---- ends ---- */

typedef struct seen {
    void   *deferred[3];
    int     n;
    int64_t started;
    bool    within; /* what is awaited panics */
} seen;

static void notes_value(void *argument)
{
    seen *s = argument;

    s->deferred[s->n++] = value();
}

struct panics {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    WEFT_YIELD();
    weft_panic("within");
    WEFT_END(0);
}

static int64_t panics_with_values(void *argument)
{
    seen         *s = argument;
    struct panics frame;

    weft_fiber_defer(first, notes_value, s);
    weft_fiber_set_local(outer, &key, &a);
    weft_fiber_defer(second, notes_value, s);
    weft_fiber_set_local(inner, &key, &b);
    weft_fiber_defer(third, notes_value, s);
    weft_fiber_yield();
    if (s->within)
        weft_await(weft_async(panics, &frame, 0));
    weft_panic("on purpose");
}

Test(fiber_local, a_deferred_call_sees_the_values_that_were_there_also_after_a_panic)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});

    for (int within = 0; within < 2; within++) {
        seen s = {.within = within};

        check_eq(RUN_FIBER(rt, panics_with_values, &s), -EOWNERDEAD);
        check_eq(s.n, 3);
        check(s.deferred[0] == &b && s.deferred[1] == &a && s.deferred[2] == &none);
        check_eq(RUN_FIBER(rt, inherits_nothing_too, NULL), 5);
        check_eq(RUN(rt, inherits_nothing), 5);
    }
    stop(rt);
}

/* Never ends but by a cancel. */
static weft_poll stays_poll(weft_future *future, weft_context *cx)
{
    struct sees *self = weft_container(future, struct sees, future);

    (void)cx; /* a cancel of its task polls it */
    self->polled[0] = value();
    return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
}

static int64_t is_cancelled(void *argument)
{
    static const weft_future_ops ops = {sizeof(struct sees), WEFT_FUTURE_WITHDRAWS, "stays",
                                        stays_poll, sees_cancel};

    seen       *s = argument;
    struct sees stays = {0};

    weft_fiber_set_local(mine, &key, &a);
    weft_future_init(&stays.future, &ops);
    add(&s->started, 1);
    check_eq(weft_await(&stays.future), -ECANCELED);
    check(stays.cancelled == &a && stays.polled[0] == &a && value() == &a);
    return 7;
}

Test(fiber_local, what_is_cancelled_sees_it_while_it_ends)
{
    weft_runtime *rt = start(1);
    seen          s = {0};
    weft_handle   handle;

    check_eq(weft_fiber_on(rt, &handle, is_cancelled, &s), 0);
    spin_until(&s.started, 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 7);
    stop(rt);
}

/* A close runs even in a cancelled fiber. */
static int64_t closes_when_cancelled(void *argument)
{
    int    *fd = argument;
    weft_io io;

    weft_fiber_set_local(mine, &key, &a);
    check_eq(weft_fiber_sleep(WEFT_S(100)), -ECANCELED);
    return weft_await(weft_file_close(&io, *fd));
}

Test(fiber_local, a_release_runs_in_a_cancelled_fiber)
{
    weft_runtime *rt = start(1);
    int           fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    weft_handle   handle;

    check_eq(weft_fiber_on(rt, &handle, closes_when_cancelled, &fd), 0);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* A kept branch is awaited again, by a scope of another await. */
static int64_t keeps_a_branch(void *argument)
{
    struct weft_select select;
    struct counter     turn;
    struct event       kept;

    (void)argument;
    weft_keep(event(&kept));
    {
        weft_fiber_set_local(mine, &key, &a);
        check_eq(weft_await(weft_select_biased(&select, &kept.future, counter(&turn, 2))), 1);
    }
    check(weft_future_is_pending(&kept.future));
    weft_fiber_set_local(mine, &key, &b);
    return weft_await_cancel(&kept.future);
}

Test(fiber_local, a_kept_branch_outlives_the_value)
{
    weft_runtime *rt = start(1);

    check_eq(RUN_FIBER(rt, keeps_a_branch, NULL), -ECANCELED);
    stop(rt);
}

/* ---- misuse ---- */

struct sets_as_fiber {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(sets_as_fiber)
{
    WEFT_BEGIN();
    weft_fiber_set_local(mine, &key, &a);
    WEFT_END(0);
}

TEST_ABORTS(fiber_local, in_an_async_function_is_refused,
            "weft_fiber_set_local: called in a poll or a job")
{
    RUN(start(1), sets_as_fiber);
}
