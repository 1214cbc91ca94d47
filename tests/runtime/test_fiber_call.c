/* test_fiber_call.c - fibers that end before what has begun them: calls, members of sets, scopes */
#include "fibers.h"

#include <weft/scope.h>

static const weft_config silent = {.workers = 2, .log = weft_log_none};

/* What a fiber does with variables of its caller. */
struct visit {
    weft_event *event; /* it waits for this one */
    int64_t     seen;  /* the result of that wait */
    bool        has_begun, has_ended;
};

static int64_t visits(void *argument)
{
    struct visit *visit = argument;
    weft_wait     wait;

    visit->has_begun = true;
    visit->seen = weft_await(weft_event_wait(&wait, visit->event));
    weft_fiber_yield(); /* a cancelled fiber takes its time, too */
    visit->has_ended = true;
    return visit->seen < 0 ? visit->seen : 7;
}

static int64_t panics(void *argument)
{
    (void)argument;
    weft_panic("on purpose");
}

/* ---- calls ---- */

/* Awaits the call of a fiber that uses this frame. */
struct calls {
    WEFT_FRAME;
    struct {
        weft_event *event;
        int64_t     limit; /* 0: none */
    } in;
    struct weft_fiber_call call;
    struct weft_timeout    timeout;
    struct visit           visit;
};
WEFT_ASYNC(calls)
{
    weft_future *call;
    int64_t      n;

    WEFT_BEGIN();
    self->visit = (struct visit){.event = self->in.event};
    call = weft_fiber_call(&self->call, visits, &self->visit);
    if (self->in.limit)
        call = weft_timeout(&self->timeout, call, self->in.limit);
    WEFT_AWAIT(n, call);
    check(self->visit.has_ended == self->visit.has_begun);
    WEFT_END(n);
}

Test(fiber_call, gives_the_result_of_its_function)
{
    weft_runtime *rt = start(2);
    weft_event    event = {0};
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, calls, .event = &event), 0);
    pause_ms(1);
    weft_event_set(&event);
    check_eq(join(rt, &h), 7);
    stop(rt);
}

Test(fiber_call, cancelled_ends_after_its_fiber)
{
    weft_runtime *rt = start(2);
    weft_event    event = {0};
    weft_handle   h;

    for (int i = 0; i < 100; i++) {
        check_eq(weft_spawn_on(rt, &h, calls, .event = &event), 0);
        if (i % 2)
            pause_ms(1);
        weft_cancel(&h);
        check_eq(join(rt, &h), -ECANCELED);
    }
    stop(rt);
}

Test(fiber_call, has_a_time_limit)
{
    weft_runtime *rt = start(2);
    weft_event    event = {0};
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, calls, .event = &event, .limit = WEFT_MS(1)), 0);
    check_eq(join(rt, &h), -ETIMEDOUT);
    stop(rt);
}

/* The loser of a select has ended when the select has. */
static int64_t races(void *argument)
{
    struct visit           slow = {.event = argument}, fast = {.event = argument};
    struct weft_fiber_call call[2];
    struct weft_select     select;
    weft_event             set = {0};
    weft_branch            branch[2];
    int64_t                n;

    weft_event_set(&set);
    fast.event = &set;
    branch[0].future = weft_fiber_call(&call[0], visits, &slow);
    branch[1].future = weft_fiber_call(&call[1], visits, &fast);
    n = weft_await(weft_select_array(&select, branch, 2));
    check(slow.has_ended == slow.has_begun && fast.has_ended);
    check_eq(call[0].future.result, -ECANCELED);
    check_eq(call[1].future.result, 7);
    return n;
}

Test(fiber_call, is_a_branch_of_a_select)
{
    weft_runtime *rt = start(2);
    weft_event    never = {0};

    check_eq(RUN_FIBER(rt, races, &never), 1);
    stop(rt);
}

static int64_t calls_what_panics(void *argument)
{
    struct weft_fiber_call call;

    (void)argument;
    check_eq(weft_await(weft_fiber_call(&call, panics, NULL)), -EOWNERDEAD);
    check(strstr(weft_fiber_call_panic(&call), "on purpose") != NULL);
    return 0;
}

Test(fiber_call, of_a_function_that_panics_says_so)
{
    weft_runtime *rt = start_with(&silent);

    check_eq(RUN_FIBER(rt, calls_what_panics, NULL), 0);
    stop(rt);
}

static int64_t calls_with_options(void *argument)
{
    weft_fiber_options     huge = {.stack_size = (size_t)65 << 20}, small = {.stack_size = 1};
    weft_event             event = {0};
    struct visit           visit = {.event = &event};
    struct weft_fiber_call call;

    (void)argument;
    check_eq(weft_await(weft_fiber_call_with(&call, "visitor", &huge, visits, &visit)), -EINVAL);
    check(!visit.has_ended);
    weft_event_set(&event);
    return weft_await(weft_fiber_call_with(&call, "visitor", &small, visits, &visit));
}

Test(fiber_call, has_options)
{
    weft_runtime *rt = start(1);

    check_eq(RUN_FIBER(rt, calls_with_options, NULL), 7);
    stop(rt);
}

Test(fiber_call, that_was_never_polled_runs_nothing)
{
    weft_event             event = {0};
    struct visit           visit = {.event = &event};
    struct weft_fiber_call call;
    weft_future           *future = weft_fiber_call(&call, visits, &visit);

    check(weft_poll_is_ready(weft_future_cancel(future)));
    check_eq(future->result, -ECANCELED);
    check_eq(weft_await(weft_fiber_call(&call, visits, &visit)), -ENXIO); /* no runtime */
    check(!visit.has_ended && visit.seen == 0);
}

Test(fiber_call, ends_when_its_runtime_stops)
{
    weft_runtime *rt = start(2);
    weft_event    event = {0};

    check_eq(weft_spawn_on(rt, NULL, calls, .event = &event), 0);
    pause_ms(1);
    stop(rt);
}

/* ---- calls that another executor polls ---- */

static void await_wake(const struct hand *hand)
{
    while (!__atomic_load_n(&hand->woken, __ATOMIC_ACQUIRE))
        sched_yield();
}

/* A worker may have taken the waker, and drops it after the wake. */
static void check_dropped(const struct hand *hand)
{
    EVENTUALLY(__atomic_load_n(&hand->n_wakers, __ATOMIC_ACQUIRE) == 0);
}

Test(fiber_call, ends_under_another_executor)
{
    weft_runtime          *rt = start(2);
    weft_event             event = {0};
    struct visit           visit = {.event = &event};
    struct weft_fiber_call call;
    struct hand            hand;

    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_fiber_call(&call, visits, &visit)));
    weft_event_set(&event);
    await_wake(&hand);
    check_eq(hand_run(&hand, &call.future), 7);
    check(visit.has_ended);
    check_dropped(&hand);
    stop(rt);
}

Test(fiber_call, cancelled_by_another_executor_ends_after_its_fiber)
{
    weft_runtime *rt = start(2);

    for (int i = 0; i < 100; i++) {
        weft_event             never = {0};
        struct visit           visit = {.event = &never};
        struct weft_fiber_call call;
        struct hand            hand;

        hand_init(&hand, rt);
        check(!hand_poll(&hand, weft_fiber_call(&call, visits, &visit)));
        if (i % 2)
            pause_ms(1);
        check(!weft_poll_is_ready(weft_future_cancel(&call.future)));
        while (!hand_poll(&hand, &call.future))
            await_wake(&hand);
        check_eq(call.future.result, -ECANCELED);
        check_eq(visit.has_ended, visit.has_begun);
        check_dropped(&hand);
    }
    stop(rt);
}

/* The runtime does not wait for the owner of the call, which sees the end later. */
Test(fiber_call, of_another_executor_ends_when_its_runtime_stops)
{
    struct memory memory;
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 2, .log = weft_log_none, .allocator = memory_hooks(&memory)});
    weft_event             never = {0};
    struct visit           visit = {.event = &never};
    struct weft_fiber_call call;
    struct hand            hand;

    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_fiber_call(&call, visits, &visit)));
    stop(rt);
    check(hand.woken && visit.has_ended == visit.has_begun);
    hand.rt = NULL;
    check_eq(hand_run(&hand, &call.future), -ECANCELED);
    check_dropped(&hand);
    check_eq(memory.live, 0);
}

/* ---- members of sets ---- */

enum { N = 16 };

static int64_t fills_a_set(void *argument)
{
    static const weft_fiber_options huge = {.stack_size = (size_t)65 << 20};

    weft_task_set set = {0};
    weft_member   member[N], *m;
    weft_wait     wait;
    weft_event    event = {0};
    struct visit  visit[N];
    int           n_panicked = 0;

    (void)argument;
    for (int i = 0; i < N; i++)
        visit[i] = (struct visit){.event = &event};
    check_eq(weft_task_set_fiber_with(NULL, &set, &member[0], "one", &huge, visits, visit),
             -EINVAL);
    check_eq(weft_task_set_count(&set), 0);
    check_eq(weft_task_set_fiber(&set, &member[0], panics, NULL), 0);
    for (int i = 1; i < N; i++)
        check_eq(weft_task_set_fiber_with(NULL, &set, &member[i], "one", NULL, visits, &visit[i]),
                 0);
    weft_event_set(&event);
    for (int i = 0; i < N; i++) {
        check_eq(weft_await(weft_task_set_next(&wait, &set, &m)), 0);
        n_panicked += m->result == -EOWNERDEAD && strstr(weft_member_panic(m), "on purpose");
        check(m->result == 7 || m == &member[0]);
    }
    check_eq(n_panicked, 1);
    return weft_task_set_try_next(&set, &m);
}

Test(fiber_call, fibers_are_members_of_a_task_set)
{
    weft_runtime *rt = start_with(&silent);

    check_eq(RUN_FIBER(rt, fills_a_set, NULL), WEFT_EOF);
    stop(rt);
}

static int64_t closes_a_set(void *argument)
{
    weft_task_set set = {0};
    weft_member   member[N];
    weft_wait     wait;
    struct visit  visit[N];

    for (int i = 0; i < N; i++) {
        visit[i] = (struct visit){.event = argument};
        check_eq(weft_task_set_fiber(&set, &member[i], visits, &visit[i]), 0);
        if (i % 4 == 0)
            weft_fiber_yield(); /* some have begun, and some have not */
    }
    check_eq(weft_await(weft_task_set_close(&wait, &set)), 0);
    for (int i = 0; i < N; i++)
        check(visit[i].has_ended == visit[i].has_begun && member[i].result == -ECANCELED);
    return weft_task_set_fiber(&set, &member[0], visits, &visit[0]);
}

Test(fiber_call, a_set_that_closes_waits_for_its_fibers)
{
    weft_runtime *rt = start(2);
    weft_event    never = {0};

    check_eq(RUN_FIBER(rt, closes_a_set, &never), -ESHUTDOWN);
    stop(rt);
}

/* ---- scopes ---- */

/* A scope whose body and children are fibers. They use variables of the fiber that awaits it. */
struct party {
    struct weft_scope scope;
    weft_event       *event;
    weft_member       member[N];
    struct visit      visit[N];
    bool              panics; /* the last child does */
};

static int64_t invites(void *argument)
{
    struct party *party = argument;
    int           i;

    for (i = 0; i < N - 1; i++) {
        party->visit[i] = (struct visit){.event = party->event};
        check_eq(weft_scope_fiber(&party->scope, &party->member[i], visits, &party->visit[i]), 0);
    }
    if (party->panics)
        return weft_scope_fiber_with(&party->scope, &party->member[i], "last", NULL, panics, NULL);
    weft_event_set(party->event);
    return 3;
}

static int64_t parties(void *argument)
{
    struct party           party = {.event = argument};
    struct weft_fiber_call call;

    check_eq(weft_await(weft_scope(&party.scope, WEFT_SCOPE_FAIL_FAST,
                                   weft_fiber_call(&call, invites, &party))),
             3);
    for (int i = 0; i < N - 1; i++)
        check(party.visit[i].has_ended && party.member[i].result == 7);
    weft_event_reset(party.event);
    party.panics = true;
    check_eq(weft_await(weft_scope(&party.scope, WEFT_SCOPE_FAIL_FAST,
                                   weft_fiber_call(&call, invites, &party))),
             -EOWNERDEAD);
    check(weft_scope_decisive(&party.scope) == &party.member[N - 1]);
    for (int i = 0; i < N - 1; i++)
        check(party.visit[i].has_ended == party.visit[i].has_begun &&
              party.member[i].result == -ECANCELED);
    return 0;
}

Test(fiber_call, a_scope_has_fibers_as_body_and_children)
{
    weft_runtime *rt = start_with(&silent);
    weft_event    event = {0};

    check_eq(RUN_FIBER(rt, parties, &event), 0);
    stop(rt);
}
