/* test_scope.c - the guarantees of scopes: children, policies, cancels, panics */
#include "../actors.h"

#define N 8

/* What the frame around a scope holds, and its children borrow. */
struct shared {
    weft_member member[N];
    weft_event  event[N];
    int64_t     n_running; /* atomic */
    int64_t     sum;       /* atomic */
};

/* Waits for its event, or to be cancelled, and returns a value. */
struct child {
    WEFT_FRAME;
    struct {
        struct shared *shared;
        int            i;
        int64_t        value;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(child)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_event_wait(&self->wait, &self->in.shared->event[self->in.i]));
    add(&self->in.shared->sum, 1);
    add(&self->in.shared->n_running, -1);
    WEFT_END(n < 0 ? n : self->in.value);
}

struct panics {
    WEFT_FRAME;
    struct {
        struct shared *shared;
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    add(&self->in.shared->n_running, -1);
    weft_panic("a child");
    WEFT_END(0);
}

/* Spawns a child for each value, waits for an event if it is given, and returns `result`. */
struct body {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        struct shared     *shared;
        int                n;
        const int64_t     *values;
        weft_event        *event;
        int64_t            result;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(body)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < self->in.n; i++) {
        add(&self->in.shared->n_running, 1);
        check_eq(weft_scope_spawn(self->in.scope, &self->in.shared->member[i], child,
                                  .shared = self->in.shared, .i = i,
                                  .value = self->in.values ? self->in.values[i] : i),
                 0);
    }
    if (self->in.event) {
        WEFT_AWAIT(n, weft_event_wait(&self->wait, self->in.event));
        if (n < 0)
            WEFT_RETURN(n);
    }
    WEFT_END(self->in.result);
}

/* A task that awaits a scope in memory of the test's, and then sees no child run. */
struct scoped {
    struct weft_scope scope;
    struct body       body;
    struct shared     shared;
};
struct owner {
    WEFT_FRAME;
    struct {
        struct scoped *s;
    } in;
};
WEFT_ASYNC(owner)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, &self->in.s->scope.future);
    check_eq(get(&self->in.s->shared.n_running), 0);
    WEFT_END(n);
}

/* Begins the scope. `...`: what the body gets. */
#define BEGIN(rt, handle, scoped_, policy, ...)                                                    \
    do {                                                                                           \
        memset(scoped_, 0, sizeof *(scoped_));                                                     \
        weft_scope(&(scoped_)->scope, policy,                                                      \
                   weft_async(body, &(scoped_)->body, .scope = &(scoped_)->scope,                  \
                              .shared = &(scoped_)->shared, __VA_ARGS__));                         \
        check_eq(weft_spawn_on(rt, handle, owner, .s = (scoped_)), 0);                             \
    } while (0)

struct awaits {
    WEFT_FRAME;
    struct {
        weft_future *future;
    } in;
};
WEFT_ASYNC(awaits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.future);
    WEFT_END(n);
}

Test(scope, without_children_has_the_result_of_its_body)
{
    weft_runtime *rt = start(1);
    struct scoped s;
    weft_handle   h;

    for (int64_t result = -2; result <= 2; result++)
        for (weft_scope_policy p = WEFT_SCOPE_ALL; p <= WEFT_SCOPE_FAIL_FAST; p++) {
            BEGIN(rt, &h, &s, p, .n = 0, .result = result);
            check_eq(join(rt, &h), result);
            check(weft_scope_decisive(&s.scope) == NULL);
        }
    stop(rt);
}

Test(scope, ends_only_when_the_last_child_has)
{
    weft_runtime *rt = start(2);
    struct scoped s;
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_ALL, .n = N, .result = 5);
    for (int i = N - 1; i >= 0; i--) {
        check(!weft_is_finished(&h));
        weft_event_set(&s.shared.event[i]);
    }
    check_eq(join(rt, &h), 5);
    check_eq(s.shared.sum, N);
    for (int i = 0; i < N; i++)
        check_eq(s.shared.member[i].result, i);
    stop(rt);
}

Test(scope, all_reports_the_first_error_and_ends_nothing_early)
{
    static const int64_t values[N] = {0, -5, 2, -7, 4, 5, 6, 7};

    weft_runtime *rt = start(2);
    struct scoped s;
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_ALL, .n = N, .values = values);
    weft_event_set(&s.shared.event[3]);
    EVENTUALLY(get(&s.shared.sum) == 1);
    EVENTUALLY(weft_task_set_count(&s.scope.set_) == N - 1);
    for (int i = 0; i < N; i++)
        weft_event_set(&s.shared.event[i]);
    check_eq(join(rt, &h), -7);
    check(weft_scope_decisive(&s.scope) == &s.shared.member[3]);
    for (int i = 0; i < N; i++)
        check_eq(s.shared.member[i].result, values[i]);
    stop(rt);
}

Test(scope, fail_fast_cancels_the_children_and_the_body)
{
    static const int64_t values[N] = {-3, 1, 2, 3, 4, 5, 6, 7};

    weft_runtime *rt = start(2);
    struct scoped s;
    weft_event    never = {0};
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_FAIL_FAST, .n = N, .values = values, .event = &never);
    weft_event_set(&s.shared.event[0]);
    check_eq(join(rt, &h), -3);
    check(weft_scope_decisive(&s.scope) == &s.shared.member[0]);
    check_eq(s.body.weft_frame_.future.result, -ECANCELED);
    for (int i = 1; i < N; i++)
        check_eq(s.shared.member[i].result, -ECANCELED);
    stop(rt);
}

Test(scope, fail_fast_is_ended_by_its_body_too)
{
    weft_runtime *rt = start(2);
    struct scoped s;
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_FAIL_FAST, .n = N, .result = -9);
    check_eq(join(rt, &h), -9);
    check(weft_scope_decisive(&s.scope) == NULL);
    for (int i = 0; i < N; i++)
        check_eq(s.shared.member[i].result, -ECANCELED);
    stop(rt);
}

Test(scope, any_ends_with_the_first_success)
{
    static const int64_t values[N] = {-1, -2, 7, 3, 4, 5, 6, 8};

    weft_runtime *rt = start(2);
    struct scoped s;
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_ANY, .n = N, .values = values);
    weft_event_set(&s.shared.event[0]);
    weft_event_set(&s.shared.event[1]);
    EVENTUALLY(get(&s.shared.sum) == 2 && weft_task_set_count(&s.scope.set_) == N - 2);
    check(!weft_is_finished(&h)); /* two have failed, and the others go on */
    weft_event_set(&s.shared.event[2]);
    check_eq(join(rt, &h), 7);
    check(weft_scope_decisive(&s.scope) == &s.shared.member[2]);
    for (int i = 3; i < N; i++)
        check_eq(s.shared.member[i].result, -ECANCELED);
    stop(rt);
}

Test(scope, any_without_a_success_has_the_first_error)
{
    static const int64_t values[2] = {-4, -6};

    weft_runtime *rt = start(2);
    struct scoped s;
    weft_handle   h;

    BEGIN(rt, &h, &s, WEFT_SCOPE_ANY, .n = 2, .values = values, .result = 3);
    weft_event_set(&s.shared.event[1]);
    EVENTUALLY(get(&s.shared.sum) == 1 && weft_task_set_count(&s.scope.set_) == 1);
    weft_event_set(&s.shared.event[0]);
    check_eq(join(rt, &h), -6);
    check(weft_scope_decisive(&s.scope) == &s.shared.member[1]);
    stop(rt);
}

/* ---- cancels ---- */

Test(scope, a_cancel_of_the_owner_cancels_body_and_children)
{
    for (weft_scope_policy p = WEFT_SCOPE_ALL; p <= WEFT_SCOPE_FAIL_FAST; p++) {
        weft_runtime *rt = start(2);
        struct scoped s;
        weft_event    never = {0};
        weft_handle   h;

        BEGIN(rt, &h, &s, p, .n = N, .event = &never);
        EVENTUALLY(get(&s.shared.n_running) == N);
        weft_cancel(&h);
        check_eq(join(rt, &h), -ECANCELED);
        check_eq(s.shared.sum, N);
        check(weft_scope_decisive(&s.scope) == NULL);
        stop(rt);
    }
}

Test(scope, a_cancel_before_it_begins_starts_nothing)
{
    struct scoped s = {.shared = {.sum = 0}};
    struct hand   hand;

    hand_init(&hand, NULL);
    weft_scope(&s.scope, WEFT_SCOPE_ALL,
               weft_async(body, &s.body, .scope = &s.scope, .shared = &s.shared, .n = N));
    check_eq(hand_cancel(&hand, &s.scope.future), -ECANCELED);
    check_eq(s.body.weft_frame_.future.result, -ECANCELED);
    check_eq(s.shared.n_running, 0);
}

Test(scope, a_limit_ends_it)
{
    weft_runtime       *rt = start(2);
    struct scoped       s;
    struct weft_timeout limit;

    memset(&s, 0, sizeof s);
    weft_scope(&s.scope, WEFT_SCOPE_ALL,
               weft_async(body, &s.body, .scope = &s.scope, .shared = &s.shared, .n = N));
    check_eq(weft_block_on(rt, weft_timeout(&limit, &s.scope.future, WEFT_MS(5))), -ETIMEDOUT);
    check_eq(get(&s.shared.n_running), 0);
    check_eq(s.shared.sum, N);
    stop(rt);
}

/* A child that does not heed its cancel for a while holds up the end of the scope. */
struct lingers {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        weft_member       *member;
        const int64_t     *until;
    } in;
};
WEFT_ASYNC(lingers)
{
    WEFT_BEGIN();
    check_eq(weft_scope_spawn(self->in.scope, self->in.member, yields, .until = self->in.until), 0);
    WEFT_END(0);
}
Test(scope, a_child_that_lingers_is_waited_for)
{
    weft_runtime     *rt = start(2);
    struct weft_scope scope;
    struct lingers    body;
    weft_member       member;
    weft_handle       h;
    int64_t           until = 0;

    weft_scope(&scope, WEFT_SCOPE_ALL,
               weft_async(lingers, &body, .scope = &scope, .member = &member, .until = &until));
    check_eq(weft_spawn_on(rt, &h, awaits, .future = &scope.future), 0);
    EVENTUALLY(weft_task_set_count(&scope.set_) == 1);
    weft_cancel(&h);
    pause_ms(5); /* it must not end now, however long it takes */
    check(!weft_is_finished(&h));
    add(&until, 1);
    check_eq(join(rt, &h), 0); /* all completed all the same */
    stop(rt);
}

/* ---- panics ---- */

struct panic_body {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        struct shared     *shared;
        bool               itself;
    } in;
};
WEFT_ASYNC(panic_body)
{
    WEFT_BEGIN();
    for (int i = 0; i < 2; i++) {
        add(&self->in.shared->n_running, 1);
        check_eq(weft_scope_spawn(self->in.scope, &self->in.shared->member[i], child,
                                  .shared = self->in.shared, .i = i),
                 0);
    }
    if (self->in.itself)
        weft_panic("the body");
    add(&self->in.shared->n_running, 1);
    check_eq(weft_scope_spawn(self->in.scope, &self->in.shared->member[2], panics,
                              .shared = self->in.shared),
             0);
    WEFT_END(0);
}

static void sees_no_child(void *arg)
{
    struct shared *shared = arg;

    check_eq(get(&shared->n_running), 0);
    add(&shared->sum, 100);
}

/* Its frame holds all of it. The deferred call comes before the frame goes. */
struct panic_owner {
    WEFT_FRAME;
    struct {
        bool     itself;
        int64_t *ret_sum;
    } in;
    weft_deferred     look;
    struct weft_scope scope;
    struct panic_body body;
    struct shared     shared;
};
WEFT_ASYNC(panic_owner)
{
    int64_t n;

    WEFT_BEGIN();
    memset(&self->shared, 0, sizeof self->shared);
    weft_defer(&self->look, sees_no_child, &self->shared);
    WEFT_AWAIT(n, weft_scope(&self->scope, WEFT_SCOPE_FAIL_FAST,
                             weft_async(panic_body, &self->body, .scope = &self->scope,
                                        .shared = &self->shared, .itself = self->in.itself)));
    check(!self->in.itself);
    check(strstr(weft_member_panic(weft_scope_decisive(&self->scope)), "a child") != NULL);
    *self->in.ret_sum = self->shared.sum;
    WEFT_END(n);
}

Test(scope, a_panic_of_a_child_is_its_failure)
{
    struct lines  lines = LINES;
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 2, .log = lines_add, .log_arg = &lines});
    int64_t sum = 0;

    check_eq(RUN(rt, panic_owner, .itself = false, .ret_sum = &sum), -EOWNERDEAD);
    check_eq(sum, 2); /* the other two were cancelled, and have ended */
    stop(rt);
}

Test(scope, a_panic_of_the_body_waits_for_the_children)
{
    struct lines  lines = LINES;
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 2, .log = lines_add, .log_arg = &lines});
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, panic_owner, .itself = true), 0);
    check_eq(join(rt, &h), -EOWNERDEAD);
    check(strstr(weft_handle_panic(&h), "the body") != NULL);
    stop(rt);
}

/* ---- spawning ---- */

Test(scope, takes_no_child_before_it_begins_and_after_it_has_ended)
{
    weft_runtime *rt = start(1);
    struct scoped s;
    weft_member   member;
    weft_handle   h;

    memset(&s, 0, sizeof s);
    weft_scope(&s.scope, WEFT_SCOPE_ALL,
               weft_async(body, &s.body, .scope = &s.scope, .shared = &s.shared, .n = 0));
    check_eq(weft_scope_spawn(&s.scope, &member, returns), -ESHUTDOWN);
    check_eq(weft_spawn_on(rt, &h, owner, .s = &s), 0);
    check_eq(join(rt, &h), 0);
    check_eq(weft_scope_spawn(&s.scope, &member, returns), -ESHUTDOWN);
    stop(rt);
}

/* A child spawns children of the same scope. */
struct tree {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        weft_member       *member; /* for all those below */
        int                depth;
        int64_t           *n_leaves;
    } in;
};
WEFT_ASYNC(tree)
{
    int half;

    WEFT_BEGIN();
    if (self->in.depth == 0) {
        add(self->in.n_leaves, 1);
        WEFT_RETURN(0);
    }
    half = (1 << self->in.depth) - 1; /* of the members below */
    for (int i = 0; i < 2; i++)
        check_eq(weft_scope_spawn(self->in.scope, self->in.member + i * half, tree,
                                  .scope = self->in.scope, .member = self->in.member + i * half + 1,
                                  .depth = self->in.depth - 1, .n_leaves = self->in.n_leaves),
                 0);
    WEFT_END(0);
}
Test(scope, children_may_spawn_into_it)
{
    weft_runtime      *rt = start(2);
    static weft_member member[1 << 12];
    struct weft_scope  scope;
    struct tree        body;
    int64_t            n_leaves = 0;

    weft_scope(&scope, WEFT_SCOPE_ALL,
               weft_async(tree, &body, .scope = &scope, .member = member, .depth = 10,
                          .n_leaves = &n_leaves));
    check_eq(weft_block_on(rt, &scope.future), 0);
    check_eq(n_leaves, 1 << 10);
    stop(rt);
}

/* ---- budget ---- */

/* While nothing happens, a scope whose body uses up each poll's budget is not awake. */
Test(scope, does_not_wake_itself_while_it_waits)
{
    weft_runtime     *rt = start(1);
    struct weft_scope scope;
    weft_event        never = {0};
    weft_wait         wait;
    struct hand       hand;

    hand_init(&hand, rt);
    weft_scope(&scope, WEFT_SCOPE_ALL, weft_event_wait(&wait, &never));
    for (int i = 0; i < 3; i++)
        check(!hand_poll_budget(&hand, &scope.future, 1));
    check_eq(hand.n_wakes, 0);
    check_eq(hand_cancel(&hand, &scope.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
    stop(rt);
}
