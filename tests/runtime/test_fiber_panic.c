/* test_fiber_panic.c - a fiber that panics drains what it awaits and makes its deferred calls */
#include "fibers.h"

#include "../sockets.h"

static char   order[8];
static size_t n_order;

static void notes(void *letter)
{
    order[n_order++] = *(const char *)letter;
}

static int64_t defers(void *panics)
{
    weft_fiber_defer(first, notes, "a");
    {
        weft_fiber_defer(inner, notes, "b");
        weft_fiber_yield();
    }
    weft_fiber_defer(second, notes, "c");
    weft_fiber_yield();
    if (panics)
        weft_panic("on purpose");
    notes("d");
    return 3;
}

Test(fiber_panic, makes_deferred_calls_newest_first_when_a_block_is_left)
{
    weft_runtime *rt = start(1);

    n_order = 0;
    check_eq(RUN_FIBER(rt, defers, NULL), 3);
    check(memcmp(order, "bdca", n_order) == 0 && n_order == 4);
    n_order = 0;
    check_eq(defers(NULL), 3); /* outside of a fiber */
    check(memcmp(order, "bdca", n_order) == 0 && n_order == 4);
    stop(rt);
}

Test(fiber_panic, makes_deferred_calls_when_it_panics)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_handle   handle;

    n_order = 0;
    check_eq(weft_fiber_on(rt, &handle, defers, order), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check(strstr(weft_handle_panic(&handle), "on purpose") != NULL);
    check(memcmp(order, "bca", n_order) == 0 && n_order == 3);
    stop(rt);
}

struct panics {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    WEFT_YIELD();
    weft_panic("within");
    WEFT_END(0);
}

static int64_t awaits_a_panic(void *argument)
{
    struct panics frame;

    (void)argument;
    weft_fiber_defer(first, notes, "a");
    weft_await(weft_async(panics, &frame, 0));
    notes("b");
    return 0;
}

Test(fiber_panic, ends_when_what_it_awaits_panics)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});

    n_order = 0;
    check_eq(RUN_FIBER(rt, awaits_a_panic, NULL), -EOWNERDEAD);
    check(memcmp(order, "a", n_order) == 0 && n_order == 1);
    stop(rt);
}

/* One branch panics while the kernel has the other's memory, which is on the stack. */
static int64_t selects_a_panic(void *argument)
{
    char               bytes[8];
    weft_io            io;
    struct panics      frame;
    struct weft_select select;

    return weft_await(weft_select(&select, weft_read(&io, argument, bytes, sizeof bytes),
                                  weft_async(panics, &frame, 0)));
}

Test(fiber_panic, drains_what_it_awaits_when_it_panics)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_stream  *stream;
    int           peer = pair(rt, &stream);

    check_eq(RUN_FIBER(rt, selects_a_panic, stream), -EOWNERDEAD);
    weft_stream_close(stream);
    close(peer);
    stop(rt);
}
