/* test_fiber.c - a fiber is a task: it awaits and is joined as one */
#include "fibers.h"

#include "../unwinding.h"

#include <fenv.h>
#include <signal.h>

/* ---- awaiting ---- */

Test(fiber, returns_its_result_to_a_join)
{
    weft_runtime *rt = start(2);
    int64_t       n = 7;

    check_eq(RUN_FIBER(rt, adds_ten, &n), 17);
    stop(rt);
}

/* The future is a local variable. */
static int64_t counts(void *argument)
{
    struct counter c;
    int64_t        sum = 0;

    for (int i = 0; i < *(int64_t *)argument; i++)
        sum += weft_await(counter(&c, i));
    return sum;
}

Test(fiber, awaits_one_future_after_the_other)
{
    weft_runtime *rt = start(2);
    int64_t       n = 100;

    check_eq(RUN_FIBER(rt, counts, &n), 4950);
    stop(rt);
}

/* Each call on the stack awaits. */
static int64_t fibonacci(int64_t n)
{
    if (n % 3 == 0)
        weft_fiber_yield();
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static int64_t recurses(void *argument)
{
    return fibonacci(*(int64_t *)argument);
}

Test(fiber, awaits_at_any_depth)
{
    weft_runtime *rt = start(2);
    int64_t       n = 15;

    check_eq(RUN_FIBER(rt, recurses, &n), 610);
    stop(rt);
}

/* ---- beside tasks ---- */

static int64_t spawns_tasks(void *argument)
{
    weft_handle   handle[8];
    struct sleeps frame;
    int64_t       sum = 0;

    (void)argument;
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn(&handle[i], adds, .a = i, .b = 1), 0);
    for (int i = 0; i < 8; i++)
        sum += weft_await(weft_join(&handle[i]));
    check_eq(weft_await(weft_async(sleeps, &frame, .duration = WEFT_MS(1))), 0);
    return sum;
}

struct spawns_fibers {
    WEFT_FRAME;
    struct {
        int64_t *n;
    } in;
    weft_handle handle[8];
    int64_t     sum;
    int         i;
};
WEFT_ASYNC(spawns_fibers)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (self->i = 0; self->i < 8; self->i++)
        check_eq(weft_fiber(&self->handle[self->i], adds_ten, self->in.n), 0);
    for (self->i = 0; self->i < 8; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->handle[self->i]));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

static int64_t spawns_fibers_too(void *argument)
{
    weft_handle handle[8];
    int64_t     sum = 0;

    for (int i = 0; i < 8; i++)
        check_eq(weft_fiber(&handle[i], spawns_tasks, argument), 0);
    for (int i = 7; i >= 0; i--)
        sum += weft_await(weft_join(&handle[i]));
    return sum;
}

Test(fiber, and_tasks_spawn_and_join_each_other)
{
    static const int64_t workers[] = {1, 2, 8};

    for (int i = 0; i < 3; i++) {
        weft_runtime *rt = start(workers[i]);
        int64_t       n = 1;

        check_eq(RUN_FIBER(rt, spawns_tasks, NULL), 36);
        check_eq(RUN(rt, spawns_fibers, .n = &n), 88);
        check_eq(RUN_FIBER(rt, spawns_fibers_too, NULL), 8 * 36);
        stop(rt);
    }
}

Test(fiber, runs_on_a_current_thread_runtime)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1});

    check_eq(RUN_FIBER(rt, spawns_fibers_too, NULL), 8 * 36);
    stop(rt);
}

typedef struct mates {
    weft_mutex mutex;
    int64_t    n, sum; /* sum: under the mutex */
} mates;

static int64_t locks(void *argument)
{
    mates    *m = argument;
    weft_wait wait;

    for (int i = 0; i < 100; i++) {
        int64_t before;

        check_eq(weft_await(weft_mutex_lock(&wait, &m->mutex)), 0);
        before = m->sum;
        if (i % 10 == 0)
            weft_fiber_yield();
        m->sum = before + 1;
        weft_mutex_unlock(&m->mutex);
    }
    return 0;
}

static void *locks_in_thread(void *argument)
{
    (void)locks(argument); /* there the awaits block the thread */
    return NULL;
}

Test(fiber, and_a_plain_thread_share_a_lock)
{
    weft_runtime *rt = start(2);
    mates         m = {0};
    weft_handle   handle[4];
    pthread_t     t = thread(locks_in_thread, &m);

    for (int i = 0; i < 4; i++)
        check_eq(weft_fiber_on(rt, &handle[i], locks, &m), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &handle[i]), 0);
    pthread_join(t, NULL);
    check_eq(m.sum, 500);
    stop(rt);
}

/* ---- what unwinders see ---- */

/* Before and after an await, some calls deep. */
static __attribute__((noinline)) int64_t looks_back(int depth)
{
    void *caller = __builtin_return_address(0);
    trace before = trace_here(), after;

    if (depth > 0)
        return looks_back(depth - 1) + 1;
    weft_fiber_yield();
    after = trace_here();
    check(trace_contains(&before, caller) && trace_ends_in_begin(&before));
    check(trace_contains(&after, caller) && trace_ends_in_begin(&after));
    return after.n;
}

static int64_t looks_back_from_below(void *argument)
{
    return looks_back(*(int *)argument);
}

Test(fiber, its_backtrace_ends_where_it_began)
{
    weft_runtime *rt = start(2);

    for (int depth = 0; depth < 20; depth += 5)
        check_cmp(RUN_FIBER(rt, looks_back_from_below, &depth), >=, depth + 3);
    stop(rt);
}

/* ---- where it runs ---- */

static int64_t stays(void *argument)
{
    pthread_t      self = pthread_self();
    struct counter c;

    for (int i = 0; i < 200; i++) {
        weft_await(counter(&c, 1));
        weft_fiber_yield();
        check(pthread_equal(self, pthread_self()));
    }
    add(argument, 1);
    return 0;
}

Test(fiber, stays_on_the_worker_that_started_it)
{
    weft_runtime *rt = start(4);
    weft_handle   handle[64];
    int64_t       n = 0;

    for (int i = 0; i < 64; i++)
        check_eq(weft_fiber_on(rt, &handle[i], stays, &n), 0);
    for (int i = 0; i < 64; i++)
        check_eq(join(rt, &handle[i]), 0);
    check_eq(n, 64);
    stop(rt);
}

static int64_t thread_of(void *argument)
{
    *(pthread_t *)argument = pthread_self();
    return 0;
}

Test(fiber, can_be_bound_from_the_start)
{
    weft_runtime      *rt = start(3);
    weft_fiber_options options = {.bound = true, .worker = 2};
    pthread_t          thread[2];
    weft_handle        handle;

    for (int i = 0; i < 2; i++) {
        check_eq(weft_fiber_with(rt, &handle, "bound", &options, thread_of, &thread[i]), 0);
        check(strcmp(weft_handle_name(&handle), "bound") == 0);
        check_eq(join(rt, &handle), 0);
    }
    check(pthread_equal(thread[0], thread[1]));
    options.worker = 3;
    check_eq(weft_fiber_with(rt, &handle, "bound", &options, thread_of, &thread[0]), -EINVAL);
    stop(rt);
}

/* A spare worker may see the fiber first. It must not keep it. */
Test(fiber, waits_for_an_ordinary_worker_while_all_are_stuck)
{
    weft_runtime *rt = start(2);
    weft_handle   stuck[2], handle[8];
    int64_t       flag = 0, started = 0, n = 0;

    for (int i = 0; i < 2; i++)
        check_eq(
            weft_spawn_on(rt, &stuck[i], blocks, .flag = &flag, .value = 1, .started = &started),
            0);
    EVENTUALLY(get(&started) == 2);
    for (int i = 0; i < 8; i++)
        check_eq(weft_fiber_on(rt, &handle[i], stays, &n), 0);
    EVENTUALLY(counters(rt).polls > 0); /* the spare worker has come */
    pause_ms(50);
    check_eq(get(&n), 0);
    add(&flag, 1);
    for (int i = 0; i < 8; i++)
        check_eq(join(rt, &handle[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &stuck[i]), 0);
    check_eq(n, 8);
    stop(rt);
}

static int64_t rounds_up(void *argument)
{
    (void)argument;
    check_eq(fegetround(), FE_TONEAREST);
    fesetround(FE_UPWARD);
    for (int i = 0; i < 10; i++) {
        weft_fiber_yield();
        check_eq(fegetround(), FE_UPWARD);
    }
    return 0;
}

static int64_t rounds_to_nearest(void *argument)
{
    (void)argument;
    for (int i = 0; i < 10; i++) {
        check_eq(fegetround(), FE_TONEAREST);
        weft_fiber_yield();
    }
    return 0;
}

Test(fiber, keeps_its_rounding)
{
    weft_runtime *rt = start(1);
    weft_handle   handle[2];

    check_eq(weft_fiber_on(rt, &handle[0], rounds_up, NULL), 0);
    check_eq(weft_fiber_on(rt, &handle[1], rounds_to_nearest, NULL), 0);
    check_eq(join(rt, &handle[0]), 0);
    check_eq(join(rt, &handle[1]), 0);
    stop(rt);
}

struct rounding {
    weft_event event;
    int64_t    n_begun;
};

static int64_t rounds_down(void *argument)
{
    struct rounding *rounding = argument;
    weft_wait        wait;

    fesetround(FE_DOWNWARD);
    rounding->n_begun++;
    check_eq(weft_await(weft_event_wait(&wait, &rounding->event)), 0);
    check_eq(fegetround(), FE_DOWNWARD);
    return 0;
}

/* The host changes its own while the fiber waits. */
Test(fiber, the_thread_keeps_its_rounding)
{
    weft_runtime     *rt = start_with(&(weft_config){.current_thread = 1});
    struct rounding   rounding = {.n_begun = 0};
    struct weft_sleep nap;
    weft_handle       handle;

    check_eq(weft_fiber_on(rt, &handle, rounds_down, &rounding), 0);
    while (rounding.n_begun == 0)
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    check_eq(fegetround(), FE_TONEAREST);
    fesetround(FE_UPWARD);
    weft_event_set(&rounding.event);
    check_eq(join(rt, &handle), 0);
    check_eq(fegetround(), FE_UPWARD);
    fesetround(FE_TONEAREST);
    stop(rt);
}

/* ---- misuse ---- */

struct awaits_as_fiber {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct counter c;
};
WEFT_ASYNC(awaits_as_fiber)
{
    WEFT_BEGIN();
    weft_await(counter(&self->c, 1));
    WEFT_END(0);
}

Test(fiber, an_async_function_must_not_await_as_one, .signal = SIGABRT)
{
    weft_runtime *rt = start(1);

    RUN(rt, awaits_as_fiber, 0);
}

static int64_t awaits_a_body_that_awaits(void *argument)
{
    struct awaits_as_fiber frame;

    (void)argument;
    return weft_await(weft_async(awaits_as_fiber, &frame, 0));
}

Test(fiber, an_async_function_must_not_await_as_its_fiber, .signal = SIGABRT)
{
    weft_runtime *rt = start(1);

    RUN_FIBER(rt, awaits_a_body_that_awaits, NULL);
}

/* The thread of the call in place polls the tasks of another runtime. */
static int64_t awaits_in_another_runtime(void *argument)
{
    weft_runtime          *rt = start_with(&(weft_config){.current_thread = 1});
    struct awaits_as_fiber frame;

    (void)argument;
    return weft_block_on(rt, weft_async(awaits_as_fiber, &frame, 0));
}

static int64_t awaits_there_in_place(void *argument)
{
    return weft_block_in_place(awaits_in_another_runtime, argument);
}

TEST_ABORTS(fiber, an_async_function_must_not_await_as_one_below_a_call_in_place,
            "weft_await: called in a poll")
{
    RUN_FIBER(start(1), awaits_there_in_place, NULL);
}

Test(fiber, without_a_runtime_is_refused)
{
    check_eq(weft_fiber(NULL, adds_ten, NULL), -ENXIO);
}
