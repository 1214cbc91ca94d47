/*
 * sync.c - benchmarks of what tasks wait for: locks, channels, limits
 *
 * Purpose     The program that bench/run starts as weft's part in sync/...: `sync bench`. It
 *             repeats the rounds that the other files describe.
 * Threads     One task begins each round and waits for the tasks that it has spawned.
 * Invariants  See sync_parts.h.
 * Ordering    See sync_parts.h.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

struct rounds {
    WEFT_FRAME;
    struct {
        struct round *round;
    } in;
};

WEFT_ASYNC(rounds)
{
    struct round *round = self->in.round;
    int64_t       n;

    WEFT_BEGIN();
    do {
        countdown_begin(&round->ended, round->n_tasks);
        round->begin(round);
        WEFT_AWAIT(n, countdown_wait(&round->ended));
        must(n);
        countdown_end(&round->ended);
        round->end(round);
    } while (bench_more(round->run));
    WEFT_END(0);
}

void round_repeat(struct round *round)
{
    weft_handle handle;

    must(weft_spawn_on(round->run->rt, &handle, rounds, .round = round));
    must(weft_block_on(round->run->rt, weft_join(&handle)));
}

static struct bench benches[] = {
    {"sync/oneshot", bench_oneshot, 0, false, false},
    {"sync/oneshot_wait", bench_oneshot_wait, 0, false, false},
    {"sync/mpsc_1_1", bench_mpsc, 1, false, false},
    {"sync/mpsc_4_1", bench_mpsc, 4, false, false},
    {"sync/mpmc_4_4", bench_mpmc, 4, false, false},
    {"sync/mutex_1", bench_mutex, 1, false, false},
    {"sync/mutex_8", bench_mutex, 8, false, false},
    {"sync/mutex_8_held", bench_mutex, 8 | HELD, false, false},
    {"sync/rwlock_1", bench_rwlock, 1, false, false},
    {"sync/rwlock_8", bench_rwlock, 8, false, false},
    {"sync/rwlock_8_held", bench_rwlock, 8 | HELD, false, false},
    {"sync/semaphore_1", bench_semaphore, 1, false, false},
    {"sync/semaphore_8", bench_semaphore, 8, false, false},
    {"sync/semaphore_8_held", bench_semaphore, 8 | HELD, false, false},
    {"sync/notify", bench_notify, 0, false, false},
    {"sync/broadcast_1_4", bench_broadcast, 0, false, false},
    {"sync/watch_1_4", bench_watch, 0, false, false},
    {"sync/timeout_ready", bench_timeout_ready, 0, false, false},
    {"sync/timeout_pending", bench_timeout_pending, 0, false, false},
};

int main(int argc, char **argv)
{
    return bench_main(argc, argv, benches, sizeof benches / sizeof *benches);
}
