/* test_token.c - the guarantees of cancellation tokens, poll by poll */
#include "../helpers.h"

#define DEEP 100000

/* A wait for a token, by an executor of its own. */
struct waiter {
    struct hand hand;
    weft_wait   wait;
};

static void waits(struct waiter *w, weft_token *token)
{
    hand_init(&w->hand, NULL);
    weft_token_cancelled(&w->wait, token);
    check(!hand_poll(&w->hand, &w->wait.future));
}

/* The wait ends, with one wake, and its waker is gone. */
static void ends(struct waiter *w)
{
    check_eq(w->hand.n_wakes, 1);
    check(hand_poll(&w->hand, &w->wait.future));
    check_eq(w->wait.future.result, 0);
    check_eq(w->hand.n_wakers, 0);
}

static void withdraws(struct waiter *w)
{
    check_eq(w->hand.n_wakes, 0);
    check_eq(hand_cancel(&w->hand, &w->wait.future), -ECANCELED);
    check_eq(w->hand.n_wakers, 0);
}

/* Tokio: cancel_token. */
Test(token, a_cancel_ends_all_waits_and_those_that_come_later)
{
    weft_token    token = {0};
    struct waiter w[5]; /* more wakers of others than are woken without letting go of the lock */
    weft_wait     late;

    for (int i = 0; i < 5; i++)
        waits(&w[i], &token);
    check(!weft_token_is_cancelled(&token));
    weft_token_cancel(&token);
    check(weft_token_is_cancelled(&token));
    weft_token_cancel(&token);
    for (int i = 0; i < 5; i++)
        ends(&w[i]);
    weft_token_cancelled(&late, &token);
    check(hand_poll(&w[0].hand, &late.future));
    check_eq(late.future.result, 0);
}

/* Tokio: cancel_child_token_through_parent, cancel_grandchild_token_through_parent_... */
Test(token, a_cancel_reaches_all_tokens_below)
{
    weft_token    root = {0}, child, other, grandchild;
    struct waiter w[3];

    weft_token_begin(&child, &root);
    weft_token_begin(&other, &root);
    weft_token_begin(&grandchild, &child);
    waits(&w[0], &child);
    waits(&w[1], &other);
    waits(&w[2], &grandchild);
    weft_token_cancel(&root);
    check(weft_token_is_cancelled(&child) && weft_token_is_cancelled(&other));
    check(weft_token_is_cancelled(&grandchild));
    for (int i = 0; i < 3; i++)
        ends(&w[i]);
    weft_token_end(&grandchild);
    weft_token_end(&child);
    weft_token_end(&other);
}

/* Tokio: cancel_only_all_descendants, cancel_child_token_without_parent. */
Test(token, a_cancel_reaches_neither_parent_nor_siblings)
{
    weft_token    root = {0}, child, sibling, below;
    struct waiter w[4];

    weft_token_begin(&child, &root);
    weft_token_begin(&sibling, &root);
    weft_token_begin(&below, &child);
    waits(&w[0], &root);
    waits(&w[1], &child);
    waits(&w[2], &sibling);
    waits(&w[3], &below);
    weft_token_cancel(&child);
    ends(&w[1]);
    ends(&w[3]);
    check(!weft_token_is_cancelled(&root) && !weft_token_is_cancelled(&sibling));
    weft_token_end(&below);
    weft_token_end(&child);
    weft_token_cancel(&root);
    ends(&w[0]);
    ends(&w[2]);
    weft_token_end(&sibling);
}

/* Tokio: create_child_token_after_parent_was_cancelled. */
Test(token, a_child_of_a_cancelled_token_begins_cancelled)
{
    weft_token  root = {0}, child, grandchild;
    weft_wait   wait;
    struct hand hand;

    hand_init(&hand, NULL);
    weft_token_cancel(&root);
    weft_token_begin(&child, &root);
    weft_token_begin(&grandchild, &child);
    check(weft_token_is_cancelled(&child) && weft_token_is_cancelled(&grandchild));
    weft_token_cancelled(&wait, &grandchild);
    check(hand_poll(&hand, &wait.future));
    weft_token_end(&grandchild);
    weft_token_end(&child);
}

/* Tokio: drop_multiple_child_tokens. */
Test(token, ended_children_are_not_reached_in_whatever_order_they_end)
{
    for (int first = 0; first < 3; first++) {
        weft_token    root = {0}, child[3];
        struct waiter w[3];

        for (int i = 0; i < 3; i++)
            weft_token_begin(&child[i], &root);
        weft_token_end(&child[first]);
        memset(&child[first], 0xa5, sizeof child[first]);
        for (int i = 0; i < 3; i++)
            if (i != first)
                waits(&w[i], &child[i]);
        weft_token_cancel(&root);
        for (int i = 0; i < 3; i++) {
            if (i == first)
                continue;
            ends(&w[i]);
            weft_token_end(&child[i]);
        }
    }
}

Test(token, a_wait_that_is_cancelled_leaves_the_others)
{
    weft_token    token = {0};
    struct waiter w[3];

    for (int i = 0; i < 3; i++)
        waits(&w[i], &token);
    withdraws(&w[1]);
    weft_token_cancel(&token);
    ends(&w[0]);
    ends(&w[2]);
}

/* The wait has its answer and is cancelled before its task has seen it. */
Test(token, a_cancelled_wait_says_so_even_if_the_token_was_cancelled)
{
    weft_token    token = {0};
    struct waiter w;

    waits(&w, &token);
    weft_token_cancel(&token);
    check_eq(hand_cancel(&w.hand, &w.wait.future), -ECANCELED);
    check(weft_token_is_cancelled(&token));
}

Test(token, a_wait_without_budget_ends_with_the_next_turn)
{
    weft_token  token = {0};
    weft_wait   wait;
    struct hand hand;

    hand_init(&hand, NULL);
    weft_token_cancel(&token);
    weft_token_cancelled(&wait, &token);
    check(!hand_poll_budget(&hand, &wait.future, 0));
    check_eq(hand.n_wakes, 1);
    check(hand_poll_budget(&hand, &wait.future, 1));
}

Test(token, a_deep_tree_is_cancelled_without_recursion)
{
    weft_token *chain = calloc(DEEP, sizeof *chain);

    check(chain != NULL);
    for (int i = 1; i < DEEP; i++)
        weft_token_begin(&chain[i], &chain[i - 1]);
    weft_token_cancel(&chain[0]);
    for (int i = DEEP - 1; i > 0; i--) {
        check(weft_token_is_cancelled(&chain[i]));
        weft_token_end(&chain[i]);
    }
    free(chain);
}

/* A waker of another executor that ends the child whose wait it belongs to, and begins a new one:
 * foreign code runs while no lock is held. */
struct meddler {
    weft_waker  waker;
    weft_token *root, *child;
    int         n_wakes;
};

static weft_waker meddler_clone(void *data)
{
    return ((struct meddler *)data)->waker;
}

static void meddler_drop(void *data)
{
    (void)data;
}

static void meddler_wake(void *data)
{
    struct meddler *m = data;
    weft_token      more;

    m->n_wakes++;
    weft_token_end(m->child);
    memset(m->child, 0xa5, sizeof *m->child);
    weft_token_begin(&more, m->root);
    check(weft_token_is_cancelled(&more));
    weft_token_end(&more);
}

Test(token, a_waker_may_end_tokens_while_their_tree_is_cancelled)
{
    static const weft_waker_vtable vtable = {meddler_clone, meddler_wake, meddler_wake,
                                             meddler_drop, NULL};

    weft_token     root = {0}, child[4];
    struct meddler m[4];
    weft_wait      wait[4];

    for (int i = 0; i < 4; i++) {
        weft_context cx;

        weft_token_begin(&child[i], &root);
        m[i] = (struct meddler){{&vtable, &m[i]}, &root, &child[i], 0};
        weft_context_init(&cx, &m[i].waker, NULL);
        weft_token_cancelled(&wait[i], &child[i]);
        check(!weft_poll_is_ready(weft_future_poll(&wait[i].future, &cx)));
    }
    weft_token_cancel(&root);
    for (int i = 0; i < 4; i++)
        check_eq(m[i].n_wakes, 1);
    check(root.children_ == NULL && root.firing_ == NULL);
}

/* ---- rules that are broken ---- */

TEST_ABORTS(token, the_end_of_a_parent, "a child of the token has not been ended")
{
    weft_token root = {0}, child;

    weft_token_begin(&child, &root);
    weft_token_end(&root);
}

TEST_ABORTS(token, the_end_of_a_token_that_is_awaited, "a task waits for the token")
{
    weft_token    token = {0};
    struct waiter w;

    waits(&w, &token);
    weft_token_end(&token);
}

/* ---- weft_token_run ---- */

Test(token, a_run_has_the_result_of_its_future)
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_run(&run, &token, event(&e));
    check(!hand_poll(&hand, &run.future));
    event_set(&e, 7);
    check(hand_poll(&hand, &run.future));
    check_eq(run.future.result, 7);
    check_eq(hand.n_wakers, 0);
    weft_token_end(&token); /* which aborts if the wait were still queued */
}

/* Tokio: run_until_cancelled. */
Test(token, a_cancelled_token_ends_the_future_of_a_run)
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_run(&run, &token, event(&e));
    check(!hand_poll(&hand, &run.future));
    weft_token_cancel(&token);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &run.future), -ECANCELED);
    check_eq(e.n_cancels, 1);
    check(weft_future_is_ready(&e.future));
    check_eq(hand.n_wakers, 0);
    weft_token_end(&token);
}

Test(token, a_run_begins_nothing_once_the_token_is_cancelled)
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_cancel(&token);
    weft_token_run(&run, &token, at_once(&e, 7));
    check_eq(hand_run(&hand, &run.future), -ECANCELED);
    check_eq(e.n_polls, 0);
}

Test(token, a_result_that_comes_with_the_cancel_is_kept)
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_run(&run, &token, event(&e));
    check(!hand_poll(&hand, &run.future));
    weft_token_cancel(&token);
    event_set(&e, 7);
    check_eq(hand_run(&hand, &run.future), 7);
    check_eq(e.n_cancels, 0);
    weft_token_end(&token);
}

Test(token, a_run_drains_its_future)
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_run(&run, &token, event(&e));
    e.lingers = true;
    e.when_cancelled = 3;
    check(!hand_poll(&hand, &run.future));
    weft_token_cancel(&token);
    check(!hand_poll(&hand, &run.future));
    check(!hand_poll(&hand, &run.future));
    check_eq(e.n_cancels, 1);
    event_set(&e, 0);
    check_eq(hand_run(&hand, &run.future), 3);
    weft_token_end(&token);
}

Test(token, a_cancelled_run_leaves_the_token)
{
    for (int polls = 0; polls < 3; polls++) {
        weft_token            token = {0};
        struct weft_token_run run;
        struct event          e;
        struct hand           hand;

        hand_init(&hand, NULL);
        weft_token_run(&run, &token, event(&e));
        for (int i = 0; i < polls; i++)
            check(!hand_poll(&hand, &run.future));
        check_eq(hand_cancel(&hand, &run.future), -ECANCELED);
        check(weft_future_is_ready(&e.future));
        check_eq(hand.n_wakers, 0);
        weft_token_end(&token);
    }
}

/* A future that uses up each poll's budget. Beside it the wait for the token must cost nothing, or
 * the task would be woken for ever. */
Test(token, a_run_whose_future_uses_the_budget_up_is_not_awake_for_ever)
{
    weft_token            token = {0};
    weft_token            never = {0};
    struct weft_token_run run;
    weft_wait             wait;
    struct hand           hand;

    hand_init(&hand, NULL);
    weft_token_run(&run, &token, weft_token_cancelled(&wait, &never));
    for (int i = 0; i < 3; i++)
        check(!hand_poll_budget(&hand, &run.future, 1));
    check_eq(hand.n_wakes, 0);
    weft_token_cancel(&token);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &run.future), -ECANCELED);
}

/* Each poll comes by another executor, as it does when a pending future is handed on. */
static void check_wakes_the_last(bool (*poll)(struct hand *hand, weft_future *future))
{
    weft_token            token = {0};
    struct weft_token_run run;
    struct event          e;
    struct hand           a, b;

    hand_init(&a, NULL);
    hand_init(&b, NULL);
    weft_token_run(&run, &token, event(&e));
    check(!poll(&a, &run.future));
    check(!poll(&b, &run.future));
    check_eq(a.n_wakers, 0);
    weft_token_cancel(&token);
    check_eq(a.n_wakes, 0);
    check_eq(b.n_wakes, 1);
    check_eq(hand_run(&b, &run.future), -ECANCELED);
    check_eq(a.n_wakers + b.n_wakers, 0);
}

Test(token, a_run_wakes_the_task_that_polled_it_last)
{
    check_wakes_the_last(hand_poll);
}

/* An executor's waker that is borrowed for a poll, and only its clones last: it is at the same
 * address for each task. */
static struct hand *polling;

static weft_waker lent_clone(void *data)
{
    (void)data;
    return weft_waker_clone(&polling->waker);
}

static void lent_wake_by_ref(void *data)
{
    (void)data;
    weft_waker_wake_by_ref(&polling->waker);
}

static void lent_drop(void *data)
{
    (void)data;
}

static bool poll_lent(struct hand *hand, weft_future *future)
{
    static const weft_waker_vtable vtable = {lent_clone, lent_wake_by_ref, lent_wake_by_ref,
                                             lent_drop, NULL};
    weft_waker                     waker = {&vtable, NULL};

    polling = hand;
    weft_context_init(&hand->cx, &waker, NULL);
    return weft_poll_is_ready(weft_future_poll(future, &hand->cx));
}

Test(token, a_run_knows_wakers_of_other_executors_by_their_clones)
{
    check_wakes_the_last(poll_lent);
}
