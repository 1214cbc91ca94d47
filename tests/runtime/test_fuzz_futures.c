/*
 * test_fuzz_futures.c - trees of futures by chance: each is freed when it is READY, and its result
 * is checked
 *
 * FUZZ_SEED=n replays one tree, FUZZ_ROUNDS=n tries so many. See fuzz_nodes.h
 * and fuzz_trees.h.
 */
#include "fuzz_trees.h"

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
static wf_executor  executor = {.is_parent = "yes"};

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

/* All leaves become ready, and only woken tasks are polled. */
static void finish(void)
{
    fuzz.finishing = true;
    for (int idle = 0; run.n_tasks + run.n_foreign + fuzz.n_orphans > 0;) {
        expect(fuzz.turn < 1000000, "all is ready and does not end");
        if (run_something())
            continue;
        expect(idle++ < 64, "a wake was lost: all is ready and no task is polled");
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

static void round_of(uint64_t seed)
{
    static wf_driver driver = {.sleeps_until = WF_DRIVER_NO_WAIT};

    memset(&fuzz, 0, sizeof fuzz);
    fuzz.seed = seed;
    fuzz.random = seed * 0x9e3779b97f4a7c15 + 0x1234567;
    fuzz.starves = dice(8) == 0;
    fuzz.base = wf_now() + HOUR;
    run.budget = (uint32_t[]){1, 1, 2, 3, 8, 128}[dice(6)];
    rt.config.workers = 1;
    rt.config.allocator = wf_alloc_default;
    rt.driver = &driver;
    rt.executor = &executor;
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
