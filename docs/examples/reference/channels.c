/*
 * channels.c - one message, and many: oneshot and mpsc channels
 */
#include "expect.h"

/* ---- oneshot ---- */

struct answer {
    WEFT_FRAME;
    struct {
        weft_oneshot_sender *sender;
    } in;
};
WEFT_ASYNC(answer)
{
    int value = 42;

    WEFT_BEGIN();
    /* Sending never waits, and closes the sender. -EPIPE: the receiver has been closed before. */
    EXPECT(weft_oneshot_send(self->in.sender, &value) == 0);
    WEFT_END(0);
}

struct ask {
    WEFT_FRAME;
    struct {
    } in;
    weft_oneshot_receiver *receiver;
    weft_wait              wait;
    int                    value;
};
WEFT_ASYNC(ask)
{
    weft_oneshot_sender *sender;
    int64_t              n;

    WEFT_BEGIN();
    if (weft_oneshot_open(sizeof self->value, &sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    EXPECT(weft_oneshot_try_receive(self->receiver, &self->value) == -EAGAIN);

    /* The task owns the sender from here on. If it was not spawned, the sender is still ours. */
    if (weft_spawn(NULL, answer, .sender = sender) < 0)
        weft_oneshot_sender_close(sender); /* the receiver gets WEFT_EOF */
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->value));
    EXPECT(n == 0 && self->value == 42);
    /* It has been received. After a time limit, for example, it would be received here. */
    EXPECT(weft_oneshot_receiver_finish(self->receiver, &self->value) == WEFT_EOF);
    WEFT_END(n);
}

/* Makes an answer for as long as it is wanted. */
struct forsaken {
    WEFT_FRAME;
    struct {
    } in;
    weft_oneshot_sender *sender;
    weft_wait            wait;
    struct weft_sleep    work;
    struct weft_select   sel;
};
WEFT_ASYNC(forsaken)
{
    weft_oneshot_receiver *receiver;
    int64_t                n;

    WEFT_BEGIN();
    if (weft_oneshot_open(sizeof(int), &self->sender, &receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    weft_oneshot_receiver_close(receiver); /* mostly another task does that, at any time */
    WEFT_AWAIT(n, weft_select(&self->sel, weft_oneshot_closed(&self->wait, self->sender),
                              weft_sleep(&self->work, WEFT_S(10))));
    EXPECT(n == 0);
    weft_oneshot_sender_close(self->sender);
    WEFT_END(0);
}

/* ---- mpsc ---- */

struct produce {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *sender;
        int               first;
    } in;
    int       i, message;
    weft_wait wait;
};
WEFT_ASYNC(produce)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 100; self->i++) {
        self->message = self->in.first + self->i;
        /* Waits while the channel is full: the receiver sets the pace. */
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.sender, &self->message));
        if (n < 0)
            break; /* -EPIPE: the receiver is closed */
    }
    weft_mpsc_sender_close(self->in.sender);
    WEFT_END(0);
}

struct collect {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_receiver *receiver;
    weft_wait           wait;
    int                 message, count;
};
WEFT_ASYNC(collect)
{
    weft_mpsc_sender *sender;
    int64_t           n;
    int               i;

    WEFT_BEGIN();
    self->count = 0;
    /* Room for 8 messages of one int. */
    if (weft_mpsc_open(sizeof self->message, 8, &sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    for (i = 0; i < 3; i++) {
        /* Each task gets a sender of its own, which it closes. */
        weft_mpsc_sender *mine = weft_mpsc_sender_clone(sender);

        if (weft_spawn(NULL, produce, .sender = mine, .first = i * 1000) < 0)
            weft_mpsc_sender_close(mine);
    }
    weft_mpsc_sender_close(sender);

    /* Ends with WEFT_EOF once all senders are closed and all messages are taken. */
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->receiver, &self->message));
        if (n < 0)
            break;
        self->count++;
    }
    EXPECT(n == WEFT_EOF && self->count == 300);
    weft_mpsc_receiver_close(self->receiver);
    WEFT_END(0);
}

/* ---- permits ---- */

struct prepare {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_mpsc_permit   *permit;
    weft_wait           wait;
    int                 message;
};
WEFT_ASYNC(prepare)
{
    int64_t n;

    WEFT_BEGIN();
    if (weft_mpsc_open(sizeof self->message, 1, &self->sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    /* Waits for room first. The message is made only once it can be sent. */
    WEFT_AWAIT(n, weft_mpsc_reserve(&self->wait, self->sender, &self->permit));
    if (n == 0) {
        self->message = 7;
        EXPECT(weft_mpsc_permit_send(self->permit, &self->message) == 0);
    }
    EXPECT(weft_mpsc_try_reserve(self->sender, &self->permit) == -EAGAIN); /* full */
    WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->receiver, &self->message));
    EXPECT(n == 0 && self->message == 7);
    EXPECT(weft_mpsc_try_reserve(self->sender, &self->permit) == 0);
    EXPECT(weft_mpsc_capacity(self->sender) == 1 && weft_mpsc_available(self->sender) == 0);
    weft_mpsc_permit_close(self->permit); /* not needed after all */
    EXPECT(weft_mpsc_available(self->sender) == 1);

    /* Room for several messages at once. Each permit is ended by itself. */
    WEFT_AWAIT(n, weft_mpsc_reserve_many(&self->wait, self->sender, 1, &self->permit));
    EXPECT(n == 0);
    EXPECT(weft_mpsc_try_reserve_many(self->sender, 1, &self->permit) == -EAGAIN);
    weft_mpsc_permit_close(self->permit);
    weft_mpsc_sender_close(self->sender);
    weft_mpsc_receiver_close(self->receiver);
    WEFT_END(0);
}

/* ---- without a limit, many at once ---- */

struct batch {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_mpsc_weak     *weak;
    weft_wait           wait;
    int                 messages[64], sum, i;
};
WEFT_ASYNC(batch)
{
    int64_t n;

    WEFT_BEGIN();
    if (weft_mpsc_open_unbounded(sizeof(int), &self->sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    self->weak = weft_mpsc_downgrade(self->sender);
    for (self->i = 1; self->i <= 100; self->i++)
        EXPECT(weft_mpsc_try_send(self->sender, &self->i) == 0); /* there is always room */
    EXPECT(weft_mpsc_count(self->receiver) == 100);

    /* No more messages: senders get -EPIPE. What was sent still comes. */
    weft_mpsc_receiver_stop(self->receiver);
    WEFT_AWAIT(n, weft_mpsc_closed(&self->wait, self->sender));
    EXPECT(n == 0 && weft_mpsc_try_send(self->sender, &self->i) == -EPIPE);
    for (self->sum = 0;;) {
        WEFT_AWAIT(n, weft_mpsc_receive_many(&self->wait, self->receiver, self->messages, 64));
        if (n < 0)
            break;
        for (self->i = 0; self->i < n; self->i++)
            self->sum += self->messages[self->i];
    }
    EXPECT(n == WEFT_EOF && self->sum == 5050);
    weft_mpsc_sender_close(self->sender);
    EXPECT(weft_mpsc_upgrade(self->weak) == NULL); /* the last sender is closed */
    weft_mpsc_weak_close(self->weak);
    weft_mpsc_receiver_close(self->receiver);
    WEFT_END(0);
}

/* ---- from any thread, without waiting ---- */

static void without_waiting(void)
{
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    int                 message = 1;

    EXPECT(weft_mpsc_open(sizeof message, 1, &sender, &receiver) == 0);
    EXPECT(weft_mpsc_try_send(sender, &message) == 0);
    EXPECT(weft_mpsc_try_send(sender, &message) == -EAGAIN); /* full */
    EXPECT(weft_mpsc_try_receive(receiver, &message) == 0);
    EXPECT(weft_mpsc_try_receive(receiver, &message) == -EAGAIN); /* empty */
    weft_mpsc_receiver_close(receiver);
    EXPECT(weft_mpsc_try_send(sender, &message) == -EPIPE);
    weft_mpsc_sender_close(sender);
}

struct channels {
    WEFT_FRAME;
    struct {
    } in;
    struct ask      ask;
    struct forsaken forsaken;
    struct collect  collect;
    struct prepare  prepare;
    struct batch    batch;
};
WEFT_ASYNC(channels)
{
    int64_t n;

    WEFT_BEGIN();
    without_waiting();
    WEFT_CALL(n, ask, &self->ask);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_CALL(n, forsaken, &self->forsaken);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_CALL(n, collect, &self->collect);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_CALL(n, prepare, &self->prepare);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_CALL(n, batch, &self->batch);
    WEFT_END(n);
}

int main(void)
{
    return weft_main(channels);
}
