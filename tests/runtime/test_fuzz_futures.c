/*
 * test_fuzz_futures.c - trees of futures by chance: each is freed when it is READY, and its result is checked
 *
 * FUZZ_SEED=n replays one tree, FUZZ_ROUNDS=n tries so many. See fuzz_nodes.h.
 */
#include "fuzz_nodes.h"

#define CHILDREN 4

enum kind { LEAF, SELECT, BIASED, JOIN, TRY, LIMIT, SHIELD, CALLS, KEEPS, ONCE, ADOPT, KINDS };

/* A future around one of weft's, `inner`, which it frees at READY, with all below it. A raw node is not polled
 * itself: its owner polls `inner`. */
typedef struct node {
    weft_future  future;
    enum kind    kind;
    weft_future *inner; /* memory of its own; NULL: none yet, or freed */
    weft_branch *array;
    struct node *child[CHILDREN];
    uint32_t     n;
    int          how; /* it polls the inner one */
    int          polls_left, n_polls;
    int64_t      hour;
    bool         raw, asked, flagged;
    uint64_t     cancelled_at;
    weft_waker   wraps;
} node;

static node *node_make(int depth);

/* What its owner polls. */
static weft_future *future_of(node *c)
{
    return c->raw ? c->inner : &c->future;
}

static void node_free(node *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n; i++)
        node_free(c->child[i]);
    if (c->array)
        give(c->array);
    if (c->inner)
        give(c->inner);
    give(c);
}

static bool is_group(const node *c)
{
    return c->kind == SELECT || c->kind == BIASED || c->kind == JOIN || c->kind == TRY;
}

static bool is_unpolled(const weft_future *f)
{
    return !weft_future_is_ready(f) && !weft_future_is_pending(f);
}

/* ---- the model: what the result may be, given those of the children ---- */

static void check_select(const node *c, int64_t result)
{
    const weft_group *g = (const weft_group *)(const void *)c->inner;
    bool              completed = false;

    for (uint32_t i = 0; i < c->n; i++) {
        int64_t got = weft_future_result(future_of(c->child[i]));
        bool    undone = weft_select_undone(g) >> i & 1;

        expect(undone == (got != -ECANCELED && i != result), "select: undone names who completed");
        completed |= got != -ECANCELED;
    }
    if (result < 0)
        expect(result == -ECANCELED && c->asked && !completed,
               "select: cancelled and nothing completed");
    else
        expect(result < c->n, "select: the index of a branch");
}

static void check_join(const node *c, int64_t result)
{
    bool cancelled = false, failed = false, is_one = false;

    for (uint32_t i = 0; i < c->n; i++) {
        int64_t got = weft_future_result(future_of(c->child[i]));

        cancelled |= got == -ECANCELED;
        failed |= got < 0 && got != -ECANCELED;
        is_one |= got < 0 && got == result;
    }
    if (c->kind == JOIN) {
        expect(result == (c->asked && cancelled ? -ECANCELED : 0), "join_all: 0, or cancelled");
        return;
    }
    expect((result == 0) == (!failed && !cancelled), "try_join: 0 if all succeeded");
    expect(result == 0 || is_one, "try_join: the error of a branch");
    expect(result != -ECANCELED || !failed || c->flagged, "try_join: no error is lost");
}

static void check_limit(const node *c, int64_t result)
{
    int64_t got = weft_future_result(future_of(c->child[0]));

    if (result == -ETIMEDOUT && got != -ETIMEDOUT)
        expect(got == -ECANCELED && fuzz.hour >= c->hour,
               "timeout: not early, and the future was cancelled");
    else
        expect(result == got, "timeout: the future's own result");
}

static bool has_children_of_its_own(const node *c)
{
    return c->kind != LEAF && c->kind != ADOPT && c->kind != KEEPS && c->kind != CALLS &&
           c->kind != ONCE;
}

/* The inner future is READY. Children that are raw are checked here, too. */
static void check_result(const node *c)
{
    int64_t result = weft_future_result(c->inner);

    for (uint32_t i = 0; has_children_of_its_own(c) && i < c->n; i++) {
        node *child = c->child[i];

        if (child->raw) {
            child->asked |= weft_future_result(child->inner) < 0;
            child->flagged = true;
            check_result(child);
        }
    }
    if (c->kind == SELECT || c->kind == BIASED)
        check_select(c, result);
    else if (c->kind == JOIN || c->kind == TRY)
        check_join(c, result);
    else if (c->kind == LIMIT)
        check_limit(c, result);
    else if (c->kind == SHIELD)
        expect(result == weft_future_result(future_of(c->child[0])),
               "shield: the future's own result");
}

/* ---- a node's future ---- */

/* A waker of another executor, whose clones are those of the task. Lives for one poll. */
static weft_waker wrap_clone(void *data)
{
    return weft_waker_clone(&((node *)data)->wraps);
}

static void wrap_wake(void *data)
{
    weft_waker_wake_by_ref(&((node *)data)->wraps);
}

static const weft_waker_vtable wrap_vtable = {wrap_clone, wrap_wake, wrap_wake, wrap_wake, NULL};

static weft_poll poll_somehow(node *c, weft_future *future, weft_context *cx)
{
    const weft_waker *outer = cx->waker;
    weft_waker        wrapped = {&wrap_vtable, c};
    weft_poll         poll;

    if (c->how == 0)
        return weft_future_poll(future, cx);
    if (c->how == 1)
        return weft_future_poll_inner(future, cx);
    c->wraps = weft_waker_clone(outer);
    cx->waker = &wrapped;
    poll = weft_future_poll(future, cx);
    cx->waker = outer;
    weft_waker_drop(c->wraps);
    return poll;
}

static weft_poll node_ready(node *c)
{
    int64_t result = weft_future_result(c->inner);

    check_result(c);
    for (uint32_t i = 0; i < c->n; i++)
        node_free(c->child[i]);
    c->n = 0;
    if (c->array)
        give(c->array);
    give(c->inner);
    c->array = NULL;
    c->inner = NULL;
    return weft_ready(&c->future, result);
}

static weft_poll node_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future);

    c->flagged |= (cx->flags & WEFT_CONTEXT_CANCELLED_) != 0;
    c->n_polls++;
    if (c->cancelled_at > 0)
        expect(c->cancelled_at == fuzz.turn, "what is cancelled is polled at once");
    c->cancelled_at = 0;
    for (uint32_t i = 0; is_group(c) && i < c->n; i++)
        expect(c->n_polls < REFUSALS || !is_unpolled(future_of(c->child[i])),
               "a branch starves: it was never polled");
    if (weft_future_is_cancelled(future)) {
        c->asked = true;
        if (weft_poll_is_ready(weft_future_cancel(c->inner)))
            return node_ready(c);
    }
    return weft_poll_is_ready(poll_somehow(c, c->inner, cx)) ? node_ready(c) : WEFT_PENDING;
}

static void node_cancel(weft_future *future)
{
    weft_container(future, node, future)->cancelled_at = fuzz.turn; /* the next poll passes it on */
}

/* Gives its child up after some polls, pending, to be found by another owner. */
static weft_poll once_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future), *child = c->child[0];
    bool  ready;

    if (weft_future_is_cancelled(future) &&
        weft_poll_is_ready(weft_future_cancel(future_of(child))))
        return weft_ready(future, weft_future_result(future_of(child)));
    ready = weft_poll_is_ready(weft_future_poll(&child->future, cx));
    if (ready)
        return weft_ready(future, weft_future_result(&child->future));
    if (weft_future_is_cancelled(future) || c->polls_left-- > 0 || fuzz.n_orphans == TASKS)
        return WEFT_PENDING;
    fuzz.orphan[fuzz.n_orphans++] = child;
    fuzz.has_orphans = true;
    c->n = 0;
    return weft_ready(future, 77);
}

static weft_poll adopt_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future);

    if (c->n == 0) {
        if (fuzz.n_orphans == 0)
            return weft_ready(future, 78);
        c->n = 1;
        c->child[0] = fuzz.orphan[--fuzz.n_orphans];
    }
    if ((weft_future_is_cancelled(future) &&
         weft_poll_is_ready(weft_future_cancel(&c->child[0]->future))) ||
        weft_poll_is_ready(poll_somehow(c, &c->child[0]->future, cx)))
        return weft_ready(future, weft_future_result(&c->child[0]->future));
    return WEFT_PENDING;
}

static const weft_future_ops node_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "node", node_poll,
                                         node_cancel};
static const weft_future_ops once_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "once", once_poll,
                                         node_cancel};
static const weft_future_ops adopt_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "adopt", adopt_poll,
                                          node_cancel};

/* ---- async functions ---- */

struct calls {
    WEFT_FRAME;
    struct {
        node *me;
    } in;
    uint32_t i;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i + 1 < self->in.me->n; self->i++) {
        WEFT_WAIT(future_of(self->in.me->child[self->i]));
        if (dice(4) == 0)
            WEFT_YIELD();
    }
    WEFT_AWAIT(n, future_of(self->in.me->child[self->i]));
    expect(weft_future_is_ready(future_of(self->in.me->child[self->i])),
           "an await ends when its future has");
    WEFT_END(n);
}

/* Keeps child 0 in rounds of selects, below up to two other groups; the groups are freed after each round. */
struct keeps {
    WEFT_FRAME;
    struct {
        node *me;
        int   depth;
    } in;
    weft_group *group[3];
    int         n_groups;
    uint32_t    i;
};

static weft_future *keeps_begin(struct keeps *self)
{
    node        *me = self->in.me;
    weft_future *f;

    self->n_groups = 1 + (int)dice(3);
    for (int i = 0; i < 3; i++)
        self->group[i] = take(sizeof(weft_group));
    f = dice(2) ? weft_select(self->group[0], weft_keep(&me->child[0]->future),
                              &me->child[self->i]->future)
                : weft_select_biased(self->group[0], &me->child[self->i]->future,
                                     weft_keep(&me->child[0]->future));
    for (int i = 1; i < self->n_groups; i++)
        f = dice(2) ? weft_join_all(self->group[i], f) : weft_try_join(self->group[i], f);
    return f;
}

static void keeps_end(struct keeps *self)
{
    for (int i = 0; i < 3; i++)
        give(self->group[i]);
}

WEFT_ASYNC(keeps)
{
    WEFT_BEGIN();
    for (self->i = 1; self->i < self->in.me->n; self->i++) {
        WEFT_WAIT(keeps_begin(self));
        keeps_end(self);
        if (weft_future_is_ready(&self->in.me->child[0]->future))
            WEFT_RETURN(1);
        if (dice(4) == 0)
            WEFT_YIELD();
    }
    if (dice(2) || !weft_future_is_pending(&self->in.me->child[0]->future))
        WEFT_CANCEL(&self->in.me->child[0]->future);
    else
        WEFT_WAIT(&self->in.me->child[0]->future);
    WEFT_END(2);
}

/* ---- making trees ---- */

static weft_future *(*const of_array[])(weft_group *, weft_branch *, uint32_t) = {
    [SELECT] = weft_select_array,
    [BIASED] = weft_select_biased_array,
    [JOIN] = weft_join_all_array,
    [TRY] = weft_try_join_array,
};

static void make_group(node *c)
{
    c->inner = take(sizeof(weft_group));
    c->array = take(c->n * sizeof *c->array);
    for (uint32_t i = 0; i < c->n; i++)
        c->array[i].future = future_of(c->child[i]);
    of_array[c->kind]((weft_group *)(void *)c->inner, c->array, c->n);
}

static void make_inner(node *c)
{
    switch (c->kind) {
    case LEAF:
        c->inner = take(sizeof(struct leaf));
        leaf_make((struct leaf *)(void *)c->inner);
        break;
    case LIMIT:
        c->inner = take(sizeof(weft_limit));
        c->hour = fuzz.hour + (int64_t)dice(12) - 1;
        weft_timeout_at((weft_limit *)(void *)c->inner, future_of(c->child[0]),
                        fuzz.base + c->hour * HOUR);
        break;
    case SHIELD:
        c->inner = take(sizeof(weft_guard));
        weft_shield((weft_guard *)(void *)c->inner, future_of(c->child[0]),
                    (int64_t)dice(4) * HOUR);
        break;
    case CALLS:
        c->inner = take(sizeof(struct calls));
        weft_async(calls, (struct calls *)(void *)c->inner, .me = c);
        break;
    case KEEPS:
        c->inner = take(sizeof(struct keeps));
        weft_async(keeps, (struct keeps *)(void *)c->inner, .me = c);
        break;
    default:
        make_group(c);
    }
}

static uint32_t n_children(enum kind kind)
{
    if (kind == LEAF || kind == ADOPT)
        return 0;
    if (kind == LIMIT || kind == SHIELD || kind == ONCE)
        return 1;
    return kind == KEEPS ? 2 + dice(3) : 1 + dice(CHILDREN);
}

static node *node_make(int depth)
{
    node *c = take(sizeof *c);

    *c = (node){.kind = depth == 0 || dice(4) == 0 ? LEAF : (enum kind)dice(KINDS)};
    c->n = n_children(c->kind);
    c->how = (int)dice(4) - 1;
    if (c->how < 0)
        c->how = 1;
    for (uint32_t i = 0; i < c->n; i++) {
        c->child[i] = node_make(depth - 1);
        if (c->kind == KEEPS || c->kind == ONCE || c->child[i]->kind == ONCE ||
            c->child[i]->kind == ADOPT)
            c->child[i]->raw = false;
    }
    weft_future_init(&c->future, c->kind == ONCE    ? &once_ops
                                 : c->kind == ADOPT ? &adopt_ops
                                                    : &node_ops);
    c->polls_left = (int)dice(3);
    if (c->kind != ONCE && c->kind != ADOPT)
        make_inner(c);
    c->raw = c->inner && c->kind != LEAF && dice(3) == 0;
    return c;
}

/* ---- executors ---- */

struct root {
    WEFT_FRAME;
    struct {
        node *top;
    } in;
};
WEFT_ASYNC(root)
{
    WEFT_BEGIN();
    WEFT_WAIT(&self->in.top->future);
    node_free(self->in.top);
    WEFT_END(0);
}

/* A task of another executor: it counts its wakers, whose clones have another vtable. */
struct foreign {
    node *top;
    int   refs;
    bool  woken, ended;
};

static struct {
    wf_task        *task[TASKS];
    struct foreign *foreign[TASKS];
    int             n_tasks, n_foreign;
    uint32_t        budget;
} run;

static weft_waker foreign_clone(void *data);

static void foreign_wake_by_ref(void *data)
{
    expect(((struct foreign *)data)->refs > 0, "a foreign waker is used that was dropped");
    ((struct foreign *)data)->woken = true;
}

static void foreign_drop(void *data)
{
    struct foreign *f = data;

    expect(f->refs > 0, "a foreign waker is dropped twice");
    if (--f->refs == 0)
        give(f);
}

static void foreign_wake(void *data)
{
    foreign_wake_by_ref(data);
    foreign_drop(data);
}

static const weft_waker_vtable foreign_vtable = {foreign_clone, foreign_wake, foreign_wake_by_ref,
                                                 foreign_drop, NULL};
static const weft_waker_vtable clone_vtable = {foreign_clone, foreign_wake, foreign_wake_by_ref,
                                               foreign_drop, NULL};

static weft_waker foreign_clone(void *data)
{
    ((struct foreign *)data)->refs++;
    return (weft_waker){&clone_vtable, data};
}

static weft_runtime rt;

static weft_context context_for(const weft_waker *waker)
{
    weft_context cx;

    weft_context_init(&cx, waker, &rt);
    cx.budget = run.budget;
    cx.random_ = dice(UINT32_MAX);
    fuzz.spent = 0;
    fuzz.turn++;
    return cx;
}

static void foreign_turn(int i)
{
    struct foreign *f = run.foreign[i];
    weft_waker      waker = {&foreign_vtable, f};
    weft_context    cx = context_for(&waker);

    f->woken = false;
    if (!weft_poll_is_ready(weft_future_poll(&f->top->future, &cx)))
        return;
    node_free(f->top);
    run.foreign[i] = run.foreign[--run.n_foreign];
    foreign_drop(f);
}

/* As run.c does. */
static void task_turn(int i)
{
    wf_task          *t = fuzz.queue[i];
    uint64_t          state;
    struct weft_home_ home = {.waker = {&wf_task_vtable, t}};
    weft_context      cx;
    weft_future      *future = &t->frame.future;

    fuzz.queue[i] = fuzz.queue[--fuzz.n_queued];
    state = wf_task_to_running(t);
    cx = context_for(&home.waker);
    cx.home_ = &home;
    cx.flags = state & WF_TASK_CANCEL ? WEFT_CONTEXT_CANCELLED_ : 0;
    if (weft_poll_is_ready(weft_future_poll_inner(future, &cx))) {
        for (int k = 0; k < run.n_tasks; k++)
            if (run.task[k] == t)
                run.task[k] = run.task[--run.n_tasks];
        wf_task_to_complete(t);
    } else if (home.yielded || wf_task_to_idle(t) == WF_TASK_IDLE_REQUEUE) {
        wf_dispatch_queue(t);
    }
    expect(fuzz.spent <= run.budget + 64, "a poll keeps to its budget");
}

static void spawn(node *top)
{
    struct root     args = {.in = {top}};
    wf_task_origin  from = {weft_ops_root(),           &args.in, sizeof args.in,
                            offsetof(struct root, in), 0,        "\0here"};
    struct foreign *f;

    if (run.n_tasks + run.n_foreign == TASKS / 2 || dice(4)) {
        run.task[run.n_tasks] = wf_task_new_owner(NULL, &from, false);
        wf_dispatch_queue(run.task[run.n_tasks++]);
        return;
    }
    f = run.foreign[run.n_foreign++] = take(sizeof *f);
    *f = (struct foreign){.top = top, .refs = 1, .woken = true};
}

/* ---- events ---- */

static bool run_something(void)
{
    int n = 0, at[TASKS];

    for (int i = 0; i < run.n_foreign; i++)
        if (run.foreign[i]->woken)
            at[n++] = i;
    if (n + fuzz.n_queued == 0)
        return false;
    if ((int)dice((uint32_t)(n + fuzz.n_queued)) < n)
        foreign_turn(at[dice((uint32_t)n)]);
    else
        task_turn((int)dice((uint32_t)fuzz.n_queued));
    return true;
}

static void cancel_something(void)
{
    wf_task *t;

    if (run.n_tasks > 0 && dice(2)) {
        t = run.task[dice((uint32_t)run.n_tasks)];
        if (wf_task_to_cancelled(t) == WF_TASK_WAKE_QUEUE)
            wf_dispatch_queue(t);
    } else if (run.n_foreign > 0) {
        struct foreign *f = run.foreign[dice((uint32_t)run.n_foreign)];

        if (weft_poll_is_ready(weft_future_cancel(&f->top->future)))
            weft_future_init(&f->top->future, f->top->future.ops); /* it had not begun */
        f->top->cancelled_at = 0;                                  /* polled soon, not at once */
        f->woken = true;
    }
}

static void use_a_waker_that_was_left(bool wake)
{
    weft_waker waker;

    if (fuzz.n_left == 0)
        return;
    waker = fuzz.left[--fuzz.n_left];
    if (wake)
        weft_waker_wake(waker);
    else
        weft_waker_drop(waker);
}

static void time_passes(void)
{
    fuzz.hour++;
    wf_timers_fire(rt.timers, fuzz.base + fuzz.hour * HOUR + HOUR / 2);
}

static void something_happens(void)
{
    uint32_t what = dice(100);

    if (what < 50)
        run_something();
    else if (what < 75 && fuzz.n_leaves > 0)
        fire(fuzz.leaf[dice((uint32_t)fuzz.n_leaves)], dice(2));
    else if (what < 80)
        time_passes();
    else if (what < 83)
        cancel_something();
    else if (what < 90)
        use_a_waker_that_was_left(dice(2));
    else if (what < 93 && run.n_tasks + run.n_foreign < 6)
        spawn(node_make((int)dice(5)));
}

/* Everything becomes ready; only what was woken is polled. */
static void finish(void)
{
    fuzz.finishing = true;
    for (int idle = 0; run.n_tasks + run.n_foreign + fuzz.n_orphans > 0;) {
        expect(fuzz.turn < 1000000, "all is ready and does not end");
        if (run_something())
            continue;
        expect(idle++ < 64, "a wake was lost: all is ready and nobody is polled");
        for (int i = 0; i < fuzz.n_leaves; i++)
            if (!fuzz.leaf[i]->fired)
                fire(fuzz.leaf[i], true);
        time_passes();
        if (fuzz.n_orphans > 0 && run.n_tasks + run.n_foreign < TASKS / 2) {
            node *c = take(sizeof *c);

            *c = (node){.kind = ADOPT, .how = (int)dice(3)};
            weft_future_init(&c->future, &adopt_ops);
            spawn(c);
            idle = 0;
        }
    }
    while (fuzz.n_left > 0)
        use_a_waker_that_was_left(dice(2));
}

static void unpark(wf_driver *driver)
{
    (void)driver;
}

static void round_of(uint64_t seed)
{
    static wf_driver driver = {.unpark = unpark, .sleeps_until = WF_DRIVER_AWAKE};

    memset(&fuzz, 0, sizeof fuzz);
    fuzz.seed = seed;
    fuzz.random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
    fuzz.starves = dice(8) == 0;
    fuzz.base = wf_now() + HOUR;
    run.budget = (uint32_t[]){1, 1, 2, 3, 8, 128}[dice(6)];
    rt.config.workers = 1;
    rt.config.allocator = wf_alloc_default;
    rt.driver = &driver;
    check_eq(wf_timers_start(&rt), 0);
    for (uint32_t n = 1 + dice(4); n > 0; n--)
        spawn(node_make(1 + (int)dice(4)));
    for (uint32_t n = 50 + dice(200); n > 0; n--)
        something_happens();
    finish();
    expect(fuzz.n_tasks == 0, "each task is freed: no waker is left");
    expect(fuzz.n_leaves == 0, "each leaf has ended");
    expect(rt.timers->n_foreign == 0, "no timer is left");
    wf_timers_stop(&rt);
    nothing_touched_what_was_freed();
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

static void says_seed(int signal_number)
{
    say_seed();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

Test(fuzz_futures,
     trees_of_futures_end_with_results_that_the_model_allows_and_touch_nothing_afterwards,
     .timeout = 600)
{
    uint64_t seed = number_from("FUZZ_SEED", 0);
    uint64_t rounds =
        number_from("FUZZ_ROUNDS", (uint64_t)test_scaled(TEST_SANITIZED ? 1000 : 3000));

    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(say_seed);
    signal(SIGABRT, says_seed);
    if (!TEST_SANITIZED)
        signal(SIGSEGV, says_seed);
    if (seed > 0)
        round_of(seed);
    for (uint64_t i = 1; seed == 0 && i <= rounds; i++)
        round_of(i);
}
