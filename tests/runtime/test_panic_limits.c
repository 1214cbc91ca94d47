/* test_panic_limits.c - panics that can't be unwound, and very many that can */
#include "../helpers.h"

/* ---- what can't be unwound ---- */

static void panic_again(void *arg)
{
    (void)arg;
    weft_panic("once more");
}

struct dies_twice {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_deferred deferred;
};
WEFT_ASYNC(dies_twice)
{
    WEFT_BEGIN();
    weft_defer(&self->deferred, panic_again, NULL);
    weft_panic("once");
    WEFT_END(0);
}

TEST_ABORTS(panic_limits, again_while_the_task_unwinds_aborts,
            "called again while the task unwinds")
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, dies_twice, 0), 0);
    join(rt, &handle);
}

TEST_ABORTS(panic_limits, again_in_block_on_aborts, "test_panic_limits.c")
{
    weft_runtime     *rt = start(1);
    struct dies_twice frame;

    weft_block_on(rt, weft_async(dies_twice, &frame, 0));
}

struct keeps_far {
    WEFT_FRAME;
    struct {
        struct event *event;
    } in;
    struct weft_select select;
    struct counter     counter;
};
WEFT_ASYNC(keeps_far)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->select, weft_keep(event(self->in.event)),
                                     counter(&self->counter, 2)));
    weft_panic("boom");
    WEFT_END(n);
}

TEST_ABORTS(panic_limits, with_a_kept_branch_that_is_not_in_the_frame_aborts, "is not in its frame")
{
    static struct event event;
    weft_runtime       *rt = start(1);
    weft_handle         handle;

    check_eq(weft_spawn_on(rt, &handle, keeps_far, &event), 0);
    join(rt, &handle);
}

/* ---- very many ---- */

static int64_t lowest = INT64_MAX, highest;

struct looks {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct counter counter;
};
WEFT_ASYNC(looks)
{
    int64_t here, n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, self->in.n));
    here = (int64_t)(intptr_t)__builtin_frame_address(0);
    lowest = here < lowest ? here : lowest; /* one thread runs all tasks */
    highest = here > highest ? here : highest;
    weft_panic("boom");
    WEFT_END(n);
}

struct crowd {
    WEFT_FRAME;
    struct {
        int64_t n;
        bool    in_place;
    } in;
    weft_handle child;
};
WEFT_ASYNC(crowd)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        check_eq(weft_spawn(&self->child, looks, self->in.in_place ? 0 : 1), 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        check_eq(n, -EOWNERDEAD);
    }
    WEFT_END(0);
}

Test(panic_limits, ten_thousand_of_them_leave_neither_memory_nor_stack_behind)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){
        .current_thread = 1, .allocator = memory_hooks(&memory), .log = weft_log_none});
    weft_handle   handle;
    int64_t       live = 0;

    for (int i = 0; i < 4; i++) {
        check_eq(weft_spawn_on(rt, &handle, crowd, test_scaled(2500), i % 2), 0);
        check_eq(join(rt, &handle), 0);
        if (i == 0)
            live = get(&memory.live);
        check_cmp(get(&memory.live) - live, <=, 1024); /* block_on's may be on its way back */
    }
    check_cmp(highest - lowest, <, 8192); /* in place, and from the loop */
    stop(rt);
    check_eq(memory.live, 0);
}
