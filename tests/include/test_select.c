/* test_select.c - select: one winner, every loser cancelled and drained, nothing lost */
#include "../helpers.h"

static struct hand hand;

/* Three events that have not been polled yet. */
static void three(struct event e[3])
{
    hand_init(&hand, NULL);
    for (int i = 0; i < 3; i++)
        event(&e[i]);
}

Test(select, answers_the_index_of_the_branch_that_ended)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future, &e[2].future)));
    event_set(&e[1], 77);
    check_eq(hand_run(&hand, &sel.future), 1);
    check_eq(weft_future_result(&e[1].future), 77);
}

Test(select, cancels_the_losers_before_it_answers)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future, &e[2].future)));
    event_set(&e[2], 0);
    check_eq(hand_run(&hand, &sel.future), 2);
    check_eq(weft_future_result(&e[0].future), -ECANCELED);
    check_eq(weft_future_result(&e[1].future), -ECANCELED);
    check_eq(weft_select_undone(&sel), 0);
    check_eq(hand.n_wakers, 0);
}

Test(select, never_starts_a_branch_named_after_one_that_is_ready_when_biased)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    at_once(&e[0], 5);
    check_eq(hand_run(&hand, weft_select_biased(&sel, &e[0].future, &e[1].future)), 0);
    check_eq(e[1].n_polls, 0);
    check_eq(weft_future_result(&e[1].future), -ECANCELED);
}

Test(select, biased_takes_the_first_named_of_those_that_are_ready)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    check(!hand_poll(&hand, weft_select_biased(&sel, &e[0].future, &e[1].future, &e[2].future)));
    event_set(&e[2], 0);
    event_set(&e[1], 0);
    check_eq(hand_run(&hand, &sel.future), 1);
}

Test(select, lets_each_of_two_branches_win_that_are_ready_together)
{
    struct event       e[3];
    struct weft_select sel;
    int                won[2] = {0};

    three(e);
    for (int i = 0; i < 64; i++)
        won[hand_run(&hand, weft_select(&sel, at_once(&e[0], 0), at_once(&e[1], 0)))]++;
    check_cmp(won[0], >, 8);
    check_cmp(won[1], >, 8);
}

Test(select, waits_until_the_losers_have_drained)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    e[0].lingers = true;
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future)));
    event_set(&e[1], 0);
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, &sel.future));
    check_eq(e[0].n_cancels, 1);
    event_set(&e[0], 0);
    check_eq(hand_run(&hand, &sel.future), 1);
    check_eq(weft_future_result(&e[0].future), -ECANCELED);
}

Test(select, names_a_loser_that_could_not_be_undone)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    e[2].when_cancelled = 4096;
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future, &e[2].future)));
    event_set(&e[0], 0);
    check_eq(hand_run(&hand, &sel.future), 0);
    check_eq(weft_select_undone(&sel), 1 << 2);
    check_eq(weft_future_result(&e[2].future), 4096);
}

Test(select, cancelled_as_a_whole_cancels_and_drains_all)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    e[1].lingers = true;
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future)));
    check(!weft_poll_is_ready(weft_future_cancel(&sel.future)));
    check(!hand_poll(&hand, &sel.future));
    check_eq(weft_future_result(&e[0].future), -ECANCELED);
    event_set(&e[1], 0);
    check_eq(hand_run(&hand, &sel.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
}

Test(select, cancelled_as_a_whole_answers_a_branch_that_completed_all_the_same)
{
    struct event       e[3];
    struct weft_select sel;

    three(e);
    e[1].when_cancelled = 9;
    check(!hand_poll(&hand, weft_select(&sel, &e[0].future, &e[1].future)));
    check_eq(hand_cancel(&hand, &sel.future), 1);
    check_eq(weft_future_result(&e[1].future), 9);
}

Test(select, cancelled_before_its_first_poll_polls_no_branch_and_gives_each_its_result)
{
    struct event       e[3];
    struct weft_select in, out;

    three(e);
    check_eq(hand_cancel(&hand, weft_select(&out, weft_select(&in, &e[0].future, &e[1].future),
                                            &e[2].future)),
             -ECANCELED);
    check_eq(weft_future_result(&in.future), -ECANCELED);
    for (int i = 0; i < 3; i++) {
        check_eq(weft_future_result(&e[i].future), -ECANCELED);
        check_eq(e[i].n_polls, 0);
    }
}

Test(select, over_nothing_answers_einval)
{
    struct weft_select sel;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_select_array(&sel, NULL, 0)), -EINVAL);
    check_eq(hand_run(&hand, weft_select_biased_array(&sel, NULL, 0)), -EINVAL);
    check_eq(hand_cancel(&hand, weft_select_array(&sel, NULL, 0)), -ECANCELED);
}

Test(select, over_an_array_takes_the_first_of_those_that_are_ready_when_biased)
{
    struct event       event_of[100];
    weft_branch        branch[100];
    struct weft_select sel;

    hand_init(&hand, NULL);
    for (int i = 0; i < 100; i++)
        branch[i].future = event(&event_of[i]);
    check(!hand_poll(&hand, weft_select_biased_array(&sel, branch, 100)));
    for (int i = 99; i >= 40; i--)
        event_set(&event_of[i], 0);
    check_eq(hand_run(&hand, &sel.future), 40);
}

Test(select, inside_a_select_passes_wakes_in_and_cancels_down)
{
    struct event       e[3], outer;
    struct weft_select in, out;

    three(e);
    check(!hand_poll(
        &hand, weft_select(&out, event(&outer), weft_select(&in, &e[0].future, &e[1].future))));
    event_set(&e[1], 0);
    check_eq(hand_run(&hand, &out.future), 1);
    check_eq(weft_future_result(&in.future), 1);
    check_eq(weft_future_result(&e[0].future), -ECANCELED);
    check_eq(weft_future_result(&outer.future), -ECANCELED);
}

Test(select, over_an_array_takes_any_number_of_branches)
{
    struct event       event_of[100];
    weft_branch        branch[100];
    struct weft_select sel;

    hand_init(&hand, NULL);
    for (int i = 0; i < 100; i++)
        branch[i].future = event(&event_of[i]);
    check(!hand_poll(&hand, weft_select_array(&sel, branch, 100)));
    event_set(&event_of[93], 0);
    check_eq(hand_run(&hand, &sel.future), 93);
    for (int i = 0; i < 100; i++)
        check_eq(weft_future_result(&event_of[i].future), i == 93 ? 0 : -ECANCELED);
}

/* ---- kept branches; they belong to an async function ---- */

struct keeps {
    WEFT_FRAME;
    struct {
        struct event *kept, *other;
    } in;
    struct weft_select sel;
    int                rounds;
};
WEFT_ASYNC(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->rounds = 0;; self->rounds++) {
        WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(&self->in.kept->future),
                                         event(self->in.other)));
        if (n != 1)
            break;
    }
    WEFT_END(n);
}

Test(select, leaves_a_kept_branch_pending_and_uncancelled_over_many_rounds)
{
    struct event kept, other;
    struct keeps frame;

    hand_init(&hand, NULL);
    event(&kept);
    check(!hand_poll(&hand, weft_async(keeps, &frame, &kept, &other)));
    for (int i = 0; i < 5; i++) {
        event_set(&other, 0);
        check(!hand_poll(&hand, &frame.weft_frame_.future));
    }
    check_eq(frame.rounds, 5);
    check_eq(kept.n_cancels, 0);
    event_set(&kept, 6);
    check_eq(hand_run(&hand, &frame.weft_frame_.future), 0);
    check_eq(weft_future_result(&kept.future), 6);
    check_eq(hand.n_wakers, 0);
}

struct keeps_then_awaits {
    WEFT_FRAME;
    struct {
        struct event *kept;
    } in;
    struct weft_select sel;
    struct event       fast;
};
WEFT_ASYNC(keeps_then_awaits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(&self->in.kept->future),
                                     at_once(&self->fast, 0)));
    check_eq(n, 1);
    WEFT_AWAIT(n, &self->in.kept->future);
    WEFT_END(n);
}

Test(select, leaves_a_kept_branch_that_can_be_awaited_alone)
{
    struct keeps_then_awaits frame;
    struct event             kept;

    hand_init(&hand, NULL);
    event(&kept);
    check(!hand_poll(&hand, weft_async(keeps_then_awaits, &frame, &kept)));
    event_set(&kept, 8);
    check_eq(hand_run(&hand, &frame.weft_frame_.future), 8);
}

Test(select, under_a_cancelled_function_cancels_kept_branches_too)
{
    struct event kept, other;
    struct keeps frame;

    hand_init(&hand, NULL);
    event(&kept);
    check(!hand_poll(&hand, weft_async(keeps, &frame, &kept, &other)));
    event_set(&other, 0);
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check_eq(hand_cancel(&hand, &frame.weft_frame_.future), -ECANCELED);
    check_eq(kept.n_cancels, 1);
    check_eq(hand.n_wakers, 0);
}

Test(select, that_left_a_kept_branch_lets_its_cancel_end_the_await_of_it)
{
    struct keeps_then_awaits frame;
    struct event             kept;

    hand_init(&hand, NULL);
    event(&kept);
    check(!hand_poll(&hand, weft_async(keeps_then_awaits, &frame, &kept)));
    check_eq(hand_cancel(&hand, &frame.weft_frame_.future), -ECANCELED);
}

struct keeps_no_cancel {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select sel;
    struct counter     kept;
    struct event       fast;
};
WEFT_ASYNC(keeps_no_cancel)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(counter(&self->kept, 9)),
                                     at_once(&self->fast, 0)));
    (void)!weft_poll_is_ready(weft_future_cancel(&self->kept.future));
    WEFT_AWAIT(n, &self->kept.future);
    WEFT_END(n);
}

Test(select, that_left_a_kept_branch_without_a_cancel_function_sees_it_end_when_cancelled)
{
    struct keeps_no_cancel frame;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(keeps_no_cancel, &frame)), -ECANCELED);
}
