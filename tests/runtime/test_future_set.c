/* test_future_set.c - sets of futures: poll by poll, and in tasks that end in every way */
#include "../actors.h"

#define MANY   1000
#define TASKS  16
#define ROUNDS (TEST_SANITIZED ? 10 : 40)

/* ---- poll by poll, by an executor of our own ---- */

struct four {
    weft_future_set  set;
    weft_future_slot slot[4];
    weft_branch      branch[4];
    struct event     event[4];
    struct hand      hand;
};

static void begin_four(struct four *f)
{
    hand_init(&f->hand, NULL);
    weft_future_set_init(&f->set, f->slot, f->branch, 4);
    for (uint32_t i = 0; i < 4; i++)
        weft_future_set_add(&f->set, i, event(&f->event[i]));
}

/* Polls a new wait once. Returns its result, or -EINPROGRESS and the wait is pending. */
static int64_t next_of(struct four *f)
{
    return hand_poll(&f->hand, weft_future_set_next(&f->set)) ? weft_future_result(&f->set.future)
                                                              : -EINPROGRESS;
}

static int64_t again(struct four *f)
{
    return hand_poll(&f->hand, &f->set.future) ? weft_future_result(&f->set.future) : -EINPROGRESS;
}

Test(future_set, returns_slots_in_the_order_in_which_their_futures_end)
{
    struct four f;

    begin_four(&f);
    check_eq(next_of(&f), -EINPROGRESS);
    check_eq(weft_future_set_count(&f.set), 4);
    event_set(&f.event[2], 7);
    check(f.hand.woken);
    check_eq(again(&f), 2);
    check_eq(weft_future_result(f.slot[2].future), 7);
    check_eq(weft_future_set_count(&f.set), 3);
    check_eq(next_of(&f), -EINPROGRESS);
    event_set(&f.event[3], -EIO);
    check_eq(again(&f), 3);
    check_eq(weft_future_result(f.slot[3].future), -EIO);

    /* A slot that was returned takes another future. */
    weft_future_set_add(&f.set, 2, at_once(&f.event[2], 8));
    check_eq(next_of(&f), 2);
    check_eq(weft_future_result(f.slot[2].future), 8);
    event_set(&f.event[1], 0);
    check_eq(next_of(&f), 1);
    event_set(&f.event[0], 0);
    check_eq(next_of(&f), 0);
    check_eq(weft_future_set_count(&f.set), 0);
    check_eq(next_of(&f), WEFT_EOF);
    check_eq(f.hand.n_wakers, 0);
    check_eq(next_of(&f), WEFT_EOF);

    /* And so does a set that was empty. */
    weft_future_set_add(&f.set, 3, event(&f.event[3]));
    check_eq(next_of(&f), -EINPROGRESS);
    event_set(&f.event[3], 9);
    check_eq(again(&f), 3);
    check_eq(weft_future_result(f.slot[3].future), 9);
    check_eq(next_of(&f), WEFT_EOF);
}

/* They end in the turn of the group that polls them, and are returned in that order. */
Test(future_set, those_that_end_together_are_all_returned_once_and_in_turn)
{
    struct four f;
    int64_t     first = 0;

    begin_four(&f);
    check_eq(next_of(&f), -EINPROGRESS);
    for (int i = 0; i < 4; i++)
        event_set(&f.event[i], i);
    for (int i = 0; i < 4; i++) {
        int64_t n = i == 0 ? again(&f) : next_of(&f);

        check(n >= 0 && n < 4);
        if (i == 0)
            first = n;
        check_eq(n, (first + i) % 4);
        check_eq(weft_future_result(f.slot[n].future), n);
        check_eq(f.event[n].n_polls, 2); /* the poll that ended it, and one before */
    }
    check_eq(next_of(&f), WEFT_EOF);
}

Test(future_set, a_cancelled_wait_leaves_the_futures_and_loses_nothing)
{
    struct four f;

    begin_four(&f);
    check_eq(next_of(&f), -EINPROGRESS);
    check_eq(hand_cancel(&f.hand, &f.set.future), -ECANCELED);
    for (int i = 0; i < 4; i++)
        check(f.event[i].n_cancels == 0 && weft_future_is_pending(&f.event[i].future));

    /* Two end, one is returned, and the next wait is cancelled before it returns the other. */
    event_set(&f.event[1], 1);
    event_set(&f.event[2], 2);
    check(next_of(&f) >= 0);
    weft_future_set_next(&f.set);
    check(!hand_poll_budget(&f.hand, &f.set.future, 0)); /* it has one, and no budget */
    check(f.hand.woken);
    check_eq(hand_cancel(&f.hand, &f.set.future), -ECANCELED);
    check_eq(weft_future_set_count(&f.set), 3);
    check(next_of(&f) >= 0);
    check(weft_future_is_ready(&f.event[1].future) && weft_future_is_ready(&f.event[2].future));
    check_eq(hand_run(&f.hand, weft_future_set_close(&f.set)), 0);
}

Test(future_set, closing_ends_all_and_leaves_each_its_result)
{
    struct four f;

    begin_four(&f);
    check_eq(next_of(&f), -EINPROGRESS);
    event_set(&f.event[0], 5);     /* has ended, and was not returned */
    f.event[1].when_cancelled = 6; /* completes all the same */
    f.event[2].lingers = true;
    check_eq(hand_cancel(&f.hand, &f.set.future), -ECANCELED);
    weft_future_set_close(&f.set);
    check(!hand_poll(&f.hand, &f.set.future)); /* one lingers */
    check_eq(f.event[2].n_cancels, 1);
    f.event[2].when_cancelled = 7;
    event_set(&f.event[2], 0);
    check_eq(hand_run(&f.hand, &f.set.future), 0);
    check_eq(weft_future_result(&f.event[1].future), 6);
    check_eq(weft_future_result(&f.event[2].future), 7);
    check_eq(weft_future_result(&f.event[3].future), -ECANCELED);
    check(weft_future_is_ready(&f.event[0].future));
    check_eq(f.hand.n_wakers, 0);
    check_eq(weft_future_set_count(&f.set), 0);
    check_eq(next_of(&f), WEFT_EOF);

    /* It can be filled again. */
    weft_future_set_add(&f.set, 1, at_once(&f.event[1], 3));
    check_eq(next_of(&f), 1);
    check_eq(next_of(&f), WEFT_EOF);
}

Test(future_set, one_that_was_never_awaited_is_closed_too)
{
    struct four f;

    begin_four(&f);
    check_eq(hand_run(&f.hand, weft_future_set_close(&f.set)), 0);
    for (int i = 0; i < 4; i++) {
        check_eq(weft_future_result(&f.event[i].future), -ECANCELED);
        check_eq(f.event[i].n_polls, 0);
    }
}

Test(future_set, a_set_without_slots_is_at_its_end)
{
    weft_future_set set;
    struct hand     hand;

    hand_init(&hand, NULL);
    weft_future_set_init(&set, NULL, NULL, 0);
    check_eq(hand_run(&hand, weft_future_set_next(&set)), WEFT_EOF);
    check_eq(hand_run(&hand, weft_future_set_close(&set)), 0);
}

TEST_ABORTS(future_set, a_slot_that_is_taken, "the slot has a future that was not returned yet")
{
    struct four  f;
    struct event other;

    begin_four(&f);
    weft_future_set_add(&f.set, 1, event(&other));
}

TEST_ABORTS(future_set, a_slot_that_is_not_there, "there is no such slot")
{
    struct four  f;
    struct event other;

    begin_four(&f);
    weft_future_set_add(&f.set, 4, event(&other));
}

/* ---- in tasks: the cost of a wake ---- */

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

Test(future_set, a_wake_polls_the_future_that_was_woken_and_no_other)
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

/* ---- in tasks: what a wait was a branch of is gone ---- */

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

Test(future_set, its_futures_outlive_the_group_that_they_were_polled_in)
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

/* ---- in tasks: the end of the function ---- */

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

Test(future_set, a_cancel_of_the_function_that_awaits_it_drains_it)
{
    on_all(CANCELLED_IN_IT, -ECANCELED);
}

Test(future_set, a_cancelled_function_can_close_it)
{
    on_all(CANCELLED_ELSEWHERE, -ECANCELED);
}

Test(future_set, a_stop_drains_it)
{
    run_holds(&(weft_config){.workers = 2}, CANCELLED_IN_IT, -ECANCELED, true);
    run_holds(&(weft_config){.workers = 2}, CANCELLED_ELSEWHERE, -ECANCELED, true);
}

Test(future_set, a_panic_between_two_waits_drains_it)
{
    on_all(PANICS_BETWEEN, -EOWNERDEAD);
}

Test(future_set, a_panic_of_one_of_its_futures_drains_the_others)
{
    on_all(PANICS_WITHIN, -EOWNERDEAD);
}

Test(future_set, a_panic_before_the_first_wait_finds_nothing_to_drain)
{
    on_all(PANICS_UNPOLLED, -EOWNERDEAD);
}

TEST_ABORTS(future_set, a_function_that_returns_and_forgets_it,
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

Test(future_set, a_plain_thread_may_await_it_with_a_runtime_or_without)
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

/* ---- many tasks at random ---- */

struct job {
    WEFT_FRAME;
    struct {
        int64_t  number;
        uint32_t seed;
    } in;
    struct weft_sleep nap;
    struct counter    few;
    struct event      own;
    weft_handle       h;
    uint32_t          kind;
};
WEFT_ASYNC(job)
{
    int64_t n;

    WEFT_BEGIN();
    self->kind = self->in.seed % 4;
    n = 0;
    if (self->kind == 0)
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(30)));
    else if (self->kind == 1)
        WEFT_AWAIT(n, counter(&self->few, (int)(self->in.seed / 4 % 8)));
    else if (self->kind == 2 && weft_spawn(&self->h, returns, .value = 1) == 0)
        WEFT_AWAIT(n, weft_join(&self->h));
    if (n == -ECANCELED && self->kind == 2)
        weft_detach(&self->h);
    WEFT_END(n < 0 ? n : self->in.number);
}

#define SLOTS 70 /* more than a block of marks */
#define JOBS  300

struct runs_jobs {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    weft_future_set     set;
    weft_future_slot    slot[SLOTS];
    weft_branch         branch[SLOTS];
    struct job          job[SLOTS];
    struct weft_select  sel;
    struct weft_timeout limit;
    struct counter      few;
    uint8_t             seen[JOBS];
    int64_t             next, n_seen;
    uint32_t            how;
};

static void add_job(struct runs_jobs *self, uint32_t i)
{
    weft_future_set_add(
        &self->set, i,
        weft_async(job, &self->job[i], .number = self->next++, .seed = rnd(&self->in.seed)));
}

WEFT_ASYNC(runs_jobs)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->seen, 0, sizeof self->seen);
    self->next = self->n_seen = 0;
    weft_future_set_init(&self->set, self->slot, self->branch, SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        add_job(self, i);
    for (;;) {
        self->how = rnd(&self->in.seed) % 4;
        if (self->how == 0) {
            WEFT_AWAIT(n, weft_select(&self->sel, counter(&self->few, 1),
                                      weft_future_set_next(&self->set)));
            n = self->set.future.result;
        } else if (self->how == 1) {
            WEFT_AWAIT(n, weft_timeout(&self->limit, weft_future_set_next(&self->set),
                                       WEFT_US(rnd(&self->in.seed) % 40)));
        } else {
            WEFT_AWAIT(n, weft_future_set_next(&self->set));
        }
        if (n == WEFT_EOF || WEFT_CANCELLED())
            break;
        if (n < 0)
            continue; /* that wait was cancelled */
        n = weft_future_result(self->slot[n].future);
        check(n >= 0 && n < JOBS && !self->seen[n]);
        self->seen[n] = 1;
        self->n_seen++;
        if (self->next < JOBS)
            add_job(self, (uint32_t)(self->set.future.result));
    }
    if (WEFT_CANCELLED()) {
        WEFT_WAIT(weft_future_set_close(&self->set));
        WEFT_RETURN(-ECANCELED);
    }
    check_eq(self->n_seen, JOBS);
    WEFT_END(0);
}

static void storm(const weft_config *config)
{
    weft_runtime     *rt = start_with(config);
    weft_handle       h[TASKS];
    struct weft_sleep nap;
    uint32_t          seed = 1;

    for (int round = 0; round < test_scaled(ROUNDS); round++) {
        for (int i = 0; i < TASKS; i++)
            check_eq(weft_spawn_on(rt, &h[i], runs_jobs, .seed = rnd(&seed)), 0);
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(rnd(&seed) % 3000))), 0);
        for (int i = 0; i < TASKS; i += 3) /* some of them are cancelled, at any point */
            weft_cancel(&h[i]);
        for (int i = 0; i < TASKS; i++) {
            int64_t n = join(rt, &h[i]);

            check(n == 0 || (n == -ECANCELED && i % 3 == 0));
        }
    }
    stop(rt);
}

Test(future_set, storm_with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(future_set, storm_with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(future_set, storm_with_2_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 2});
}

Test(future_set, storm_with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(future_set, storm_with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}
