/*
 * test_misuse.c - broken rules that no compiler sees abort, and say which rule (the others are in
 * tests/misuse)
 */
#include "../test.h"

#include <weft.h>

static weft_waker   noop;
static weft_context cx;

static weft_context *context(void)
{
    noop = weft_waker_noop();
    weft_context_init(&cx, &noop, NULL);
    return &cx;
}

static bool ready(weft_future *future)
{
    return weft_poll_is_ready(weft_future_poll(future, context()));
}

/* Ends with `result` at its second poll. */
struct later {
    weft_future future;
    int64_t     result;
    bool        polled;
};

static weft_poll later_poll(weft_future *future, weft_context *context)
{
    struct later *self = weft_container(future, struct later, future);

    (void)context;
    if (self->polled)
        return weft_ready(future, self->result);
    self->polled = true;
    return WEFT_PENDING;
}

static weft_future *later(struct later *self, int64_t result)
{
    static const weft_future_ops ops = {.size = sizeof *self, .name = "later", .poll = later_poll};

    weft_future_init(&self->future, &ops);
    self->result = result;
    self->polled = false;
    return &self->future;
}

static weft_future *at_once(struct later *self, int64_t result)
{
    later(self, result);
    self->polled = true;
    return &self->future;
}

Test(misuse, none)
{
    struct later a;

    check(!ready(later(&a, 7)));
    check(ready(&a.future));
    check_eq(weft_future_result(&a.future), 7);
}

TEST_ABORTS(misuse, poll_after_ready, "weft_future_poll: the future was READY before")
{
    struct later a;

    later(&a, 7);
    ready(&a.future);
    ready(&a.future);
    ready(&a.future);
}

TEST_ABORTS(misuse, moved_while_pending, "must not move between its first poll and READY (later, ")
{
    struct later a, b;

    ready(later(&a, 7));
    b = a;
    ready(&b.future);
}

TEST_ABORTS(misuse, reserved_result, "weft_ready: a result below -4095 is reserved (later)")
{
    struct later a;

    ready(later(&a, -4096));
    ready(&a.future);
}

TEST_ABORTS(misuse, result_of_an_unpolled_future,
            "weft_future_result: the future has no result yet")
{
    struct later a;

    weft_future_result(later(&a, 7));
}

TEST_ABORTS(misuse, result_of_a_pending_future, "weft_future_result: the future has no result yet")
{
    struct later a;

    ready(later(&a, 7));
    weft_future_result(&a.future);
}

struct in_a_switch {
    WEFT_FRAME;
    struct {
        long key;
    } in;
    struct later later;
};
WEFT_ASYNC(in_a_switch)
{
    int64_t n;

    WEFT_BEGIN();
    switch (self->in.key) {
    case 1:
        WEFT_AWAIT(n, later(&self->later, 7));
        break;
    default:
        n = 0;
    }
    WEFT_END(n);
}

TEST_ABORTS(misuse, await_in_a_switch_over_long,
            "WEFT_BEGIN: the function can't resume at its await (in_a_switch at ")
{
    struct in_a_switch frame;

    ready(weft_async(in_a_switch, &frame, .key = 1));
    ready(&frame.weft_frame_.future);
}

struct reserved {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(reserved)
{
    WEFT_BEGIN();
    WEFT_END(INT64_MIN);
}

TEST_ABORTS(misuse, reserved_result_of_an_async_function,
            "weft_ready: a result below -4095 is reserved (reserved)")
{
    struct reserved frame;

    ready(weft_async(reserved, &frame));
}

struct forgetful {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select sel;
    struct later       slow, fast;
};
WEFT_ASYNC(forgetful)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(later(&self->slow, 1)),
                                     at_once(&self->fast, 2)));
    WEFT_END(n);
}

TEST_ABORTS(
    misuse, kept_branch_unfinished,
    "WEFT_END: an async function returned while a branch it had kept is pending (forgetful)")
{
    struct forgetful frame;

    ready(weft_async(forgetful, &frame));
}

TEST_ABORTS(misuse, select_of_nine, "more than 8 branches")
{
    struct weft_select sel;
    struct later       l[9];

    weft_select(&sel, later(&l[0], 0), later(&l[1], 0), later(&l[2], 0), later(&l[3], 0),
                later(&l[4], 0), later(&l[5], 0), later(&l[6], 0), later(&l[7], 0),
                later(&l[8], 0));
}

TEST_ABORTS(misuse, select_with_a_hole,
            "weft_select: a NULL branch stands before another one (later)")
{
    struct weft_select sel;
    struct later       l[2];

    weft_select(&sel, later(&l[0], 0), NULL, later(&l[1], 0));
}

TEST_ABORTS(misuse, same_future_twice_in_a_group,
            "weft_select: a future must not be two branches of a group (later)")
{
    struct weft_select sel;
    struct later       l[2];

    weft_select(&sel, later(&l[0], 0), later(&l[1], 0), later(&l[0], 0));
}

TEST_ABORTS(misuse, same_future_twice_in_an_array,
            "weft_join_all: a future must not be two branches of a group (later)")
{
    struct weft_join_all all;
    weft_branch          branch[40];
    struct later         l[40];

    for (int i = 0; i < 40; i++)
        branch[i].future = later(&l[i], 0);
    branch[33].future = branch[7].future;
    weft_join_all_array(&all, branch, 40);
}

Test(misuse, none_in_an_array_that_is_used_again)
{
    struct weft_join_all all;
    weft_branch          branch[40];
    struct later         l[40];

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 40; i++)
            branch[i].future = later(&l[i], 0);
        weft_join_all_array(&all, branch, 40);
    }
    check(!ready(&all.future));
    check(ready(&all.future));
}

struct makes_again {
    WEFT_FRAME;
    struct {
        bool selects;
    } in;
    struct weft_select sel;
    struct later       slow, fast;
};
WEFT_ASYNC(makes_again)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(later(&self->slow, 1)),
                                     at_once(&self->fast, 2)));
    later(&self->slow, 1);
    if (self->in.selects)
        WEFT_AWAIT(n, weft_select_biased(&self->sel, at_once(&self->fast, 2),
                                         weft_keep(&self->slow.future)));
    WEFT_END(n);
}

TEST_ABORTS(misuse, kept_future_made_again_before_the_next_select,
            "weft_keep: a kept future was made again while it was pending (later)")
{
    struct makes_again frame;

    ready(weft_async(makes_again, &frame, .selects = true));
}

TEST_ABORTS(misuse, kept_future_made_again_and_forgotten,
            "weft_keep: a kept future was made again while it was pending (later)")
{
    struct makes_again frame;

    ready(weft_async(makes_again, &frame, .selects = false));
}

struct awaits_a_local {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(awaits_a_local)
{
    struct later slow;
    int64_t      n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, later(&slow, 1));
    WEFT_END(n);
}

static void await_a_local(void)
{
    struct awaits_a_local frame;

    ready(weft_async(awaits_a_local, &frame));
}

Test(misuse, future_in_a_local_variable)
{
    if (TEST_ASAN)
        test_skip("its locals are not on the stack");
    test_aborts(await_a_local,
                "WEFT_AWAIT: the future is a local variable; it must live in the frame (", __FILE__,
                __LINE__);
}
