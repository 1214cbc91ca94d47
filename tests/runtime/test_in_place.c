/* test_in_place.c - children that run within the poll of their joiner; counters per worker */
#include "../actors.h"

static struct weft_runtime_counters count(weft_runtime *rt)
{
    struct weft_runtime_counters c;

    weft_runtime_counters(rt, &c);
    return c;
}

/* No other thread takes tasks from its worker. From an ordinary one the monitor may. */
static weft_runtime *start_alone(void)
{
    return start_with(&(weft_config){.current_thread = 1});
}

/* Joins n children, one after the other. */
struct parent {
    WEFT_FRAME;
    struct {
        int64_t  n;
        int64_t *rounds;
    } in;
    weft_handle child;
    int64_t     i, sum;
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = self->sum = 0; self->i < self->in.n; self->i++) {
        check_eq(weft_spawn(&self->child, returns, self->i), 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        check_eq(n, self->i);
        check(weft_handle_is_empty(&self->child));
        self->sum += n;
        if (self->in.rounds)
            add(self->in.rounds, 1);
    }
    WEFT_END(self->sum);
}

Test(in_place, a_join_of_the_child_just_spawned_runs_it_and_is_counted)
{
    for (int alone = 0; alone < 2; alone++) {
        weft_runtime *rt = alone ? start_alone() : start(1);
        weft_handle   handle;

        check_eq(weft_spawn_on(rt, &handle, parent, .n = 100), 0);
        check_eq(join(rt, &handle), 100 * 99 / 2);
        check_cmp(count(rt).in_place_joins, >=, alone ? 100 : 1);
        check_cmp(count(rt).in_place_joins, <=, 100);
        check_eq(count(rt).tasks_spawned, 101 + alone); /* weft_block_on is one of them */
        check_eq(count(rt).tasks_ended, 101 + alone);
        stop(rt);
    }
}

/* A chain of children, each joined by the one before. */
struct chain {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle child;
};
WEFT_ASYNC(chain)
{
    int64_t n = 0;

    WEFT_BEGIN();
    if (self->in.n > 0) {
        check_eq(weft_spawn(&self->child, chain, self->in.n - 1), 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        WEFT_RETURN(n + 1);
    }
    WEFT_END(0);
}

Test(in_place, a_chain_of_ten_thousand_joins_does_not_overflow_the_stack)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, chain, 10000), 0);
    check_eq(join(rt, &handle), 10000);
    check_cmp(count(rt).in_place_joins, >=, 9000);
    check_cmp(count(rt).in_place_joins, <, 10000); /* 64 at most lie on top of each other */
    stop(rt);
}

Test(in_place, chains_on_four_workers_answer_the_same)
{
    enum { N = 8 };
    weft_runtime *rt = start(4);
    weft_handle   handle[N];
    int           n = (int)test_scaled(3000);

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &handle[i], chain, n + i), 0);
    for (int i = 0; i < N; i++)
        check_eq(join(rt, &handle[i]), n + i);
    stop(rt);
}

struct joins_on {
    WEFT_FRAME;
    struct {
        int64_t *enough, *rounds;
    } in;
    weft_handle child;
};
WEFT_ASYNC(joins_on)
{
    int64_t n;

    WEFT_BEGIN();
    while (!get(self->in.enough)) {
        check_eq(weft_spawn(&self->child, returns, 1), 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        check_eq(n, 1);
        add(self->in.rounds, 1);
    }
    WEFT_END(0);
}

Test(in_place, a_task_that_joins_children_for_ever_lets_others_run)
{
    weft_runtime *rt = start(1);
    int64_t       enough = 0, rounds = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, joins_on, &enough, &rounds), 0);
    spin_until(&rounds, 10);
    check_eq(weft_spawn_on(rt, NULL, sets, &enough), 0); /* behind it on the only worker */
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* What a child spends. */
struct spends {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct event event;
};
static weft_poll spends_poll(weft_future *future, weft_context *cx)
{
    return weft_context_spend(cx) ? weft_ready(future, 0) : WEFT_PENDING;
}
WEFT_ASYNC(spends)
{
    static const weft_future_ops ops = {
        .size = sizeof(weft_future), .name = "spends", .poll = spends_poll};
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        weft_future_init(&self->event.future, &ops);
        WEFT_AWAIT(n, &self->event.future);
        check_eq(n, 0);
    }
    WEFT_END(0);
}

struct joins_spender {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle child;
};
WEFT_ASYNC(joins_spender)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->child, spends, self->in.n), 0);
    WEFT_AWAIT(n, weft_join(&self->child));
    WEFT_END(n);
}

Test(in_place, a_child_spends_the_budget_of_its_joiner)
{
    weft_runtime                *rt = start_with(&(weft_config){.workers = 1, .budget = 10});
    struct weft_runtime_counters before;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, joins_spender, 8), 0); /* and one for the join */
    check_eq(join(rt, &handle), 0);
    before = count(rt);
    check_eq(before.polls, 2); /* the parent's, and the child's within */
    check_eq(weft_spawn_on(rt, &handle, joins_spender, 10), 0);
    check_eq(join(rt, &handle), 0);
    check_cmp(count(rt).polls, >=, before.polls + 3); /* the child had to yield */
    stop(rt);
}

struct selects {
    WEFT_FRAME;
    struct {
        bool together;
    } in;
    weft_handle          child;
    struct weft_select   select;
    struct weft_join_all all;
    struct counter       counter;
};
WEFT_ASYNC(selects)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->child, returns, 5), 0);
    if (self->in.together) {
        WEFT_AWAIT(n,
                   weft_join_all(&self->all, weft_join(&self->child), counter(&self->counter, 1)));
    } else {
        WEFT_AWAIT(
            n, weft_select(&self->select, weft_join(&self->child), counter(&self->counter, 1000)));
    }
    check_eq(n, 0);
    WEFT_END(self->child.future_.result);
}

Test(in_place, a_join_beside_other_futures_does_not_run_the_child_within)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    for (int i = 0; i < 2; i++) {
        check_eq(weft_spawn_on(rt, &handle, selects, i), 0);
        check_eq(join(rt, &handle), 5);
    }
    check_eq(count(rt).in_place_joins, 0);
    stop(rt);
}

struct joins_older {
    WEFT_FRAME;
    struct {
        bool bound;
    } in;
    weft_handle older, younger;
};
WEFT_ASYNC(joins_older)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.bound) {
        check_eq(weft_spawn_bound(NULL, &self->older, 0, returns, 1), 0);
    } else {
        check_eq(weft_spawn(&self->older, returns, 1), 0);
        check_eq(weft_spawn(&self->younger, returns, 2), 0);
    }
    WEFT_AWAIT(n, weft_join(&self->older));
    check_eq(n, 1);
    if (!self->in.bound)
        WEFT_AWAIT(n, weft_join(&self->younger));
    WEFT_END(n);
}

Test(in_place, an_older_child_runs_within_behind_the_younger_ones_and_a_pinned_one_does_not)
{
    weft_runtime *rt = start_alone();
    weft_handle   handle;

    for (int i = 0; i < 2; i++) {
        check_eq(weft_spawn_on(rt, &handle, joins_older, i), 0);
        check_eq(join(rt, &handle), i ? 1 : 2);
        check_eq(count(rt).in_place_joins, 2);
    }
    stop(rt);
}

/* The child waits, so its joiner waits too, and other tasks run. */
struct outer {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
    weft_handle child;
};
WEFT_ASYNC(outer)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->child, sleeps, self->in.duration), 0);
    WEFT_AWAIT(n, weft_join(&self->child));
    WEFT_END(n);
}

Test(in_place, a_child_that_waits_does_not_keep_the_worker)
{
    enum { N = 100 };
    weft_runtime *rt = start_alone();
    weft_handle   handle[N];

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &handle[i], outer, WEFT_MS(5)), 0);
    for (int i = 0; i < N; i++)
        check_eq(join(rt, &handle[i]), 0);
    check_eq(count(rt).in_place_joins, N);
    stop(rt);
}

/* ---- counters ---- */

Test(in_place, counters_of_the_workers_add_up_to_those_of_the_runtime)
{
    enum { N = 50 };
    weft_runtime                *rt = start_with(&(weft_config){.workers = 3, .spare_workers = 2});
    struct weft_worker_counters  sum = {0}, w;
    struct weft_runtime_counters c;
    weft_handle                  handle[N];

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &handle[i], parent, .n = 100), 0);
    for (int i = 0; i < N; i++)
        check_eq(join(rt, &handle[i]), 100 * 99 / 2);
    check_eq(weft_worker_counters(rt, 5, &w), -EINVAL); /* 3 and 2 spare ones */
    do {                                                /* until all sleep */
        c = count(rt);
        sum = (struct weft_worker_counters){0};
        for (uint32_t i = 0; i < 5; i++) {
            check_eq(weft_worker_counters(rt, i, &w), 0);
            for (size_t j = 0; j < sizeof w / sizeof(uint64_t); j++)
                ((uint64_t *)&sum)[j] += ((uint64_t *)&w)[j];
        }
    } while (sum.polls != count(rt).polls || sum.parks != count(rt).parks ||
             sum.searches != count(rt).searches || c.polls != sum.polls || c.parks != sum.parks ||
             c.searches != sum.searches);
    check_eq(sum.spawned, N * 100);
    check_eq(c.tasks_spawned, N + N * 100);
    check_eq(sum.ended, c.tasks_ended);
    check_eq(c.tasks_ended, N + N * 100);
    check_eq(c.tasks_alive, 0);
    check_eq(sum.steals, c.steals);
    check_eq(sum.lifo_hits, c.lifo_hits);
    check_eq(sum.overdue, c.overdue);
    check_eq(sum.in_place_joins, c.in_place_joins);
    check_cmp(c.in_place_joins, >, 0);
    check_cmp(sum.injections, >=, N);
    stop(rt);
}
