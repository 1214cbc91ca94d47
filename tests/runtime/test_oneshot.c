/* test_oneshot.c - one message, once */
#include "../helpers.h"

static struct hand            hand;
static weft_oneshot_sender   *sender;
static weft_oneshot_receiver *receiver;
static weft_wait              wait;
static int                    got;

static void begin(void)
{
    hand_init(&hand, NULL);
    check_eq(weft_oneshot_open(sizeof got, &sender, &receiver), 0);
}

static void send_one(int message)
{
    check_eq(weft_oneshot_send(sender, &message), 0);
}

static weft_future *receive(void)
{
    return weft_oneshot_receive(&wait, receiver, &got);
}

Test(oneshot, gives_a_message_that_was_sent_before)
{
    begin();
    send_one(7);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(got, 7);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, wakes_who_waits_and_gives_the_message_at_the_second_poll)
{
    begin();
    check(!hand_poll(&hand, receive()));
    check_eq(hand.n_wakes, 0);
    send_one(7);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    check_eq(hand.n_wakers, 0);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, whose_sender_is_closed_unsent_answers_epipe)
{
    begin();
    check(!hand_poll(&hand, receive()));
    weft_oneshot_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check_eq(hand_run(&hand, receive()), WEFT_EOF);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, gives_its_message_once_and_then_answers_epipe)
{
    begin();
    send_one(7);
    check_eq(weft_oneshot_try_receive(receiver, &got), 0);
    check_eq(weft_oneshot_try_receive(receiver, &got), WEFT_EOF);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, that_was_awaited_has_nothing_left_to_try)
{
    begin();
    send_one(7);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(got, 7);
    check_eq(weft_oneshot_try_receive(receiver, &got), WEFT_EOF);
    check_eq(hand_run(&hand, receive()), WEFT_EOF);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, says_eagain_while_there_is_no_message)
{
    begin();
    check_eq(weft_oneshot_try_receive(receiver, &got), -EAGAIN);
    weft_oneshot_sender_close(sender);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, tells_the_sender_that_the_receiver_is_closed)
{
    int message = 1;

    begin();
    weft_oneshot_receiver_close(receiver);
    check_eq(weft_oneshot_send(sender, &message), -EPIPE);
}

Test(oneshot, may_be_closed_from_both_sides_in_any_order_and_with_null)
{
    begin();
    weft_oneshot_receiver_close(receiver);
    weft_oneshot_sender_close(sender);
    begin();
    weft_oneshot_sender_close(sender);
    weft_oneshot_receiver_close(receiver);
    begin();
    send_one(1); /* never received */
    weft_oneshot_receiver_close(receiver);
    weft_oneshot_sender_close(NULL);
    weft_oneshot_receiver_close(NULL);
}

Test(oneshot, receiver_that_finishes_has_the_message_or_the_sender_keeps_it)
{
    int value = 1;

    begin();
    send_one(7);
    check_eq(weft_oneshot_receiver_finish(receiver, &got), 0);
    check_eq(got, 7);

    begin(); /* not sent yet */
    check_eq(weft_oneshot_receiver_finish(receiver, &got), WEFT_EOF);
    check_eq(weft_oneshot_send(sender, &value), -EPIPE);

    begin(); /* closed without a message */
    weft_oneshot_sender_close(sender);
    check_eq(weft_oneshot_receiver_finish(receiver, &got), WEFT_EOF);

    begin(); /* received before */
    send_one(8);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(weft_oneshot_receiver_finish(receiver, &got), WEFT_EOF);
    check_eq(got, 8);
}

Test(oneshot, receive_that_was_cancelled_has_taken_nothing)
{
    begin();
    check(!hand_poll(&hand, receive()));
    send_one(7); /* it has been woken and not polled */
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(got, 7);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, receive_that_was_cancelled_keeps_no_waker)
{
    begin();
    check(!hand_poll(&hand, receive()));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
    send_one(7);
    check_eq(hand.n_wakes, 0);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, receive_that_the_budget_refused_can_be_cancelled)
{
    begin();
    check(!hand_poll_budget(&hand, receive(), 0));
    check(hand.woken);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    weft_oneshot_sender_close(sender);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, lets_one_wait_at_a_time)
{
    weft_wait other;
    int       also;

    begin();
    check(!hand_poll(&hand, receive()));
    check_eq(hand_run(&hand, weft_oneshot_receive(&other, receiver, &also)), -EBUSY);
    send_one(7);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(got, 7);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, carries_64_kib_and_no_more)
{
    static char out[65536], in[65536];

    memset(out, 0x5a, sizeof out);
    check_eq(weft_oneshot_open(sizeof out + 1, &sender, &receiver), -EINVAL);
    check_eq(weft_oneshot_open(sizeof out, &sender, &receiver), 0);
    check_eq(weft_oneshot_send(sender, out), 0);
    check_eq(weft_oneshot_try_receive(receiver, in), 0);
    check(memcmp(in, out, sizeof in) == 0);
    weft_oneshot_receiver_close(receiver);
}

/* ---- an end that is closed while a wait on it is pending ---- */

TEST_ABORTS(oneshot, that_is_sent_while_its_sender_waits_aborts,
            "weft_oneshot_send: a wait on this end is pending (the oneshot channel at")
{
    begin();
    check(!hand_poll(&hand, weft_oneshot_closed(&wait, sender)));
    send_one(7);
}

TEST_ABORTS(oneshot, whose_sender_is_closed_while_it_waits_aborts,
            "weft_oneshot_sender_close: a wait on this end is pending")
{
    begin();
    check(!hand_poll(&hand, weft_oneshot_closed(&wait, sender)));
    weft_oneshot_sender_close(sender);
}

TEST_ABORTS(oneshot, whose_receiver_is_closed_while_it_waits_aborts,
            "weft_oneshot_receiver_close: a wait on this end is pending")
{
    begin();
    check(!hand_poll(&hand, receive()));
    weft_oneshot_receiver_close(receiver);
}

/* ---- threads ---- */

struct answers {
    WEFT_FRAME;
    struct {
        weft_oneshot_sender *sender;
        int                  value;
    } in;
};
WEFT_ASYNC(answers)
{
    WEFT_BEGIN();
    weft_oneshot_send(self->in.sender, &self->in.value);
    WEFT_END(0);
}

struct asks {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    int                    i, got;
    weft_oneshot_sender   *sender;
    weft_oneshot_receiver *receiver;
    weft_wait              wait;
};
WEFT_ASYNC(asks)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++) {
        check_eq(weft_oneshot_open(sizeof(int), &self->sender, &self->receiver), 0);
        check_eq(weft_spawn(NULL, answers, self->sender, self->i), 0);
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->got));
        check_eq(n, 0);
        check_eq(self->got, self->i);
        weft_oneshot_receiver_close(self->receiver);
    }
    WEFT_END(self->i);
}

Test(oneshot, brings_back_the_answers_of_tasks_on_other_workers)
{
    weft_runtime *rt = start(2);
    weft_handle   handle[4];
    int           n = (int)test_scaled(5000);

    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &handle[i], asks, n), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &handle[i]), n);
    stop(rt);
}

static void *close_sender(void *arg)
{
    weft_oneshot_sender_close(arg);
    return NULL;
}

Test(oneshot, closed_by_two_threads_at_once_is_freed_once)
{
    for (int64_t i = test_scaled(1000); i > 0; i--) {
        pthread_t closer;

        begin();
        closer = thread(close_sender, sender);
        weft_oneshot_receiver_close(receiver);
        pthread_join(closer, NULL);
    }
}

/* ---- a sender that waits for the end of the receiver ---- */

static weft_future *closed(void)
{
    return weft_oneshot_closed(&wait, sender);
}

Test(oneshot, wakes_a_sender_that_waits_until_the_receiver_is_closed)
{
    begin();
    check(!hand_poll(&hand, closed()));
    check_eq(hand.n_wakes, 0);
    weft_oneshot_receiver_close(receiver);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), 0);
    check_eq(hand_run(&hand, closed()), 0);
    check_eq(hand.n_wakers, 0);
    check_eq(weft_oneshot_send(sender, &(int){7}), -EPIPE);
}

Test(oneshot, sender_that_gave_up_waiting_sends)
{
    weft_wait second;

    begin();
    check(!hand_poll(&hand, closed()));
    check(!hand_poll(&hand, &wait.future));
    check_eq(hand_run(&hand, weft_oneshot_closed(&second, sender)), -EBUSY);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
    send_one(7);
    check_eq(hand_run(&hand, receive()), 0);
    check_eq(got, 7);
    weft_oneshot_receiver_close(receiver);
}

Test(oneshot, both_ends_may_wait_and_either_may_close)
{
    weft_wait own;

    begin();
    check(!hand_poll(&hand, receive()));
    check(!hand_poll(&hand, weft_oneshot_closed(&own, sender)));
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check(!hand_poll(&hand, &own.future));
    weft_oneshot_receiver_close(receiver);
    check_eq(hand_run(&hand, &own.future), 0);
    weft_oneshot_sender_close(sender);
    begin();
    check(!hand_poll(&hand, weft_oneshot_closed(&own, sender)));
    check(!hand_poll(&hand, receive()));
    check_eq(hand_cancel(&hand, &own.future), -ECANCELED);
    weft_oneshot_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    weft_oneshot_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(oneshot, closed_keeps_to_the_budget)
{
    begin();
    weft_oneshot_receiver_close(receiver);
    check(!hand_poll_budget(&hand, closed(), 0));
    check_eq(hand_run(&hand, &wait.future), 0);
    weft_oneshot_sender_close(sender);
}
