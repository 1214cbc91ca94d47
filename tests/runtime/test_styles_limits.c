/* test_styles_limits.c - budgets, cancels, stops, panics and spawns, in both styles */
#include "../actors.h"
#include "../styles.h"

/* ---- the budget ---- */

/* Awaits what is always ready, or is refused at once, until another task has set the flag. */
struct is_always_ready {
    WEFT_FRAME;
    struct {
        weft_semaphore *semaphore;
        const int64_t  *flag;
        int64_t        *begun;
    } in;
    weft_wait wait;
};
BODY(is_always_ready)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.begun, 1);
    do {
        AWAIT(n, weft_semaphore_acquire(&self->wait, self->in.semaphore, 1));
        if (n == 0)
            weft_semaphore_release(self->in.semaphore, 1);
    } while (!get(self->in.flag));
    WEFT_END(n);
}

/* There is one worker, and the second task is bound to it. Without the budget it would not run. */
static int64_t run_busy(style style, bool cancels)
{
    weft_runtime  *rt = start(1);
    weft_semaphore semaphore;
    weft_handle    busy, other;
    int64_t        flag = 0, begun = 0, n;

    weft_semaphore_init(&semaphore, 1);
    check_eq(SPAWN_STYLE(style, rt, &busy, is_always_ready, .semaphore = &semaphore, .flag = &flag,
                         .begun = &begun),
             0);
    EVENTUALLY(get(&begun) == 1);
    if (cancels)
        weft_cancel(&busy);
    check_eq(weft_spawn_bound(rt, &other, 0, sets, .flag = &flag), 0);
    n = join(rt, &busy);
    check_eq(join(rt, &other), 0);
    check_eq(weft_semaphore_available(&semaphore), 1);
    stop(rt);
    return n;
}

TEST_STYLES(styles_limits, a_busy_task_yields_when_its_budget_is_used_up)
{
    (void)rt;
    check_eq(run_busy(style, false), 0);
}

TEST_STYLES(styles_limits, so_does_one_whose_awaits_are_all_cancelled)
{
    (void)rt;
    check_eq(run_busy(style, true), -ECANCELED);
}

/* ---- stopping ---- */

/* Waits until it is cancelled, and then for a flag, whatever the runtime says. */
struct resists {
    WEFT_FRAME;
    struct {
        weft_event    *event;
        const int64_t *flag;
        int64_t       *begun, *result;
    } in;
    weft_wait wait;
    int64_t   n;
};
BODY(resists)
{
    WEFT_BEGIN();
    add(self->in.begun, 1);
    AWAIT(self->n, weft_event_wait(&self->wait, self->in.event));
    while (!get(self->in.flag))
        YIELD();
    *self->in.result = self->n;
    WEFT_END(0);
}

static void stop_resisting(style style, bool resist)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    weft_event    event = {0};
    int64_t       flag = !resist, begun = 0, result = 0;

    check_eq(SPAWN_STYLE(style, rt, NULL, resists, .event = &event, .flag = &flag, .begun = &begun,
                         .result = &result),
             0);
    EVENTUALLY(get(&begun) == 1);
    if (resist) {
        check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
        add(&flag, 1);
    }
    stop(rt);
    check_eq(result, -ECANCELED);
}

TEST_STYLES(styles_limits, a_stop_cancels_what_waits)
{
    (void)rt;
    stop_resisting(style, false);
}

TEST_STYLES(styles_limits, a_stop_has_patience_and_can_be_called_again)
{
    (void)rt;
    stop_resisting(style, true);
}

/* ---- panics ---- */

struct panics_late {
    WEFT_FRAME;
    struct {
    } in;
    struct counter counter;
};
BODY(panics_late)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, counter(&self->counter, 3));
    if (n == 3)
        weft_panic("after three polls");
    WEFT_END(n);
}

TEST_STYLES(styles_limits, a_panic_is_told_to_the_task_that_joins)
{
    weft_handle handle;

    check_eq(SPAWN_STYLE(style, rt, &handle, panics_late), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), "after three polls");
}

/* ---- tasks that spawn tasks ---- */

#define DEPTH 4

static int spawn_child(style style, weft_handle *ret_handle, int depth, weft_tracker *tracker);

/* Spawns two of its kind, joins one and detaches the other. Returns how deep the joins went. */
struct spawns_more {
    WEFT_FRAME;
    struct {
        style         style;
        int           depth;
        weft_tracker *tracker;
    } in;
    weft_handle handle[2];
};
BODY(spawns_more)
{
    int64_t n;

    WEFT_BEGIN();
    n = 0;
    if (self->in.depth > 0) {
        for (int i = 0; i < 2; i++)
            check_eq(
                spawn_child(self->in.style, &self->handle[i], self->in.depth - 1, self->in.tracker),
                0);
        weft_detach(&self->handle[1]);
        AWAIT(n, weft_join(&self->handle[0]));
        check(weft_handle_is_empty(&self->handle[0]));
        n++;
    }
    weft_tracker_leave(self->in.tracker);
    WEFT_END(n);
}

static int spawn_child(style style, weft_handle *ret_handle, int depth, weft_tracker *tracker)
{
    weft_tracker_enter(tracker);
    return SPAWN_STYLE(style, NULL, ret_handle, spawns_more, .style = style, .depth = depth,
                       .tracker = tracker);
}

TEST_STYLES(styles_limits, a_tracker_sees_the_end_of_all)
{
    weft_tracker tracker = {0};
    weft_wait    wait;

    weft_tracker_enter(&tracker);
    check_eq(RUN_STYLE(style, rt, spawns_more, .style = style, .depth = DEPTH, .tracker = &tracker),
             DEPTH);
    weft_tracker_close(&tracker);
    check_eq(weft_block_on(rt, weft_tracker_wait(&wait, &tracker)), 0);
    check_eq(weft_tracker_count(&tracker), 0);
}

/* A cancelled join leaves the task, which is then closed with its set. */
struct owns_a_set {
    WEFT_FRAME;
    struct {
        weft_event *event;
        int64_t    *begun;
    } in;
    weft_task_set set;
    weft_member   member[3], *next;
    weft_wait     wait;
};
struct obeys {
    WEFT_FRAME;
    struct {
        weft_event *event;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(obeys)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_event_wait(&self->wait, self->in.event));
    WEFT_END(n);
}
BODY(owns_a_set)
{
    int64_t n;

    WEFT_BEGIN();
    self->set = (weft_task_set){0};
    for (int i = 0; i < 3; i++)
        check_eq(weft_task_set_spawn(&self->set, &self->member[i], obeys, .event = self->in.event),
                 0);
    add(self->in.begun, 1);
    AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->next));
    check_eq(n, -ECANCELED);
    AWAIT(n, weft_task_set_close(&self->wait, &self->set));
    check_eq(n, 0);
    while (weft_task_set_try_next(&self->set, &self->next) == 0) {
        check_eq(self->next->result, -ECANCELED);
        n++;
    }
    WEFT_END(n);
}

TEST_STYLES(styles_limits, a_cancelled_owner_closes_its_set)
{
    weft_event  event = {0};
    weft_handle handle;
    int64_t     begun = 0;

    check_eq(SPAWN_STYLE(style, rt, &handle, owns_a_set, .event = &event, .begun = &begun), 0);
    EVENTUALLY(get(&begun) == 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 3);
}

/* ---- task-local values ---- */

static weft_task_local key;

struct looks {
    WEFT_FRAME;
    struct {
    } in;
    struct counter counter;
};
WEFT_ASYNC(looks)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, 2));
    (void)n;
    WEFT_END(*(int64_t *)weft_task_local_get(&key));
}

struct lends_a_value {
    WEFT_FRAME;
    struct {
        int64_t value;
    } in;
    struct weft_task_local_scope scope;
    struct looks                 looks;
};
BODY(lends_a_value)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_task_local_scope(&self->scope, &key, &self->in.value,
                                   weft_async(looks, &self->looks)));
    check(weft_task_local_get(&key) == NULL);
    WEFT_END(n);
}

TEST_STYLES(styles_limits, a_task_has_values_of_its_own)
{
    weft_handle handle[4];

    for (int64_t i = 0; i < 4; i++)
        check_eq(SPAWN_STYLE(style, rt, &handle[i], lends_a_value, .value = i), 0);
    for (int64_t i = 0; i < 4; i++)
        check_eq(join(rt, &handle[i]), i);
}
