/* test_executor.c - workers: fairness, stealing, tasks from outside */
#include "../actors.h"

/* ---- fairness on one worker ---- */

/* Always ready, as a full channel is; spends budget. */
struct ready_always {
    weft_future future;
};

static weft_poll ready_always_poll(weft_future *future, weft_context *cx)
{
    return weft_context_spend(cx) ? weft_ready(future, 0) : WEFT_PENDING;
}

static weft_future *ready_always(struct ready_always *self)
{
    static const weft_future_ops ops = {
        .size = sizeof *self, .name = "ready_always", .poll = ready_always_poll};

    weft_future_init(&self->future, &ops);
    return &self->future;
}

struct busy {
    WEFT_FRAME;
    struct {
        int64_t *rounds, *enough;
    } in;
    struct ready_always ready;
};
WEFT_ASYNC(busy)
{
    int64_t n = 0;

    WEFT_BEGIN();
    while (!get(self->in.enough)) {
        WEFT_AWAIT(n, ready_always(&self->ready));
        add(self->in.rounds, 1);
    }
    WEFT_END(n);
}

Test(executor, a_task_whose_awaits_are_always_ready_lets_others_run)
{
    weft_runtime *rt = start(1);
    int64_t       rounds = 0, enough = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, busy, &rounds, &enough), 0);
    spin_until(&rounds, 1);
    check_eq(weft_spawn_on(rt, NULL, sets, &enough), 0); /* behind it on the only worker */
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

Test(executor, a_poll_does_as_many_operations_as_its_budget)
{
    weft_runtime                *rt = start_with(&(weft_config){.workers = 1, .budget = 10});
    int64_t                      rounds = 0, enough = 0;
    struct weft_runtime_counters before, after;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, busy, &rounds, &enough), 0);
    weft_runtime_counters(rt, &before);
    spin_until(&rounds, 1000);
    weft_runtime_counters(rt, &after);
    check_cmp(after.polls, >=, 1000 / 10 - 1);
    check_cmp(after.polls, <=, (get(&rounds) + 9) / 10 + 1);
    add(&enough, 1);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

Test(executor, a_worker_runs_other_tasks_while_one_awaits)
{
    weft_runtime *rt = start(1);
    int64_t       flag = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, yields, &flag), 0);
    check_eq(weft_spawn_on(rt, NULL, sets, &flag), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

struct ping {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender   *to;
        weft_mpsc_receiver *from;
        int64_t            *until, *rounds;
    } in;
    weft_wait send, receive;
    int       ball;
};
WEFT_ASYNC(ping)
{
    int64_t n;

    WEFT_BEGIN();
    while (!get(self->in.until)) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.to, &self->ball));
        if (n < 0)
            break;
        WEFT_AWAIT(n, weft_mpsc_receive(&self->receive, self->in.from, &self->ball));
        if (n < 0)
            break;
        add(self->in.rounds, 1);
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(0);
}

Test(executor, two_tasks_that_wake_each_other_for_ever_let_a_third_run)
{
    weft_runtime                *rt = start(1);
    int64_t                      flag = 0, rounds = 0;
    weft_mpsc_sender            *sender[2];
    weft_mpsc_receiver          *receiver[2];
    struct weft_runtime_counters counters;
    weft_handle                  handle[2];

    for (int i = 0; i < 2; i++)
        check_eq(weft_mpsc_open(sizeof(int), 1, &sender[i], &receiver[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, &handle[i], ping, sender[i], receiver[!i], &flag, &rounds), 0);
    spin_until(&rounds, 10);
    check_eq(weft_spawn_on(rt, NULL, sets, &flag), 0);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &handle[i]), 0);
    weft_runtime_counters(rt, &counters);
    check_cmp(counters.lifo_hits, >, 0);
    stop(rt);
}

/* ---- many workers ---- */

struct family {
    WEFT_FRAME;
    struct {
        int64_t  n;
        int64_t *done;
    } in;
};
WEFT_ASYNC(family)
{
    WEFT_BEGIN();
    for (int64_t i = 0; i < self->in.n; i++)
        check_eq(weft_spawn(NULL, sets, self->in.done), 0);
    spin_until(self->in.done, self->in.n); /* keeps the worker that has them in its queue */
    WEFT_END(0);
}

Test(executor, another_worker_steals_the_children_of_a_task_that_computes)
{
    weft_runtime                *rt = start(2);
    int64_t                      done = 0, n = test_scaled(2000);
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, family, n, &done), 0);
    check_eq(join(rt, &handle), 0);
    weft_runtime_counters(rt, &counters);
    /* The monitor may have put some where all workers look, seeing theirs stuck. */
    check_cmp(counters.steals + counters.injected, >=, n);
    stop(rt);
}

struct spawner {
    weft_runtime *rt;
    int64_t      *done, n;
};

static void *spawn_many(void *arg)
{
    const struct spawner *s = arg;

    for (int64_t i = 0; i < s->n; i++)
        check_eq(weft_spawn_on(s->rt, NULL, sets, s->done), 0);
    return NULL;
}

Test(executor, runs_every_task_that_eight_foreign_threads_spawn)
{
    weft_runtime  *rt = start(2);
    int64_t        done = 0, n = test_scaled(10000);
    struct spawner spawner = {rt, &done, n};
    pthread_t      threads[8];

    for (int i = 0; i < 8; i++)
        threads[i] = thread(spawn_many, &spawner);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    spin_until(&done, 8 * n);
    stop(rt);
    check_eq(get(&done), 8 * n);
}

/* A tree of tasks, each of which joins its two children: 2^(depth+1) - 1 tasks. */
struct tree {
    WEFT_FRAME;
    struct {
        int depth;
    } in;
    weft_handle child[2];
    int64_t     sum;
};
WEFT_ASYNC(tree)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 1;
    if (self->in.depth > 0) {
        for (int i = 0; i < 2; i++)
            check_eq(weft_spawn(&self->child[i], tree, self->in.depth - 1), 0);
        WEFT_AWAIT(n, weft_join(&self->child[0]));
        self->sum += n;
        WEFT_AWAIT(n, weft_join(&self->child[1]));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

/* Runs a tree of 63 tasks. Returns how many were injected. */
static uint64_t count_tree(void)
{
    weft_runtime                *rt = start(2);
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, tree, 5), 0);
    check_eq(join(rt, &handle), 63);
    do /* the last ends a moment after it has said so */
        weft_runtime_counters(rt, &counters);
    while (counters.tasks_ended < 63);
    check_eq(counters.tasks_spawned, 63);
    check_eq(counters.tasks_ended, 63);
    check_eq(counters.tasks_alive, 0);
    stop(rt);
    return counters.injected;
}

/* The monitor injects those of a worker that the kernel keeps from its CPU, which is seldom. */
Test(executor, counts_the_tasks_it_was_given_and_those_that_ended)
{
    for (int i = 0; count_tree() != 1; i++)
        check_cmp(i, <, 20);
}

Test(executor, joins_a_tree_of_tasks_over_four_workers)
{
    weft_runtime *rt = start(4);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, tree, 14), 0);
    check_eq(join(rt, &handle), (1 << 15) - 1);
    stop(rt);
}
