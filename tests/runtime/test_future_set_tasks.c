/* test_future_set_tasks.c - sets of futures in tasks, which end in every way, and in threads */
#include "../actors.h"

#define MANY 1000

/* ---- the cost of a wake ---- */

struct promised {
    weft_promise   promise;
    weft_wait      wait;
    struct watched watched;
};

struct many {
    WEFT_FRAME;
    struct {
        struct promised *promised;
        int64_t         *n_seen;
    } in;
    weft_future_set   set;
    weft_future_slot *slot;
    weft_branch      *branch;
    int64_t           i;
};
WEFT_ASYNC(many)
{
    int64_t n;

    WEFT_BEGIN();
    self->slot = calloc(MANY, sizeof *self->slot);
    self->branch = calloc(MANY, sizeof *self->branch);
    check(self->slot && self->branch);
    weft_future_set_init(&self->set, self->slot, self->branch, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        struct promised *p = &self->in.promised[i];

        weft_future_set_add(&self->set, i,
                            watched(&p->watched, weft_promise_get(&p->wait, &p->promise)));
    }
    for (self->i = 0; self->i < MANY; self->i++) {
        WEFT_AWAIT(n, weft_future_set_next(&self->set));
        check(n >= 0);
        check_eq(weft_future_result(self->slot[n].future), n);
        add(self->in.n_seen, 1);
    }
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, WEFT_EOF);
    free(self->slot);
    free(self->branch);
    WEFT_END(0);
}

Test(future_set_tasks, a_wake_polls_the_future_that_was_woken_and_no_other)
{
    weft_runtime    *rt = start(1);
    struct promised *p = calloc(MANY, sizeof *p);
    int64_t          n_seen = 0;
    int              n_polls = 0;
    weft_handle      h;

    check(p != NULL);
    check_eq(weft_spawn_on(rt, &h, many, .promised = p, .n_seen = &n_seen), 0);
    for (int i = 0; i < MANY; i++) {
        int k = (i * 7) % MANY;

        check_eq(weft_promise_complete(&p[k].promise, k), 0);
        if (i % 3 == 0)
            spin_until(&n_seen, i + 1);
    }
    check_eq(join(rt, &h), 0);
    for (int i = 0; i < MANY; i++)
        n_polls += p[i].watched.n_polls;
    check_cmp(n_polls, <=, 2 * MANY);
    free(p);
    stop(rt);
}

/* ---- what a wait was a branch of is gone ---- */

/* Polls the set as a branch of a select, which it then frees. */
struct outlives {
    WEFT_FRAME;
    struct {
        struct promised *promised;
        int64_t         *n_waiting;
    } in;
    weft_future_set     set;
    weft_future_slot    slot[2];
    weft_branch         branch[2];
    struct weft_select *sel;
    struct counter      few;
};
WEFT_ASYNC(outlives)
{
    int64_t n;

    WEFT_BEGIN();
    weft_future_set_init(&self->set, self->slot, self->branch, 2);
    for (uint32_t i = 0; i < 2; i++)
        weft_future_set_add(
            &self->set, i,
            weft_promise_get(&self->in.promised[i].wait, &self->in.promised[i].promise));
    self->sel = malloc(sizeof *self->sel);
    check(self->sel != NULL);
    WEFT_AWAIT(n, weft_select(self->sel, weft_future_set_next(&self->set), counter(&self->few, 3)));
    check_eq(n, 1);
    memset(self->sel, 0xa5, sizeof *self->sel);
    free(self->sel);
    check_eq(weft_promise_complete(&self->in.promised[0].promise, 5), 0); /* it wakes this task */
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, 0);
    add(self->in.n_waiting, 1);
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, 1);
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, WEFT_EOF);
    WEFT_END(0);
}

Test(future_set_tasks, its_futures_outlive_the_group_that_they_were_polled_in)
{
    static const weft_config configs[] = {
        {.workers = 1}, {.workers = 2}, {.workers = 8}, {.workers = 1, .budget = 1}};

    for (int c = 0; c < 4; c++) {
        weft_runtime   *rt = start_with(&configs[c]);
        struct promised p[2] = {0};
        int64_t         n_waiting = 0;
        weft_handle     h;

        check_eq(weft_spawn_on(rt, &h, outlives, .promised = p, .n_waiting = &n_waiting), 0);
        spin_until(&n_waiting, 1);
        check_eq(weft_promise_complete(&p[1].promise, 6), 0);
        check_eq(join(rt, &h), 0);
        stop(rt);
    }
}

/* ---- the end of the function ---- */

/* Futures that never end by themselves, and a set of them. */
struct holds {
    WEFT_FRAME;
    struct {
        int64_t *n_waiting;
        int64_t *n_drained;
        int      how;
    } in;
    weft_future_set    set;
    weft_future_slot   slot[4];
    weft_branch        branch[4];
    struct weft_sleep  nap[4];
    struct weft_select sel;
    struct counter     few;
    weft_deferred      note;
};

enum {
    CANCELLED_IN_IT,
    CANCELLED_ELSEWHERE,
    PANICS_BETWEEN,
    PANICS_WITHIN,
    PANICS_UNPOLLED,
    FORGETS
};

/* A future that panics at its second poll. */
static weft_poll breaks_poll(weft_future *future, weft_context *cx)
{
    struct counter *self = weft_container(future, struct counter, future);

    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (self->count++ > 0)
        weft_panic("on purpose");
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static weft_future *breaks(struct counter *self)
{
    static const weft_future_ops ops = {sizeof *self, WEFT_FUTURE_WITHDRAWS, "breaks", breaks_poll,
                                        NULL};

    self->count = 0;
    weft_future_init(&self->future, &ops);
    return &self->future;
}

static void note_drained(void *frame)
{
    struct holds *self = frame;

    for (int i = 1; i < 4; i++)
        if (weft_future_is_ready(&self->nap[i].future))
            add(self->in.n_drained, 1);
}

WEFT_ASYNC(holds)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.how != FORGETS)
        weft_defer(&self->note, note_drained, self);
    weft_future_set_init(&self->set, self->slot, self->branch, 4);
    weft_future_set_add(&self->set, 0, weft_sleep(&self->nap[0], 0));
    for (uint32_t i = 1; i < 4; i++)
        weft_future_set_add(&self->set, i, weft_sleep(&self->nap[i], WEFT_S(1000)));
    if (self->in.how == PANICS_UNPOLLED)
        weft_panic("on purpose");
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, 0);
    if (self->in.how == PANICS_BETWEEN)
        weft_panic("on purpose");
    if (self->in.how == FORGETS)
        WEFT_RETURN(0);
    if (self->in.how == PANICS_WITHIN) {
        weft_future_set_add(&self->set, 0, breaks(&self->few));
        WEFT_AWAIT(n, weft_future_set_next(&self->set));
        check(false);
    }
    /* The wait loses a select, and the futures stay. */
    WEFT_AWAIT(n,
               weft_select(&self->sel, weft_future_set_next(&self->set), counter(&self->few, 3)));
    check_eq(n, 1);
    check_eq(weft_future_set_count(&self->set), 3);
    add(self->in.n_waiting, 1);
    if (self->in.how == CANCELLED_ELSEWHERE) {
        WEFT_WAIT(weft_sleep(&self->nap[0], WEFT_S(1000)));
        check_eq(weft_future_set_count(&self->set), 3);
        WEFT_WAIT(weft_future_set_close(&self->set)); /* runs although the task is cancelled */
        WEFT_RETURN(-ECANCELED);
    }
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    check_eq(n, -ECANCELED);
    WEFT_AWAIT(n, weft_future_set_next(&self->set)); /* again: there is nothing left to end */
    WEFT_END(n);
}

static void run_holds(const weft_config *config, int how, int64_t expected, bool by_stop)
{
    struct lines  lines = LINES;
    weft_config   quiet = *config;
    weft_runtime *rt;
    weft_handle   h[8];
    int64_t       n_waiting = 0, n_drained = 0;

    quiet.log = lines_add; /* of the panics, and of handles that are open at the stop */
    quiet.log_arg = &lines;
    rt = start_with(&quiet);
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &h[i], holds, .n_waiting = &n_waiting, .n_drained = &n_drained,
                               .how = how),
                 0);
    if (expected == -ECANCELED)
        spin_until(&n_waiting, 8);
    if (by_stop)
        stop(rt);
    for (int i = 0; i < 8 && by_stop; i++)
        weft_detach(&h[i]);
    for (int i = 0; i < 8 && !by_stop; i++) {
        if (expected == -ECANCELED)
            weft_cancel(&h[i]);
        check_eq(join(rt, &h[i]), expected);
    }
    if (how != PANICS_UNPOLLED)
        check_eq(get(&n_drained), 8 * 3);
    if (!by_stop)
        stop(rt);
}

static void on_all(int how, int64_t expected)
{
    run_holds(&(weft_config){.workers = 1}, how, expected, false);
    run_holds(&(weft_config){.workers = 2}, how, expected, false);
    run_holds(&(weft_config){.workers = 8}, how, expected, false);
    run_holds(&(weft_config){.workers = 2, .budget = 1}, how, expected, false);
}

Test(future_set_tasks, a_cancel_of_the_function_that_awaits_it_drains_it)
{
    on_all(CANCELLED_IN_IT, -ECANCELED);
}

Test(future_set_tasks, a_cancelled_function_can_close_it)
{
    on_all(CANCELLED_ELSEWHERE, -ECANCELED);
}

Test(future_set_tasks, a_stop_drains_it)
{
    run_holds(&(weft_config){.workers = 2}, CANCELLED_IN_IT, -ECANCELED, true);
    run_holds(&(weft_config){.workers = 2}, CANCELLED_ELSEWHERE, -ECANCELED, true);
}

Test(future_set_tasks, a_panic_between_two_waits_drains_it)
{
    on_all(PANICS_BETWEEN, -EOWNERDEAD);
}

Test(future_set_tasks, a_panic_of_one_of_its_futures_drains_the_others)
{
    on_all(PANICS_WITHIN, -EOWNERDEAD);
}

Test(future_set_tasks, a_panic_before_the_first_wait_finds_nothing_to_drain)
{
    on_all(PANICS_UNPOLLED, -EOWNERDEAD);
}

TEST_ABORTS(future_set_tasks, a_function_that_returns_and_forgets_it,
            "returned while a branch it had kept is pending")
{
    run_holds(&(weft_config){.workers = 1}, FORGETS, 0, false);
}

/* ---- by plain threads ---- */

static void *completes_all(void *arg)
{
    struct promised *p = arg;

    for (int i = 0; i < 8; i++) {
        sched_yield();
        check_eq(weft_promise_complete(&p[7 - i].promise, i), 0);
    }
    return NULL;
}

Test(future_set_tasks, a_plain_thread_may_await_it_with_a_runtime_or_without)
{
    weft_runtime    *rt = start(2);
    weft_future_set  set;
    weft_future_slot slot[8];
    weft_branch      branch[8];

    for (int round = 0; round < 50; round++) {
        struct promised p[8] = {0};
        pthread_t       t;

        weft_future_set_init(&set, slot, branch, 8);
        for (uint32_t i = 0; i < 8; i++)
            weft_future_set_add(&set, i, weft_promise_get(&p[i].wait, &p[i].promise));
        t = thread(completes_all, p);
        for (int i = 0; i < 8; i++)
            check(weft_block_on(i % 2 ? rt : NULL, weft_future_set_next(&set)) >= 0);
        check_eq(weft_block_on(NULL, weft_future_set_next(&set)), WEFT_EOF);
        pthread_join(t, NULL);
    }
    stop(rt);
}
