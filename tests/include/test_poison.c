/* test_poison.c - WEFT_POISON: what a frame holds besides its arguments is filled when its function
 * begins */
#define WEFT_POISON
#include "../helpers.h"

struct child {
    WEFT_FRAME;
    int64_t before;
    struct {
        int64_t x;
    } in;
    int64_t     counter;
    weft_handle handle;
};
WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    check_eq(self->before, (int64_t)0xa5a5a5a5a5a5a5a5);
    check_eq(self->counter, (int64_t)0xa5a5a5a5a5a5a5a5);
    self->counter = 0;
    WEFT_YIELD();
    check_eq(self->counter, 0);
    WEFT_END(self->in.x);
}

Test(poison, fills_frames_that_are_spawned_and_that_are_called_once)
{
    weft_runtime *rt = start(1);
    struct child  frame = {0};
    struct hand   hand;
    weft_handle   handle;

    for (int64_t i = 0; i < 3; i++) {
        check_eq(weft_spawn_on(rt, &handle, child, .x = i), 0);
        check_eq(join(rt, &handle), i);
    }
    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(child, &frame, .x = 7)), 7);
    stop(rt);
}

struct forgetful {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(forgetful)
{
    WEFT_BEGIN();
    WEFT_WAIT(&self->nap.future); /* nothing has made it */
    WEFT_END(0);
}

TEST_ABORTS(poison, a_future_that_was_never_made, "WEFT_AWAIT: the future was never made (")
{
    struct forgetful frame;
    struct hand      hand;

    hand_init(&hand, NULL);
    hand_run(&hand, weft_async(forgetful, &frame));
}
