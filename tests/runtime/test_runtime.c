/* test_runtime.c - starting and stopping, again and again, with and without memory */
#include "../actors.h"
#include "inner.h"

static struct lines lines = LINES;

/* Drains until *until is set, however often it is polled and cancelled. */
struct stuck {
    weft_future future;
    int64_t    *until;
};

static weft_poll stuck_poll(weft_future *future, weft_context *cx)
{
    (void)cx; /* no waker is kept: a stop polls every remaining task */
    return get(weft_container(future, struct stuck, future)->until) ? weft_ready(future, 0)
                                                                    : WEFT_PENDING;
}

static void stuck_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *stuck(struct stuck *self, int64_t *until)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "stuck",
                                        .poll = stuck_poll,
                                        .cancel = stuck_cancel};

    weft_future_init(&self->future, &ops);
    self->until = until;
    return &self->future;
}

/* Awaits it in a function that it calls. */
struct waits {
    WEFT_FRAME;
    struct {
        int64_t *until;
    } in;
    struct stuck stuck;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, stuck(&self->stuck, self->in.until));
    WEFT_END(n);
}

struct straggler {
    WEFT_FRAME;
    struct {
        int64_t *until, *ran;
    } in;
    struct waits waits;
};
WEFT_ASYNC(straggler)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    WEFT_CALL(n, waits, &self->waits, self->in.until);
    WEFT_END(n);
}

/* Lives until it is cancelled. */
struct naps {
    WEFT_FRAME;
    struct {
        int64_t *ran;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(naps)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    add(self->in.ran, -1);
    WEFT_END(n);
}

/* Yields until the test ends it, whether it is cancelled or not. */
struct yields_counted {
    WEFT_FRAME;
    struct {
        int64_t *until, *ran;
    } in;
};
WEFT_ASYNC(yields_counted)
{
    WEFT_BEGIN();
    add(self->in.ran, 1);
    while (!get(self->in.until))
        WEFT_YIELD();
    WEFT_END(0);
}

/* Starts a task that yields until the test ends it. */
static void spawn_yields(weft_runtime *rt, weft_handle *ret_handle, int64_t *until)
{
    int64_t ran = 0;

    check_eq(weft_spawn_on(rt, ret_handle, yields_counted, until, &ran), 0);
    spin_until(&ran, 1);
}

Test(runtime, stop_cancels_all_tasks_and_waits_for_their_end)
{
    weft_runtime *rt = start(2);
    int64_t       ran = 0;

    for (int i = 0; i < 100; i++)
        check_eq(weft_spawn_on(rt, NULL, naps, &ran), 0);
    spin_until(&ran, 100);
    stop(rt);
    check_eq(get(&ran), 0);
}

static weft_runtime *start_logged(int64_t workers)
{
    lines_clear(&lines);
    return start_with(&(weft_config){.workers = workers, .log = lines_add, .log_arg = &lines});
}

Test(runtime, stop_lets_tasks_that_never_started_clean_up)
{
    weft_runtime *rt = start_logged(1);
    int64_t       ran = 0, until = 0, started = 0;

    check_eq(weft_spawn_on(rt, NULL, blocks, &until, 1, &started), 0);
    spin_until(&started, 1);
    for (int i = 0; i < 1000; i++)
        check_eq(weft_spawn_on(rt, NULL, sets, &ran), 0);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    add(&until, 1);
    stop(rt);
    check_eq(get(&ran), 1000);
}

Test(runtime, stop_that_runs_out_of_time_names_the_straggler_and_what_it_awaits)
{
    weft_runtime *rt = start_logged(1);
    int64_t       ran = 0, until = 0;

    check_eq(weft_spawn_on(rt, NULL, straggler, &until, &ran), 0);
    spin_until(&ran, 1);
    check_eq(weft_runtime_stop(rt, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(lines.text, "straggler (spawned at ");
    check_str_contains(lines.text, "test_runtime.c:");
    check_str_contains(lines.text, "awaiting stuck");
    add(&until, 1);
    stop(rt);
}

struct chooser {
    WEFT_FRAME;
    struct {
        int64_t *ran;
    } in;
    struct weft_select sel;
    struct weft_sleep  nap[2];
};
WEFT_ASYNC(chooser)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    WEFT_AWAIT(n, weft_select(&self->sel, weft_sleep(&self->nap[0], WEFT_S(3600)),
                              weft_sleep(&self->nap[1], WEFT_S(3600))));
    WEFT_END(n);
}

Test(runtime, a_dump_names_the_branches_that_a_select_waits_for)
{
    weft_runtime *rt = start_logged(1);
    int64_t       ran = 0;

    check_eq(weft_spawn_on(rt, NULL, chooser, &ran), 0);
    spin_until(&ran, 1);
    lines_dump_until(&lines, rt, ", awaiting");
    check_str_contains(lines.text, ", awaiting weft_select (weft_sleep, weft_sleep)");
    stop(rt);
}

#define CROWD 100000

/* Waits for its cancel. It tells a dump of a hundred thousand branches, and counts how often it is
 * asked for one. */
struct crowd {
    weft_future       future;
    struct weft_sleep branch; /* each of them */
    int64_t           asked;
};

static weft_poll crowd_poll(weft_future *future, weft_context *cx)
{
    (void)cx; /* no waker is kept: a cancelled task is polled */
    return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
}

static const weft_future *crowd_inner(const weft_future *future, uint32_t i)
{
    struct crowd *self = weft_container((weft_future *)(uintptr_t)future, struct crowd, future);

    add(&self->asked, 1);
    return i < CROWD ? &self->branch.future : NULL;
}

static const wf_outer_ops crowd_ops = {.ops = {sizeof(struct crowd),
                                               WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, "crowd",
                                               crowd_poll, NULL},
                                       .inner = crowd_inner,
                                       .is_group = true};

struct in_crowd {
    WEFT_FRAME;
    struct {
        struct crowd *crowd;
    } in;
};
WEFT_ASYNC(in_crowd)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, &self->in.crowd->future);
    WEFT_END(n);
}

Test(runtime, a_dump_asks_a_group_of_many_branches_for_a_few)
{
    static struct crowd crowd;
    weft_runtime       *rt = start_logged(1);
    int64_t             dumps = 0;

    weft_future_init(&crowd.future, &crowd_ops.ops);
    weft_sleep(&crowd.branch, WEFT_S(3600));
    check_eq(weft_spawn_on(rt, NULL, in_crowd, &crowd), 0);
    do { /* until it waits */
        lines_clear(&lines);
        weft_runtime_dump(rt);
        dumps++;
    } while (!strstr(lines.text, ", awaiting"));
    check_str_contains(lines.text,
                       ", awaiting crowd (weft_sleep, weft_sleep, weft_sleep, weft_sleep, "
                       "...)");
    check_cmp(get(&crowd.asked), <=, 30 * dumps);
    stop(rt);
}

Test(runtime, stop_may_be_called_again_and_succeeds_when_the_straggler_has_ended)
{
    weft_runtime *rt = start_logged(1);
    int64_t       until = 0;
    weft_handle   handle;

    spawn_yields(rt, &handle, &until);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_str_contains(lines.text, "yields");
    add(&until, 1);
    stop(rt);
    weft_detach(&handle);
}

Test(runtime, stop_refuses_new_tasks_from_the_moment_it_is_called)
{
    struct memory memory;
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 1, .log = weft_log_none, .allocator = memory_hooks(&memory)});
    int64_t     until = 0;
    weft_handle handle = {.task_ = NULL};

    spawn_yields(rt, NULL, &until);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    check_eq(weft_spawn_on(rt, &handle, yields_counted, &until, &until), -ESHUTDOWN);
    check(!handle.task_);
    add(&until, 1);
    stop(rt);
    check_eq(memory.live, 0);
}

Test(runtime, stop_with_a_patience_below_zero_does_not_wait)
{
    weft_runtime *rt = start_logged(1);
    int64_t       until = 0;

    spawn_yields(rt, NULL, &until);
    check_eq(weft_runtime_stop(rt, -WEFT_S(1000000000)), -ETIMEDOUT);
    add(&until, 1);
    stop(rt);
}

Test(runtime, stop_with_endless_patience_waits_for_the_last)
{
    weft_runtime *rt = start(1);
    int64_t       ran = 0;

    check_eq(weft_spawn_on(rt, NULL, naps, &ran), 0);
    check_eq(weft_runtime_stop(rt, WEFT_FOREVER), 0);
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
    WEFT_END(weft_runtime_stop(self->in.rt, WEFT_S(1)));
}

Test(runtime, stop_from_a_task_of_the_runtime_is_refused)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, stops, rt), 0);
    check_eq(join(rt, &handle), -EDEADLK);
    stop(rt);
}

Test(runtime, stop_from_a_future_that_block_on_polls_is_refused)
{
    weft_runtime       *rt = start(1), *other = start(1);
    static struct stops frame;

    check_eq(weft_block_on(rt, weft_async(stops, &frame, rt)), -EDEADLK);
    check_eq(weft_block_on(rt, weft_async(stops, &frame, other)), 0);
    stop(rt);
}

static void live_once(struct memory *memory)
{
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 2, .ring_entries = 8, .allocator = memory_hooks(memory)});
    int64_t     ran = 0;
    weft_handle handle;

    check_eq(weft_spawn_on(rt, &handle, naps, &ran), 0);
    stop(rt);
    weft_detach(&handle);
    check_eq(memory->live, 0);
}

Test(runtime, starts_and_stops_200_times_without_leaving_anything)
{
    struct memory memory;
    int           fds;

    live_once(&memory); /* what the C library keeps */
    fds = n_fds();
    for (int64_t i = test_scaled(200); i > 0; i--)
        live_once(&memory);
    check_eq(n_fds(), fds);
    EVENTUALLY(n_weft_threads() == 0); /* a joined one may be there for a moment */
}

struct tells_current {
    WEFT_FRAME;
    struct {
        weft_runtime *rt;
    } in;
};
WEFT_ASYNC(tells_current)
{
    WEFT_BEGIN();
    WEFT_END(weft_runtime_current() == self->in.rt && cx->runtime == self->in.rt);
}

Test(runtime, is_current_in_its_own_tasks_only)
{
    weft_runtime *rt = start(1), *other = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, tells_current, rt), 0);
    check_eq(join(other, &handle), 1);
    check(!weft_runtime_current());
    stop(rt);
    stop(other);
}

Test(runtime, several_live_in_one_process)
{
    weft_runtime *rt[5];
    int64_t       ran = 0;

    for (int i = 0; i < 5; i++) {
        rt[i] = start(1);
        check_eq(weft_spawn_on(rt[i], NULL, naps, &ran), 0);
    }
    spin_until(&ran, 5);
    for (int i = 0; i < 5; i++) {
        stop(rt[i]);
        check_eq(get(&ran), 4 - i); /* the others live on */
    }
}

Test(runtime, says_the_version_that_its_headers_say)
{
    char text[16];

    check_eq(weft_version(), WEFT_VERSION);
    snprintf(text, sizeof text, "%d%02d%02d", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR,
             WEFT_VERSION_PATCH);
    check_eq(strtol(text, NULL, 10), WEFT_VERSION);
}
