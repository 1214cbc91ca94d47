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

/* Some calls deep, with variables that ASan surrounds by marks. */
static __attribute__((noinline)) int64_t awaits_a_panic_below(int depth)
{
    char some[500];

    memset(some, depth, sizeof some);
    return (depth == 0 ? awaits_a_panic(NULL) : awaits_a_panic_below(depth - 1)) + some[depth];
}

struct large {
    char bytes[4096];
};

static __attribute__((noinline)) int64_t sums_up(const char *bytes)
{
    int64_t sum = 0;

    for (size_t i = 0; i < sizeof(struct large); i++)
        sum += bytes[i];
    return sum;
}

/* The compiler does not mark an argument on the stack. */
static __attribute__((noinline)) int64_t sums_up_copy(struct large copy)
{
    return sums_up(copy.bytes);
}

static int64_t awaits_a_panic_deep(void *argument)
{
    (void)argument;
    return awaits_a_panic_below(10);
}

static int64_t passes_a_copy(void *argument)
{
    return sums_up_copy(*(struct large *)argument);
}

/* Both have the same stack, one after the other. */
static int64_t spawns_both(void *argument)
{
    weft_handle handle;

    check_eq(weft_fiber(&handle, awaits_a_panic_deep, NULL), 0);
    check_eq(weft_await(weft_join(&handle)), -EOWNERDEAD);
    check_eq(weft_fiber(&handle, passes_a_copy, argument), 0);
    return weft_await(weft_join(&handle));
}

Test(fiber_panic, leaves_a_stack_for_the_next_one)
{
    weft_runtime       *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    static struct large large = {.bytes = {1, 2, 3}};

    n_order = 0;
    check_eq(RUN_FIBER(rt, spawns_both, &large), 6);
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

/* ---- kept branches, which are local variables ---- */

/* What a fiber shows of its death. All of it belongs to the only worker, but for `begun`. */
typedef struct death {
    struct event *kept[3];
    int64_t       begun;   /* the branches are pending */
    bool          deep;    /* what the fiber awaits panics, not its own code */
    int           n_ended; /* of the kept branches, when the deferred call ran */
    bool          deferred;
} death;

static void counts_ended(void *argument)
{
    death *d = argument;

    for (int i = 0; i < 3; i++)
        d->n_ended += weft_future_is_ready(&d->kept[i]->future);
    d->deferred = true;
}

/* Keeps three branches that end only when they are told to. */
static int64_t dies_with_kept_branches(void *argument)
{
    death               *d = argument;
    struct weft_select   select;
    struct event         kept[3];
    struct counter       turn;
    struct panics        frame;
    struct weft_join_all both;

    weft_fiber_defer(counting, counts_ended, d);
    for (int i = 0; i < 3; i++) {
        weft_keep(event(&kept[i]));
        kept[i].lingers = true;
        d->kept[i] = &kept[i];
    }
    check_eq(weft_await(weft_select_biased(&select, &kept[0].future, &kept[1].future,
                                           &kept[2].future, counter(&turn, 2))),
             3);
    for (int i = 0; i < 3; i++)
        check(weft_future_is_pending(&kept[i].future));
    add(&d->begun, 1);
    if (d->deep)
        weft_await(weft_join_all(&both, weft_async(panics, &frame, 0), counter(&turn, 1)));
    weft_panic("with kept branches");
}

/* On the same worker: sees that the fiber waits for each branch, and ends them one by one. */
static int64_t lets_go(void *argument)
{
    death *d = argument;

    while (d->kept[2]->n_cancels == 0)
        weft_fiber_yield();
    for (int i = 0; i < 3; i++) {
        check_eq(d->kept[i]->n_cancels, 1);
        for (int k = 0; k < 10; k++)
            weft_fiber_yield();
        check(!d->deferred);
        event_set(d->kept[i], 0);
    }
    return 0;
}

static void die_with_kept_branches(bool deep, const char *message)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    death         d = {.deep = deep};
    weft_handle   handle;

    check_eq(weft_fiber_on(rt, &handle, dies_with_kept_branches, &d), 0);
    spin_until(&d.begun, 1);
    check_eq(RUN_FIBER(rt, lets_go, &d), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), message);
    check(d.deferred);
    check_eq(d.n_ended, 3);
    stop(rt);
}

Test(fiber_panic, drains_the_branches_that_it_has_kept)
{
    die_with_kept_branches(false, "with kept branches");
}

Test(fiber_panic, drains_them_when_what_it_awaits_panics)
{
    die_with_kept_branches(true, "within");
}

/* The kernel reads into the stack, and nothing ends the read but the panic. */
static int64_t panics_with_a_kept_read(void *argument)
{
    char               bytes[8];
    weft_io            io;
    struct weft_select select;
    struct counter     turn;

    weft_keep(weft_read(&io, argument, bytes, sizeof bytes));
    check_eq(weft_await(weft_select_biased(&select, &io.future, counter(&turn, 2))), 1);
    weft_panic("with a kept read");
}

Test(fiber_panic, drains_a_kept_read_into_its_stack)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_stream  *stream;
    int           peer = pair(rt, &stream);

    check_eq(RUN_FIBER(rt, panics_with_a_kept_read, stream), -EOWNERDEAD);
    weft_stream_close(stream);
    close(peer);
    stop(rt);
}

/* More than an async function can keep outside of its frame. The first, the last and one of the
 * middle leave the list by their ends. */
static int64_t keeps_many(void *argument)
{
    enum { N = 5000 };
    struct event      *kept = calloc(N, sizeof *kept);
    struct weft_select select;
    struct counter     turn;
    static const int   ends[] = {N - 1, 0, N / 2};
    int64_t            sum = 0;

    check(kept != NULL);
    for (int i = 0; i < N; i++) {
        weft_keep(event(&kept[i]));
        weft_await(weft_select_biased(&select, &kept[i].future, counter(&turn, 1)));
    }
    for (int i = 0; i < 3; i++) {
        event_set(&kept[ends[i]], 5);
        sum += weft_await(&kept[ends[i]].future);
    }
    if (argument) {
        *(void **)argument = kept;
        weft_panic("with many kept branches");
    }
    for (int i = 0; i < N; i++)
        sum += weft_await_cancel(&kept[i].future) == -ECANCELED;
    free(kept);
    return sum;
}

Test(fiber_panic, drains_any_number_of_kept_branches)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    struct event *kept = NULL;

    check_eq(RUN_FIBER(rt, keeps_many, NULL), 3 * 5 + 5000 - 3);
    check_eq(RUN_FIBER(rt, keeps_many, &kept), -EOWNERDEAD);
    for (int i = 0; i < 5000; i++)
        check(weft_future_is_ready(&kept[i].future));
    free(kept);
    stop(rt);
}

static int64_t returns_with_a_kept_branch(void *argument)
{
    struct event       kept;
    struct weft_select select;
    struct counter     turn;

    (void)argument;
    weft_keep(event(&kept));
    return weft_await(weft_select_biased(&select, &kept.future, counter(&turn, 1)));
}

TEST_ABORTS(fiber_panic, a_return_with_a_kept_branch_is_refused,
            "a fiber returned while a branch it had kept is pending")
{
    RUN_FIBER(start(1), returns_with_a_kept_branch, NULL);
}
