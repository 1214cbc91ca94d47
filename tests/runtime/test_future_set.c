/* test_future_set.c - sets of futures, poll by poll */
#include "../actors.h"

/* Four futures, and an executor of our own that polls the set. */
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
