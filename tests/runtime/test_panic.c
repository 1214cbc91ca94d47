/* test_panic.c - weft_panic: how joiners learn of it, what still runs, and in which order */
#include "../helpers.h"

/* ---- how joiners learn of a panic ---- */

struct panics {
    WEFT_FRAME;
    struct {
        int after; /* polls */
    } in;
    struct counter counter;
};
#define PANIC_LINE "test_panic.c:20: it hurts"
WEFT_ASYNC(panics)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, self->in.after));
    weft_panic("it hurts"); /* line 20, see above */
    WEFT_END(n);
}

static int64_t fail_check(int64_t n)
{
    WEFT_CHECK(n > 0); /* in a function that knows nothing of tasks */
    return n;
}

struct checks {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(checks)
{
    WEFT_BEGIN();
    WEFT_END(fail_check(self->in.n));
}

Test(panic, whoever_joins_gets_eownerdead_and_the_text_with_file_and_line)
{
    weft_runtime *rt = start(2);
    weft_handle   handle;

    for (int after = 0; after < 3; after++) {
        check_eq(weft_spawn_on(rt, &handle, panics, after), 0);
        check_eq(join(rt, &handle), -EOWNERDEAD);
        check_str_contains(weft_handle_panic(&handle), PANIC_LINE);
    }
    stop(rt);
    check_str_contains(weft_handle_panic(&handle), PANIC_LINE);
}

Test(panic, a_check_that_fails_names_its_condition_and_one_that_holds_does_nothing)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, checks, 7), 0);
    check_eq(join(rt, &handle), 7);
    check(!weft_handle_panic(&handle));
    check_eq(weft_spawn_on(rt, &handle, checks, -7), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), "test_panic.c:");
    check_str_contains(weft_handle_panic(&handle), "check failed: n > 0");
    stop(rt);
}

Test(panic, the_log_names_the_task_and_where_it_was_spawned)
{
    struct lines  lines = LINES;
    weft_runtime *rt;
    weft_handle   handle;
    char          expected[200];

    rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines});
    check_eq(weft_spawn_named(rt, &handle, "unlucky", panics, .after = 1), 0);
    snprintf(expected, sizeof expected, "test_panic.c:%d) panicked: ", __LINE__ - 1);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    stop(rt);
    check_str_contains(lines.text, "task unlucky (spawned at ");
    check_str_contains(lines.text, expected);
    check_str_contains(lines.text, PANIC_LINE);
}

Test(panic, of_a_detached_task_is_logged_and_ends_it)
{
    struct lines  lines = LINES;
    weft_runtime *rt;

    rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines});
    check_eq(weft_spawn_on(rt, NULL, panics, .after = 1), 0);
    stop(rt);
    check_str_contains(lines.text, PANIC_LINE);
}

struct works {
    WEFT_FRAME;
    struct {
        int rounds;
    } in;
    struct counter counter;
    int            i;
};
WEFT_ASYNC(works)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        WEFT_AWAIT(n, counter(&self->counter, 1));
        check_eq(n, 1);
    }
    WEFT_END(self->i);
}

Test(panic, no_other_task_notices)
{
    enum { N = 50 };
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    weft_handle   fine[N], dead[N];

    for (int i = 0; i < N; i++) {
        check_eq(weft_spawn_on(rt, &fine[i], works, 1000), 0);
        check_eq(weft_spawn_on(rt, &dead[i], panics, i), 0);
    }
    for (int i = 0; i < N; i++) {
        check_eq(join(rt, &fine[i]), 1000);
        check_eq(join(rt, &dead[i]), -EOWNERDEAD);
    }
    stop(rt);
}

/* ---- deferred calls ---- */

static char order[64];

static void note(void *arg)
{
    order[strlen(order) + 1] = '\0';
    order[strlen(order)] = *(const char *)arg;
}

enum how { ENDS, RETURNS, PANICS, WAITS };

struct inner {
    WEFT_FRAME;
    struct {
        enum how how;
    } in;
    weft_deferred first, second;
    struct event  event;
};
WEFT_ASYNC(inner)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->first, note, "b");
    weft_defer(&self->second, note, "a");
    if (self->in.how == RETURNS)
        WEFT_RETURN(1);
    if (self->in.how == PANICS)
        weft_panic("inside");
    if (self->in.how == WAITS) {
        WEFT_AWAIT(n, event(&self->event));
        check_eq(n, -ECANCELED);
    }
    note("-");
    WEFT_END(2);
}

struct outer {
    WEFT_FRAME;
    struct {
        enum how how;
        int64_t *began;
    } in;
    weft_deferred first, second, third;
    struct inner  inner;
};
WEFT_ASYNC(outer)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->first, note, "e");
    weft_defer(&self->second, note, "d");
    add(self->in.began, 1);
    WEFT_CALL(n, inner, &self->inner, self->in.how);
    weft_defer(&self->third, note, "c");
    WEFT_END(n);
}

static int64_t run_outer(enum how how)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    int64_t       began = 0, result;
    weft_handle   handle;

    order[0] = '\0';
    check_eq(weft_spawn_on(rt, &handle, outer, how, &began), 0);
    if (how == WAITS) {
        spin_until(&began, 1);
        weft_cancel(&handle);
    }
    result = join(rt, &handle);
    stop(rt);
    return result;
}

Test(panic, defer_runs_newest_first_and_the_called_function_s_before_the_caller_s)
{
    check_eq(run_outer(ENDS), 2);
    check_str_eq(order, "-abcde");
}

Test(panic, defer_runs_at_an_early_return)
{
    check_eq(run_outer(RETURNS), 1);
    check_str_eq(order, "abcde");
}

Test(panic, defer_runs_when_the_task_is_cancelled)
{
    check_eq(run_outer(WAITS), 2);
    check_str_eq(order, "-abcde");
}

Test(panic, defer_runs_when_the_task_panics_in_a_called_function)
{
    check_eq(run_outer(PANICS), -EOWNERDEAD);
    check_str_eq(order, "abde");
}

static void panic_late(void *arg)
{
    note(arg);
    weft_panic("in a deferred call");
}

struct ends_badly {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_deferred first, second, third;
};
WEFT_ASYNC(ends_badly)
{
    WEFT_BEGIN();
    weft_defer(&self->first, note, "c");
    weft_defer(&self->second, panic_late, "b");
    weft_defer(&self->third, note, "a");
    WEFT_END(0);
}

Test(panic, defer_a_panic_in_a_deferred_call_lets_the_others_run_once)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_handle   handle;

    order[0] = '\0';
    check_eq(weft_spawn_on(rt, &handle, ends_badly, 0), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), "in a deferred call");
    check_str_eq(order, "abc");
    stop(rt);
}

/* ---- children that run in place ---- */

struct chain {
    WEFT_FRAME;
    struct {
        int  depth, panic_at;
        bool survives; /* the panic: else each joiner passes it on */
    } in;
    weft_handle child;
};
WEFT_ASYNC(chain)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.depth == self->in.panic_at)
        weft_panic("deep down");
    if (self->in.depth < self->in.panic_at) {
        check_eq(weft_spawn(&self->child, chain, self->in.depth + 1, self->in.panic_at,
                            self->in.survives),
                 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        check_eq(n, self->in.survives && self->in.depth + 1 < self->in.panic_at ? 1 : -EOWNERDEAD);
        if (!self->in.survives)
            weft_panic("passed on");
        if (self->in.depth + 1 == self->in.panic_at)
            check_str_contains(weft_handle_panic(&self->child), "deep down");
    }
    WEFT_END(1);
}

static void run_chain(int depth, bool survives, int64_t expected)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, chain, 0, depth, survives), 0);
    check_eq(join(rt, &handle), expected);
    weft_runtime_counters(rt, &counters);
    check_cmp(counters.in_place_joins, >=, depth < 60 ? depth : 60);
    check_eq(counters.tasks_spawned, depth + 1);
    check_eq(counters.tasks_ended, depth + 1);
    stop(rt);
}

Test(panic, in_a_task_that_runs_inside_its_joiner_ends_that_task_only)
{
    run_chain(1, true, 1);
}

Test(panic, in_the_deepest_of_nested_tasks_ends_that_task_only)
{
    run_chain(50, true, 1);
    run_chain(200, true, 1);
}

Test(panic, may_be_passed_on_from_joiner_to_joiner)
{
    run_chain(50, false, -EOWNERDEAD);
    run_chain(200, false, -EOWNERDEAD);
}

/* ---- weft_block_on, and panics outside a poll ---- */

Test(panic, in_the_future_of_block_on_gives_eownerdead_and_the_thread_goes_on)
{
    struct lines  lines = LINES;
    weft_runtime *rt;
    struct panics frame;
    struct outer  other;
    int64_t       began = 0;

    rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines});
    for (int i = 0; i < 3; i++)
        check_eq(weft_block_on(rt, weft_async(panics, &frame, i)), -EOWNERDEAD);
    check_str_contains(lines.text, PANIC_LINE);
    check_eq(weft_block_on(rt, weft_async(outer, &other, PANICS, &began)), -EOWNERDEAD);
    check_str_eq(order, "abde");
    check_eq(weft_block_on(rt, weft_async(outer, &other, ENDS, &began)), 2);
    stop(rt);
}

TEST_ABORTS(panic, outside_of_any_poll_aborts, "weft_panic: called outside of any poll")
{
    weft_panic("nobody catches this");
}

TEST_ABORTS(panic, after_a_poll_is_outside_again, "weft_panic: called outside of any poll")
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    struct panics frame;

    check_eq(weft_block_on(rt, weft_async(panics, &frame, 1)), -EOWNERDEAD);
    weft_panic("nobody catches this");
}
