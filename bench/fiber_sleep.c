/*
 * fiber_sleep.c - what a fiber costs that sleeps
 *
 * Purpose     So many fibers sleep. Then each is cancelled and joined. Time is from the first spawn
 *             to the last join. Memory is the process's when all sleep, and when all have ended.
 * Threads     Any worker. The fiber that spawns the others is the one that cancels them.
 * Invariants  Each sleeper has touched its stack when the memory is read, because it has counted
 *             down on it.
 * Ordering    The count-down orders it.
 * Failure     See bench.h. A spawn fails with ENOMEM if the system lacks memory or mappings.
 */
#include "fiber_parts.h"

#include <stdlib.h>

struct sleepers {
    struct bench_run  *run;
    int64_t            n;
    weft_fiber_options options;
    struct countdown   asleep;
};

static int64_t sleeper(void *argument)
{
    struct sleepers *all = argument;

    countdown_down(&all->asleep);
    return weft_fiber_sleep(FIBER_NAP);
}

static int64_t all_sleep(void *argument)
{
    struct sleepers *all = argument;
    weft_handle     *handle = calloc((size_t)all->n, sizeof *handle);

    must(handle ? 0 : -ENOMEM);
    countdown_begin(&all->asleep, all->n);
    for (int64_t k = 0; k < all->n; k++)
        must(weft_fiber_with(NULL, &handle[k], "sleeper", &all->options, sleeper, all));
    must(weft_await(countdown_wait(&all->asleep)));
    countdown_end(&all->asleep);
    all->run->rss_kb = bench_rss_kb();
    for (int64_t k = 0; k < all->n; k++)
        weft_cancel(&handle[k]);
    for (int64_t k = 0; k < all->n; k++) {
        expect("a cancelled sleep", weft_await(weft_join(&handle[k])), -ECANCELED);
        all->run->ops++;
    }
    free(handle);
    return 0;
}

void bench_fiber_sleep(struct bench_run *run, int number)
{
    struct sleepers all = {.run = run, .n = bench_scaled(run, number & ~SMALL)};
    weft_handle     handle;

    if (number & SMALL)
        all.options.stack_size = 1; /* rounded up to the least */
    must(weft_fiber_on(run->rt, &handle, all_sleep, &all));
    must(weft_block_on(run->rt, weft_join(&handle)));
    fiber_sleep_end(run);
}
