/*
 * test_task_set_orders.c - the real task set and its tasks in every order of their steps
 *
 * The thread that gets the last member gives the
 * memory of the set and of its members back at once, as a task does whose frame ends.
 */
#include "worker_orders.h"

#include "task_set.c"

static weft_task_set set;
static weft_member   member[TASKS];
static int           n_got[TASKS]; /* how often the member was returned */
static int           refused;      /* a spawn has failed */

/* ---- beginnings ---- */

static void set_up_none(void)
{
    set_up_tasks();
    set = (weft_task_set){0};
    refused = 0;
    memset(n_got, 0, sizeof n_got);
}

static int spawn(int i)
{
    return weft_task_set_spawn(&set, &member[i], nothing, );
}

static void set_up_two(void)
{
    set_up_none();
    for (int i = 0; i < TASKS; i++)
        check_eq(spawn(i), 0);
}

static void set_up_two_without_budget(void)
{
    set_up_two();
    spend_budgets();
}

static void set_up_first_stays(void)
{
    set_up_two();
    stays[0] = true;
}

static void set_up_both_stay(void)
{
    set_up_first_stays();
    stays[1] = true;
}

/* The other task is still to be spawned. */
static void set_up_one_stays(void)
{
    set_up_none();
    stays[0] = stays[1] = true;
    check_eq(spawn(0), 0);
}

/* ---- the threads ---- */

static void note(weft_member *m)
{
    int i = (int)(m - member);

    check_eq(m->result, stays[i] ? -ECANCELED : result[i]);
    check_eq(wf_load(&done[i], RELAXED), 1); /* ordered by the end and by the lock */
    n_got[i]++;
    memset(m, 0xdd, sizeof *m);
}

static void free_set(void)
{
    explore_release_static(memset(&set, 0xdd, sizeof set), sizeof set);
}

static void take_all(void)
{
    weft_member *m;

    for (;;) {
        weft_task_set_next(&of[0].wait, &set, &m);
        if (run(0) == WEFT_EOF)
            break;
        note(m);
    }
}

static void take_all_and_free(void)
{
    take_all();
    free_set();
}

static void spawn_and_take_all(void)
{
    check_eq(spawn(0), 0);
    take_all_and_free();
}

static void give_up_or_take(void)
{
    weft_member *m;

    weft_task_set_next(&of[1].wait, &set, &m);
    if (run_or_give_up(1) == 0)
        note(m);
}

static void cancel_first(void)
{
    weft_member_cancel(&member[0]);
}

static void cancel_both(void)
{
    weft_task_set_cancel_all(&set);
}

static void close_set(void)
{
    weft_task_set_close(&of[0].wait, &set);
    check_eq(run(0), 0);
    closed = 1;
    check_tasks_are_done();
}

static void close_and_free(void)
{
    close_set();
    free_set();
}

static void spawn_second(void)
{
    refused = spawn(1) < 0;
    if (refused)
        do_without(1);
}

/* ---- the claims ---- */

/* Each was returned once, and its memory was not touched after that. */
static void returned(int n)
{
    const char *bytes = (const char *)member;

    check_tasks_are_freed();
    for (int i = 0; i < n; i++)
        check_eq(n_got[i], 1);
    for (size_t i = 0; i < (size_t)n * sizeof member[0]; i++)
        check_eq(bytes[i], (char)0xdd);
}

static void one_was_returned(void)
{
    returned(1);
}

static void both_were_returned(void)
{
    returned(TASKS);
}

static void both_can_be_taken(void)
{
    weft_member *m = NULL;

    check_tasks_are_freed();
    while (weft_task_set_try_next(&set, &m) == 0)
        note(m);
    for (int i = 0; i < n_tasks; i++)
        check_eq(n_got[i], 1);
    check_eq(weft_task_set_count(&set), 0);
}

static void nothing_runs(void)
{
    both_can_be_taken();
    check_eq(n_tasks, 2 - refused);
    check(closed && set.closed_ && !set.waits_.first_);
}

static void explore_three(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                          void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(task_set_orders, each_member_is_returned_once_and_then_the_set_may_go)
{
    explore_three(set_up_two, both_were_returned, take_all_and_free, work_on_first, work_on_second);
}

Test(task_set_orders, a_task_may_end_before_it_is_joined)
{
    explore(3, 1, set_up_none, one_was_returned, 2,
            (void (*const[])(void)){spawn_and_take_all, work_on_first});
}

Test(task_set_orders, a_wait_that_is_given_up_gives_its_member_back)
{
    explore_three(set_up_two, both_were_returned, take_all, give_up_or_take, work_on_both);
}

Test(task_set_orders, a_member_that_is_taken_without_budget_is_returned_or_given_back)
{
    explore_three(set_up_two_without_budget, both_were_returned, take_all, give_up_or_take,
                  work_on_both);
}

Test(task_set_orders, a_member_is_cancelled_and_then_the_set_may_go)
{
    explore_three(set_up_first_stays, both_were_returned, take_all_and_free, cancel_first,
                  work_on_both);
}

Test(task_set_orders, a_member_is_cancelled_as_it_ends)
{
    explore(3, 1, set_up_two, both_can_be_taken, 2,
            (void (*const[])(void)){cancel_first, work_on_both});
}

Test(task_set_orders, all_are_cancelled)
{
    explore_three(set_up_both_stay, both_were_returned, take_all, cancel_both, work_on_both);
}

Test(task_set_orders, a_close_ends_once_nothing_runs_and_then_the_set_may_go)
{
    explore_three(set_up_both_stay, check_tasks_are_freed, close_and_free, work_on_first,
                  work_on_second);
}

Test(task_set_orders, a_task_that_is_spawned_as_the_set_closes_is_cancelled)
{
    explore_three(set_up_one_stays, nothing_runs, close_set, spawn_second, work_on_both);
}
