/* test_sequence.c - the guarantees of sequences, merges and chunks, poll by poll */
#include "clocks.h"
#include "items.h"

static int64_t next_of(struct hand *hand, weft_sequence *s, void *ret_item)
{
    return hand_run(hand, weft_sequence_next(s, ret_item));
}

/* ---- sources ---- */

Test(sequence, of_an_mpsc_channel)
{
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_source         source;
    weft_sequence      *s;
    struct hand         hand;
    int                 item = 0;

    hand_init(&hand, NULL);
    check_eq(weft_mpsc_open(sizeof(int), 4, &sender, &receiver), 0);
    s = weft_sequence_of_mpsc(&source, receiver);
    for (int i = 1; i < 4; i++)
        check_eq(weft_mpsc_try_send(sender, &i), 0);
    check(next_of(&hand, s, &item) == 0 && item == 1);
    check(next_of(&hand, s, &item) == 0 && item == 2);

    /* A cancelled wait has taken nothing. */
    weft_sequence_next(s, &item);
    check(!hand_poll_budget(&hand, &source.wait_.future, 0));
    check_eq(hand_cancel(&hand, &source.wait_.future), -ECANCELED);
    check(next_of(&hand, s, &item) == 0 && item == 3);
    weft_mpsc_sender_close(sender);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    weft_mpsc_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

Test(sequence, of_an_mpmc_channel)
{
    weft_mpmc_sender   *sender;
    weft_mpmc_receiver *receiver;
    weft_source         source;
    weft_sequence      *s;
    struct hand         hand;
    int                 item = 5;

    hand_init(&hand, NULL);
    check_eq(weft_mpmc_open(sizeof(int), 4, &sender, &receiver), 0);
    s = weft_sequence_of_mpmc(&source, receiver);
    check_eq(weft_mpmc_try_send(sender, &item), 0);
    weft_mpmc_sender_close(sender);
    item = 0;
    check(next_of(&hand, s, &item) == 0 && item == 5);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    weft_mpmc_receiver_close(receiver);
}

Test(sequence, of_a_broadcast_says_how_many_were_missed)
{
    weft_broadcast_sender   *sender;
    weft_broadcast_receiver *receiver;
    weft_source              source;
    weft_sequence           *s;
    struct hand              hand;
    int                      item;

    hand_init(&hand, NULL);
    check_eq(weft_broadcast_open(sizeof(int), 2, &sender, &receiver), 0);
    s = weft_sequence_of_broadcast(&source, receiver);
    for (int i = 0; i < 5; i++)
        check_eq(weft_broadcast_send(sender, &i), 0);
    weft_broadcast_sender_close(sender);
    check(next_of(&hand, s, &item) == 3 && item == 3);
    check(next_of(&hand, s, &item) == 0 && item == 4);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    weft_broadcast_receiver_close(receiver);
}

Test(sequence, of_a_watch_gives_the_latest_value_once)
{
    weft_watch_sender   *sender;
    weft_watch_receiver *receiver;
    weft_source          source;
    weft_sequence       *s;
    weft_future         *next;
    struct hand          hand;
    int                  value = 1, item = 0;

    hand_init(&hand, NULL);
    check_eq(weft_watch_open(sizeof(int), &value, &sender, &receiver), 0);
    s = weft_sequence_of_watch(&source, receiver);
    next = weft_sequence_next(s, &item);
    check(!hand_poll(&hand, next)); /* the first value counts as seen */
    check_eq(hand_cancel(&hand, next), -ECANCELED);
    for (value = 2; value < 5; value++)
        check_eq(weft_watch_send(sender, &value), 0);
    check(next_of(&hand, s, &item) == 0 && item == 4);
    next = weft_sequence_next(s, &item);
    check(!hand_poll(&hand, next));
    check_eq(weft_watch_send(sender, &value), 0);
    check(hand.woken);
    check_eq(hand_cancel(&hand, next), -ECANCELED); /* it was not seen by that */
    check_eq(item, 4);
    weft_watch_sender_close(sender);
    check(next_of(&hand, s, &item) == 0 && item == 5);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    weft_watch_receiver_close(receiver);
    check_eq(hand.n_wakers, 0);
}

/* ---- merge ---- */

#define INPUTS 3

struct merged {
    weft_merge       merge;
    weft_merge_input input[INPUTS];
    weft_branch      branch[INPUTS];
    struct items     items[INPUTS];
    int64_t          place[INPUTS], item;
    weft_sequence   *s;
    struct hand      hand;
};

static void begin_merge(struct merged *m, int64_t n)
{
    hand_init(&m->hand, NULL);
    for (int i = 0; i < INPUTS; i++)
        m->input[i] = (weft_merge_input){.sequence = items(&m->items[i], n), .item = &m->place[i]};
    m->s = weft_sequence_merge(&m->merge, m->input, m->branch, INPUTS, sizeof(int64_t));
}

Test(sequence, a_merge_has_all_items_of_each_input_in_their_order)
{
    struct merged m;
    int64_t       n, seen[INPUTS] = {0};

    begin_merge(&m, 50);
    m.items[1].n = 0; /* it ends at once */
    while ((n = next_of(&m.hand, m.s, &m.item)) >= 0) {
        check_eq(m.item, seen[n]);
        check_eq(m.input[n].result, 0);
        seen[n]++;
    }
    check_eq(n, WEFT_EOF);
    check(seen[0] == 50 && seen[1] == 0 && seen[2] == 50);
    check_eq(m.input[1].result, WEFT_EOF);
    check_eq(next_of(&m.hand, m.s, &m.item), WEFT_EOF);
    check_eq(m.hand.n_wakers, 0);
}

Test(sequence, of_inputs_that_are_always_ready_none_waits_long)
{
    static const uint32_t budgets[] = {1, 2, 128};

    for (int b = 0; b < 3; b++) {
        struct merged m;
        int64_t       seen[INPUTS] = {0};

        begin_merge(&m, 1000);
        for (int k = 1; k <= 900; k++) {
            weft_sequence_next(m.s, &m.item);
            while (!hand_poll_budget(&m.hand, &m.merge.future_, budgets[b]))
                check(m.hand.woken);
            check(m.merge.future_.result >= 0);
            seen[m.merge.future_.result]++;
            for (int i = 0; i < INPUTS; i++)
                check_cmp(seen[i], >=, k / INPUTS - 2);
        }
        check_eq(hand_run(&m.hand, weft_merge_close(&m.merge)), 0);
    }
}

Test(sequence, an_input_that_fails_is_left_out_and_the_others_go_on)
{
    struct merged m;
    int64_t       n, n_failed = 0, n_items = 0;

    begin_merge(&m, 10);
    m.items[2].n = 3;
    m.items[2].end = -EIO;
    while ((n = next_of(&m.hand, m.s, &m.item)) != WEFT_EOF) {
        check(n >= 0 || n == -EIO);
        n_failed += n < 0;
        n_items += n >= 0;
    }
    check_eq(n_failed, 1);
    check_eq(n_items, 10 + 10 + 3);
    check_eq(m.input[2].result, -EIO);
}

Test(sequence, a_merge_of_nothing_is_at_its_end)
{
    weft_merge     merge;
    weft_sequence *s = weft_sequence_merge(&merge, NULL, NULL, 0, sizeof(int64_t));
    struct hand    hand;
    int64_t        item;

    hand_init(&hand, NULL);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    check_eq(next_of(&hand, s, &item), WEFT_EOF);
    check_eq(hand_run(&hand, weft_merge_close(&merge)), 0);
}

Test(sequence, a_cancelled_wait_on_a_merge_loses_nothing)
{
    struct merged m;
    int64_t       n, seen[INPUTS] = {0};
    uint32_t      seed = 1, n_cancelled = 0;

    begin_merge(&m, 50);
    for (;;) {
        weft_future *next = weft_sequence_next(m.s, &m.item);

        if (rnd(&seed) % 2 && !hand_poll_budget(&m.hand, next, rnd(&seed) % 2)) {
            check_eq(hand_cancel(&m.hand, next), -ECANCELED);
            n_cancelled++;
            continue;
        }
        n = weft_future_is_ready(next) ? weft_future_result(next) : hand_run(&m.hand, next);
        if (n < 0)
            break;
        check_eq(m.item, seen[n]++);
    }
    check_eq(n, WEFT_EOF);
    check(n_cancelled > 10);
    for (int i = 0; i < INPUTS; i++)
        check_eq(seen[i], 50);
}

Test(sequence, closing_a_merge_leaves_what_was_taken_in_its_place)
{
    struct merged m;
    int64_t       n;

    begin_merge(&m, 50);
    m.items[0].hole = 1; /* it waits for its second item */
    m.items[2].n = 0;
    do
        n = next_of(&m.hand, m.s, &m.item);
    while (n != 1 || m.item < 2);
    check(!hand_poll_budget(&m.hand, weft_sequence_next(m.s, &m.item), 0));
    check_eq(hand_cancel(&m.hand, &m.merge.future_), -ECANCELED);
    check_eq(hand_run(&m.hand, weft_merge_close(&m.merge)), 0);
    check_eq(m.items[0].n_cancels, 1);
    check_eq(m.input[0].result, -ECANCELED);
    check_eq(m.items[0].next, 1);
    check_eq(m.input[2].result, WEFT_EOF);
    if (m.input[1].result >= 0)
        check_eq(m.place[1], m.items[1].next - 1); /* taken, and not returned */
    else
        check_eq(m.items[1].next, 3);
    check_eq(m.hand.n_wakers, 0);

    /* A wait that completes although it was cancelled leaves its item, too. */
    begin_merge(&m, 50);
    for (int i = 0; i < INPUTS; i++) {
        m.items[i].hole = 0;
        m.items[i].lingers = i == 1;
    }
    check(!hand_poll(&m.hand, weft_sequence_next(m.s, &m.item)));
    check_eq(hand_cancel(&m.hand, &m.merge.future_), -ECANCELED);
    check_eq(hand_run(&m.hand, weft_merge_close(&m.merge)), 0);
    check(m.input[0].result == -ECANCELED && m.input[2].result == -ECANCELED);
    check(m.input[1].result == 0 && m.place[1] == 0 && m.items[1].next == 1);
}

Test(sequence, a_merge_can_be_an_input)
{
    struct merged    inner;
    struct items     other;
    weft_merge       outer;
    weft_merge_input input[2];
    weft_branch      branch[2];
    weft_sequence   *s;
    struct hand      hand;
    int64_t          place[2], item, n, n_items[2] = {0};

    hand_init(&hand, NULL);
    begin_merge(&inner, 20);
    input[0] = (weft_merge_input){.sequence = inner.s, .item = &place[0]};
    input[1] = (weft_merge_input){.sequence = items(&other, 30), .item = &place[1]};
    s = weft_sequence_merge(&outer, input, branch, 2, sizeof(int64_t));
    while ((n = next_of(&hand, s, &item)) >= 0)
        n_items[n]++;
    check_eq(n, WEFT_EOF);
    check(n_items[0] == INPUTS * 20 && n_items[1] == 30);
}

/* ---- chunks ---- */

struct chunked {
    weft_chunks  chunks;
    struct items items;
    int64_t      array[4], next; /* the item that must come next */
    struct hand  hand;
};

static void begin_chunks(struct chunked *c, int64_t n, int64_t duration)
{
    hand_init(&c->hand, NULL);
    weft_chunks_init(&c->chunks, items(&c->items, n), c->array, sizeof(int64_t), 4, duration);
    c->next = 0;
}

/* Checks the items of a chunk, and returns how many there are. */
static int64_t checked(struct chunked *c, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        check_eq(c->array[i], c->next++);
    return n;
}

static int64_t chunk_of(struct chunked *c)
{
    return checked(c, hand_run(&c->hand, weft_chunks_next(&c->chunks)));
}

Test(sequence, chunks_are_full_until_the_end)
{
    struct chunked c;

    begin_chunks(&c, 10, WEFT_FOREVER);
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), 2);
    check_eq(chunk_of(&c), WEFT_EOF);
    check_eq(chunk_of(&c), WEFT_EOF);

    begin_chunks(&c, 8, WEFT_FOREVER);
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), WEFT_EOF);
}

Test(sequence, an_error_comes_behind_the_chunk_of_what_came_before_it)
{
    struct chunked c;

    begin_chunks(&c, 6, WEFT_FOREVER);
    c.items.end = -EIO;
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), 2);
    check_eq(chunk_of(&c), -EIO);
    c.items.n = 7; /* this sequence goes on after its error */
    c.items.end = WEFT_EOF;
    check_eq(chunk_of(&c), 1);
    check_eq(chunk_of(&c), WEFT_EOF);
}

Test(sequence, a_cancelled_chunk_keeps_its_items_for_the_next_wait)
{
    struct chunked c;

    begin_chunks(&c, 10, WEFT_FOREVER);
    check_eq(weft_chunks_count(&c.chunks), 0);
    c.items.hole = 2;
    check(!hand_poll(&c.hand, weft_chunks_next(&c.chunks)));
    check_eq(hand_cancel(&c.hand, &c.chunks.future), -ECANCELED);
    check_eq(weft_chunks_count(&c.chunks), 2);
    check_eq(c.items.n_cancels, 1);
    check_eq(c.hand.n_wakers, 0);
    check(!hand_poll(&c.hand, weft_chunks_next(&c.chunks)));
    check_eq(hand_cancel(&c.hand, &c.chunks.future), -ECANCELED);
    items_fill(&c.items, -1);
    check_eq(chunk_of(&c), 4);
    check_eq(weft_chunks_count(&c.chunks), 0);

    /* A wait that completes although it was cancelled adds its item. */
    c.items.hole = 5;
    c.items.lingers = true;
    check(!hand_poll(&c.hand, weft_chunks_next(&c.chunks)));
    check_eq(hand_cancel(&c.hand, &c.chunks.future), -ECANCELED);
    check_eq(weft_chunks_count(&c.chunks), 2);
    check_eq(c.items.next, 6);
    c.items.hole = -1;
    check_eq(chunk_of(&c), 4);
    check_eq(chunk_of(&c), 2);
}

Test(sequence, chunks_with_a_time_limit_need_a_runtime)
{
    struct chunked c;

    begin_chunks(&c, 10, WEFT_S(1));
    check_eq(chunk_of(&c), 4); /* full: no time is needed */
    c.items.hole = 5;
    check_eq(chunk_of(&c), 1);
    check_eq(chunk_of(&c), -ENXIO);
    items_fill(&c.items, -1);
    check_eq(chunk_of(&c), 4);
}

TEST_ABORTS(sequence, chunks_of_nothing, "a chunk has at least one item")
{
    struct items items_;
    weft_chunks  chunks;

    weft_chunks_init(&chunks, items(&items_, 1), NULL, 0, 0, WEFT_S(1));
}

/* ---- in time, by a clock that jumps ---- */

#define FRAME(name)                                                                                \
    struct name {                                                                                  \
        WEFT_FRAME;                                                                                \
        struct {                                                                                   \
        } in;                                                                                      \
        struct chunked      c;                                                                     \
        weft_source         source;                                                                \
        weft_interval       every;                                                                 \
        struct weft_timeout limit;                                                                 \
        struct weft_sleep   nap;                                                                   \
        weft_mpsc_sender   *sender;                                                                \
        weft_mpsc_receiver *receiver;                                                              \
        int64_t             begin, item;                                                           \
    };                                                                                             \
    WEFT_ASYNC(name)

#define CHECK_AFTER(ms) check_eq((weft_now() - self->begin) / WEFT_MS(1) / 5, (ms) / 5)

FRAME(ticks)
{
    int64_t n;

    WEFT_BEGIN();
    self->begin = weft_now();
    weft_interval_start_at(&self->every, weft_now() + WEFT_MS(100), WEFT_MS(100),
                           WEFT_INTERVAL_SKIP);
    weft_sequence_of_interval(&self->source, &self->every);
    WEFT_AWAIT(n, weft_sequence_next(&self->source.sequence, NULL));
    check_eq(n, 0);
    CHECK_AFTER(100);
    WEFT_AWAIT(n, weft_sequence_next(&self->source.sequence, NULL));
    check_eq(n, 0);
    CHECK_AFTER(200);
    WEFT_END(0);
}

/* The time of a chunk begins with its first item. */
FRAME(timed_chunks)
{
    int64_t n;

    WEFT_BEGIN();
    self->begin = weft_now();
    check_eq(weft_mpsc_open(sizeof(int64_t), 8, &self->sender, &self->receiver), 0);
    weft_chunks_init(&self->c.chunks, weft_sequence_of_mpsc(&self->source, self->receiver),
                     self->c.array, sizeof(int64_t), 4, WEFT_MS(100));
    self->c.next = 0;

    /* Without an item no time runs. */
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_chunks_next(&self->c.chunks), WEFT_MS(500)));
    check_eq(n, -ETIMEDOUT);
    CHECK_AFTER(500);

    /* Two items, and then none: they are returned when their time is over. */
    for (self->item = 0; self->item < 2; self->item++)
        check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(checked(&self->c, n), 2);
    CHECK_AFTER(600);

    /* A cancel does not begin their time anew. */
    check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_chunks_next(&self->c.chunks), WEFT_MS(60)));
    check_eq(n, -ETIMEDOUT);
    CHECK_AFTER(660);
    self->item++;
    check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(checked(&self->c, n), 2);
    CHECK_AFTER(700);

    /* A full chunk does not wait. */
    for (self->item = 4; self->item < 8; self->item++)
        check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(checked(&self->c, n), 4);
    CHECK_AFTER(700);

    /* The time was over while no wait was pending. What comes at once is still taken. */
    check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_chunks_next(&self->c.chunks), WEFT_MS(10)));
    check_eq(n, -ETIMEDOUT);
    WEFT_WAIT(weft_sleep(&self->nap, WEFT_MS(290)));
    self->item++;
    check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(checked(&self->c, n), 2);
    CHECK_AFTER(1000);

    /* The end does not wait either. */
    self->item++;
    check_eq(weft_mpsc_try_send(self->sender, &self->item), 0);
    weft_mpsc_sender_close(self->sender);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(checked(&self->c, n), 1);
    WEFT_AWAIT(n, weft_chunks_next(&self->c.chunks));
    check_eq(n, WEFT_EOF);
    CHECK_AFTER(1000);
    weft_mpsc_receiver_close(self->receiver);
    WEFT_END(0);
}

Test(sequence, of_an_interval)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, ticks), 0);
    stop(rt);
}

Test(sequence, a_chunk_is_returned_when_the_time_of_its_first_item_is_over)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, timed_chunks), 0);
    stop(rt);
}
