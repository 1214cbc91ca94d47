/*
 * broadcasting.c - news for all: a broadcast channel
 */
#include "expect.h"

/* ---- a task that gets all news ---- */

struct listen {
    WEFT_FRAME;
    struct {
        weft_broadcast_receiver *news;
    } in;
    weft_wait wait;
    int       message;
    int64_t   got, missed;
};
WEFT_ASYNC(listen)
{
    int64_t n;

    WEFT_BEGIN();
    self->got = self->missed = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_broadcast_receive(&self->wait, self->in.news, &self->message));
        if (n < 0)
            break;
        self->missed += n; /* mostly 0: so many were sent too fast for this task */
        self->got++;
    }
    EXPECT(n == WEFT_EOF); /* all senders are closed, and nothing is left */
    weft_broadcast_receiver_close(self->in.news);
    WEFT_END(self->got + self->missed);
}

/* ---- without waiting ---- */

static void without_waiting(void)
{
    weft_broadcast_sender   *sender;
    weft_broadcast_receiver *receiver, *late;
    int                      message;

    /* Keeps the last 2 messages of one int. */
    EXPECT(weft_broadcast_open(sizeof message, 2, &sender, &receiver) == 0);
    EXPECT(weft_broadcast_try_receive(receiver, &message) == -EAGAIN);
    for (message = 1; message <= 5; message++)
        EXPECT(weft_broadcast_send(sender, &message) == 0);
    EXPECT(weft_broadcast_resubscribe(receiver, &late) == 0);
    EXPECT(weft_broadcast_receiver_count(sender) == 2);

    /* 1, 2 and 3 are missed. Those that are left come in their order. */
    EXPECT(weft_broadcast_try_receive(receiver, &message) == 3 && message == 4);
    EXPECT(weft_broadcast_try_receive(receiver, &message) == 0 && message == 5);
    EXPECT(weft_broadcast_try_receive(late, &message) == -EAGAIN);
    weft_broadcast_receiver_close(receiver);
    weft_broadcast_receiver_close(late);
    EXPECT(weft_broadcast_send(sender, &message) == -EPIPE);
    weft_broadcast_sender_close(sender);
}

/* A task that has news now and then, and must not keep those that listen from their end. */
static void weakly(void)
{
    weft_broadcast_sender   *sender, *again;
    weft_broadcast_receiver *receiver;
    weft_broadcast_weak     *weak;
    int                      message = 1;

    EXPECT(weft_broadcast_open(sizeof message, 2, &sender, &receiver) == 0);
    weak = weft_broadcast_downgrade(sender);
    again = weft_broadcast_upgrade(weak);
    EXPECT(again && weft_broadcast_send(again, &message) == 0);
    weft_broadcast_sender_close(again);
    weft_broadcast_sender_close(sender);
    EXPECT(weft_broadcast_upgrade(weak) == NULL); /* the last sender is closed */
    weft_broadcast_weak_close(weak);
    EXPECT(weft_broadcast_try_receive(receiver, &message) == 0);
    EXPECT(weft_broadcast_try_receive(receiver, &message) == WEFT_EOF);
    weft_broadcast_receiver_close(receiver);
}

struct broadcasting {
    WEFT_FRAME;
    struct {
    } in;
    weft_broadcast_sender *sender, *other;
    weft_handle            listening[3];
    weft_wait              wait;
    int                    i, message;
};

/* Starts a task with a receiver of its own. */
static int start_listening(struct broadcasting *self, weft_handle *handle)
{
    weft_broadcast_receiver *mine;
    int                      r = weft_broadcast_subscribe(self->sender, &mine);

    if (r < 0)
        return r;
    r = weft_spawn(handle, listen, .news = mine);
    if (r < 0)
        weft_broadcast_receiver_close(mine);
    return r;
}

WEFT_ASYNC(broadcasting)
{
    weft_broadcast_receiver *first;
    int64_t                  n;

    WEFT_BEGIN();
    without_waiting();
    weakly();
    if (weft_broadcast_open(sizeof self->message, 16, &self->sender, &first) < 0)
        WEFT_RETURN(-ENOMEM);
    for (self->i = 0; self->i < 3; self->i++)
        EXPECT(start_listening(self, &self->listening[self->i]) == 0);
    weft_broadcast_receiver_close(first);

    self->other = weft_broadcast_sender_clone(self->sender);
    for (self->message = 0; self->message < 100; self->message++)
        EXPECT(weft_broadcast_send(self->other, &self->message) == 0);
    weft_broadcast_sender_close(self->other);

    /* The tasks listen until the last sender is closed. A sender can wait for the opposite: until
     * nothing listens any more. Here that would wait for ever, so it is given up. */
    weft_broadcast_closed(&self->wait, self->sender);
    WEFT_CANCEL(&self->wait.future);
    weft_broadcast_sender_close(self->sender);
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->listening[self->i]));
        EXPECT(n == 100);
    }
    WEFT_END(0);
}

int main(void)
{
    return weft_main(broadcasting);
}
