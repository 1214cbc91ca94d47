/* test_guards.c - what guards or ends other work does so although that work uses up each poll's
 * budget */
#include "../helpers.h"

/* Always ready: it uses up the budget of each poll, until it is asked to end. */
static weft_poll greedy_poll(weft_future *future, weft_context *cx)
{
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    while (weft_context_spend(cx))
        ;
    return WEFT_PENDING;
}

static void greedy_cancel(weft_future *future)
{
    (void)future; /* the next poll ends it */
}

static const weft_future_ops greedy_ops = {sizeof(weft_future), WEFT_FUTURE_WITHDRAWS, "greedy",
                                           greedy_poll, greedy_cancel};

static weft_future *greedy(weft_future *future)
{
    weft_future_init(future, &greedy_ops);
    return future;
}

struct limited {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
    weft_future         greedy;
    struct weft_timeout limit, outer;
};
WEFT_ASYNC(limited)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit, greedy(&self->greedy), self->in.duration));
    check_eq(n, -ETIMEDOUT);
    WEFT_AWAIT(n, weft_timeout_at(&self->limit, greedy(&self->greedy), weft_now() - 1));
    check_eq(n, -ETIMEDOUT);
    WEFT_AWAIT(n, weft_timeout(&self->outer,
                               weft_timeout(&self->limit, greedy(&self->greedy), WEFT_S(3600)),
                               self->in.duration));
    check_eq(n, -ETIMEDOUT);
    WEFT_END(0);
}

/* The sleep is polled after the greedy branch, in each order. */
struct selects {
    WEFT_FRAME;
    struct {
        bool sleep_first;
    } in;
    weft_future        greedy;
    struct weft_sleep  nap;
    struct weft_select select;
};
WEFT_ASYNC(selects)
{
    int64_t n;

    WEFT_BEGIN();
    greedy(&self->greedy);
    weft_sleep(&self->nap, WEFT_MS(2));
    WEFT_AWAIT(n, self->in.sleep_first
                      ? weft_select_biased(&self->select, &self->nap.future, &self->greedy)
                      : weft_select_biased(&self->select, &self->greedy, &self->nap.future));
    WEFT_END(n);
}

struct shielded {
    WEFT_FRAME;
    struct {
        int64_t patience;
    } in;
    weft_future        greedy;
    struct weft_shield guard;
};
WEFT_ASYNC(shielded)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_shield(&self->guard, greedy(&self->greedy), self->in.patience));
    WEFT_END(n);
}

static weft_runtime *start_with_budget(int64_t budget)
{
    return start_with(&(weft_config){.workers = 1, .budget = budget});
}

Test(guards, a_limit_ends_what_uses_up_the_budget)
{
    weft_handle handle;

    for (int64_t budget = 1; budget <= 128; budget *= 8) {
        weft_runtime *rt = start_with_budget(budget);

        check_eq(weft_spawn_on(rt, &handle, limited, WEFT_MS(2)), 0);
        check_eq(join(rt, &handle), 0);
        check_eq(weft_spawn_on(rt, &handle, limited, 0), 0);
        check_eq(join(rt, &handle), 0);
        stop(rt);
    }
}

Test(guards, a_sleep_ends_a_select_whichever_branch_comes_first)
{
    weft_handle handle;

    for (int64_t budget = 1; budget <= 128; budget *= 8) {
        weft_runtime *rt = start_with_budget(budget);

        check_eq(weft_spawn_on(rt, &handle, selects, .sleep_first = true), 0);
        check_eq(join(rt, &handle), 0);
        check_eq(weft_spawn_on(rt, &handle, selects, .sleep_first = false), 0);
        check_eq(join(rt, &handle), 1);
        stop(rt);
    }
}

Test(guards, a_shields_patience_ends_what_uses_up_the_budget)
{
    weft_handle handle;

    for (int64_t patience = 0; patience <= WEFT_MS(2); patience += WEFT_MS(2)) {
        weft_runtime *rt = start_with_budget(1);

        check_eq(weft_spawn_on(rt, &handle, shielded, patience), 0);
        weft_cancel(&handle);
        check_eq(join(rt, &handle), -ECANCELED);
        stop(rt);
    }
}
