/* test_shield.c - clean-up code that awaits although its task is cancelled */
#include "../helpers.h"

struct says_bye {
    WEFT_FRAME;
    struct {
        int64_t  patience, takes;
        int64_t *begun, *said;
    } in;
    struct weft_sleep  nap;
    struct weft_shield guard;
};
WEFT_ASYNC(says_bye)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.begun, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    check_eq(n, -ECANCELED);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    check_eq(n, -ECANCELED); /* sticky */
    WEFT_AWAIT(
        n, weft_shield(&self->guard, weft_sleep(&self->nap, self->in.takes), self->in.patience));
    add(self->in.said, 1);
    WEFT_END(n);
}

static int64_t cancelled(int64_t patience, int64_t takes)
{
    weft_runtime *rt = start(1);
    int64_t       begun = 0, said = 0, n;
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, says_bye, .patience = patience, .takes = takes, .begun = &begun,
                           .said = &said),
             0);
    spin_until(&begun, 1);
    weft_cancel(&h);
    n = weft_block_on(rt, weft_join(&h));
    check_eq(said, 1);
    stop(rt);
    return n;
}

Test(shield, lets_a_cancelled_task_await_its_clean_up)
{
    check_eq(cancelled(WEFT_S(100), WEFT_MS(5)), 0);
}

Test(shield, gives_way_when_its_patience_ends)
{
    int64_t before = weft_now();

    check_eq(cancelled(WEFT_MS(5), WEFT_S(100)), -ECANCELED);
    check_cmp(weft_now() - before, >=, WEFT_MS(5));
}

/* The cancel comes while the shielded await is under way. */
struct shielded {
    WEFT_FRAME;
    struct {
        int64_t *begun;
        int64_t  patience, takes;
    } in;
    struct weft_sleep  nap;
    struct weft_shield guard;
};
WEFT_ASYNC(shielded)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.begun, 1);
    WEFT_AWAIT(
        n, weft_shield(&self->guard, weft_sleep(&self->nap, self->in.takes), self->in.patience));
    check(WEFT_CANCELLED());
    WEFT_END(n);
}

static int64_t cancelled_meanwhile(int64_t patience, int64_t takes)
{
    weft_runtime *rt = start(1);
    int64_t       begun = 0, n;
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, shielded, .begun = &begun, .patience = patience, .takes = takes),
             0);
    spin_until(&begun, 1);
    weft_cancel(&h);
    n = weft_block_on(rt, weft_join(&h));
    stop(rt);
    return n;
}

Test(shield, that_is_under_way_when_the_cancel_comes_ends_as_if_there_were_none)
{
    check_eq(cancelled_meanwhile(WEFT_S(100), WEFT_MS(500)), 0);
}

Test(shield, that_is_under_way_gives_way_when_its_patience_ends)
{
    check_eq(cancelled_meanwhile(1, WEFT_S(100)), -ECANCELED);
}

/* A select's loser is waited for while it is shielded. */
struct races {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep  nap, limit;
    struct weft_shield guard;
    struct weft_select sel;
};
WEFT_ASYNC(races)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select(&self->sel, weft_sleep(&self->limit, WEFT_MS(2)),
                              weft_shield(&self->guard, weft_sleep(&self->nap, WEFT_MS(300)),
                                          WEFT_S(100))));
    check_eq(n, 0);
    check_eq(weft_select_undone(&self->sel), 2);
    WEFT_END(weft_future_result(&self->guard.future));
}

Test(shield, that_loses_a_select_is_waited_for)
{
    weft_runtime *rt = start(1);
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, races), 0);
    check_eq(weft_block_on(rt, weft_join(&h)), 0);
    stop(rt);
}

Test(shield, outlives_a_stop_that_waits_long_enough)
{
    weft_runtime *rt = start(1);
    int64_t       begun = 0, said = 0;

    check_eq(weft_spawn_on(rt, NULL, says_bye, .patience = WEFT_S(100), .takes = WEFT_MS(5),
                           .begun = &begun, .said = &said),
             0);
    spin_until(&begun, 1);
    stop(rt);
    check_eq(said, 1);
}
