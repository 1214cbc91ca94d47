/* test_fiber_cancel.c - a fiber that is cancelled: its awaits end, and it goes on */
#include "fibers.h"

#include "../sockets.h"

typedef struct story {
    int64_t   started, ended;
    weft_wait wait;
    int64_t   first, second;
} story;

static int64_t sleeps_long(void *argument)
{
    story *s = argument;

    add(&s->started, 1);
    s->first = weft_fiber_sleep(WEFT_S(100));
    check(weft_fiber_is_cancelled());
    s->second = weft_fiber_sleep(WEFT_S(100));
    add(&s->ended, 1);
    return 5;
}

Test(fiber_cancel, a_cancel_ends_its_awaits)
{
    weft_runtime *rt = start(2);
    story         s = {0};
    weft_handle   handle;

    check_eq(weft_fiber_on(rt, &handle, sleeps_long, &s), 0);
    EVENTUALLY(get(&s.started) == 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 5);
    check_eq(s.first, -ECANCELED);
    check_eq(s.second, -ECANCELED);
    stop(rt);
}

/* Without an await. */
static int64_t computes_until_cancelled(void *argument)
{
    story *s = argument;

    add(&s->started, 1);
    while (!weft_fiber_is_cancelled())
        sched_yield();
    s->first = weft_fiber_sleep(WEFT_S(100));
    return 6;
}

Test(fiber_cancel, sees_a_cancel_while_it_computes)
{
    weft_runtime *rt = start(2);
    story         s = {0};
    weft_handle   handle;

    check_eq(weft_fiber_on(rt, &handle, computes_until_cancelled, &s), 0);
    spin_until(&s.started, 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 6);
    check_eq(s.first, -ECANCELED);
    stop(rt);
}

static int64_t cancels_itself(void *argument)
{
    weft_cancel(*(weft_handle **)argument);
    check(weft_fiber_is_cancelled());
    return weft_fiber_sleep(WEFT_S(100));
}

Test(fiber_cancel, sees_that_it_has_cancelled_itself)
{
    weft_runtime *rt = start(1);
    weft_handle   handle, *of_itself = &handle;

    check_eq(weft_fiber_on(rt, &handle, cancels_itself, &of_itself), 0);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
}

Test(fiber_cancel, a_stop_cancels_it)
{
    weft_runtime *rt = start(2);
    story         s = {0};

    check_eq(weft_fiber_on(rt, NULL, sleeps_long, &s), 0);
    stop(rt);
    check_eq(s.ended, 1);
    check_eq(s.first, -ECANCELED);
}

/* The kernel reads into the fiber's stack. */
static int64_t reads_into_stack(void *argument)
{
    char    bytes[8];
    weft_io io;

    return weft_await(weft_read(&io, argument, bytes, sizeof bytes));
}

Test(fiber_cancel, a_cancel_ends_a_read_into_its_stack)
{
    weft_runtime *rt = start(2);
    weft_stream  *stream;
    weft_handle   handle;
    int           peer = pair(rt, &stream);

    check_eq(weft_fiber_on(rt, &handle, reads_into_stack, stream), 0);
    pause_ms(2);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    check_eq(weft_fiber_on(rt, &handle, reads_into_stack, stream), 0);
    raw_write(peer, "abc", 3);
    check_eq(join(rt, &handle), 3);
    weft_stream_close(stream);
    close(peer);
    stop(rt);
}
