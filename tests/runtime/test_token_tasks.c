/* test_token_tasks.c - tokens between tasks, threads and runtimes, cancelled at any point */
#include "storm_runtimes.h"

#define TASKS  32
#define ROUNDS 400

/* What the tasks of one round share. */
struct round {
    weft_token root;
    int64_t    begun, ended, bad; /* atomic */
};

/* A connection, or a request below one: it has a token of its own, and waits in one of three ways
 * until it is cancelled. It may give its wait up first. */
struct works {
    WEFT_FRAME;
    struct {
        struct round *round;
        weft_token   *parent;
        uint32_t      seed;
        int           depth;
    } in;
    weft_token            token;
    weft_wait             wait;
    struct weft_token_run run;
    struct weft_select    sel;
    struct weft_sleep     nap;
    struct counter        few;
    struct weft_shield    guard;
    weft_handle           below;
    bool                  has_below;
};
WEFT_DECLARE(works);

static weft_future *waits_somehow(struct works *self)
{
    switch (rnd(&self->in.seed) % 3) {
    case 0:
        return weft_token_cancelled(&self->wait, &self->token);
    case 1:
        weft_sleep(&self->nap, WEFT_FOREVER);
        return weft_token_run(&self->run, &self->token, &self->nap.future);
    default:
        weft_token_cancelled(&self->wait, &self->token);
        return weft_token_run(&self->run, &self->token, &self->wait.future);
    }
}

WEFT_ASYNC(works)
{
    int64_t n;

    WEFT_BEGIN();
    weft_token_begin(&self->token, self->in.parent);
    self->has_below =
        self->in.depth > 0 &&
        weft_spawn(&self->below, works, .round = self->in.round, .parent = &self->token,
                   .seed = rnd(&self->in.seed), .depth = self->in.depth - 1) == 0;
    add(&self->in.round->begun, 1);
    while (!weft_token_is_cancelled(&self->token) && !WEFT_CANCELLED()) {
        if (rnd(&self->in.seed) % 8 == 0)
            weft_token_cancel(&self->token);
        counter(&self->few, (int)(rnd(&self->in.seed) % 3));
        if (rnd(&self->in.seed) % 4 == 0)
            WEFT_AWAIT(n, waits_somehow(self));
        else
            WEFT_AWAIT(n, weft_select(&self->sel, waits_somehow(self), &self->few.future));
        if (n < 0 && n != -ECANCELED)
            add(&self->in.round->bad, 1);
    }
    if (WEFT_CANCELLED())
        weft_token_cancel(&self->token);
    while (self->has_below) { /* its token is a child of ours */
        WEFT_AWAIT(n, weft_shield(&self->guard, weft_join(&self->below), WEFT_FOREVER));
        self->has_below = !weft_handle_is_empty(&self->below);
    }
    weft_token_end(&self->token);
    add(&self->in.round->ended, 1);
    WEFT_END(0);
}

/* Spawns trees of tasks on the runtimes in turn. Then one thread cancels some tasks, and the other
 * cancels the root, while they wait, begin and end. */
static void *cancels_root(void *arg)
{
    struct round *round = arg;

    spin_until(&round->begun, TASKS / 2);
    weft_token_cancel(&round->root);
    return NULL;
}

static void run_round(weft_runtime *const *rt, int n_rt, uint32_t seed)
{
    struct round round = {.begun = 0};
    weft_handle  handle[TASKS];
    pthread_t    other;

    for (int i = 0; i < TASKS; i++)
        check_eq(weft_spawn_on(rt[i % n_rt], &handle[i], works, .round = &round,
                               .parent = &round.root, .seed = rnd(&seed), .depth = i % 3),
                 0);
    other = thread(cancels_root, &round);
    for (int i = 0; i < TASKS; i++)
        if (rnd(&seed) % 4 == 0)
            weft_cancel(&handle[i]);
    for (int i = 0; i < TASKS; i++)
        check_eq(join(rt[i % n_rt], &handle[i]), 0);
    check_eq(pthread_join(other, NULL), 0);
    check_eq(round.begun, round.ended);
    check_eq(round.bad, 0);
    check(round.root.children_ == NULL && round.root.firing_ == NULL);
    weft_token_end(&round.root);
}

static void storm(weft_runtime *const *rt, int n_rt)
{
    for (uint32_t i = 0; i < ROUNDS; i++)
        run_round(rt, n_rt, 1 + i);
}

STORM_CASES(token_tasks, storm)

/* A stop cancels the tasks, which then end their tokens. Nothing cancels the root. */
Test(token_tasks, a_stop_ends_tasks_that_wait_for_a_token)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        weft_runtime *rt = start(2);
        struct round  round = {.begun = 0};

        for (int i = 0; i < TASKS; i++)
            check_eq(weft_spawn_on(rt, NULL, works, .round = &round, .parent = &round.root,
                                   .seed = seed * TASKS + (uint32_t)i, .depth = i % 3),
                     0);
        spin_until(&round.begun, seed);
        stop(rt);
        check(!weft_token_is_cancelled(&round.root));
        check_eq(round.begun, round.ended);
        weft_token_end(&round.root);
    }
}
