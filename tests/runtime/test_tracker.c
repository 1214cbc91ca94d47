/* test_tracker.c - the guarantees of task trackers, poll by poll, and between tasks and threads */
#include "../helpers.h"

#define TASKS  24
#define ROUNDS 300

struct waiter {
    struct hand hand;
    weft_wait   wait;
};

/* Polls a new wait, and returns whether it is READY. */
static bool waits(struct waiter *w, weft_tracker *tracker)
{
    hand_init(&w->hand, NULL);
    weft_tracker_wait(&w->wait, tracker);
    return hand_poll(&w->hand, &w->wait.future);
}

static void has_ended(struct waiter *w)
{
    check_eq(w->hand.n_wakes, 1);
    check(hand_poll(&w->hand, &w->wait.future));
    check_eq(w->wait.future.result, 0);
    check_eq(w->hand.n_wakers, 0);
}

/* Tokio: open_close, token_len. */
Test(tracker, counts_what_enters_and_leaves)
{
    weft_tracker t = {0};

    check(!weft_tracker_is_closed(&t));
    for (uint64_t i = 1; i <= 3; i++) {
        weft_tracker_enter(&t);
        check_eq(weft_tracker_count(&t), i);
    }
    weft_tracker_close(&t);
    weft_tracker_close(&t);
    check(weft_tracker_is_closed(&t));
    weft_tracker_enter(&t);
    check_eq(weft_tracker_count(&t), 4);
    for (uint64_t i = 4; i-- > 0;) {
        weft_tracker_leave(&t);
        check_eq(weft_tracker_count(&t), i);
    }
    weft_tracker_reopen(&t);
    check(!weft_tracker_is_closed(&t));
}

/* Tokio: notify_immediately. */
Test(tracker, a_wait_for_a_closed_empty_tracker_ends_at_once)
{
    weft_tracker  t = {0};
    struct waiter w;

    weft_tracker_close(&t);
    check(waits(&w, &t));
}

/* Tokio: notify_on_close, notify_on_last_task_exit. */
Test(tracker, waits_end_when_it_is_closed_and_the_last_task_has_left)
{
    for (int close_first = 0; close_first < 2; close_first++) {
        weft_tracker  t = {0};
        struct waiter w[3];

        weft_tracker_enter(&t);
        for (int i = 0; i < 3; i++)
            check(!waits(&w[i], &t));
        if (close_first)
            weft_tracker_close(&t);
        else
            weft_tracker_leave(&t);
        for (int i = 0; i < 3; i++)
            check_eq(w[i].hand.n_wakes, 0);
        if (close_first)
            weft_tracker_leave(&t);
        else
            weft_tracker_close(&t);
        for (int i = 0; i < 3; i++)
            has_ended(&w[i]);
    }
}

/* Tokio: no_notify_on_respawn_if_open. */
Test(tracker, an_open_tracker_may_be_empty_in_between)
{
    weft_tracker  t = {0};
    struct waiter w;

    weft_tracker_enter(&t);
    check(!waits(&w, &t));
    weft_tracker_leave(&t);
    weft_tracker_enter(&t);
    weft_tracker_close(&t);
    check_eq(w.hand.n_wakes, 0);
    weft_tracker_leave(&t);
    has_ended(&w);
}

/* Tokio: close_during_exit, notify_many: the moment counts, not what comes after it. */
Test(tracker, a_wait_that_saw_the_moment_ends_although_it_is_over)
{
    weft_tracker  t = {0};
    struct waiter early, late;

    check(!waits(&early, &t));
    weft_tracker_close(&t);
    weft_tracker_reopen(&t);
    weft_tracker_enter(&t);
    check(!waits(&late, &t));
    has_ended(&early);
    check_eq(late.hand.n_wakes, 0);
    check_eq(hand_cancel(&late.hand, &late.wait.future), -ECANCELED);
    check_eq(late.hand.n_wakers, 0);
}

/* An executor that uses the tracker again as soon as it is woken. */
struct reopener {
    weft_waker    waker;
    weft_tracker *tracker;
};

static weft_waker reopener_clone(void *data)
{
    return ((struct reopener *)data)->waker;
}

static void reopener_drop(void *data)
{
    (void)data;
}

static void reopener_wake(void *data)
{
    weft_tracker *t = ((struct reopener *)data)->tracker;

    weft_tracker_reopen(t);
    weft_tracker_enter(t);
}

/* So many wakers of others are called in several steps, and the tracker is used in between. */
Test(tracker, all_of_very_many_waits_end_although_it_is_used_at_once)
{
    static const weft_waker_vtable vtable = {reopener_clone, reopener_wake, reopener_wake,
                                             reopener_drop, NULL};
    static struct waiter           w[200];

    weft_tracker    t = {0};
    struct reopener r = {{&vtable, &r}, &t};
    weft_wait       wait;
    weft_context    cx;

    weft_context_init(&cx, &r.waker, NULL);
    weft_tracker_wait(&wait, &t);
    check(!weft_poll_is_ready(weft_future_poll(&wait.future, &cx)));
    for (int i = 0; i < 200; i++)
        check(!waits(&w[i], &t));
    weft_tracker_close(&t);
    check_eq(weft_tracker_count(&t), 1);
    for (int i = 0; i < 200; i++)
        has_ended(&w[i]);
    check(weft_poll_is_ready(weft_future_poll(&wait.future, &cx)));
}

Test(tracker, a_cancelled_wait_leaves_the_others)
{
    weft_tracker  t = {0};
    struct waiter w[2];

    check(!waits(&w[0], &t) && !waits(&w[1], &t));
    check_eq(hand_cancel(&w[0].hand, &w[0].wait.future), -ECANCELED);
    weft_tracker_close(&t);
    has_ended(&w[1]);
}

TEST_ABORTS(tracker, a_leave_too_many, "no task is counted")
{
    weft_tracker t = {0};

    weft_tracker_enter(&t);
    weft_tracker_leave(&t);
    weft_tracker_leave(&t);
}

/* ---- tasks and threads ---- */

static void leave(void *tracker)
{
    weft_tracker_leave(tracker);
}

/* Works for a while, and may spawn another one. */
struct session {
    WEFT_FRAME;
    struct {
        weft_tracker *tracker;
        int64_t      *n_running;
        uint32_t      seed;
        int           more;
    } in;
    weft_deferred     leave;
    struct weft_sleep nap;
};
WEFT_ASYNC(session)
{
    WEFT_BEGIN();
    weft_defer(&self->leave, leave, self->in.tracker);
    if (self->in.more > 0) {
        weft_tracker_enter(self->in.tracker);
        add(self->in.n_running, 1);
        if (weft_spawn(NULL, session, .tracker = self->in.tracker, .n_running = self->in.n_running,
                       .seed = rnd(&self->in.seed), .more = self->in.more - 1) < 0) {
            add(self->in.n_running, -1);
            weft_tracker_leave(self->in.tracker);
        }
    }
    if (rnd(&self->in.seed) % 2)
        WEFT_YIELD();
    if (rnd(&self->in.seed) % 4 == 0)
        WEFT_WAIT(weft_sleep(&self->nap, WEFT_US(20)));
    add(self->in.n_running, -1);
    if (rnd(&self->in.seed) % 16 == 0)
        weft_panic("on purpose"); /* the deferred call still leaves */
    WEFT_END(0);
}

/* The tracker is freed as soon as the wait has ended. */
static void run_round(weft_runtime *rt, uint32_t seed)
{
    weft_tracker *t = calloc(1, sizeof *t);
    weft_wait     wait;
    int64_t       n_running = TASKS;

    check(t != NULL);
    for (int i = 0; i < TASKS; i++) {
        weft_tracker_enter(t);
        check_eq(weft_spawn_on(rt, NULL, session, .tracker = t, .n_running = &n_running,
                               .seed = rnd(&seed), .more = i % 4),
                 0);
    }
    weft_tracker_close(t);
    check_eq(weft_block_on(rt, weft_tracker_wait(&wait, t)), 0);
    check_eq(get(&n_running), 0);
    free(t);
}

static void storm(const weft_config *config)
{
    weft_config   quiet = *config;
    struct lines  lines = LINES;
    weft_runtime *rt;

    quiet.log = lines_add; /* of the panics */
    quiet.log_arg = &lines;
    rt = start_with(&quiet);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        run_round(rt, 1 + i);
        lines_clear(&lines);
    }
    stop(rt);
}

Test(tracker, storm_with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(tracker, storm_with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(tracker, storm_with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(tracker, storm_with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}
