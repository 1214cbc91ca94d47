/* test_delay_queue.c - the guarantees of delay queues, by a clock that jumps */
#include "clocks.h"

#define N 2000

/* ---- what a test's task does, one function for each test ---- */

#define FRAME(name)                                                                                \
    struct name {                                                                                  \
        WEFT_FRAME;                                                                                \
        struct {                                                                                   \
        } in;                                                                                      \
        weft_delay_queue   queue;                                                                  \
        weft_delay         entry[4], *e;                                                           \
        struct weft_select sel;                                                                    \
        struct weft_sleep  nap;                                                                    \
        int64_t            begin;                                                                  \
        uint32_t           n_left;                                                                 \
    };                                                                                             \
    WEFT_ASYNC(name)

#define CHECK_AFTER(ms) check_eq((weft_now() - self->begin) / WEFT_MS(1) / 5, (ms) / 5)

/* Tokio: single_immediate_delay, multi_immediate_delays. */
FRAME(immediate)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    for (int i = 0; i < 3; i++)
        weft_delay_queue_insert_at(&self->queue, &self->entry[i], weft_now());
    check_eq(weft_delay_queue_count(&self->queue), 3);
    while (weft_delay_queue_count(&self->queue) > 0) {
        self->n_left = weft_delay_queue_count(&self->queue);
        self->e = NULL;
        WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
        check_eq(n, 0);
        check(self->e != NULL);
        check_eq(weft_delay_queue_count(&self->queue), self->n_left - 1);
    }
    CHECK_AFTER(0);
    self->e = NULL;
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check_eq(n, WEFT_EOF);
    check(self->e == NULL);
    WEFT_END(0);
}

Test(delay_queue, returns_what_is_due_at_once_and_then_its_end)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, immediate), 0);
    stop(rt);
}

/* Tokio: multi_delay_at_start, single_short_delay: in the order of their instants, never early. */
FRAME(in_order)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    weft_delay_queue_insert(&self->queue, &self->entry[0], WEFT_MS(300));
    weft_delay_queue_insert(&self->queue, &self->entry[1], WEFT_MS(100));
    weft_delay_queue_insert(&self->queue, &self->entry[2], WEFT_S(3600));
    weft_delay_queue_insert(&self->queue, &self->entry[3], WEFT_MS(200));
    check(weft_delay_queue_instant(&self->queue) - self->begin >= WEFT_MS(100));
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[1]);
    CHECK_AFTER(100);
    check(weft_now() >= self->e->instant_);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[3]);
    CHECK_AFTER(200);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(300);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[2]);
    CHECK_AFTER(3600 * 1000);
    check_eq(weft_delay_queue_instant(&self->queue), WEFT_FOREVER);
    WEFT_END(0);
}

Test(delay_queue, returns_entries_in_the_order_of_their_instants)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, in_order), 0);
    stop(rt);
}

/* Tokio: reset_entry, reset_twice, remove_entry, reset_much_later. */
FRAME(changes)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    for (int i = 0; i < 4; i++)
        weft_delay_queue_insert(&self->queue, &self->entry[i], WEFT_MS(100 * (i + 1)));
    weft_delay_queue_reset(&self->queue, &self->entry[0], WEFT_MS(250)); /* later */
    weft_delay_queue_reset_at(&self->queue, &self->entry[3], self->begin + WEFT_MS(50));
    check(weft_delay_queue_remove(&self->queue, &self->entry[1]));
    check(!weft_delay_queue_remove(&self->queue, &self->entry[1]));
    check_eq(weft_delay_queue_count(&self->queue), 3);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[3]);
    CHECK_AFTER(50);
    check(!weft_delay_queue_remove(&self->queue, self->e)); /* it has been returned */
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(250);
    weft_delay_queue_insert(&self->queue, self->e, WEFT_MS(10)); /* again, before the third */
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(260);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[2]);
    CHECK_AFTER(300);
    WEFT_END(0);
}

Test(delay_queue, entries_are_moved_removed_and_inserted_again)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, changes), 0);
    stop(rt);
}

/* Tokio: insert_before_first_after_poll, reset_first_expiring_item_to_expire_later,
 * remove_at_timer_wheel_threshold: the wait is kept in a select meanwhile. */
FRAME(meanwhile)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    weft_delay_queue_insert(&self->queue, &self->entry[0], WEFT_MS(100));
    weft_keep(weft_delay_queue_next(&self->queue, &self->e));
    WEFT_AWAIT(n,
               weft_select(&self->sel, &self->queue.future, weft_sleep(&self->nap, WEFT_MS(10))));
    check_eq(n, 1);
    weft_delay_queue_insert(&self->queue, &self->entry[1], WEFT_MS(20)); /* an earlier one */
    WEFT_AWAIT(n,
               weft_select(&self->sel, &self->queue.future, weft_sleep(&self->nap, WEFT_MS(1000))));
    check(n == 0 && self->e == &self->entry[1]);
    CHECK_AFTER(30);
    weft_keep(weft_delay_queue_next(&self->queue, &self->e));
    WEFT_AWAIT(n,
               weft_select(&self->sel, &self->queue.future, weft_sleep(&self->nap, WEFT_MS(10))));
    check_eq(n, 1);
    weft_delay_queue_reset(&self->queue, &self->entry[0], WEFT_MS(500)); /* the first is later */
    WEFT_AWAIT(n,
               weft_select(&self->sel, &self->queue.future, weft_sleep(&self->nap, WEFT_MS(300))));
    check_eq(n, 1);
    CHECK_AFTER(340);
    check(weft_delay_queue_remove(&self->queue, &self->entry[0])); /* the only one goes */
    WEFT_AWAIT(n, &self->queue.future);
    check_eq(n, WEFT_EOF);
    WEFT_END(0);
}

Test(delay_queue, a_pending_wait_sees_what_is_changed_before_its_next_poll)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, meanwhile), 0);
    stop(rt);
}

FRAME(cancelled)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    weft_delay_queue_insert(&self->queue, &self->entry[0], WEFT_MS(100));
    weft_delay_queue_next(&self->queue, &self->e);
    WEFT_AWAIT(n,
               weft_select(&self->sel, &self->queue.future, weft_sleep(&self->nap, WEFT_MS(10))));
    check_eq(n, 1);
    check_eq(self->queue.future.result, -ECANCELED);
    check_eq(weft_delay_queue_count(&self->queue), 1);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(100);
    WEFT_END(0);
}

Test(delay_queue, a_cancelled_wait_takes_no_entry)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, cancelled), 0);
    stop(rt);
}

/* ---- entries that are moved while they are waited for ---- */

/* Waits for the next entry. The wait is kept if it takes longer than that. */
#define NEXT_WITHIN(n_, ms_)                                                                       \
    do {                                                                                           \
        if (!weft_future_is_pending(&self->queue.future))                                          \
            weft_keep(weft_delay_queue_next(&self->queue, &self->e));                              \
        WEFT_AWAIT(n_, weft_select_biased(&self->sel, &self->queue.future,                         \
                                          weft_sleep(&self->nap, WEFT_MS(ms_))));                  \
    } while (0)

/* Tokio: multi_reset. */
FRAME(moved_later)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    weft_delay_queue_insert_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(200));
    weft_delay_queue_insert_at(&self->queue, &self->entry[1], self->begin + WEFT_MS(250));
    NEXT_WITHIN(n, 10);
    check_eq(n, 1);
    weft_delay_queue_reset_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(300));
    weft_delay_queue_reset_at(&self->queue, &self->entry[1], self->begin + WEFT_MS(350));
    weft_delay_queue_reset_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(400));
    NEXT_WITHIN(n, 300);
    check_eq(n, 1);
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[1]);
    CHECK_AFTER(350);
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(400);
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check_eq(n, WEFT_EOF);
    WEFT_END(0);
}

/* Tokio: expire_second_key_when_reset_to_expire_earlier, and that of the first key;
 * reset_earlier_after_slot_starts, reset_later_after_slot_starts,
 * insert_in_past_after_poll_fires_immediately. */
FRAME(moved_earlier)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    for (int i = 0; i < 3; i++)
        weft_delay_queue_insert_at(&self->queue, &self->entry[i],
                                   self->begin + WEFT_MS(200 + 50 * i));
    NEXT_WITHIN(n, 80);
    check_eq(n, 1);
    weft_delay_queue_reset_at(&self->queue, &self->entry[1], self->begin + WEFT_MS(100));
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[1]);
    CHECK_AFTER(100);
    NEXT_WITHIN(n, 10);
    check_eq(n, 1);
    weft_delay_queue_reset_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(120));
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(120);
    NEXT_WITHIN(n, 10);
    check_eq(n, 1);
    weft_delay_queue_insert_at(&self->queue, &self->entry[3], self->begin + WEFT_MS(40));
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[3]);
    CHECK_AFTER(130);
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[2]);
    CHECK_AFTER(300);
    WEFT_END(0);
}

/* Tokio: reset_inserted_expired, repeatedly_reset_entry_inserted_as_expired, remove_expired_item,
 * insert_in_past_fires_immediately, remove_at_timer_wheel_threshold. */
FRAME(out_of_the_past)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    weft_delay_queue_insert_at(&self->queue, &self->entry[0], self->begin - WEFT_MS(100));
    weft_delay_queue_reset_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(100));
    weft_delay_queue_reset_at(&self->queue, &self->entry[0], self->begin + WEFT_MS(50));
    NEXT_WITHIN(n, 1000);
    check(n == 0 && self->e == &self->entry[0]);
    CHECK_AFTER(50);
    for (int i = 0; i < 3; i++)
        weft_delay_queue_insert_at(&self->queue, &self->entry[i], self->begin);
    check(weft_delay_queue_remove(&self->queue, &self->entry[0])); /* it is due, and not returned */
    WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
    check(n == 0 && (self->e == &self->entry[1] || self->e == &self->entry[2]));
    check(weft_delay_queue_remove(&self->queue,
                                  self->e == &self->entry[1] ? &self->entry[2] : &self->entry[1]));
    check_eq(weft_delay_queue_count(&self->queue), 0);
    CHECK_AFTER(50);
    WEFT_END(0);
}

/* Tokio: insert_after_ready_poll, peek. */
FRAME(again)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->begin = weft_now();
    for (int i = 0; i < 3; i++)
        weft_delay_queue_insert_at(&self->queue, &self->entry[i], self->begin + WEFT_MS(100));
    for (self->n_left = 6; self->n_left > 0; self->n_left--) {
        check_eq(weft_delay_queue_instant(&self->queue),
                 self->begin + (self->n_left > 3 ? WEFT_MS(100) : WEFT_MS(500)));
        NEXT_WITHIN(n, 1000);
        check_eq(n, 0);
        CHECK_AFTER(self->n_left > 3 ? 100 : 500);
        if (self->n_left > 3)
            weft_delay_queue_insert_at(&self->queue, self->e, self->begin + WEFT_MS(500));
    }
    check_eq(weft_delay_queue_count(&self->queue), 0);
    WEFT_END(0);
}

/* Tokio: item_expiry_greater_than_wheel. */
FRAME(years)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    for (self->n_left = 2; self->n_left > 0; self->n_left--) {
        self->begin = weft_now();
        weft_delay_queue_insert(&self->queue, &self->entry[0], WEFT_MS(INT64_C(1) << 35));
        weft_delay_queue_insert(&self->queue, &self->entry[1], 0);
        WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
        check(n == 0 && self->e == &self->entry[1]);
        CHECK_AFTER(0);
        WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
        check(n == 0 && self->e == &self->entry[0]);
        CHECK_AFTER(INT64_C(1) << 35);
    }
    WEFT_END(0);
}

Test(delay_queue, entries_move_while_they_are_waited_for)
{
    for (int64_t workers = 1; workers <= 8; workers *= 8) {
        weft_runtime *rt = start_jumping(workers);

        check_eq(RUN(rt, moved_later), 0);
        check_eq(RUN(rt, moved_earlier), 0);
        stop(rt);
    }
}

Test(delay_queue, entries_whose_instants_have_passed_are_moved_removed_and_returned)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, out_of_the_past), 0);
    stop(rt);
}

Test(delay_queue, returned_entries_may_be_inserted_again_among_others)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, again), 0);
    stop(rt);
}

Test(delay_queue, entries_may_be_years_away)
{
    weft_runtime *rt = start_jumping(1);

    check_eq(RUN(rt, years), 0);
    stop(rt);
}

/* ---- many, at random, against a list ---- */

struct item {
    weft_delay delay;
    bool       queued;
};

static int64_t earliest(const struct item *items)
{
    int64_t first = WEFT_FOREVER;

    for (int i = 0; i < N; i++)
        if (items[i].queued && items[i].delay.instant_ < first)
            first = items[i].delay.instant_;
    return first;
}

struct random_steps {
    WEFT_FRAME;
    struct {
        struct item *items;
        uint32_t     seed;
    } in;
    weft_delay_queue queue;
    weft_delay      *e;
    uint32_t         n_queued;
    int              step;
};
WEFT_ASYNC(random_steps)
{
    struct item *item;
    int64_t      n, instant;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    self->n_queued = 0;
    for (self->step = 0; self->step < 4 * N || self->n_queued > 0; self->step++) {
        item = &self->in.items[rnd(&self->in.seed) % N];
        instant = weft_now() - (int64_t)(rnd(&self->in.seed) % 1000); /* all of them are due */
        if (self->step < 4 * N && !item->queued) {
            weft_delay_queue_insert_at(&self->queue, &item->delay, instant);
            item->queued = true;
            self->n_queued++;
        } else if (item->queued && rnd(&self->in.seed) % 3 == 0) {
            check(weft_delay_queue_remove(&self->queue, &item->delay));
            item->queued = false;
            self->n_queued--;
        } else if (item->queued && rnd(&self->in.seed) % 2) {
            weft_delay_queue_reset_at(&self->queue, &item->delay, instant);
        } else if (self->n_queued > 0) {
            WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->e));
            check_eq(n, 0);
            item = weft_container(self->e, struct item, delay);
            check(item->queued);
            check_eq(self->e->instant_, earliest(self->in.items));
            item->queued = false;
            self->n_queued--;
        }
        check_eq(weft_delay_queue_count(&self->queue), self->n_queued);
        check_eq(weft_delay_queue_instant(&self->queue), earliest(self->in.items));
    }
    WEFT_END(0);
}

Test(delay_queue, agrees_with_a_list_at_random)
{
    static const uint32_t budgets[] = {1, WEFT_BUDGET_DEFAULT};

    for (int b = 0; b < 2; b++) {
        weft_runtime *rt = start_with(&(weft_config){.workers = 1, .budget = budgets[b]});
        struct item  *items = calloc(N, sizeof *items);

        check(items != NULL);
        check_eq(RUN(rt, random_steps, .items = items, .seed = 7), 0);
        free(items);
        stop(rt);
    }
}

/* ---- errors ---- */

Test(delay_queue, without_a_runtime_a_wait_fails_and_takes_nothing)
{
    weft_delay_queue queue = {0};
    weft_delay       entry, *e = NULL;
    struct hand      hand;

    hand_init(&hand, NULL);
    weft_delay_queue_insert_at(&queue, &entry, 0);
    check_eq(hand_run(&hand, weft_delay_queue_next(&queue, &e)), -ENXIO);
    check(e == NULL);
    check_eq(weft_delay_queue_count(&queue), 1);
}

TEST_ABORTS(delay_queue, a_reset_of_what_is_not_queued, "the entry is not in the queue")
{
    weft_delay_queue queue = {0};
    weft_delay       entry;

    weft_delay_queue_insert_at(&queue, &entry, 0);
    check(weft_delay_queue_remove(&queue, &entry));
    weft_delay_queue_reset(&queue, &entry, 1);
}
