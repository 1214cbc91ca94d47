/* fiber_shared.c - the rounds that fibers and their twins have in common; see fiber_parts.h */
#include "fiber_parts.h"

static weft_poll ready_poll(weft_future *future, weft_context *cx)
{
    (void)cx;
    return weft_ready(future, 1);
}

weft_future *fiber_ready(weft_future *future)
{
    static const weft_future_ops ops = {
        .size = sizeof *future, .name = "ready", .poll = ready_poll};

    weft_future_init(future, &ops);
    return future;
}

void fiber_pair_begin(struct fiber_pair *pair, const struct bench_run *run)
{
    pair->each = bench_scaled(run, FIBER_YIELDS);
    atomic_init(&pair->done, 0);
    countdown_begin(&pair->ended, 2);
}

void fiber_pair_end(struct fiber_pair *pair, struct bench_run *run)
{
    int64_t done = atomic_load(&pair->done);

    countdown_end(&pair->ended);
    expect("the number of yields", done, 2 * pair->each);
    run->ops += done;
}

void fiber_table_begin(struct fiber_table *table, const struct bench_run *run)
{
    table->each = bench_scaled(run, FIBER_TRIPS);
    for (int k = 0; k < 2; k++)
        must(weft_mpsc_open(sizeof(int64_t), 1, &table->to[k], &table->at[k]));
    countdown_begin(&table->ended, 2);
}

void fiber_table_end(struct fiber_table *table, struct bench_run *run, int64_t number)
{
    countdown_end(&table->ended);
    for (int k = 0; k < 2; k++) {
        weft_mpsc_sender_close(table->to[k]);
        weft_mpsc_receiver_close(table->at[k]);
    }
    expect("the number after all trips", number, 2 * table->each);
    run->ops += number;
}

void fiber_sleep_end(struct bench_run *run)
{
    struct weft_sleep nap;

    run->ns = weft_now() - run->begin;
    must(weft_block_on(run->rt, weft_sleep(&nap, WEFT_MS(100))));
    run->rss_after_kb = bench_rss_kb();
}
