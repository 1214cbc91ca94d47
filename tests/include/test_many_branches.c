/* test_many_branches.c - groups of many branches: a poll looks only at what was woken */
#include "../helpers.h"

#define N 10000

/* READY once it was set. It stores the waker of its poll without a clone, as weft's own futures do,
 * and it knows its last poll. */
struct cell {
    weft_future future;
    weft_waker  waker;
    bool        set, takes; /* takes: each poll costs an operation */
    int         n_polls;
};

static struct cell    *cell;
static weft_branch    *branch;
static int             n_polls; /* of all cells */
static weft_waker      task_waker;
static int             n_wakes;
static union any_group group;

static weft_poll cell_poll(weft_future *future, weft_context *cx)
{
    struct cell *self = weft_container(future, struct cell, future);

    n_polls++;
    self->n_polls++;
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (self->takes && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (self->set)
        return weft_ready(future, self - cell);
    self->waker = *weft_context_waker(cx);
    return WEFT_PENDING;
}

static void cell_cancel(weft_future *future)
{
    (void)future;
}

/* ---- an executor whose waker has notify_, so that branches have wakers of their own ---- */

static weft_waker task_clone(void *data)
{
    (void)data;
    return task_waker;
}

static void task_wake(void *data)
{
    (void)data;
    n_wakes++;
}

static void task_drop(void *data)
{
    (void)data;
}

static void *task_notify(void *data)
{
    task_wake(data);
    return NULL;
}

static const weft_waker_vtable task_vtable = {task_clone, task_wake, task_wake, task_drop,
                                              task_notify};

static void set_up(void)
{
    static const weft_future_ops ops = {.size = sizeof(struct cell),
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "cell",
                                        .poll = cell_poll,
                                        .cancel = cell_cancel};

    task_waker = (weft_waker){&task_vtable, NULL};
    cell = calloc(N, sizeof *cell);
    branch = calloc(N, sizeof *branch);
    check(cell && branch);
    for (int i = 0; i < N; i++) {
        weft_future_init(&cell[i].future, &ops);
        branch[i].future = &cell[i].future;
    }
}

static bool polls(uint32_t budget)
{
    weft_context cx;

    weft_context_init(&cx, &task_waker, NULL);
    cx.budget = budget;
    return weft_poll_is_ready(weft_future_poll_inner(&group.future, &cx));
}

/* Makes it READY at its next poll, and wakes its branch. */
static void set(int i)
{
    cell[i].set = true;
    weft_waker_wake_by_ref(&cell[i].waker);
}

static void tear_down(void)
{
    free(cell);
    free(branch);
}

Test(many_branches, a_poll_of_a_join_polls_only_what_was_woken)
{
    set_up();
    weft_join_all_array(&group.join_all, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    check_eq(n_polls, N);
    for (int k = 0; k < N; k++) {
        int i = (int)((int64_t)k * 7919 % N);

        set(i);
        check_eq(polls(WEFT_BUDGET_DEFAULT), k == N - 1);
        check_eq(n_polls, N + k + 1);
        check(weft_future_is_ready(&cell[i].future));
    }
    check_eq(group.future.result, 0);
    tear_down();
}

Test(many_branches, several_that_are_woken_together_are_polled_together)
{
    uint32_t random = 12345;

    set_up();
    weft_join_all_array(&group.join_all, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    for (int left = N; left > 0;) {
        int woken = 0;

        for (uint32_t k = rnd(&random) % 300 + 1; k > 0; k--) {
            int i = (int)(rnd(&random) % N);

            if (!cell[i].set) {
                set(i);
                woken++;
            } else if (left < N / 100) { /* the last ones are seldom hit by chance */
                for (i = 0; i < N && cell[i].set; i++)
                    ;
                if (i < N) {
                    set(i);
                    woken++;
                }
            }
        }
        n_polls = 0;
        left -= woken;
        check_eq(polls(WEFT_BUDGET_DEFAULT), left == 0);
        check_eq(n_polls, woken);
    }
    tear_down();
}

/* Each poll ends when its budget is used up, and the next one goes on from there: C4. */
Test(many_branches, a_poll_that_ends_early_loses_no_branch)
{
    static const uint32_t budgets[] = {1, 3, 64, 100, WEFT_BUDGET_DEFAULT};

    for (unsigned b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        int n_turns = 0;

        set_up();
        n_polls = 0;
        for (int i = 0; i < N; i++)
            cell[i].takes = cell[i].set = true;
        weft_join_all_array(&group.join_all, branch, N);
        while (!polls(budgets[b]))
            n_turns++;
        check_eq(n_polls, N);
        check_eq(n_turns, (N - 1) / (int)budgets[b]);
        tear_down();
    }
}

/* A branch that is always woken does not keep another one from its turn. */
Test(many_branches, a_busy_branch_starves_no_other)
{
    set_up();
    weft_join_all_array(&group.join_all, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    for (int i = 0; i < N; i++)
        cell[i].takes = true;
    for (int i = 0; i < 300; i++)
        cell[i * 33].set = true;
    for (int i = 0; i < 300; i++)
        weft_waker_wake_by_ref(&cell[i * 33].waker);
    for (int turn = 0; turn < 300; turn++) {
        weft_waker_wake_by_ref(&cell[5].waker); /* busy: it spends, and is PENDING again */
        (void)polls(2);
    }
    for (int i = 0; i < 300; i++)
        check(weft_future_is_ready(&cell[i * 33].future));
    tear_down();
}

Test(many_branches, a_select_ends_with_the_branch_that_was_woken_and_cancels_the_others)
{
    for (int biased = 0; biased < 2; biased++) {
        set_up();
        if (biased)
            weft_select_biased_array(&group.select, branch, N);
        else
            weft_select_array(&group.select, branch, N);
        check(!polls(WEFT_BUDGET_DEFAULT));
        set(N - 3);
        check(polls(WEFT_BUDGET_DEFAULT));
        check_eq(group.future.result, N - 3);
        for (int i = 0; i < N; i++)
            check_eq(cell[i].future.result, i == N - 3 ? i : -ECANCELED);
        tear_down();
    }
}

Test(many_branches, a_biased_select_takes_the_first_of_those_that_are_ready)
{
    set_up();
    weft_select_biased_array(&group.select, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    set(9000);
    set(4500);
    set(4501);
    check(polls(WEFT_BUDGET_DEFAULT));
    check_eq(group.future.result, 4500);
    tear_down();
}

Test(many_branches, a_cancelled_join_ends_all)
{
    set_up();
    weft_join_all_array(&group.join_all, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    set(70);
    check(!weft_poll_is_ready(weft_future_cancel(&group.future)));
    check(polls(WEFT_BUDGET_DEFAULT));
    check_eq(group.future.result, -ECANCELED);
    for (int i = 0; i < N; i++)
        check_eq(cell[i].future.result, -ECANCELED);
    tear_down();
}

/* A future that clones its waker does not say which branch was woken, so it is polled at each
 * turn: also in a group of many. */
Test(many_branches, a_branch_that_clones_its_waker_is_polled_at_each_turn)
{
    struct event e;

    set_up();
    branch[777].future = event(&e);
    weft_join_all_array(&group.join_all, branch, N);
    check(!polls(WEFT_BUDGET_DEFAULT));
    event_set(&e, 1);
    check(!polls(WEFT_BUDGET_DEFAULT));
    check(weft_future_is_ready(&e.future));
    for (int i = 0; i < N; i++)
        if (i != 777)
            set(i);
    check(polls(WEFT_BUDGET_DEFAULT));
    tear_down();
}

/* By an executor of its own, which knows no branches, each poll polls all. */
Test(many_branches, another_executor_polls_all)
{
    struct hand hand;

    set_up();
    hand_init(&hand, NULL);
    for (int i = 0; i < N; i++)
        cell[i].set = i != 5;
    weft_join_all_array(&group.join_all, branch, N);
    check(!hand_poll(&hand, &group.future));
    cell[5].set = true;
    check(hand_poll(&hand, &group.future));
    tear_down();
}

static weft_poll ready_poll(weft_future *future, weft_context *cx)
{
    (void)cx;
    return weft_ready(future, 0);
}

static const weft_future_ops ready_ops = {sizeof(weft_future), WEFT_FUTURE_WITHDRAWS, "ready",
                                          ready_poll, NULL};

/* If only branches of the first half can win, this sees it, but for one run of 2^40. */
Test(many_branches, any_branch_of_a_select_may_win)
{
    enum { MANY = 1 << 17, SELECTS = 40 };
    weft_future *ready = calloc(MANY, sizeof *ready);
    weft_branch *all = calloc(MANY, sizeof *all);
    int          n_second = 0;
    struct hand  hand;

    hand_init(&hand, NULL);
    for (int k = 0; k < SELECTS; k++) {
        for (int i = 0; i < MANY; i++) {
            weft_future_init(&ready[i], &ready_ops);
            all[i].future = &ready[i];
        }
        weft_select_array(&group.select, all, MANY);
        check(hand_poll(&hand, &group.future));
        n_second += group.future.result >= MANY / 2;
    }
    check_cmp(n_second, >, 0);
    check_cmp(n_second, <, SELECTS);
    free(all);
    free(ready);
}
