/*
 * test_token_orders.c - the real tree of tokens and its waits in every order of their steps
 *
 * A thread that has ended its token gives the memory back at once, as a task does whose frame ends.
 */
#include "channel_orders.h"

#include "token.c"
#include "token_run.c"
#include "waits.c"
#include "waker.c"

static weft_token root, parent, child[EXPLORE_THREADS], other;
static int        work; /* written before a cancel, which publishes it */

static void set_up(void)
{
    set_up_executors();
    root = (weft_token){0};
    other = (weft_token){0};
    work = 0;
    weft_token_begin(&parent, &root);
    for (int i = 0; i < 2; i++)
        weft_token_begin(&child[i], &parent);
}

static void set_up_flat(void)
{
    set_up();
    weft_token_end(&child[0]);
    weft_token_end(&child[1]);
}

/* ---- the threads ---- */

static void end_token(weft_token *token)
{
    weft_token_end(token);
    explore_release_static(memset(token, 0xdd, sizeof *token), sizeof *token);
}

static void work_is_seen(const weft_token *token)
{
    check(weft_token_is_cancelled(token));
    check_eq(wf_load(&work, RELAXED), 1); /* [token-1] */
}

static void wait_for(int i, weft_token *token)
{
    weft_token_cancelled(&of[i].wait, token);
    check_eq(run(i), 0);
    work_is_seen(token);
}

static void wait_and_end(int i)
{
    wait_for(i, &child[i]);
    end_token(&child[i]);
}

static void wait_and_end_0(void)
{
    wait_and_end(0);
}

static void wait_and_end_1(void)
{
    wait_and_end(1);
}

/* Of the token that the cancel begins with. */
static void wait_at_root_0(void)
{
    wait_for(0, &root);
}

static void wait_at_parent_0(void)
{
    wait_for(0, &parent);
}

static void wait_at_parent_1(void)
{
    wait_for(1, &parent);
}

static void begin_wait_and_end_0(void)
{
    weft_token_begin(&child[0], &parent);
    wait_and_end(0);
}

static void give_up_and_end_1(void)
{
    weft_token_cancelled(&of[1].wait, &child[1]);
    (void)run_or_give_up(1);
    end_token(&child[1]);
}

static void end_1(void)
{
    end_token(&child[1]);
}

static void look_1(void)
{
    while (!weft_token_is_cancelled(&child[1]))
        explore_wait();
    work_is_seen(&child[1]);
}

static void cancel_root(void)
{
    wf_store(&work, 1, RELAXED); /* ordered by the cancel */
    weft_token_cancel(&root);
}

static void cancel_parent(void)
{
    wf_store(&work, 1, RELAXED); /* ordered by the cancel */
    weft_token_cancel(&parent);
}

static void cancel_both(void)
{
    cancel_parent();
    weft_token_cancel(&root);
}

/* A future that waits for another token, until the parent is cancelled. */
static void run_below_parent_1(void)
{
    static struct weft_token_run guard;
    int64_t                      r;

    weft_token_cancelled(&of[1].wait, &other);
    r = run_future(1, weft_token_run(&guard, &parent, &of[1].wait.future));
    check(r == 0 || r == -ECANCELED);
    if (r == -ECANCELED)
        work_is_seen(&parent);
    memset(&guard, 0xdd, sizeof guard); /* its memory is the caller's again */
}

static void cancel_other_and_parent(void)
{
    weft_token_cancel(&other);
    cancel_parent();
}

/* ---- the claims ---- */

static void all_have_ended(void)
{
    check_nothing_is_left();
    check(!root.firing_ && !root.waits_.first_);
}

/* What has not been ended by its thread is cancelled, and can be ended. */
static void all_are_cancelled(void)
{
    all_have_ended();
    check(weft_token_is_cancelled(&parent));
    check(!parent.children_ && !parent.waits_.first_);
}

static void explore_three(void (*set_up)(void), void (*claim)(void), void (*a)(void),
                          void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, claim, 3, (void (*const[])(void)){a, b, c});
}

Test(token_orders, a_cancel_ends_the_waits_below_and_tokens_end_meanwhile)
{
    explore_three(set_up, all_are_cancelled, wait_and_end_0, wait_and_end_1, cancel_root);
}

Test(token_orders, a_cancel_ends_all_waits_of_one_token)
{
    explore_three(set_up, all_are_cancelled, wait_at_parent_0, wait_at_parent_1, cancel_root);
}

Test(token_orders, a_cancel_ends_the_waits_of_the_root)
{
    explore_three(set_up, all_are_cancelled, wait_at_root_0, wait_and_end_1, cancel_root);
}

Test(token_orders, a_child_that_begins_meanwhile_is_cancelled)
{
    explore_three(set_up_flat, all_are_cancelled, begin_wait_and_end_0, wait_at_parent_1,
                  cancel_root);
}

Test(token_orders, a_wait_is_given_up_and_its_token_ends_meanwhile)
{
    explore_three(set_up, all_are_cancelled, wait_and_end_0, give_up_and_end_1, cancel_root);
}

Test(token_orders, a_token_ends_while_two_cancel_above_it)
{
    explore(2, 0, set_up, all_are_cancelled, 4,
            (void (*const[])(void)){wait_at_parent_0, end_1, cancel_root, cancel_both});
}

Test(token_orders, a_look_sees_what_was_done_before_the_cancel)
{
    explore_three(set_up, all_are_cancelled, wait_and_end_0, look_1, cancel_root);
}

Test(token_orders, a_future_runs_until_the_token_is_cancelled)
{
    explore(3, 1, set_up, all_are_cancelled, 2,
            (void (*const[])(void)){cancel_parent, run_below_parent_1});
}

Test(token_orders, a_future_that_ends_takes_its_wait_for_the_token_with_it)
{
    explore(3, 1, set_up, all_are_cancelled, 2,
            (void (*const[])(void)){cancel_other_and_parent, run_below_parent_1});
}
