/*
 * sequences.c - one loop for items that come from channels, ticks and code of yours
 */
#include "expect.h"

/* ---- a sequence of your own: a function that makes the future of the next item ---- */

struct countdown {
    weft_sequence     sequence;
    weft_future       future;
    struct weft_sleep nap;
    int              *ret_item;
    int               left;
};

static weft_poll countdown_poll(weft_future *future, weft_context *cx)
{
    struct countdown *c = weft_container(future, struct countdown, future);

    if (!weft_context_spend(cx)) /* it can be ready again and again */
        return WEFT_PENDING;
    if (c->left == 0)
        return weft_ready(future, WEFT_EOF);
    *c->ret_item = c->left--;
    return weft_ready(future, 0);
}

static weft_future *countdown_next(weft_sequence *sequence, void *ret_item)
{
    static const weft_future_ops ops = {sizeof(struct countdown), WEFT_FUTURE_WITHDRAWS,
                                        "countdown", countdown_poll, NULL};

    struct countdown *c = weft_container(sequence, struct countdown, sequence);

    weft_future_init(&c->future, &ops);
    c->ret_item = ret_item;
    return &c->future;
}

/* ---- code that takes any sequence of numbers ---- */

struct sum {
    WEFT_FRAME;
    struct {
        weft_sequence *numbers;
    } in;
    int     number;
    int64_t total;
};
WEFT_ASYNC(sum)
{
    int64_t n;

    WEFT_BEGIN();
    self->total = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_sequence_next(self->in.numbers, &self->number));
        if (n < 0)
            break;
        self->total += self->number;
    }
    WEFT_END(n == WEFT_EOF ? self->total : n);
}

/* ---- a task that sends ten numbers ---- */

struct produce {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *sender;
    } in;
    weft_wait wait;
    int       i;
};
WEFT_ASYNC(produce)
{
    int64_t n;

    WEFT_BEGIN();
    n = 0;
    for (self->i = 0; self->i < 10; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.sender, &self->i));
        if (n < 0)
            break; /* the receiver has enough */
    }
    weft_mpsc_sender_close(self->in.sender);
    WEFT_END(n);
}

struct sequences {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_receiver *receiver;
    weft_source         source[4];
    struct countdown    countdown;
    struct sum          sum;
    weft_merge          merge;
    weft_merge_input    input[2];
    weft_branch         branch[2];
    weft_chunks         chunks;
    weft_sequence      *numbers;
    weft_interval       every;
    struct weft_timeout limit;
    int                 place[2], item, items[4], n_items;
};

/* Makes a sequence of the numbers that a new task sends. */
static weft_sequence *produced(struct sequences *self)
{
    weft_mpsc_sender *sender;

    EXPECT(weft_mpsc_open(sizeof(int), 4, &sender, &self->receiver) == 0);
    EXPECT(weft_spawn(NULL, produce, .sender = sender) == 0);
    return weft_sequence_of_mpsc(&self->source[0], self->receiver);
}

/* Makes one sequence of these numbers and a countdown. */
static weft_sequence *merged(struct sequences *self)
{
    self->countdown = (struct countdown){.sequence = {countdown_next}, .left = 10};
    self->input[0] = (weft_merge_input){.sequence = produced(self), .item = &self->place[0]};
    self->input[1] =
        (weft_merge_input){.sequence = &self->countdown.sequence, .item = &self->place[1]};
    return weft_sequence_merge(&self->merge, self->input, self->branch, 2, sizeof(int));
}

/* A sequence of each kind of channel that has one message. */
static void other_channels(struct sequences *self)
{
    weft_mpmc_sender        *to_one;
    weft_mpmc_receiver      *one;
    weft_broadcast_sender   *to_all;
    weft_broadcast_receiver *all;
    weft_watch_sender       *to_watchers;
    weft_watch_receiver     *watcher;
    int                      seven = 7, item = 0;

    EXPECT(weft_mpmc_open(sizeof(int), 1, &to_one, &one) == 0);
    EXPECT(weft_broadcast_open(sizeof(int), 1, &to_all, &all) == 0);
    EXPECT(weft_watch_open(sizeof(int), &item, &to_watchers, &watcher) == 0);
    EXPECT(weft_mpmc_try_send(to_one, &seven) == 0);
    EXPECT(weft_broadcast_send(to_all, &seven) == 0);
    EXPECT(weft_watch_send(to_watchers, &seven) == 0);
    weft_sequence_of_mpmc(&self->source[1], one);
    weft_sequence_of_broadcast(&self->source[2], all);
    weft_sequence_of_watch(&self->source[3], watcher);
    for (int i = 1; i < 4; i++, item = 0) { /* each has an item, so that one poll is enough */
        weft_future *next = weft_sequence_next(&self->source[i].sequence, &item);
        weft_waker   waker = weft_waker_noop();
        weft_context cx;

        weft_context_init(&cx, &waker, NULL);
        EXPECT(weft_poll_is_ready(weft_future_poll(next, &cx)) && item == 7);
    }
    weft_mpmc_sender_close(to_one);
    weft_mpmc_receiver_close(one);
    weft_broadcast_sender_close(to_all);
    weft_broadcast_receiver_close(all);
    weft_watch_sender_close(to_watchers);
    weft_watch_receiver_close(watcher);
}

WEFT_ASYNC(sequences)
{
    int64_t n;

    WEFT_BEGIN();

    /* The sum of what a channel gives. */
    WEFT_CALL(n, sum, &self->sum, .numbers = produced(self));
    EXPECT(n == 45);
    weft_mpsc_receiver_close(self->receiver);

    /* Two sequences as one. */
    WEFT_CALL(n, sum, &self->sum, .numbers = merged(self));
    EXPECT(n == 45 + 55);
    weft_mpsc_receiver_close(self->receiver);

    /* A merge of which the function takes a part. The rest is in the channel, or in its place. */
    self->numbers = merged(self);
    WEFT_AWAIT(n, weft_sequence_next(self->numbers, &self->item));
    EXPECT(n == 0 || n == 1);
    WEFT_WAIT(weft_merge_close(&self->merge));
    if (self->input[1].result >= 0)
        EXPECT(self->place[1] == self->countdown.left + 1);
    weft_mpsc_receiver_close(self->receiver);

    /* Up to four at once, or as many as come within 1 ms of the first one. */
    weft_chunks_init(&self->chunks, produced(self), self->items, sizeof(int), 4, WEFT_MS(1));
    self->n_items = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_chunks_next(&self->chunks));
        if (n < 0)
            break;
        EXPECT(n <= 4 && self->items[0] == self->n_items);
        self->n_items += (int)n;
    }
    EXPECT(n == WEFT_EOF && self->n_items == 10 && weft_chunks_count(&self->chunks) == 0);
    weft_mpsc_receiver_close(self->receiver);

    /* Ticks have no bytes. */
    weft_interval_start(&self->every, WEFT_MS(1), WEFT_INTERVAL_SKIP);
    self->numbers = weft_sequence_of_interval(&self->source[1], &self->every);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_sequence_next(self->numbers, NULL), WEFT_S(10)));
    EXPECT(n >= 0);
    other_channels(self);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(sequences);
}
