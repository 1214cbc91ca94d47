/*
 * test_mpsc_ends.c - an mpsc channel without a limit, weak senders, stopping, many messages at once
 *
 * Many cases are those of Tokio's sync_mpsc.rs and sync_mpsc_weak.rs, by their behaviour.
 */
#define QUEUE(name) weft_mpsc_##name
#include "queue_channel.h"

/* ---- without a limit ---- */

static void begin_unbounded(void)
{
    hand_init(&hand, NULL);
    check_eq(weft_mpsc_open_unbounded(sizeof got, &sender, &receiver), 0);
}

/* A capacity of 0 stands for none. */
static void begin_either(size_t capacity)
{
    if (capacity > 0)
        begin(capacity);
    else
        begin_unbounded();
}

Test(mpsc_ends, unbounded_channel_takes_any_number_and_keeps_the_order)
{
    int next = 0, sent = 0;

    begin_unbounded();
    check_eq(weft_mpsc_capacity(sender), (int64_t)SIZE_MAX);
    check_eq(weft_mpsc_available(sender), (int64_t)SIZE_MAX);
    for (int round = 0; round < 200;
         round++) { /* the oldest message is in any place of the buffer */
        for (int i = 0; i < 3 * round; i++)
            check_eq(try_send(sent++), 0);
        for (int i = 0; i < 2 * round; i++)
            check_eq(received(), next++);
    }
    check_eq(weft_mpsc_count(receiver), sent - next);
    while (next < sent)
        check_eq(received(), next++);
    check_eq(received(), -EAGAIN);
    end();
}

Test(mpsc_ends, send_to_an_unbounded_channel_never_waits)
{
    int message;

    begin_unbounded();
    for (message = 0; message < 1000; message++)
        check_eq(hand_run(&hand, weft_mpsc_send(&wait, sender, &message)), 0);
    for (int i = 0; i < 1000; i++)
        check_eq(received(), i);
    end();
}

Test(mpsc_ends, send_to_a_full_unbounded_channel_without_budget_says_so_later)
{
    int message = 16;

    begin_unbounded();
    for (int i = 0; i < 16; i++)
        check_eq(try_send(i), 0);
    check(!hand_poll_budget(&hand, weft_mpsc_send(&wait, sender, &message), 0));
    check_eq(weft_mpsc_count(receiver), 17);
    check_eq(hand_run(&hand, &wait.future), 0);
    for (int i = 0; i <= 16; i++)
        check_eq(received(), i);
    end();
}

Test(mpsc_ends, unbounded_channel_carries_messages_of_no_bytes)
{
    check_eq(weft_mpsc_open_unbounded(0, &sender, &receiver), 0);
    for (int i = 0; i < 100; i++)
        check_eq(weft_mpsc_try_send(sender, ""), 0);
    check_eq(weft_mpsc_count(receiver), 100);
    for (int i = 0; i < 100; i++)
        check_eq(weft_mpsc_try_receive(receiver, &got), 0);
    check_eq(weft_mpsc_try_receive(receiver, &got), -EAGAIN);
    weft_mpsc_sender_close(sender);
    weft_mpsc_receiver_close(receiver);
}

/* ---- its memory ---- */

/* A burst is far larger than what the runtime itself allocates meanwhile. */
struct bursts {
    WEFT_FRAME;
    struct {
        struct memory *memory;
    } in;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_wait           wait;
    char                message[1024];
    int64_t             empty;
    int                 i;
};

static void fill(struct bursts *self, int n)
{
    for (int i = 0; i < n; i++)
        check_eq(weft_mpsc_try_send(self->sender, self->message), 0);
}

static void drain(struct bursts *self, int n)
{
    for (int i = 0; i < n; i++)
        check_eq(weft_mpsc_try_receive(self->receiver, self->message), 0);
}

/* Fails the next allocation. The channel stays as it was. */
static void fail_to_grow(struct bursts *self)
{
    struct memory *m = self->in.memory;

    fill(self, 16);
    __atomic_store_n(&m->fail_at, __atomic_load_n(&m->n, __ATOMIC_ACQUIRE) + 1, __ATOMIC_RELEASE);
    check_eq(weft_mpsc_try_send(self->sender, self->message), -ENOMEM);
    check_eq(weft_mpsc_count(self->receiver), 16);
    fill(self, 1);
    drain(self, 17);
}

WEFT_ASYNC(bursts)
{
    WEFT_BEGIN();
    memset(self->message, 7, sizeof self->message);
    check_eq(weft_mpsc_open_unbounded(sizeof self->message, &self->sender, &self->receiver), 0);
    self->empty = get(&self->in.memory->live);
    for (self->i = 0; self->i < 3; self->i++) {
        fill(self, 1000);
        check_cmp(get(&self->in.memory->live), >=, self->empty + 1000 * 1024);
        drain(self, 1000);
        if (self->i == 0) {
            check_eq(weft_mpsc_try_receive(self->receiver, self->message), -EAGAIN);
        } else {
            self->i == 1 ? weft_mpsc_receive(&self->wait, self->receiver, self->message)
                         : weft_mpsc_receive_many(&self->wait, self->receiver, self->message, 1);
            check(!weft_poll_is_ready(weft_future_poll(&self->wait.future, cx)));
            WEFT_CANCEL(&self->wait.future);
        }
        check_cmp(get(&self->in.memory->live), <, self->empty + 65536);
    }
    fail_to_grow(self);
    fill(self, 1000);
    weft_mpsc_receiver_close(self->receiver);
    weft_mpsc_sender_close(self->sender);
    WEFT_END(0);
}

Test(mpsc_ends, unbounded_channel_gives_the_memory_of_a_burst_back)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});

    check_eq(RUN(rt, bursts, .memory = &memory), 0);
    stop(rt);
    check_eq(memory.live, 0);
}

/* ---- weak senders ---- */

Test(mpsc_ends, weak_sender_does_not_keep_the_receiver_waiting)
{
    weft_mpsc_weak *weak;

    begin(1);
    weak = weft_mpsc_downgrade(sender);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    weft_mpsc_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    check(!weft_mpsc_upgrade(weak));
    weft_mpsc_receiver_close(receiver);
    weft_mpsc_weak_close(weak); /* the last end */
    weft_mpsc_weak_close(NULL);
}

Test(mpsc_ends, weak_sender_becomes_a_sender_while_there_is_one)
{
    weft_mpsc_weak   *weak;
    weft_mpsc_sender *other;

    begin(2);
    weak = weft_mpsc_downgrade(sender);
    other = weft_mpsc_upgrade(weak);
    check(other != NULL);
    weft_mpsc_sender_close(sender);
    check_eq(weft_mpsc_try_send(other, &(int){7}), 0);
    sender = weft_mpsc_upgrade(weak);
    weft_mpsc_sender_close(other);
    weft_mpsc_weak_close(weak);
    check_eq(try_send(8), 0);
    check_eq(received(), 7);
    check_eq(received(), 8);
    check_eq(received(), -EAGAIN);
    end();
}

/* ---- closing and stopping ---- */

Test(mpsc_ends, closed_waits_until_the_receiver_closes_or_stops)
{
    weft_wait closed;

    begin(1);
    check(!hand_poll(&hand, weft_mpsc_closed(&closed, sender)));
    check_eq(hand_cancel(&hand, &closed.future), -ECANCELED);
    check(!hand_poll(&hand, weft_mpsc_closed(&closed, sender)));
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &closed.future), 0);
    check_eq(hand_run(&hand, weft_mpsc_closed(&closed, sender)), 0);
    check_eq(weft_mpsc_available(sender), 0);
    end();
    begin(1);
    check(!hand_poll(&hand, weft_mpsc_closed(&closed, sender)));
    weft_mpsc_receiver_close(receiver);
    check_eq(hand_run(&hand, &closed.future), 0);
    weft_mpsc_sender_close(sender);
    check_eq(hand.n_wakers, 0);
}

Test(mpsc_ends, stopped_receiver_gets_what_was_sent_and_then_the_end)
{
    weft_wait second;
    int       message = 3;

    begin(2);
    check_eq(try_send(1), 0);
    check_eq(try_send(2), 0);
    check(!hand_poll(&hand, weft_mpsc_send(&wait, sender, &message)));
    weft_mpsc_receiver_stop(receiver);
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand_run(&hand, &wait.future), -EPIPE);
    check_eq(try_send(4), -EPIPE);
    check_eq(hand_run(&hand, weft_mpsc_send(&second, sender, &message)), -EPIPE);
    check_eq(received(), 1);
    check_eq(received(), 2);
    check_eq(received(), WEFT_EOF);
    end();
}

Test(mpsc_ends, count_is_that_of_the_messages_left_whichever_end_is_closed)
{
    for (size_t capacity = 0; capacity <= 40; capacity += 40)
        for (int stops = 0; stops < 2; stops++) {
            begin_either(capacity);
            check_eq(weft_mpsc_count(receiver), 0);
            for (int i = 0; i < 40; i++) {
                check_eq(try_send(i), 0);
                check_eq(weft_mpsc_count(receiver), i + 1);
            }
            if (stops)
                weft_mpsc_receiver_stop(receiver);
            weft_mpsc_sender_close(sender);
            for (int i = 0; i < 40; i++) {
                check_eq(weft_mpsc_count(receiver), 40 - i);
                check_eq(received(), i);
            }
            check_eq(weft_mpsc_count(receiver), 0);
            check_eq(received(), WEFT_EOF);
            weft_mpsc_receiver_close(receiver);
        }
}

Test(mpsc_ends, stop_ends_a_receive_that_waits)
{
    begin(2);
    check(!hand_poll(&hand, weft_mpsc_receive(&wait, receiver, &got)));
    weft_mpsc_receiver_stop(receiver);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    end();
}

/* ---- many at once ---- */

Test(mpsc_ends, receive_many_takes_what_is_there_and_at_most_as_many_as_asked_for)
{
    int messages[8] = {0};

    begin(8);
    for (int i = 0; i < 7; i++)
        check_eq(try_send(i), 0);
    check_eq(weft_mpsc_count(receiver), 7);
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 0)), 0);
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 4)), 4);
    for (int i = 0; i < 4; i++)
        check_eq(messages[i], i);
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 8)), 3);
    for (int i = 0; i < 3; i++)
        check_eq(messages[i], 4 + i);
    check_eq(messages[3], 3);
    end();
}

Test(mpsc_ends, receive_many_waits_for_the_first_message_and_may_be_cancelled)
{
    int messages[4] = {0};

    begin(2);
    check(!hand_poll(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 4)));
    check_eq(try_send(1), 0);
    check_eq(hand.n_wakes, 1);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check(!hand_poll_budget(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 4), 0));
    check_eq(hand_run(&hand, &wait.future), 1);
    check_eq(messages[0], 1);
    check(!hand_poll(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 4)));
    weft_mpsc_sender_close(sender);
    check_eq(hand_run(&hand, &wait.future), WEFT_EOF);
    weft_mpsc_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(mpsc_ends, receive_many_that_finds_the_end_leaves_the_array_alone)
{
    for (size_t capacity = 0; capacity < 2; capacity++) {
        int messages[2] = {1, 2};

        begin_either(capacity);
        weft_mpsc_receiver_stop(receiver);
        check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 2)), WEFT_EOF);
        check(messages[0] == 1 && messages[1] == 2);
        end();
    }
}

Test(mpsc_ends, receive_many_is_one_of_the_waits_of_its_receiver)
{
    weft_wait second;
    int       messages[4];

    begin(2);
    check(!hand_poll(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 4)));
    check_eq(hand_run(&hand, weft_mpsc_receive(&second, receiver, &got)), -EBUSY);
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&second, receiver, messages, 1)), -EBUSY);
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    end();
}

Test(mpsc_ends, receive_many_gives_the_room_to_the_senders_that_wait)
{
    weft_wait waits[5];
    int       message[5], messages[8];

    begin(3);
    for (int i = 0; i < 3; i++)
        check_eq(try_send(i), 0);
    for (int i = 0; i < 5; i++) {
        message[i] = 3 + i;
        check(!hand_poll(&hand, weft_mpsc_send(&waits[i], sender, &message[i])));
    }
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 8)), 3);
    check_eq(weft_mpsc_count(receiver), 3);
    for (int i = 0; i < 3; i++)
        check_eq(hand_run(&hand, &waits[i].future), 0);
    check(!hand_poll(&hand, &waits[3].future));
    check_eq(hand_run(&hand, weft_mpsc_receive_many(&wait, receiver, messages, 2)), 2);
    check(messages[0] == 3 && messages[1] == 4);
    for (int i = 3; i < 5; i++)
        check_eq(hand_run(&hand, &waits[i].future), 0);
    for (int i = 5; i < 8; i++)
        check_eq(received(), i);
    end();
}
