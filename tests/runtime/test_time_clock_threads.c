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
