/*
 * test_scope_orders.c - the real scope, its task set and its children in every order of their steps
 *
 * The thread whose scope has ended gives its memory back at once, as a task does whose frame ends.
 */
#include "worker_orders.h"

#include "task_set.c"

#include "scope.c"

static struct weft_scope scope;
static weft_member       member[TASKS];
static weft_scope_policy policy;

/* Spawns children, and waits to be cancelled if it is to stay. */
struct body {
    WEFT_FRAME;
    struct {
        int  n;
        bool stays;
    } in;
    int i;
};

static struct body body;

/* A future that is never READY but by a cancel. */
static weft_poll never_poll(weft_future *future, weft_context *cx)
{
    (void)cx;
    return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
}

static void never_cancel(weft_future *future)
{
    (void)future;
}

static weft_future           never;
static const weft_future_ops never_ops = {sizeof never, WEFT_FUTURE_WITHDRAWS, "never", never_poll,
                                          never_cancel};

WEFT_ASYNC(body)
{
    int64_t n = 5;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++)
        check_eq(weft_scope_spawn(&scope, &member[self->i], nothing, ), 0);
    if (self->in.stays)
        WEFT_AWAIT(n, &never);
    WEFT_END(n);
}

static void set_up(void)
{
    set_up_tasks();
    weft_future_init(&never, &never_ops);
    policy = WEFT_SCOPE_ALL;
    weft_scope(&scope, policy, weft_async(body, &body, .n = TASKS));
}

/* The first child decides, the second ends only when it is cancelled. */
static void set_up_decided_by(weft_scope_policy by, int64_t first, bool body_stays)
{
    set_up();
    result[0] = first;
    stays[1] = true;
    weft_scope(&scope, by, weft_async(body, &body, .n = TASKS, .stays = body_stays));
}

static void set_up_fails(void)
{
    set_up_decided_by(WEFT_SCOPE_FAIL_FAST, -EBADMSG, false);
}

static void set_up_fails_beside_body(void)
{
    set_up_decided_by(WEFT_SCOPE_FAIL_FAST, -EBADMSG, true);
}

static void set_up_any(void)
{
    set_up_decided_by(WEFT_SCOPE_ANY, 7, true);
}

static void set_up_cancelled(void)
{
    set_up();
    stays[0] = stays[1] = true;
    weft_scope(&scope, policy, weft_async(body, &body, .n = TASKS, .stays = true));
}

/* The first child spawns the second in its last poll. */
static void spawn_second(void)
{
    check_eq(weft_scope_spawn(&scope, &member[1], nothing, ), 0);
}

static void set_up_grandchild(void)
{
    set_up();
    last_step[0] = spawn_second;
    weft_scope(&scope, policy, weft_async(body, &body, .n = 1));
}

/* ---- the threads ---- */

/* What the children borrow may go now. */
static void end_scope(int64_t expected)
{
    check_eq(weft_future_result(&scope.future), expected);
    check_eq(n_tasks, TASKS);
    check_tasks_are_done();
    memset(member, 0xdd, sizeof member);
    explore_release_static(memset(&scope, 0xdd, sizeof scope), sizeof scope);
}

static void run_to(int64_t expected)
{
    (void)run_future(0, &scope.future);
    end_scope(expected);
}

static void run_to_5(void)
{
    run_to(5);
}

static void run_to_7(void)
{
    run_to(7);
}

static void run_to_failure(void)
{
    run_to(-EBADMSG);
}

static void run_and_cancel(void)
{
    check(!poll_future(0, &scope.future));
    if (!weft_poll_is_ready(weft_future_cancel(&scope.future)))
        (void)run_future(0, &scope.future);
    end_scope(-ECANCELED);
}

/* ---- the claims ---- */

/* No child has touched its member since the scope has ended. */
static void all_has_ended(void)
{
    const char *bytes = (const char *)member;

    check_tasks_are_freed();
    for (size_t i = 0; i < sizeof member; i++)
        check_eq(bytes[i], (char)0xdd);
}

static void explore_scope(void (*set_up)(void), void (*parent)(void))
{
    explore(2, 1, set_up, all_has_ended, 3,
            (void (*const[])(void)){parent, work_on_first, work_on_second});
}

Test(scope_orders, a_scope_ends_after_its_children_and_then_its_memory_may_go)
{
    explore_scope(set_up, run_to_5);
}

Test(scope_orders, a_scope_ends_after_what_a_child_has_spawned)
{
    explore_scope(set_up_grandchild, run_to_5);
}

Test(scope_orders, a_child_that_fails_ends_its_sibling)
{
    explore_scope(set_up_fails, run_to_failure);
}

Test(scope_orders, a_child_that_fails_ends_the_body)
{
    explore_scope(set_up_fails_beside_body, run_to_failure);
}

Test(scope_orders, a_child_that_succeeds_ends_all_else)
{
    explore_scope(set_up_any, run_to_7);
}

Test(scope_orders, a_cancel_ends_the_body_and_the_children)
{
    explore_scope(set_up_cancelled, run_and_cancel);
}
