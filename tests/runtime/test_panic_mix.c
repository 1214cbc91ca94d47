/* test_panic_mix.c - trees of functions, tasks and combinators in which any part may panic at any
 * time */
#include "../helpers.h"

/* Each function that began must have ended by its deferred call, exactly once, after all below
 * it. */
static int64_t n_live, n_began, n_panics;

struct node {
    WEFT_FRAME;
    struct {
        uint32_t seed;
        int      depth;
    } in;
    uint32_t            random;
    int                 rounds;
    weft_deferred       deferred;
    union any_group     group;
    struct weft_timeout limit;
    struct weft_sleep   nap, kept;
    bool                keeps;
    struct counter      counter;
    weft_handle         task;
    struct node        *child[3];
};
WEFT_DECLARE(node);

static void node_ends(void *arg)
{
    struct node *self = arg;

    check(!self->keeps || !weft_future_is_pending(&self->kept.future));
    for (int i = 0; i < 3; i++) {
        check(!self->child[i] || !weft_future_is_pending(&self->child[i]->weft_frame_.future));
        free(self->child[i]);
    }
    if (!weft_handle_is_empty(&self->task)) {
        weft_cancel(&self->task);
        weft_detach(&self->task);
    }
    check_cmp(add(&n_live, -1), >=, 0);
}

static weft_future *child(struct node *self, int i)
{
    free(self->child[i]);
    self->child[i] = malloc(sizeof *self->child[i]);
    return weft_async(node, self->child[i], rnd(&self->random) | 1, self->in.depth - 1);
}

static int64_t spawn(struct node *self)
{
    uint32_t seed = rnd(&self->random) | 1;

    if (seed & 2)
        return weft_spawn_bound(NULL, &self->task, 0, node, seed, self->in.depth - 1);
    return weft_spawn(&self->task, node, seed, self->in.depth - 1);
}

static weft_future *pause_a_little(struct node *self)
{
    uint32_t r = rnd(&self->random);

    return r % 4 ? counter(&self->counter, r % 4)
                 : weft_sleep(&self->nap, (int64_t)(r % 64) * 1000);
}

/* The next action of the node. */
static weft_future *next(struct node *self)
{
    uint32_t what = self->in.depth > 0 ? rnd(&self->random) % 100 : 0;

    if (what < 20)
        return pause_a_little(self);
    if (what < 35)
        return weft_select(&self->group.select, child(self, 0), child(self, 1),
                           pause_a_little(self));
    if (what < 45)
        return weft_join_all(&self->group.join_all, child(self, 0), child(self, 1), child(self, 2));
    if (what < 55)
        return weft_try_join(&self->group.try_join, child(self, 0), child(self, 1));
    if (what < 65)
        return weft_timeout(&self->limit, child(self, 0), rnd(&self->random) % 50000);
    if (what < 75)
        return child(self, 0);
    if (what < 85 && weft_handle_is_empty(&self->task) && spawn(self) == 0)
        return weft_join(&self->task);
    if (what < 92 && weft_handle_is_empty(&self->task) && spawn(self) == 0)
        return weft_select(&self->group.select, weft_join(&self->task), child(self, 1));
    if (!self->keeps) {
        weft_sleep(&self->kept, (int64_t)(rnd(&self->random) % 64) * 1000);
        self->keeps = true;
    } else if (weft_future_is_ready(&self->kept.future)) {
        return pause_a_little(self);
    }
    return weft_select(&self->group.select, weft_keep(&self->kept.future), child(self, 2));
}

WEFT_ASYNC(node)
{
    int64_t n;

    WEFT_BEGIN();
    self->task.task_ = NULL;
    self->keeps = false;
    memset(self->child, 0, sizeof self->child);
    self->random = self->in.seed;
    add(&n_live, 1);
    add(&n_began, 1);
    weft_defer(&self->deferred, node_ends, self);
    for (self->rounds = (int)(rnd(&self->random) % 3); self->rounds >= 0; self->rounds--) {
        if (rnd(&self->random) % 20 == 0) {
            add(&n_panics, 1);
            weft_panic("now");
        }
        WEFT_AWAIT(n, next(self));
        if (n == -ECANCELED && rnd(&self->random) % 8 == 0) {
            add(&n_panics, 1);
            weft_panic("in clean-up");
        }
        if (n == -ECANCELED && rnd(&self->random) % 2)
            break;
    }
    if (self->keeps && !weft_future_is_ready(&self->kept.future))
        WEFT_AWAIT(n, &self->kept.future);
    WEFT_END(rnd(&self->random) % 3 ? 0 : -EIO);
}

static void check_result(int64_t n)
{
    check(n == 0 || n == -EIO || n == -EOWNERDEAD);
}

static void mix(weft_runtime *rt, uint32_t seed, int depth, int n_rounds)
{
    enum { N = 4 };
    weft_handle  handle[N];
    struct node *root = malloc(sizeof *root);
    uint32_t     random = seed;

    for (int round = 0; round < n_rounds; round++) {
        for (int i = 0; i < N; i++)
            check_eq(weft_spawn_on(rt, &handle[i], node, rnd(&random) | 1, depth), 0);
        for (int i = 0; i < N; i++)
            if (rnd(&random) % 2) {
                if (rnd(&random) % 2)
                    sched_yield();
                weft_cancel(&handle[i]);
            }
        check_result(weft_block_on(rt, weft_async(node, root, rnd(&random) | 1, depth)));
        for (int i = 0; i < N; i++)
            check_result(join(rt, &handle[i]));
    }
    free(root);
    stop(rt);
    check_eq(get(&n_live), 0);
    check_cmp(get(&n_began), >, n_rounds);
    check_cmp(get(&n_panics), >, 0);
}

Test(panic_mix, every_function_ends_once_on_one_worker)
{
    mix(start_with(&(weft_config){.workers = 1, .log = weft_log_none}), 12345, 4,
        (int)test_scaled(300) + 10);
}

Test(panic_mix, every_function_ends_once_on_three_workers)
{
    mix(start_with(&(weft_config){.workers = 3, .log = weft_log_none}), 54321, 4,
        (int)test_scaled(300) + 10);
}

Test(panic_mix, every_function_ends_once_on_a_current_thread_runtime)
{
    mix(start_with(&(weft_config){.current_thread = 1, .log = weft_log_none}), 999, 4,
        (int)test_scaled(300) + 10);
}

Test(panic_mix, every_function_ends_once_with_a_budget_of_two)
{
    mix(start_with(&(weft_config){.workers = 2, .budget = 2, .log = weft_log_none}), 777, 5,
        (int)test_scaled(100) + 10);
}

Test(panic_mix, a_stop_ends_every_function_too)
{
    for (int64_t i = test_scaled(100); i > 0; i--) {
        weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});

        for (int j = 0; j < 10; j++)
            check_eq(weft_spawn_on(rt, NULL, node, (uint32_t)(i * 20 + j * 2 + 1), 5), 0);
        stop(rt);
        check_eq(get(&n_live), 0);
    }
}
