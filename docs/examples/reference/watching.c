/*
 * watching.c - the latest value for all that follow it: a watch
 */
#include "expect.h"

struct price {
    int cents, changes;
};

/* ---- a task that follows the price ---- */

struct follow {
    WEFT_FRAME;
    struct {
        weft_watch_receiver *prices;
    } in;
    weft_wait    wait;
    struct price latest;
};
WEFT_ASYNC(follow)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        /* Prices that were replaced meanwhile are left out: only the latest one counts. */
        WEFT_AWAIT(n, weft_watch_changed(&self->wait, self->in.prices));
        if (n < 0)
            break;
        weft_watch_read(self->in.prices, &self->latest);
    }
    EXPECT(n == WEFT_EOF); /* all senders are closed, and the last price was seen */
    weft_watch_receiver_close(self->in.prices);
    WEFT_END(self->latest.cents);
}

/* ---- changing a part of the value ---- */

/* It may be called again if another sender was faster, so it does nothing but change the value. */
static bool raise_price(void *value, void *arg)
{
    struct price *price = value;
    const int    *by = arg;

    price->cents += *by;
    price->changes++;
    return *by != 0; /* false: nothing is sent */
}

static void change(weft_watch_sender *sender)
{
    struct price price, before;
    int          by = 5;

    EXPECT(weft_watch_send_if_modified(sender, raise_price, &by, &price) == 1);
    EXPECT(price.cents == 105 && price.changes == 1);
    by = 0;
    EXPECT(weft_watch_send_if_modified(sender, raise_price, &by, &price) == 0);
    weft_watch_sender_peek(sender, &price);
    EXPECT(price.cents == 105 && price.changes == 1);
    price.cents = 200;
    weft_watch_replace(sender, &price, &before);
    EXPECT(before.cents == 105);
}

/* ---- looking without waiting ---- */

static void look(weft_watch_receiver *receiver)
{
    struct price price;

    EXPECT(weft_watch_has_changed(receiver) == 1);
    weft_watch_peek(receiver, &price); /* the price counts as not seen all the same */
    EXPECT(price.cents == 200 && weft_watch_has_changed(receiver) == 1);
    weft_watch_read(receiver, &price);
    EXPECT(price.cents == 200 && weft_watch_has_changed(receiver) == 0);
    weft_watch_mark_changed(receiver);
    EXPECT(weft_watch_has_changed(receiver) == 1);
    weft_watch_mark_unchanged(receiver);
    EXPECT(weft_watch_has_changed(receiver) == 0);
}

struct watching {
    WEFT_FRAME;
    struct {
    } in;
    weft_watch_sender *sender;
    weft_handle        following;
    weft_wait          wait;
    int64_t            last;
};

/* Starts a task that follows the price. It owns the receiver that it gets. */
static int start_following(struct watching *self, weft_watch_receiver *receiver)
{
    weft_watch_receiver *mine;
    int                  r = weft_watch_receiver_clone(receiver, &mine);

    if (r < 0)
        return r;
    r = weft_spawn(&self->following, follow, .prices = mine);
    if (r < 0)
        weft_watch_receiver_close(mine);
    return r;
}

WEFT_ASYNC(watching)
{
    weft_watch_receiver *receiver, *late;
    weft_watch_sender   *other;
    struct price         price = {0};
    int64_t              n;

    WEFT_BEGIN();
    price = (struct price){.cents = 100};
    if (weft_watch_open(sizeof price, &price, &self->sender, &receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    EXPECT(start_following(self, receiver) == 0);
    change(self->sender);
    look(receiver);
    weft_watch_receiver_close(receiver);

    /* A receiver that comes late has seen the present price, and can read it. */
    EXPECT(weft_watch_subscribe(self->sender, &late) == 0);
    EXPECT(weft_watch_has_changed(late) == 0 && weft_watch_receiver_count(self->sender) == 2);
    weft_watch_receiver_close(late);

    price = (struct price){.cents = 300};
    EXPECT(weft_watch_send(self->sender, &price) == 0);
    other = weft_watch_sender_clone(self->sender);
    weft_watch_sender_close(self->sender); /* the task follows on: there is another sender */
    weft_watch_sender_close(other);
    WEFT_AWAIT(self->last, weft_join(&self->following));
    EXPECT(self->last == 300);

    /* A sender can wait until its values have no readers. */
    EXPECT(weft_watch_open(sizeof price, &price, &self->sender, &receiver) == 0);
    weft_watch_receiver_close(receiver);
    WEFT_AWAIT(n, weft_watch_closed(&self->wait, self->sender));
    price = (struct price){0};
    EXPECT(n == 0 && weft_watch_send(self->sender, &price) == -EPIPE);
    weft_watch_sender_close(self->sender);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(watching);
}
