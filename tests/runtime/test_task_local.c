/* test_task_local.c - values that belong to a task: in its polls, and nowhere else */
#include "../actors.h"

#include <sys/mman.h>

#define TASKS  64
#define ROUNDS (TEST_SANITIZED ? 20 : 100)

static int             none, a, b;
static weft_task_local key = {.otherwise = &none}, other_key;

static void *value(void)
{
    return weft_task_local_get(&key);
}

/* ---- a future that tells what it sees ---- */

/* PENDING until its `n` polls are over. It notes the value of each poll and of the cancel. */
struct sees {
    weft_future future;
    int         n, n_polls;
    void       *polled[4], *cancelled;
};

static weft_poll sees_poll(weft_future *future, weft_context *cx)
{
    struct sees *self = weft_container(future, struct sees, future);

    self->polled[self->n_polls++] = value();
    if (self->n_polls == self->n || weft_future_is_cancelled(future))
        return weft_ready(future, weft_future_is_cancelled(future) ? -ECANCELED : 5);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static void sees_cancel(weft_future *future)
{
    weft_container(future, struct sees, future)->cancelled = value();
}

static weft_future *sees(struct sees *self, int n)
{
    static const weft_future_ops ops = {sizeof *self, WEFT_FUTURE_WITHDRAWS, "sees", sees_poll,
                                        sees_cancel};

    *self = (struct sees){.n = n};
    weft_future_init(&self->future, &ops);
    return &self->future;
}

/* ---- poll by poll ---- */

Test(task_local, a_value_is_set_in_each_poll_and_at_no_other_time)
{
    struct weft_task_local_scope scope;
    struct sees                  s;
    struct hand                  hand;

    hand_init(&hand, NULL);
    check(value() == &none);
    weft_task_local_scope(&scope, &key, &a, sees(&s, 3));
    check(value() == &none);
    for (int i = 0; i < 3; i++) {
        check_eq(hand_poll(&hand, &scope.future), i == 2);
        check(value() == &none && s.polled[i] == &a);
    }
    check_eq(scope.future.result, 5);
    check(weft_task_local_get(&other_key) == NULL);
}

Test(task_local, of_nested_scopes_of_a_key_the_innermost_counts)
{
    struct weft_task_local_scope outer, inner, other;
    struct sees                  s;
    struct hand                  hand;

    hand_init(&hand, NULL);
    weft_task_local_scope(&inner, &key, NULL, sees(&s, 1)); /* NULL is a value, too */
    weft_task_local_scope(&outer, &key, &a, &inner.future);
    check_eq(hand_run(&hand, &outer.future), 5);
    check(s.polled[0] == NULL);

    /* A scope of another key between them hides nothing. */
    weft_task_local_scope(&other, &other_key, &b, sees(&s, 2));
    weft_task_local_scope(&outer, &key, &a, &other.future);
    check_eq(hand_run(&hand, &outer.future), 5);
    check(s.polled[0] == &a && s.polled[1] == &a);
}

Test(task_local, a_cancelled_future_sees_the_value_while_it_ends)
{
    struct weft_task_local_scope scope;
    struct sees                  s;
    struct hand                  hand;

    hand_init(&hand, NULL);
    weft_task_local_scope(&scope, &key, &a, sees(&s, 3));
    check(!hand_poll(&hand, &scope.future));
    check_eq(hand_cancel(&hand, &scope.future), -ECANCELED);
    check(s.cancelled == &a && s.polled[1] == &a && value() == &none);

    /* Before its first poll it ends, too, and is not polled. */
    weft_task_local_scope(&scope, &key, &a, sees(&s, 3));
    check_eq(hand_cancel(&hand, &scope.future), -ECANCELED);
    check_eq(s.n_polls, 0);
    check_eq(weft_future_result(&s.future), -ECANCELED);
}

Test(task_local, another_executor_may_poll_and_a_thread_may_block)
{
    struct weft_task_local_scope scope;
    struct sees                  s;
    weft_local                   local;
    weft_local_task              task;

    check_eq(weft_block_on(NULL, weft_task_local_scope(&scope, &key, &a, sees(&s, 3))), 5);
    check(s.polled[0] == &a && s.polled[2] == &a && value() == &none);
    weft_local_init(&local, NULL);
    weft_local_add(&local, &task, weft_task_local_scope(&scope, &key, &b, sees(&s, 3)));
    weft_local_run(&local);
    check(s.polled[0] == &b && s.polled[2] == &b && value() == &none);
}

/* Waits until it is cancelled, then releases something within a scope. */
struct releases {
    WEFT_FRAME;
    struct {
        int64_t *started;
    } in;
    struct weft_sleep            nap;
    struct sees                  release;
    struct weft_task_local_scope scope;
};
WEFT_ASYNC(releases)
{
    static const weft_future_ops ops = {sizeof self->release, WEFT_FUTURE_CLEANS_UP, "release",
                                        sees_poll, sees_cancel};
    int64_t                      n;

    WEFT_BEGIN();
    add(self->in.started, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(1000)));
    check_eq(n, -ECANCELED);
    self->release = (struct sees){.n = 2};
    weft_future_init(&self->release.future, &ops);
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &key, &a, &self->release.future));
    check(!self->release.cancelled && self->release.polled[1] == &a);
    WEFT_END(n);
}

Test(task_local, a_release_within_a_scope_runs_in_a_cancelled_task)
{
    weft_runtime *rt = start(1);
    int64_t       started = 0;
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, releases, .started = &started), 0);
    spin_until(&started, 1);
    weft_cancel(&h);
    check_eq(join(rt, &h), 5);
    stop(rt);
}

/* ---- what is polled within a scope, and is not of its task ---- */

struct inner_block {
    weft_future future;
    void       *seen, *after;
};

/* A future of a plain thread may block in another one. */
static weft_poll inner_block_poll(weft_future *future, weft_context *cx)
{
    struct inner_block *self = weft_container(future, struct inner_block, future);
    struct sees         s;

    (void)cx;
    check_eq(weft_block_on(NULL, sees(&s, 1)), 5);
    self->seen = s.polled[0];
    self->after = value();
    return weft_ready(future, 0);
}

Test(task_local, a_future_in_block_on_within_a_scope_has_values_of_its_own)
{
    static const weft_future_ops ops = {sizeof(struct inner_block), WEFT_FUTURE_WITHDRAWS,
                                        "inner_block", inner_block_poll, NULL};

    struct weft_task_local_scope scope;
    struct inner_block           inner;

    weft_future_init(&inner.future, &ops);
    weft_task_local_scope(&scope, &key, &a, &inner.future);
    check_eq(weft_block_on(NULL, &scope.future), 0);
    check(inner.seen == &none && inner.after == &a);
}

/* Ends with 0 if it begins without a value. */
struct child {
    WEFT_FRAME;
    struct {
        bool panics;
    } in;
    int64_t                      result;
    struct sees                  sees;
    struct weft_task_local_scope scope;
};
WEFT_ASYNC(child)
{
    int64_t n;

    WEFT_BEGIN();
    self->result = value() == &none ? 0 : -EBADMSG;
    /* Within a scope of its own for another key, too. */
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &other_key, &b, sees(&self->sees, 2)));
    if (n == -ECANCELED)
        WEFT_RETURN(self->result); /* the runtime stops */
    check_eq(n, 5);
    check(self->sees.polled[0] == &none && self->sees.polled[1] == &none);
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &key, &b, sees(&self->sees, 2)));
    if (n == -ECANCELED)
        WEFT_RETURN(self->result); /* the runtime stops */
    check_eq(n, 5);
    check(self->sees.polled[0] == &b && self->sees.polled[1] == &b);
    check(value() == &none);
    if (self->in.panics)
        weft_panic("on purpose");
    WEFT_END(self->result);
}

/* Joins children at once, so that they run within its own poll. */
struct parent {
    WEFT_FRAME;
    struct {
        bool panics;
    } in;
    weft_handle h;
    int         i;
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 4; self->i++) {
        check(value() == &a);
        check_eq(weft_spawn(&self->h, child, .panics = self->in.panics), 0);
        WEFT_AWAIT(n, weft_join(&self->h));
        check_eq(n, self->in.panics ? -EOWNERDEAD : 0);

        check(value() == &a);
    }
    WEFT_END(0);
}

struct in_scope {
    WEFT_FRAME;
    struct {
        bool panics;
    } in;
    struct parent                parent;
    struct weft_task_local_scope scope;
};
WEFT_ASYNC(in_scope)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n,
               weft_task_local_scope(&self->scope, &key, &a,
                                     weft_async(parent, &self->parent, .panics = self->in.panics)));
    check(value() == &none);
    WEFT_END(n);
}

static void run_parents(const weft_config *config, bool panics)
{
    struct lines  lines = LINES;
    weft_config   quiet = *config;
    weft_runtime *rt;

    quiet.log = lines_add; /* of the panics */
    quiet.log_arg = &lines;
    rt = start_with(&quiet);
    for (int i = 0; i < 20; i++)
        check_eq(RUN(rt, in_scope, .panics = panics), 0);
    check(config->workers != 1 || counters(rt).in_place_joins > 0);
    stop(rt);
}

Test(task_local, a_child_inherits_nothing_also_if_it_runs_within_the_join)
{
    run_parents(&(weft_config){.workers = 1}, false);
    run_parents(&(weft_config){.workers = 2}, false);
    run_parents(&(weft_config){.current_thread = 1}, false);
}

Test(task_local, a_child_that_panics_leaves_the_parents_value)
{
    run_parents(&(weft_config){.workers = 1}, true);
    run_parents(&(weft_config){.workers = 2}, true);
    run_parents(&(weft_config){.current_thread = 1}, true);
}

/* ---- panics ---- */

static void note_value(void *ret_seen)
{
    *(void **)ret_seen = value();
}

struct panics {
    WEFT_FRAME;
    struct {
        void **ret_deferred;
    } in;
    weft_deferred note;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    weft_defer(&self->note, note_value, self->in.ret_deferred);
    WEFT_YIELD();
    weft_panic("on purpose");
    WEFT_END(0);
}

struct panics_in_scopes {
    WEFT_FRAME;
    struct {
        void **ret_deferred, **ret_outside;
    } in;
    weft_deferred                note;
    struct panics                panics;
    struct weft_task_local_scope outer, inner;
};
WEFT_ASYNC(panics_in_scopes)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->note, note_value, self->in.ret_outside);
    weft_async(panics, &self->panics, .ret_deferred = self->in.ret_deferred);
    weft_task_local_scope(&self->inner, &key, &b, &self->panics.weft_frame_.future);
    WEFT_AWAIT(n, weft_task_local_scope(&self->outer, &key, &a, &self->inner.future));
    WEFT_END(n);
}

Test(task_local, a_panic_goes_on_and_deferred_calls_see_the_value)
{
    struct lines  lines = LINES;
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines});
    void       *deferred = NULL, *outside = NULL;
    weft_handle h;

    check_eq(
        weft_spawn_on(rt, &h, panics_in_scopes, .ret_deferred = &deferred, .ret_outside = &outside),
        0);
    check_eq(join(rt, &h), -EOWNERDEAD);
    check(deferred == &b && outside == &none);
    check_str_contains(lines.text, "on purpose");
    check_eq(lines.n, 1); /* it is reported once, by its task */

    /* The worker's next task finds nothing of it. */
    check_eq(RUN(rt, child), 0);
    stop(rt);
}

/* The scope's memory is gone afterwards, and a look-up must not read it. */
Test(task_local, a_panic_in_block_on_leaves_nothing_behind)
{
    struct in_a_page {
        struct weft_task_local_scope scope;
        struct panics                p;
    } *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct lines  lines = LINES;
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines});
    void *deferred = NULL;

    check(page != MAP_FAILED);
    weft_task_local_scope(&page->scope, &key, &a,
                          weft_async(panics, &page->p, .ret_deferred = &deferred));
    check_eq(weft_block_on(rt, &page->scope.future), -EOWNERDEAD);
    check_eq(munmap(page, sizeof *page), 0);
    check(deferred == &a && value() == &none);
    stop(rt);
}

TEST_ABORTS(task_local, a_panic_that_nothing_catches, "called outside of any poll")
{
    struct weft_task_local_scope scope;
    struct panics                p;
    struct hand                  hand;
    void                        *deferred;

    hand_init(&hand, NULL);
    weft_async(panics, &p, .ret_deferred = &deferred);
    weft_task_local_scope(&scope, &key, &a, &p.weft_frame_.future);
    hand_run(&hand, &scope.future);
}

/* ---- many tasks, each with its value ---- */

/* Yields, waits, runs branches and joins a child; it sees its task's number all the while. */
struct works {
    WEFT_FRAME;
    struct {
        int     *number;
        uint32_t seed;
    } in;
    struct weft_sleep   nap;
    struct weft_timeout limit;
    struct weft_select  sel;
    struct counter      few;
    struct sees         branch;
    weft_handle         h;
    uint32_t            kind;
    int                 i;
};
WEFT_ASYNC(works)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 8; self->i++) {
        check(value() == self->in.number);
        self->kind = rnd(&self->in.seed) % 3;
        if (self->kind == 0) {
            WEFT_WAIT(weft_sleep(&self->nap, WEFT_US(50)));
        } else if (self->kind == 1) {
            weft_timeout(&self->limit, counter(&self->few, 9), WEFT_S(100));
            WEFT_WAIT(weft_select(&self->sel, sees(&self->branch, 2), &self->limit.future));
            check(self->branch.n_polls == 0 || self->branch.polled[0] == self->in.number);
        } else {
            if (weft_spawn(&self->h, child) < 0)
                break; /* the runtime stops */
            WEFT_AWAIT(n, weft_join(&self->h));
            if (n == -ECANCELED)
                weft_detach(&self->h); /* this task has been cancelled */
            else
                check_eq(n, 0);
        }
    }
    check(value() == self->in.number);
    WEFT_END(0);
}

struct numbered {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    int                          number;
    struct works                 works;
    struct weft_task_local_scope scope;
};
WEFT_ASYNC(numbered)
{
    int64_t n;

    WEFT_BEGIN();
    weft_async(works, &self->works, .number = &self->number, .seed = self->in.seed);
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &key, &self->number,
                                        &self->works.weft_frame_.future));
    check(value() == &none);
    WEFT_END(n);
}

static void storm(const weft_config *config)
{
    weft_runtime *rt = start_with(config);
    weft_handle   h[TASKS];
    uint32_t      seed = 1;

    for (int round = 0; round < test_scaled(ROUNDS); round++) {
        for (int i = 0; i < TASKS; i++)
            check_eq(weft_spawn_on(rt, &h[i], numbered, .seed = rnd(&seed)), 0);
        for (int i = 0; i < TASKS; i += 7) /* some of them are cancelled */
            weft_cancel(&h[i]);
        for (int i = 0; i < TASKS; i++) {
            int64_t n = join(rt, &h[i]);

            check(n == 0 || (n == -ECANCELED && i % 7 == 0));
        }
    }
    for (int i = 0; i < TASKS; i++) /* at stop */
        check_eq(weft_spawn_on(rt, NULL, numbered, .seed = rnd(&seed)), 0);
    stop(rt);
}

Test(task_local, storm_with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(task_local, storm_with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(task_local, storm_with_2_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 2});
}

Test(task_local, storm_with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(task_local, storm_with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}
