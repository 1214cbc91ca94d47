/* test_in_place_younger.c - a join runs the children that are younger than its own, too: what may
 * go wrong there */
#include "../helpers.h"

#define CHILDREN 5

enum what { ENDS, PANICS, WAITS };

static int order[CHILDREN];
static int n_ran;

/* One of five; it notes when it runs. */
struct one {
    WEFT_FRAME;
    struct {
        int       nth;
        enum what what;
    } in;
    struct counter counter;
};
WEFT_ASYNC(one)
{
    int64_t n;

    WEFT_BEGIN();
    order[n_ran++] = self->in.nth;
    if (self->in.what == PANICS)
        weft_panic("on purpose");
    if (self->in.what == WAITS) {
        WEFT_AWAIT(n, counter(&self->counter, 3));
        check(n >= 0 || WEFT_CANCELLED());
    }
    WEFT_END(WEFT_CANCELLED() ? -ECANCELED : self->in.nth);
}

/* Spawns all five, then joins them in the same order. */
struct all {
    WEFT_FRAME;
    struct {
        enum what third;
        bool      cancels_third;
    } in;
    weft_handle child[CHILDREN];
    int64_t     result[CHILDREN];
    int         i;
};
WEFT_ASYNC(all)
{
    int64_t n;

    WEFT_BEGIN();
    n_ran = 0;
    for (int i = 0; i < CHILDREN; i++)
        check_eq(weft_spawn(&self->child[i], one, i, i == 2 ? self->in.third : ENDS), 0);
    if (self->in.cancels_third)
        weft_cancel(&self->child[2]);
    for (self->i = 0; self->i < CHILDREN; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->child[self->i]));
        self->result[self->i] = n;
    }
    for (int i = 0; i < CHILDREN; i++)
        check_eq(self->result[i], i != 2                     ? i
                                  : self->in.third == PANICS ? -EOWNERDEAD
                                  : self->in.cancels_third   ? -ECANCELED
                                                             : i);
    WEFT_END(n_ran);
}

static struct weft_runtime_counters run(weft_config config, enum what third, bool cancels_third)
{
    weft_runtime                *rt = start_with(&config);
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, all, third, cancels_third), 0);
    check_eq(join(rt, &handle), CHILDREN);
    weft_runtime_counters(rt, &counters);
    /* weft_block_on is a task of a current-thread runtime. */
    check_eq(counters.tasks_ended, CHILDREN + 1 + config.current_thread);
    stop(rt);
    return counters;
}

static const weft_config one_worker = {.workers = 1, .log = weft_log_none};
/* Here no other thread takes tasks. From one worker that is slow the monitor may take them. */
static const weft_config one_thread = {.current_thread = 1, .log = weft_log_none};

Test(in_place_younger, the_youngest_runs_first_and_the_joined_one_last)
{
    run(one_worker, ENDS, false);
    check_eq(run(one_thread, ENDS, false).in_place_joins, CHILDREN);
    for (int i = 0; i < CHILDREN; i++)
        check_eq(order[i], CHILDREN - 1 - i);
}

Test(in_place_younger, one_that_panics_harms_neither_the_joiner_nor_the_others)
{
    run(one_worker, PANICS, false);
    check_eq(run(one_thread, PANICS, false).in_place_joins, CHILDREN);
}

Test(in_place_younger, one_that_waits_is_left_pending_and_joined_later)
{
    run(one_worker, WAITS, false);
    check_eq(run(one_thread, WAITS, false).in_place_joins, CHILDREN);
}

Test(in_place_younger, one_that_was_cancelled_before_it_ran_runs_cancelled)
{
    run(one_worker, ENDS, true);
    run(one_worker, WAITS, true);
}

Test(in_place_younger, an_empty_budget_only_puts_the_rest_off)
{
    for (int64_t budget = 1; budget <= 8; budget++) {
        run((weft_config){.workers = 1, .budget = budget, .log = weft_log_none}, WAITS, false);
        run((weft_config){.current_thread = 1, .budget = budget}, WAITS, false);
    }
}

/* ---- a younger task, and another thread has its handle ---- */

static weft_handle given;

struct gives {
    WEFT_FRAME;
    struct {
        int64_t *is_given;
    } in;
    weft_handle older;
};
WEFT_ASYNC(gives)
{
    int64_t n;

    WEFT_BEGIN();
    n_ran = 0;
    check_eq(weft_spawn(&self->older, one, 0, ENDS), 0);
    check_eq(weft_spawn(&given, one, 1, ENDS), 0);
    add(self->in.is_given, 1);
    WEFT_AWAIT(n, weft_join(&self->older));
    WEFT_END(n);
}

struct joiner {
    weft_runtime *rt;
    int64_t       is_given;
};

static void *join_given(void *arg)
{
    struct joiner *j = arg;

    spin_until(&j->is_given, 1);
    check_eq(join(j->rt, &given), 1);
    return NULL;
}

Test(in_place_younger, one_whose_handle_another_thread_joins_meanwhile_ends_for_both)
{
    for (int i = 0; i < 300; i++) {
        struct joiner j = {.rt = start(1)};
        pthread_t     t = thread(join_given, &j);
        weft_handle   handle;

        check_eq(weft_spawn_on(j.rt, &handle, gives, &j.is_given), 0);
        check_eq(join(j.rt, &handle), 0);
        pthread_join(t, NULL);
        stop(j.rt);
    }
}
