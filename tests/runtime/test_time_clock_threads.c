/* test_time_clock_threads.c - a clock that jumps waits for the threads that compute */
#include "../actors.h"
#include "clocks.h"

/* Makes the clock jump, and computes for a while beside a task that sleeps an hour. */
struct computes {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle handle;
    int64_t     begun;
};
WEFT_ASYNC(computes)
{
    int64_t n;

    WEFT_BEGIN();
    weft_clock_set(NULL, WEFT_CLOCK_JUMPS);
    self->begun = weft_now();
    check_eq(weft_spawn(&self->handle, sleeps, WEFT_S(3600)), 0);
    until_armed(weft_runtime_current(), 1);
    pause_ms(30);
    check_eq(weft_now(), self->begun);
    WEFT_AWAIT(n, weft_join(&self->handle));
    check_eq(n, 0);
    check_cmp(weft_now(), >=, self->begun + WEFT_S(3600));
    WEFT_END(0);
}

Test(time_clock_threads, clock_that_begins_to_jump_within_block_on_waits_for_the_caller)
{
    weft_runtime   *rt = start(2);
    struct computes frame;

    check_eq(weft_block_on(rt, weft_async(computes, &frame)), 0);
    stop(rt);
}

/* Runs on a spare worker while the worker is in the call in place, and for a while after that. */
struct stays {
    WEFT_FRAME;
    struct {
        int64_t *begun;
    } in;
};
WEFT_ASYNC(stays)
{
    int64_t now;

    WEFT_BEGIN();
    now = weft_now();
    add(self->in.begun, 1);
    pause_ms(50);
    check_eq(weft_now(), now);
    WEFT_END(0);
}

static int64_t waits_for(void *begun)
{
    spin_until(begun, 1);
    return 0;
}

struct calls_and_sleeps {
    WEFT_FRAME;
    struct {
        int64_t *begun;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(calls_and_sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(NULL, stays, self->in.begun), 0);
    check_eq(weft_block_in_place(waits_for, self->in.begun), 0);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

Test(time_clock_threads,
     clock_does_not_jump_while_a_spare_worker_computes_that_is_not_needed_any_more)
{
    weft_runtime *rt = start_jumping(1);
    int64_t       begun = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, calls_and_sleeps, &begun), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

static int64_t sleeps_an_hour(void *unused)
{
    struct weft_sleep nap;

    (void)unused;
    return weft_block_on(NULL, weft_sleep(&nap, WEFT_S(3600)));
}

/* Before it blocks it computes for a while. */
static int64_t computes_and_sleeps(void *unused)
{
    int64_t begun = weft_now();

    pause_ms(10);
    check_eq(weft_now(), begun);
    return weft_block_in_place(sleeps_an_hour, unused) + sleeps_an_hour(unused);
}

struct blocks_in_place {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(blocks_in_place)
{
    WEFT_BEGIN();
    WEFT_END(weft_block_in_place(computes_and_sleeps, NULL));
}

Test(time_clock_threads, clock_jumps_in_block_on_within_block_in_place)
{
    for (int64_t workers = 1; workers <= 8; workers *= 2) {
        weft_runtime *rt = start_jumping(workers);
        weft_handle   handle[2]; /* a worker and a spare worker */

        for (int i = 0; i < 2; i++)
            check_eq(weft_spawn_on(rt, &handle[i], blocks_in_place), 0);
        for (int i = 0; i < 2; i++)
            check_eq(join(rt, &handle[i]), 0);
        stop(rt);
    }
}
