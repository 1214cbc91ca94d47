/*
 * test_kept.c - a branch that a select keeps and its task does not poll is granted nothing
 *
 * tokio#6450 and what Oxide calls a futurelock: a lock is passed to a wait that its task has put
 * aside, and the task waits for another task, or for another wait, that needs the lock. weft passes
 * such a wait over. It keeps its place in the queue. Here the waits are polled one by one.
 */
#include "kept.h"

/* Loses a select with a wait that it keeps, and goes on with that wait once the gate is open. */
struct returns {
    WEFT_FRAME;
    struct {
        enum kind     kind;
        struct event *lose, *gate;
        bool          gives_up;
    } in;
    struct want        want;
    struct weft_select sel;
};
WEFT_ASYNC(returns)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->in.lose->future,
                                     weft_keep(want(self->in.kind, &self->want))));
    check_eq(n, 0);
    WEFT_AWAIT(n, &self->in.gate->future);
    if (self->in.gives_up) {
        WEFT_CANCEL(&self->want.wait.future);
        check_eq(self->want.wait.future.result, -ECANCELED);
        WEFT_RETURN(0);
    }
    WEFT_AWAIT(n, &self->want.wait.future);
    check_eq(n, self->in.kind == TURN);
    WEFT_END(0);
}

static struct hand    hand, other;
static struct event   lose, gate;
static struct returns keeper;
static struct want    second;

static void init_hands(void)
{
    hand_init(&hand, NULL);
    hand_init(&other, NULL);
    event(&lose);
    event(&gate);
}

/* The keeper waits, and a second wait behind it if `with_second`. */
static void start_keeper(enum kind kind, bool gives_up, bool with_second)
{
    begin(kind);
    init_hands();
    check(!hand_poll(&hand, weft_async(returns, &keeper, kind, &lose, &gate, gives_up)));
    if (with_second)
        check(!hand_poll(&other, want(kind, &second)));
}

static void lose_select(void)
{
    event_set(&lose, 0);
    check(!hand_poll(&hand, &keeper.weft_frame_.future));
    check(weft_future_is_pending(&keeper.want.wait.future));
}

static bool poll_keeper(void)
{
    return hand_poll(&hand, &keeper.weft_frame_.future);
}

static bool poll_second(void)
{
    return hand_poll(&other, &second.wait.future);
}

/* All kinds but readers, which share. */
#define EACH_EXCLUSIVE(kind)                                                                       \
    for (enum kind kind = 0; kind < KINDS; kind += (kind + 1 == READER) ? 2 : 1)

Test(kept, wait_gives_back_what_it_was_granted_before_it_lost)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        give(kind); /* to the keeper, which has not seen it when it loses */
        check(!poll_second());
        lose_select();
        check(poll_second());
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

/* It could be had at once, but the poll had no budget left. */
Test(kept, wait_that_was_polled_without_budget_has_nothing)
{
    EACH_EXCLUSIVE(kind)
    {
        begin(kind);
        give(kind);
        init_hands();
        check(!hand_poll_budget(
            &hand, weft_async(returns, &keeper, kind, &lose, &gate, .gives_up = false), 0));
        lose_select();
        check(hand_poll(&other, want(kind, &second)));
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_is_passed_over_and_has_the_next_turn_when_it_is_polled_again)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        lose_select();
        give(kind);
        check(poll_second());
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check_eq(hand.woken, true);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_has_its_place_again_when_it_is_polled_again)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        lose_select();
        event_set(&gate, 0);
        check(!poll_keeper());
        give(kind);
        check(!poll_second());
        check(poll_keeper());
        give_back(kind, &keeper.want);
        check(poll_second());
        give_back(kind, &second);
        end(kind);
    }
}

Test(kept, wait_finds_at_once_what_no_other_has_taken)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, false);
        lose_select();
        give(kind);
        event_set(&gate, 0);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_that_is_given_up_leaves_nothing)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, true, true);
        lose_select();
        event_set(&gate, 0);
        check(poll_keeper());
        give(kind);
        check(poll_second());
        give_back(kind, &second);
        check_eq(hand.n_wakers, 0);
        end(kind);
    }
}

/* ---- what only some kinds have ---- */

Test(kept, lock_that_was_given_back_is_left_free_by_a_poll_without_budget)
{
    static struct want third;
    struct hand        hand_of_third;

    for (enum kind kind = MUTEX; kind <= PERMIT; kind++) {
        start_keeper(kind, false, false);
        give(kind);
        lose_select();
        check(!hand_poll_budget(&other, want(kind, &second), 0));
        hand_init(&hand_of_third, NULL);
        check(hand_poll(&hand_of_third, want(kind == READER ? WRITER : kind, &third)));
        give_back(kind == READER ? WRITER : kind, &third);
        check(poll_second());
        give_back(kind, &second);
        event_set(&gate, 0);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, lock_is_left_free_by_a_poll_again_without_budget)
{
    for (enum kind kind = MUTEX; kind <= PERMIT; kind++) {
        start_keeper(kind, false, false);
        lose_select();
        give(kind);
        event_set(&gate, 0);
        check(!hand_poll_budget(&hand, &keeper.weft_frame_.future, 0));
        check_eq(hand.woken, true);
        check(hand_poll(&other, want(kind == READER ? WRITER : kind, &second)));
        check(!hand_poll_budget(&hand, &keeper.weft_frame_.future, 0));
        give_back(kind == READER ? WRITER : kind, &second);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

/* The notification of all has reached it as well, so it has ended, whichever wait takes the single
 * one. */
Test(kept, notify_that_gives_its_permit_back_still_has_the_notification_of_all)
{
    start_keeper(NOTIFY, false, false);
    give(NOTIFY);
    weft_notify_all(&notify);
    check(!hand_poll(&other, want(NOTIFY, &second)));
    lose_select();
    check(poll_second());
    event_set(&gate, 0);
    check(poll_keeper());
    give_back(NOTIFY, &second);
    end(NOTIFY);
}

Test(kept, writer_lets_readers_pass)
{
    start_keeper(WRITER, false, false);
    check(!hand_poll(&other, want(READER, &second)));
    weft_rwlock_downgrade(&rwlock); /* the writer waits, and the reader behind it */
    check(!poll_second());
    check_eq(weft_rwlock_try_read(&rwlock), -EBUSY);
    lose_select();
    check(poll_second());
    check_eq(weft_rwlock_try_read(&rwlock), 0);
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_rwlock_try_read(&rwlock), -EBUSY); /* it waits again, before them */
    for (int i = 0; i < 3; i++)
        weft_rwlock_unlock_read(&rwlock);
    check(poll_keeper());
    give_back(WRITER, &keeper.want);
    end(WRITER);
}

/* As many notifications are stored as without weft_keep: one for each wait, and one more. */
Test(kept, wait_takes_a_notification_that_came_meanwhile)
{
    start_keeper(NOTIFY, false, false);
    lose_select();
    for (int i = 0; i < 3; i++)
        give(NOTIFY);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second)));
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

Test(kept, wait_that_is_given_up_leaves_one_notification)
{
    start_keeper(NOTIFY, true, false);
    lose_select();
    give(NOTIFY);
    give(NOTIFY);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second)));
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

Test(kept, wait_that_all_were_notified_of_ends)
{
    start_keeper(NOTIFY, false, false);
    lose_select();
    give(NOTIFY);
    give(NOTIFY);
    weft_notify_all(&notify);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second))); /* the one that is stored in any case */
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

/* A condition has its signal, and waits for the mutex. */
struct conditioned {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_condition     condition;
    weft_wait          wait;
    struct weft_select sel;
};
WEFT_ASYNC(conditioned)
{
    int64_t n;

    WEFT_BEGIN();
    self->condition = (weft_condition){0};
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex));
    weft_keep(weft_condition_wait(&self->wait, &self->condition, &mutex));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &lose.future, &self->wait.future));
    check_eq(n, 0);
    WEFT_AWAIT(n, &gate.future);
    WEFT_AWAIT(n, &self->wait.future);
    check_eq(n, 0);
    weft_mutex_unlock(&mutex);
    WEFT_END(0);
}

Test(kept, condition_that_has_its_signal_holds_up_none_that_wait_for_the_mutex)
{
    struct conditioned c;
    weft_future       *f = weft_async(conditioned, &c, 0);

    mutex = (weft_mutex){0};
    hand_init(&hand, NULL);
    event(&lose);
    event(&gate);
    check(!hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
    weft_condition_signal(&c.condition);
    check(!hand_poll(&hand, f)); /* now it waits for the mutex */
    event_set(&lose, 0);
    weft_mutex_unlock(&mutex); /* to the condition, which has not seen it when it loses */
    check_eq(weft_mutex_try_lock(&mutex), -EBUSY);
    check(!hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
    weft_mutex_unlock(&mutex);
    event_set(&gate, 0);
    check(hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
}

/* The second of two waits for several places gets them, although the first one had a part. */
Test(kept, wait_for_many_permits_gives_its_part_back)
{
    weft_mpsc_permit *permit[3];
    weft_wait         wait;
    int               got;

    start_keeper(ROOMS, false, false);
    check(!hand_poll(&other, weft_mpsc_reserve(&wait, mpsc_sender, permit)));
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0); /* the keeper's, and it lacks one */
    check(!hand_poll(&other, &wait.future));
    lose_select();
    check(hand_poll(&other, &wait.future));
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    check(!poll_keeper());
    weft_mpsc_permit_close(permit[0]);
    check(poll_keeper());
    give_back(ROOMS, &keeper.want);
    end(ROOMS);
}

/* It returns to a place before one that has collected a part meanwhile, and takes that over. */
Test(kept, wait_for_many_permits_does_not_wait_for_the_part_of_one_behind_it)
{
    int got;

    start_keeper(ROOMS, false, true);
    lose_select();
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0); /* to the second, which lacks one */
    check(!poll_second());
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    check(!poll_second());
    check(poll_keeper());
    give_back(ROOMS, &keeper.want);
    check(poll_second());
    give_back(ROOMS, &second);
    end(ROOMS);
}

/* The second one had its places when a wait stood first that had come right after the keeper. */
Test(kept, waits_for_many_permits_that_return_do_not_wait_for_the_part_of_each_other)
{
    static struct returns keeper_2;
    struct event          lose_2, gate_2;
    struct hand           hand_2, hand_of_third;
    weft_mpsc_permit     *permit;
    weft_wait             third;
    int                   got;

    start_keeper(ROOMS, false, false);
    lose_select();
    event(&lose_2);
    event(&gate_2);
    hand_init(&hand_2, NULL);
    hand_init(&hand_of_third, NULL);
    for (int i = 0; i < 2; i++)
        check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    check(!hand_poll_budget(
        &hand_2, weft_async(returns, &keeper_2, ROOMS, &lose_2, &gate_2, .gives_up = false), 0));
    check(!hand_poll(&hand_of_third, weft_mpsc_reserve(&third, mpsc_sender, &permit)));
    event_set(&lose_2, 0);
    check(!hand_poll(&hand_2, &keeper_2.weft_frame_.future));
    check(hand_poll(&hand_of_third, &third.future));
    event_set(&gate, 0);
    check(!poll_keeper()); /* it has one place, and lacks that of the third */
    event_set(&gate_2, 0);
    check(!hand_poll(&hand_2, &keeper_2.weft_frame_.future));
    weft_mpsc_permit_close(permit);
    check(poll_keeper());
    give_back(ROOMS, &keeper.want);
    check(hand_poll(&hand_2, &keeper_2.weft_frame_.future));
    give_back(ROOMS, &keeper_2.want);
    end(ROOMS);
}

TEST_ABORTS(kept, receive_of_a_channel_of_which_no_end_is_left_aborts,
            "weft_mpmc_receiver_close: a receive is pending (the mpmc channel at")
{
    start_keeper(MESSAGE, false, false);
    lose_select();
    weft_mpmc_sender_close(mpmc_sender);
    weft_mpmc_receiver_close(mpmc_receiver);
}
