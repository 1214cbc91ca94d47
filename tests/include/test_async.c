/* test_async.c - async functions: frames, the order of effects, cancelling */
#include "../helpers.h"

/* What bodies did, in order: one letter each. */
static char trace[64];

static void note(char what)
{
    size_t n = strlen(trace);

    check(n < sizeof trace - 1);
    trace[n] = what;
    trace[n + 1] = '\0';
}

struct two_awaits {
    WEFT_FRAME;
    struct {
        struct event *first, *second;
    } in;
    int64_t sum;
};
WEFT_ASYNC(two_awaits)
{
    int64_t n;

    WEFT_BEGIN();
    note('a');
    WEFT_AWAIT(n, &self->in.first->future);
    note('b');
    self->sum = n;
    WEFT_AWAIT(n, &self->in.second->future);
    note('c');
    WEFT_END(self->sum + n);
}

_Static_assert(sizeof(weft_frame) == 32, "the head of every frame");
_Static_assert(sizeof(struct two_awaits) ==
                   sizeof(weft_frame) + 2 * sizeof(void *) + sizeof(int64_t),
               "a frame is as large as what it declares");

Test(async, function_does_nothing_before_its_first_poll)
{
    struct two_awaits frame;
    struct event      a, b;

    event(&a), event(&b);
    weft_async(two_awaits, &frame, &a, &b);
    check_str_eq(trace, "");
}

Test(async, function_resumes_at_its_await_and_goes_on_only_when_that_resolves)
{
    struct two_awaits frame;
    struct event      a, b;
    struct hand       hand;

    hand_init(&hand, NULL);
    event(&a), event(&b);
    weft_async(two_awaits, &frame, &a, &b);
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check_str_eq(trace, "a");
    check_eq(b.n_polls, 0);
    event_set(&a, 3);
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check_str_eq(trace, "ab");
    event_set(&b, 4);
    check(hand_poll(&hand, &frame.weft_frame_.future));
    check_str_eq(trace, "abc");
    check_eq(weft_future_result(&frame.weft_frame_.future), 7);
}

Test(async, function_goes_on_at_once_where_an_await_is_ready)
{
    struct two_awaits frame;
    struct event      a, b;
    struct hand       hand;

    hand_init(&hand, NULL);
    at_once(&a, 1), at_once(&b, 2);
    check(hand_poll(&hand, weft_async(two_awaits, &frame, &a, &b)));
    check_str_eq(trace, "abc");
}

Test(async, function_may_be_moved_before_its_first_poll)
{
    struct two_awaits frame, moved;
    struct event      a, b;
    struct hand       hand;

    hand_init(&hand, NULL);
    at_once(&a, 1), at_once(&b, 2);
    weft_async(two_awaits, &frame, &a, &b);
    moved = frame;
    memset(&frame, 0xa5, sizeof frame);
    check_eq(hand_run(&hand, &moved.weft_frame_.future), 3);
}

struct once {
    WEFT_FRAME;
    struct {
    } in;
    struct counter counter;
};

static weft_future *counted(struct once *self)
{
    note('x');
    return counter(&self->counter, 3);
}

WEFT_ASYNC(once)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counted(self));
    WEFT_END(n);
}

Test(async, await_evaluates_its_future_once)
{
    struct once frame;
    struct hand hand;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(once, &frame)), 3);
    check_eq(hand.n_polls, 4);
    check_str_eq(trace, "x");
}

struct leaf {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct counter counter;
};
WEFT_ASYNC(leaf)
{
    int64_t n;

    WEFT_BEGIN();
    note('(');
    WEFT_AWAIT(n, counter(&self->counter, self->in.n));
    note(')');
    WEFT_END(n);
}

struct caller {
    WEFT_FRAME;
    struct {
        int rounds;
    } in;
    int         i;
    int64_t     sum;
    struct leaf leaf;
};
WEFT_ASYNC(caller)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (self->i = 1; self->i <= self->in.rounds; self->i++) {
        WEFT_CALL(n, leaf, &self->leaf, .n = self->i);
        self->sum += n;
    }
    WEFT_END(self->sum);
}

Test(async, function_calls_another_in_its_own_frame_again_and_again)
{
    struct caller frame;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(caller, &frame, .rounds = 4)), 1 + 2 + 3 + 4);
    check_str_eq(trace, "()()()()");
    check_eq(hand.n_polls, 1 + 1 + 2 + 3 + 4);
}

struct yields {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    int i;
};
WEFT_ASYNC(yields)
{
    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++)
        WEFT_YIELD();
    WEFT_END(self->i);
}

Test(async, yield_gives_the_thread_away_once_and_asks_for_another_turn)
{
    struct yields frame;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(yields, &frame, .n = 5)), 5);
    check_eq(hand.n_polls, 6);
    check_eq(hand.n_wakes, 5);
}

struct returns {
    WEFT_FRAME;
    struct {
        int early;
    } in;
};
WEFT_ASYNC(returns)
{
    WEFT_BEGIN();
    if (self->in.early)
        WEFT_RETURN(-EAGAIN);
    note('!');
    WEFT_END(0);
}

Test(async, return_ends_the_function_where_it_stands)
{
    struct returns frame;
    struct hand    hand;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(returns, &frame, .early = 1)), -EAGAIN);
    check_str_eq(trace, "");
}

Test(async, function_runs_under_a_foreign_executor_block_on_and_in_a_task)
{
    weft_runtime *rt = start(1);
    struct caller frame;
    struct hand   hand;
    weft_handle   handle;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_async(caller, &frame, .rounds = 3)), 6);
    check_eq(weft_block_on(rt, weft_async(caller, &frame, .rounds = 3)), 6);
    check_eq(weft_spawn_on(rt, &handle, caller, .rounds = 3), 0);
    check_eq(join(rt, &handle), 6);
    stop(rt);
}

/* ---- cancelling ---- */

Test(async, function_cancelled_before_its_first_poll_never_runs)
{
    struct caller frame;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(hand_cancel(&hand, weft_async(caller, &frame, .rounds = 3)), -ECANCELED);
    check_str_eq(trace, "");
    check_eq(hand.n_polls, 0);
}

struct persists {
    WEFT_FRAME;
    struct {
        struct event *event;
    } in;
    int64_t        seen[3];
    struct counter counter;
    struct event   other;
};
WEFT_ASYNC(persists)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, &self->in.event->future);
    self->seen[0] = n;
    WEFT_AWAIT(n, event(&self->other));
    self->seen[1] = n;
    WEFT_AWAIT(n, counter(&self->counter, 0));
    self->seen[2] = n;
    WEFT_END(WEFT_CANCELLED() ? 42 : 0);
}

Test(async, cancel_ends_the_current_await_and_all_later_ones_and_the_body_decides)
{
    struct persists frame;
    struct event    e;
    struct hand     hand;

    hand_init(&hand, NULL);
    event(&e);
    check(!hand_poll(&hand, weft_async(persists, &frame, &e)));
    check_eq(hand_cancel(&hand, &frame.weft_frame_.future), 42);
    check_eq(frame.seen[0], -ECANCELED);
    check_eq(frame.seen[1], -ECANCELED);
    check_eq(frame.seen[2], -ECANCELED); /* although it would have been ready at once */
    check_eq(frame.other.n_polls, 0);
}

Test(async, cancel_waits_for_an_await_that_drains)
{
    struct persists frame;
    struct event    e;
    struct hand     hand;

    hand_init(&hand, NULL);
    event(&e);
    e.lingers = true;
    check(!hand_poll(&hand, weft_async(persists, &frame, &e)));
    check(!weft_poll_is_ready(weft_future_cancel(&frame.weft_frame_.future)));
    for (int i = 0; i < 3; i++)
        check(!hand_poll(&hand, &frame.weft_frame_.future));
    check_eq(e.n_cancels, 1);
    event_set(&e, 0);
    check(hand_poll(&hand, &frame.weft_frame_.future));
    check_eq(frame.seen[0], -ECANCELED);
}

struct nested {
    WEFT_FRAME;
    struct {
        struct event *event;
    } in;
    struct persists child;
    struct event    last;
    int64_t         after;
};
WEFT_ASYNC(nested)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, persists, &self->child, self->in.event);
    check_eq(n, 42);
    WEFT_AWAIT(n, event(&self->last));
    self->after = n;
    WEFT_END(n);
}

Test(async, cancel_reaches_the_innermost_await_once)
{
    struct nested frame;
    struct event  e;
    struct hand   hand;

    hand_init(&hand, NULL);
    event(&e);
    check(!hand_poll(&hand, weft_async(nested, &frame, &e)));
    check_eq(hand_cancel(&hand, &frame.weft_frame_.future), -ECANCELED);
    check_eq(e.n_cancels, 1);
    check_eq(frame.after, -ECANCELED);
}

struct stubborn {
    WEFT_FRAME;
    struct {
        struct event *event;
    } in;
    int          tries;
    struct event other;
};
WEFT_ASYNC(stubborn)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, &self->in.event->future);
    for (self->tries = 0; self->tries < 300; self->tries++)
        WEFT_AWAIT(n, event(&self->other));
    WEFT_END(n);
}

Test(async, retry_loop_under_a_cancel_spends_its_budget_and_yields)
{
    struct stubborn frame;
    struct event    e;
    struct hand     hand;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, weft_async(stubborn, &frame, (event(&e), &e))));
    check(!weft_poll_is_ready(weft_future_cancel(&frame.weft_frame_.future)));
    check(!hand_poll_budget(&hand, &frame.weft_frame_.future, 100));
    check_eq(frame.tries, 100);
    check(hand.woken);
    check_eq(hand_run(&hand, &frame.weft_frame_.future), -ECANCELED);
}

/* ---- WEFT_WAIT, WEFT_CANCEL ---- */

struct waits {
    WEFT_FRAME;
    struct {
        struct event *a, *b;
    } in;
};
WEFT_ASYNC(waits)
{
    WEFT_BEGIN();
    WEFT_WAIT(&self->in.a->future);
    WEFT_WAIT(&self->in.b->future);
    WEFT_END(weft_future_result(&self->in.a->future) + weft_future_result(&self->in.b->future));
}

Test(async, wait_needs_no_variable_for_the_result)
{
    struct waits frame;
    struct event a, b;
    struct hand  hand;

    hand_init(&hand, NULL);
    event(&a), event(&b);
    check(!hand_poll(&hand, weft_async(waits, &frame, &a, &b)));
    event_set(&a, 3);
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    event_set(&b, 4);
    check_eq(hand_run(&hand, &frame.weft_frame_.future), 7);
}

struct cancels {
    WEFT_FRAME;
    struct {
        struct event *kept, *other;
    } in;
    struct weft_select sel;
};
WEFT_ASYNC(cancels)
{
    WEFT_BEGIN();
    WEFT_WAIT(
        weft_select_biased(&self->sel, weft_keep(&self->in.kept->future), &self->in.other->future));
    WEFT_CANCEL(&self->in.kept->future);
    WEFT_END(weft_future_result(&self->in.kept->future));
}

Test(async, cancel_ends_a_kept_branch_whatever_its_state_is)
{
    struct cancels frame;
    struct event   kept, other;
    struct hand    hand;

    hand_init(&hand, NULL);
    event(&kept); /* pending, and it drains */
    kept.lingers = true;
    event(&other);
    check(!hand_poll(&hand, weft_async(cancels, &frame, &kept, &other)));
    event_set(&other, 0);
    check(!hand_poll(&hand, &frame.weft_frame_.future));
    check_eq(kept.n_cancels, 1);
    event_set(&kept, 0);
    check_eq(hand_run(&hand, &frame.weft_frame_.future), -ECANCELED);
    at_once(&kept, 5); /* READY */
    event(&other);
    check_eq(hand_run(&hand, weft_async(cancels, &frame, &kept, &other)), 5);
    check_eq(hand.n_wakers, 0);
}

struct cancels_unpolled {
    WEFT_FRAME;
    struct {
        struct event *never;
    } in;
    struct weft_select sel;
};
WEFT_ASYNC(cancels_unpolled)
{
    WEFT_BEGIN();
    WEFT_CANCEL(weft_select(&self->sel, &self->in.never->future));
    WEFT_END(weft_future_result(&self->in.never->future));
}

Test(async, cancel_of_a_group_that_was_never_polled_starts_nothing)
{
    struct cancels_unpolled frame;
    struct event            never;
    struct hand             hand;

    hand_init(&hand, NULL);
    event(&never);
    check_eq(hand_run(&hand, weft_async(cancels_unpolled, &frame, &never)), -ECANCELED);
    check_eq(never.n_polls, 0);
}
