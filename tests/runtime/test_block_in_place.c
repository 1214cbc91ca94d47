/* test_block_in_place.c - a task that says that it blocks holds up no other */
#include "../actors.h"

static struct lines lines = LINES;
static int64_t      n_begun, n_ran, may_end;

static weft_runtime *start_logged(const weft_config *kind)
{
    weft_config config = *kind;

    lines_clear(&lines);
    n_begun = n_ran = may_end = 0;
    config.log = lines_add;
    config.log_arg = &lines;
    return start_with(&config);
}

/* ---- functions that block ---- */

static int64_t doubles(void *argument)
{
    return 2 * *(int64_t *)argument;
}

/* Sleeps until so many tasks have run. */
static int64_t waits_for_others(void *argument)
{
    add(&n_begun, 1);
    while (get(&n_ran) < *(int64_t *)argument)
        pause_ms(1);
    return get(&n_ran);
}

static int64_t waits_for_leave(void *argument)
{
    add(&n_begun, 1);
    while (!get(&may_end))
        pause_ms(1);
    return (int64_t)(intptr_t)argument;
}

static int64_t nests(void *argument)
{
    return weft_block_in_place(waits_for_others, argument);
}

static int64_t panics_there(void *argument)
{
    if (argument)
        waits_for_others(argument);
    weft_panic("there");
}

/* ---- tasks that call them ---- */

struct calls {
    WEFT_FRAME;
    struct {
        int64_t (*function)(void *argument);
        int64_t value;
        int     n_children; /* spawned before, on this worker */
    } in;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < self->in.n_children; i++)
        check_eq(weft_spawn(NULL, sets, &n_ran), 0);
    n = weft_block_in_place(self->in.function, &self->in.value);
    WEFT_END(n);
}

Test(block_in_place, returns_what_the_function_returns)
{
    weft_runtime *rt = start(2);

    check_eq(RUN(rt, calls, doubles, 21, 0), 42);
    check_eq(RUN(rt, calls, doubles, -21, 0), -42);
    stop(rt);
}

static void check_children_run(const weft_config *kind)
{
    weft_runtime *rt = start_with(kind);

    for (int i = 0; i < 20; i++) {
        n_ran = 0;
        check_eq(RUN(rt, calls, waits_for_others, 50, 50), 50);
    }
    stop(rt);
}

Test(block_in_place, the_tasks_of_the_worker_go_on)
{
    check_children_run(&(weft_config){.workers = 1});
    check_children_run(&(weft_config){.workers = 2});
    check_children_run(&(weft_config){.workers = 8});
    check_children_run(&(weft_config){.workers = 1, .budget = 1});
}

static int64_t pauses_there(void *argument)
{
    pause_ms(*(int64_t *)argument);
    return 0;
}

/* It waits for many times as long as the watchdog does. */
Test(block_in_place, the_watchdog_is_silent)
{
    for (int64_t workers = 1; workers <= 8; workers *= 8) {
        weft_runtime *rt = start_logged(&(weft_config){.workers = workers, .watchdog_ms = 100});

        check_eq(RUN(rt, calls, pauses_there, 500, 10), 0);
        stop(rt);
        check_str_eq(lines.text, "");
    }
}

Test(block_in_place, the_tasks_go_on_while_as_many_block_as_there_are_spare_workers)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 3, .spare_workers = 3});
    weft_handle   handle[3];

    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &handle[i], calls, waits_for_leave, 0, 0), 0);
    spin_until(&n_begun, 3);
    for (int i = 0; i < 100; i++)
        check_eq(RUN(rt, adds, i, 1), i + 1);
    add(&may_end, 1);
    for (int i = 0; i < 3; i++)
        check(join(rt, &handle[i]) != 0);
    stop(rt);
    check_str_eq(lines.text, "");
}

/* A spare worker blocks in its turn, and another one stands in for it. */
Test(block_in_place, more_may_block_than_there_are_workers)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 1, .spare_workers = 4});
    weft_handle   handle[4];

    for (int i = 0; i < 4; i++) {
        check_eq(weft_spawn_on(rt, &handle[i], calls, waits_for_leave, 0, 0), 0);
        EVENTUALLY(get(&n_begun) == i + 1);
    }
    check_eq(RUN(rt, adds, 1, 2), 3);
    add(&may_end, 1);
    for (int i = 0; i < 4; i++)
        check(join(rt, &handle[i]) != 0);
    check_eq(RUN(rt, adds, 1, 2), 3);
    stop(rt);
}

Test(block_in_place, within_itself_is_a_plain_call)
{
    weft_runtime *rt = start(1);

    n_ran = n_begun = 0;
    check_eq(RUN(rt, calls, nests, 10, 10), 10);
    stop(rt);
}

/* ---- what the function may do ---- */

static int64_t blocks_on(void *argument)
{
    struct weft_sleep nap;
    weft_handle       handle;
    int64_t           n;

    check_eq(weft_spawn(&handle, adds, *(int64_t *)argument, 1), 0);
    check_eq(weft_block_on(NULL, weft_sleep(&nap, WEFT_MS(1))), 0);
    n = weft_block_on(NULL, weft_join(&handle));
    check(weft_runtime_current() != NULL);
    check_eq(weft_runtime_stop(weft_runtime_current(), 0), -EDEADLK);
    return n;
}

Test(block_in_place, may_spawn_and_block_on_the_runtime_but_not_stop_it)
{
    for (int64_t workers = 1; workers <= 8; workers *= 2) {
        weft_runtime *rt = start(workers);

        check_eq(RUN(rt, calls, blocks_on, 41, 0), 42);
        check_eq(RUN(rt, calls, doubles, 1, 0), 2);
        stop(rt);
    }
}

struct stops {
    WEFT_FRAME;
    struct {
        weft_runtime *rt;
    } in;
};
WEFT_ASYNC(stops)
{
    WEFT_BEGIN();
    WEFT_END(weft_runtime_stop(self->in.rt, 0));
}

/* In a weft_block_on within it. */
static int64_t stops_on_the_way(void *argument)
{
    weft_runtime *rt = weft_runtime_current();
    struct stops  frame;

    (void)argument;
    return weft_block_on(rt, weft_async(stops, &frame, rt));
}

Test(block_in_place, a_stop_within_is_refused_where_it_would_wait_for_itself)
{
    weft_runtime *rt = start(2);

    check_eq(RUN(rt, calls, stops_on_the_way, 0, 0), -EDEADLK);
    stop(rt);
}

/* ---- where no worker is to be replaced ---- */

struct blocks_in_job {
    int64_t value;
};
WEFT_BLOCKING(blocks_in_job)
{
    return weft_block_in_place(doubles, &self->value);
}

struct awaits_job {
    WEFT_FRAME;
    struct {
        int64_t value;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(awaits_job)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, blocks_in_job, self->in.value));
    WEFT_END(n);
}

Test(block_in_place, is_a_plain_call_on_other_threads)
{
    weft_runtime *rt = start(2);
    struct calls  frame;
    int64_t       value = 4;

    check_eq(weft_block_in_place(doubles, &value), 8);
    check_eq(weft_block_on(NULL, weft_async(calls, &frame, doubles, 5, 0)), 10);
    check_eq(weft_block_on(rt, weft_async(calls, &frame, doubles, 6, 0)), 12);
    check_eq(RUN(rt, awaits_job, 7), 14);
    stop(rt);
}

static int64_t may_not_block_on(void *argument)
{
    struct weft_sleep nap;

    (void)argument;
    return weft_block_on(NULL, weft_sleep(&nap, 0));
}

Test(block_in_place, is_a_plain_call_on_a_current_thread_runtime)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = true});

    n_ran = 0;
    check_eq(RUN(rt, calls, doubles, 3, 5), 6);
    check_eq(RUN(rt, calls, may_not_block_on, 3, 0), -EDEADLK);
    stop(rt);
    check_eq(n_ran, 5);
}

/* ---- tasks that are bound to the worker ---- */

struct runs_bound {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(runs_bound)
{
    WEFT_BEGIN();
    check_eq(get(&may_end), 1); /* the function has returned */
    add(&n_ran, 1);
    WEFT_END(0);
}

Test(block_in_place, bound_tasks_wait_for_their_worker)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 2});
    weft_handle   first, second;

    check_eq(weft_spawn_bound(rt, &first, 0, calls, waits_for_leave, 0, 0), 0);
    spin_until(&n_begun, 1);
    check_eq(weft_spawn_bound(rt, &second, 0, runs_bound, 0), 0);
    for (int i = 0; i < 100; i++)
        check_eq(RUN(rt, adds, i, 1), i + 1);
    check_eq(get(&n_ran), 0);
    add(&may_end, 1);
    check(join(rt, &first) != 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
}

/* ---- a child that runs within its joiner's poll ---- */

struct joins_child {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    weft_handle child;
};
WEFT_ASYNC(joins_child)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(NULL, sets, &n_ran), 0);
    check_eq(weft_spawn(&self->child, calls, waits_for_others, self->in.n, 0), 0);
    WEFT_AWAIT(n, weft_join(&self->child));
    WEFT_END(n);
}

Test(block_in_place, in_a_child_that_runs_in_place)
{
    weft_runtime *rt = start(1);

    for (int i = 0; i < 20; i++) {
        n_ran = n_begun = 0;
        check_eq(RUN(rt, joins_child, 1), 1);
    }
    stop(rt);
}

/* ---- panics ---- */

static void note(void *arg)
{
    add(arg, 1);
}

struct cleans {
    WEFT_FRAME;
    struct {
        int64_t *cleaned;
        int64_t  others;
    } in;
    weft_deferred clean;
};
WEFT_ASYNC(cleans)
{
    WEFT_BEGIN();
    weft_defer(&self->clean, note, self->in.cleaned);
    for (int64_t i = 0; i < self->in.others; i++)
        check_eq(weft_spawn(NULL, sets, &n_ran), 0);
    weft_block_in_place(panics_there, self->in.others ? &self->in.others : NULL);
    WEFT_END(0);
}

Test(block_in_place, a_panic_of_the_function_is_one_of_the_task)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 1});
    weft_handle   handle;
    int64_t       cleaned = 0;

    for (int i = 0; i < 5; i++) {
        n_ran = 0;
        check_eq(weft_spawn_on(rt, &handle, cleans, &cleaned, i), 0);
        check_eq(join(rt, &handle), -EOWNERDEAD);
        check_str_contains(weft_handle_panic(&handle), "there");
        check_eq(cleaned, i + 1);
        check_eq(RUN(rt, calls, waits_for_others, i + 3, 3), i + 3);
    }
    stop(rt);
}

/* ---- cancel and stop ---- */

struct blocks_then_sleeps {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(blocks_then_sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_block_in_place(waits_for_leave, (void *)7);
    check_eq(n, 7);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

Test(block_in_place, a_cancel_ends_the_await_after_it)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 2});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, blocks_then_sleeps, 0), 0);
    spin_until(&n_begun, 1);
    weft_cancel(&handle);
    check_eq(RUN(rt, adds, 1, 2), 3);
    check(!weft_is_finished(&handle));
    add(&may_end, 1);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
}

Test(block_in_place, a_stop_waits_for_the_function)
{
    weft_runtime *rt = start_logged(&(weft_config){.workers = 2});

    check_eq(weft_spawn_on(rt, NULL, blocks_then_sleeps, 0), 0);
    spin_until(&n_begun, 1);
    check_eq(weft_runtime_stop(rt, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(lines.text, "task blocks_then_sleeps (");
    add(&may_end, 1);
    stop(rt);
}

/* ---- a storm ---- */

static int64_t naps_or_panics(void *argument)
{
    uint32_t *seed = argument;

    if (rnd(seed) % 4 == 0)
        sched_yield();
    else if (rnd(seed) % 8 == 0)
        nanosleep(&(struct timespec){.tv_nsec = rnd(seed) % 300000}, NULL);
    if (rnd(seed) % 16 == 0)
        weft_panic("by chance");
    return 1;
}

struct storms {
    WEFT_FRAME;
    struct {
        uint32_t seed;
        int      n;
    } in;
    weft_handle child;
    int64_t     sum;
};
WEFT_ASYNC(storms)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (; self->in.n > 0; self->in.n--) {
        self->sum += weft_block_in_place(naps_or_panics, &self->in.seed);
        if (rnd(&self->in.seed) % 4 == 0) {
            check_eq(weft_spawn(&self->child, adds, 1, 2), 0);
            WEFT_AWAIT(n, weft_join(&self->child));
            if (!weft_handle_is_empty(&self->child))
                weft_detach(&self->child); /* the join was cancelled */
            else
                check_eq(n, 3);
        }
        WEFT_YIELD();
    }
    WEFT_END(self->sum);
}

static void storm(const weft_config *kind)
{
    weft_runtime *rt = start_logged(kind);
    weft_handle   handle[100];
    uint32_t      seed = 12345;

    for (int i = 0; i < 100; i++)
        check_eq(weft_spawn_on(rt, &handle[i], storms, rnd(&seed), 30), 0);
    for (int i = 0; i < 20; i++)
        weft_cancel(&handle[rnd(&seed) % 100]);
    for (int i = 0; i < 100; i++) {
        int64_t n = join(rt, &handle[i]);

        check(n == -EOWNERDEAD || (n >= 0 && n <= 30));
    }
    check_eq(RUN(rt, adds, 1, 2), 3);
    stop(rt);
    check(!strstr(lines.text, "has blocked worker"));
}

Test(block_in_place, a_storm_of_calls_panics_and_cancels)
{
    storm(&(weft_config){.workers = 1});
    storm(&(weft_config){.workers = 2});
    storm(&(weft_config){.workers = 8, .spare_workers = 8});
    storm(&(weft_config){.current_thread = true});
}
