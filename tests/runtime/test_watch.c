/*
 * test_watch.c - a watch: what counts as seen, what wakes a receiver, closing from both sides
 *
 * Many cases are those of Tokio's sync_watch.rs, by their behaviour.
 */
#include "../helpers.h"

static struct hand          hand;
static weft_watch_sender   *sender;
static weft_watch_receiver *receiver;
static weft_wait            wait;

static void begin(int value)
{
    hand_init(&hand, NULL);
    check_eq(weft_watch_open(sizeof value, &value, &sender, &receiver), 0);
}

static void end(void)
{
    weft_watch_sender_close(sender);
    weft_watch_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

static int put(int value)
{
    return weft_watch_send(sender, &value);
}

static int read_of(weft_watch_receiver *r)
{
    int value;

    weft_watch_read(r, &value);
    return value;
}

static int peek(void)
{
    int value;

    weft_watch_peek(receiver, &value);
    return value;
}

static weft_future *changed(void)
{
    return weft_watch_changed(&wait, receiver);
}

TEST_ABORTS(watch, whose_receiver_is_closed_while_it_waits_aborts,
            "weft_watch_receiver_close: a wait on this receiver is pending (the watch at")
{
    begin(1);
    check(!hand_poll(&hand, changed()));
    weft_watch_receiver_close(receiver);
}

/* The other wait of the receiver has ended. */
TEST_ABORTS(watch, whose_receiver_is_closed_while_one_of_two_waits_is_pending_aborts,
            "weft_watch_receiver_close: a wait on this receiver is pending (the watch at")
{
    weft_wait second;

    begin(1);
    check(!hand_poll(&hand, changed()));
    check(!hand_poll(&hand, weft_watch_changed(&second, receiver)));
    check_eq(put(7), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    weft_watch_receiver_close(receiver);
}

static weft_watch_receiver *subscribe(void)
{
    weft_watch_receiver *r = NULL;

    check_eq(weft_watch_subscribe(sender, &r), 0);
    return r;
}

/* ---- what a receiver sees ---- */

Test(watch, counts_the_first_value_as_seen_and_wakes_for_the_next)
{
    begin(1);
    check_eq(peek(), 1);
    check_eq(weft_watch_has_changed(receiver), 0);
    check(!hand_poll(&hand, changed()));
    check_eq(put(2), 0);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 2);
    check(!hand_poll(&hand, changed()));
    weft_watch_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    weft_watch_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(watch, keeps_only_the_latest_value)
{
    begin(0);
    for (int i = 1; i <= 100; i++)
        check_eq(put(i), 0);
    check_eq(hand_run(&hand, changed()), 0);
    check_eq(read_of(receiver), 100);
    check(!hand_poll(&hand, changed()));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}

Test(watch, is_changed_also_by_an_equal_value)
{
    begin(7);
    check_eq(put(7), 0);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(hand_run(&hand, changed()), 0);
    end();
}

Test(watch, read_marks_as_seen_and_peek_does_not)
{
    begin(1);
    check_eq(put(2), 0);
    check_eq(peek(), 2);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(read_of(receiver), 2);
    check_eq(weft_watch_has_changed(receiver), 0);
    check(!hand_poll(&hand, changed()));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}

Test(watch, changed_marks_as_seen)
{
    begin(1);
    check_eq(put(2), 0);
    check_eq(hand_run(&hand, changed()), 0);
    check_eq(weft_watch_has_changed(receiver), 0);
    end();
}

Test(watch, mark_changed_and_mark_unchanged_do_so_for_their_receiver)
{
    weft_watch_receiver *other;

    begin(1); /* the first version: one less is none */
    other = subscribe();
    weft_watch_mark_changed(receiver);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(weft_watch_has_changed(other), 0);
    check_eq(hand_run(&hand, changed()), 0);
    check_eq(read_of(receiver), 1);
    check_eq(put(2), 0);
    weft_watch_mark_unchanged(receiver);
    check_eq(weft_watch_has_changed(receiver), 0);
    check_eq(weft_watch_has_changed(other), 1);
    weft_watch_receiver_close(other);
    end();
}

Test(watch, tells_each_receiver_by_itself)
{
    weft_watch_receiver *other;
    weft_wait            second;

    begin(1);
    other = subscribe();
    check(!hand_poll(&hand, changed()));
    check(!hand_poll(&hand, weft_watch_changed(&second, other)));
    check_eq(put(2), 0);
    check_eq(hand.n_wakes, 2);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 2);
    check_eq(weft_watch_has_changed(other), 1);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(read_of(other), 2);
    weft_watch_receiver_close(other);
    end();
}

Test(watch, is_changed_by_each_of_its_senders)
{
    weft_watch_sender *other;

    begin(0);
    other = weft_watch_sender_clone(sender);
    check(!hand_poll(&hand, changed()));
    check_eq(put(1), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 1);
    check(!hand_poll(&hand, changed()));
    check_eq(weft_watch_send(other, &(int){2}), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 2);
    check(!hand_poll(&hand, changed()));
    weft_watch_sender_close(other);
    check(!hand.woken); /* one sender is left */
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}

Test(watch, subscriber_has_seen_the_value_and_a_clone_what_its_original_has)
{
    weft_watch_receiver *late, *clone;

    begin(1);
    check_eq(put(2), 0);
    late = subscribe();
    check_eq(weft_watch_receiver_clone(receiver, &clone), 0);
    check_eq(weft_watch_has_changed(late), 0);
    check_eq(weft_watch_has_changed(clone), 1);
    check_eq(read_of(late), 2);
    check_eq(weft_watch_receiver_count(sender), 3);
    weft_watch_receiver_close(late);
    weft_watch_receiver_close(clone);
    check_eq(weft_watch_receiver_count(sender), 1);
    end();
}

/* ---- waits ---- */

Test(watch, changed_that_was_cancelled_after_its_wake_has_marked_nothing)
{
    begin(1);
    check(!hand_poll(&hand, changed()));
    check_eq(put(2), 0);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(hand_run(&hand, changed()), 0);
    end();
}

Test(watch, changed_waits_on_if_its_owner_read_the_value_meanwhile)
{
    begin(1);
    check(!hand_poll(&hand, changed()));
    check_eq(put(2), 0);
    check_eq(read_of(receiver), 2);
    check(!hand_poll(&hand, &wait.future));
    check_eq(put(3), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 3);
    end();
}

Test(watch, wait_whose_owner_marked_changed_holds_up_no_other)
{
    weft_watch_receiver *other;
    weft_wait            second;

    begin(1);
    other = subscribe();
    check(!hand_poll(&hand, changed()));
    check(!hand_poll(&hand, weft_watch_changed(&second, other)));
    weft_watch_mark_unchanged(receiver);
    check_eq(put(2), 0);
    check_eq(read_of(receiver), 2);
    check_eq(put(3), 0);
    check_eq(hand_run(&hand, &second.future), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    weft_watch_receiver_close(other);
    end();
}

Test(watch, changed_keeps_to_the_budget)
{
    begin(1);
    check_eq(put(2), 0);
    check(!hand_poll_budget(&hand, changed(), 0));
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check(!hand_poll_budget(&hand, changed(), 0));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}

Test(watch, many_waits_end_by_one_send)
{
    enum { MANY = 100 };
    weft_watch_receiver *r[MANY];
    weft_wait            waits[MANY];

    begin(1);
    for (int i = 0; i < MANY; i++) {
        r[i] = subscribe();
        check(!hand_poll(&hand, weft_watch_changed(&waits[i], r[i])));
    }
    check_eq(put(2), 0);
    check_eq(hand.n_wakes, MANY);
    for (int i = 0; i < MANY; i++) {
        check_eq(hand_run(&hand, &waits[i].future), 0);
        check_eq(read_of(r[i]), 2);
        weft_watch_receiver_close(r[i]);
    }
    end();
}

/* ---- closing ---- */

Test(watch, whose_last_sender_closed_gives_the_last_value_and_then_the_end)
{
    weft_watch_sender *other;

    begin(1);
    other = weft_watch_sender_clone(sender);
    weft_watch_sender_close(sender);
    check_eq(weft_watch_has_changed(receiver), 0);
    sender = other;
    check_eq(put(2), 0);
    weft_watch_sender_close(sender);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(hand_run(&hand, changed()), 0);
    check_eq(weft_watch_has_changed(receiver), WEFT_EOF);
    check_eq(hand_run(&hand, changed()), WEFT_EOF);
    check_eq(read_of(receiver), 2);
    weft_watch_mark_changed(receiver);
    check_eq(hand_run(&hand, changed()), 0);
    weft_watch_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(watch, without_receivers_refuses_a_send_and_keeps_its_value)
{
    int before = 0, value = 0;

    begin(1);
    weft_watch_receiver_close(receiver);
    check_eq(put(2), -EPIPE);
    weft_watch_sender_peek(sender, &value);
    check_eq(value, 1);
    weft_watch_replace(sender, &(int){3}, &before);
    check_eq(before, 1);
    receiver = subscribe();
    check_eq(peek(), 3);
    check_eq(weft_watch_has_changed(receiver), 0);
    check_eq(put(4), 0);
    check_eq(weft_watch_has_changed(receiver), 1);
    end();
}

Test(watch, closed_waits_until_the_last_receiver_is_closed)
{
    weft_watch_receiver *other;
    weft_wait            closed;

    begin(1);
    other = subscribe();
    check(!hand_poll(&hand, weft_watch_closed(&closed, sender)));
    weft_watch_receiver_close(receiver);
    check_eq(hand.n_wakes, 0);
    check(!hand_poll(&hand, &closed.future));
    weft_watch_receiver_close(other);
    check_eq(hand.n_wakes, 1);
    receiver = subscribe(); /* too late for the wait that has its answer */
    check_eq(hand_run(&hand, &closed.future), 0);
    check(!hand_poll(&hand, weft_watch_closed(&closed, sender)));
    check_eq(hand_cancel(&hand, &closed.future), -ECANCELED);
    end();
}

Test(watch, closed_keeps_to_the_budget)
{
    weft_wait closed;

    begin(1);
    weft_watch_receiver_close(receiver);
    check(!hand_poll_budget(&hand, weft_watch_closed(&closed, sender), 0));
    check_eq(hand_run(&hand, &closed.future), 0);
    receiver = NULL;
    end();
}

/* ---- changing in place ---- */

static bool add_arg(void *value, void *arg)
{
    *(int *)value += *(int *)arg;
    return *(int *)arg != 0;
}

Test(watch, send_if_modified_sends_or_changes_nothing)
{
    int value = -1, by = 5;

    begin(1);
    check_eq(weft_watch_send_if_modified(sender, add_arg, &by, &value), 1);
    check_eq(value, 6);
    check_eq(weft_watch_has_changed(receiver), 1);
    check_eq(read_of(receiver), 6);
    by = 0;
    check_eq(weft_watch_send_if_modified(sender, add_arg, &by, &value), 0);
    check_eq(weft_watch_has_changed(receiver), 0);
    check_eq(peek(), 6);
    end();
}

static int n_calls;

/* Sends by itself the first time, as another sender might do meanwhile. */
static bool disturbed(void *value, void *arg)
{
    (void)arg;
    if (n_calls++ == 0)
        check_eq(put(100), 0);
    *(int *)value += 1;
    return true;
}

Test(watch, send_if_modified_may_use_the_watch_and_is_called_again_if_it_was_overtaken)
{
    int value;

    begin(1);
    check_eq(weft_watch_send_if_modified(sender, disturbed, NULL, &value), 1);
    check_eq(n_calls, 2);
    check_eq(value, 101);
    check_eq(read_of(receiver), 101);
    end();
}

static bool leaves_a_mark(void *value, void *arg)
{
    (void)arg;
    *(int *)value = 99;
    return false;
}

Test(watch, send_if_modified_that_returns_false_leaves_the_value_alone)
{
    int value;

    begin(1);
    check_eq(weft_watch_send_if_modified(sender, leaves_a_mark, NULL, &value), 0);
    check_eq(value, 99);
    check_eq(peek(), 1);
    end();
}

static bool panics(void *value, void *arg)
{
    (void)arg;
    *(int *)value = 99;
    weft_panic("on purpose");
}

struct modifies {
    WEFT_FRAME;
    struct {
    } in;
    int value;
};
WEFT_ASYNC(modifies)
{
    WEFT_BEGIN();
    weft_watch_send_if_modified(sender, panics, NULL, &self->value);
    WEFT_END(0);
}

/* Tokio keeps the value that the function has left behind. */
Test(watch, send_if_modified_that_panics_leaves_the_value_alone)
{
    struct modifies frame;

    begin(1);
    check(!hand_poll(&hand, changed()));
    check_eq(weft_block_on(NULL, weft_async(modifies, &frame)), -EOWNERDEAD);
    check_eq(hand.n_wakes, 0);
    check_eq(peek(), 1);
    check_eq(put(2), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(read_of(receiver), 2);
    end();
}

/* ---- sizes and memory ---- */

Test(watch, carries_values_of_no_bytes_and_refuses_large_ones)
{
    char none = 0;

    check_eq(weft_watch_open(65537, &none, &sender, &receiver), -EINVAL);
    hand_init(&hand, NULL);
    check_eq(weft_watch_open(0, NULL, &sender, &receiver), 0);
    check(!hand_poll(&hand, changed()));
    check_eq(weft_watch_send(sender, NULL), 0);
    check_eq(hand_run(&hand, &wait.future), 0);
    end();
}

/* A foreign executor that polls at once, and closes its sender when it is told of the end. */
static weft_waker finish_clone(void *data);

static void finish(void *data)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    (void)data;
    weft_context_init(&cx, &noop, NULL);
    check(weft_poll_is_ready(weft_future_poll(&wait.future, &cx)));
    check_eq(weft_future_result(&wait.future), 0);
    weft_watch_sender_close(sender);
}

static void finish_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable finish_vtable = {finish_clone, finish, finish, finish_drop, NULL};

static weft_waker finish_clone(void *data)
{
    return (weft_waker){&finish_vtable, data};
}

Test(watch, whose_last_receiver_closes_may_be_left_by_the_sender_it_wakes)
{
    weft_waker   waker = {&finish_vtable, NULL};
    weft_context cx;

    begin(1);
    weft_context_init(&cx, &waker, NULL);
    check(!weft_poll_is_ready(weft_future_poll(weft_watch_closed(&wait, sender), &cx)));
    weft_watch_receiver_close(receiver);
}
