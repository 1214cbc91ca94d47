/*
 * test_mixture.c - all locks and channels at once, used at random by tasks, fibers and threads
 *
 * There are two runtimes, one of them a current-thread runtime, and two threads with an executor of
 * their own. They share one world (mixture.h), and do random steps (mixture_steps.h) there: waits
 * that end by themselves, by time limits, by cancels of their tasks, or in other hands than those
 * which began them. No message is lost, doubled or overtaken by one of the same sender. Locks
 * exclude, permits are conserved, and everything ends. MIXTURE_SEED makes another mixture, and
 * MIXTURE_SCALE=100 a hundred times as many rounds.
 */
#include "mixture_steps.h"
#include "mixture_world.h"

#define ACTORS  16 /* that may be cancelled, at a time */
#define THREADS 3
#define FEEDERS 8
#define STEPS   40

/* ---- actors: tasks, fibers, threads ---- */

struct acts {
    WEFT_FRAME;
    struct {
        actor *actor;
    } in;
    step *step;
};
WEFT_ASYNC(acts)
{
    weft_future *future;

    WEFT_BEGIN();
    while (goes_on(self->in.actor, WEFT_CANCELLED())) {
        future = step_begin(self->in.actor, &self->step);
        if (future) {
            WEFT_WAIT(future);
            step_end(self->in.actor, self->step);
        } else if (rnd(&self->in.actor->seed) % 8 == 0) {
            WEFT_YIELD();
        }
    }
    actor_end(self->in.actor);
    WEFT_END(0);
}

static int64_t blocks(void *future)
{
    return weft_block_on(NULL, future);
}

/* A call in place may wait only for what needs none of its worker's fibers, and no new one if all
 * workers are in such calls. On a current-thread runtime it may not wait at all. */
static void await_step(actor *a, const step *s, weft_future *future)
{
    bool blocks_well = !s->resolves && s->o->kind != &condition_kind && s->way != FIBER;

    if (blocks_well && rnd(&a->seed) % 16 == 0 && weft_block_in_place(blocks, future) != -EDEADLK)
        return;
    if (!weft_future_is_ready(future))
        weft_await(future);
}

static int64_t acts_in_fiber(void *argument)
{
    actor       *a = argument;
    step        *s;
    weft_future *future;

    while (goes_on(a, weft_fiber_is_cancelled())) {
        future = step_begin(a, &s);
        if (future) {
            await_step(a, s, future);
            step_end(a, s);
        } else if (rnd(&a->seed) % 8 == 0) {
            weft_fiber_yield();
        }
    }
    actor_end(a);
    return 0;
}

static void *acts_in_thread(void *argument)
{
    actor       *a = argument;
    step        *s;
    weft_future *future;

    while (goes_on(a, false)) {
        future = step_begin(a, &s);
        if (!future)
            continue;
        weft_block_on(a->style == BARE_THREAD ? NULL : world.rt[rnd(&a->seed) % 2], future);
        step_end(a, s);
    }
    actor_end(a);
    return NULL;
}

static actor *new_actor(uint32_t *seed, int style)
{
    actor *a = zeroed(sizeof *a);

    a->seed = rnd(seed);
    a->steps = STEPS;
    a->style = style;
    weft_tracker_enter(&world.actors);
    return a;
}

static void spawn_actor(weft_handle *ret_handle, actor *a, uint32_t r)
{
    weft_runtime *rt = world.rt[r % 2];

    if (a->style == FIBER_STYLE)
        MCHECK(weft_fiber_on(rt, ret_handle, acts_in_fiber, a) == 0);
    else if (r / 2 % 4 == 0)
        MCHECK(weft_spawn_bound(rt, ret_handle, 0, acts, .actor = a) == 0);
    else
        MCHECK(weft_spawn_on(rt, ret_handle, acts, .actor = a) == 0);
}

/* Starts the actors that the others rely on. */
static void feed(uint32_t *seed)
{
    actor *a;

    for (int i = 0; i < FEEDERS; i++) {
        a = new_actor(seed, rnd(seed) % 2 ? TASK : FIBER_STYLE);
        if (i < 4) {
            a->drains = i < 2 ? &world.mpsc[i] : &world.mpmc[i - 2];
            a->drain = bag_get(&a->drains->receivers, 0);
            a->only = kind_named(i < 2 ? "mpsc receive" : "mpmc receive");
        } else {
            a->way = 1 + i % 2;
            a->only = kind_named("queue");
        }
        spawn_actor(NULL, a, rnd(seed));
    }
}

/* ---- adopters: another executor, which takes what others have left ---- */

static int n_wakers(const struct hand *hand)
{
    return __atomic_load_n(&hand->n_wakers, __ATOMIC_ACQUIRE); /* pairs with hand_drop */
}

static void adopt(operation *o, uint32_t *seed)
{
    struct hand hand, other;

    hand_init(&hand, world.rt[0]);
    hand_init(&other, NULL);
    for (int i = 0; i < 4; i++) {
        if (hand_poll_budget(rnd(seed) % 4 ? &hand : &other, o->future, rnd(seed) % 3))
            break;
        sched_yield();
    }
    while (!weft_poll_is_ready(weft_future_cancel(o->future)) && !hand_poll(&hand, o->future))
        sched_yield();
    operation_end(o, NULL, rnd(seed));
    EVENTUALLY(n_wakers(&hand) == 0 && n_wakers(&other) == 0);
}

static void *adopts(void *seed_of)
{
    uint32_t   seed = *(const uint32_t *)seed_of;
    operation *o;
    bool       last = false;

    for (;;) {
        o = orphan_get(rnd(&seed));
        if (o)
            adopt(o, &seed);
        else if (last)
            return NULL;
        else
            pause_ms(1);
        last = world.adopters_end; /* no actor is left then that could leave anything */
    }
}

/* ---- a round ---- */

static void *runs_current_thread(void *arg)
{
    weft_wait wait;

    (void)arg;
    MCHECK(weft_block_on(world.rt[1], weft_event_wait(&wait, &world.rest)) == 0);
    return NULL;
}

/* What actors wait for without a limit, and what no actor does. */
static void help(uint32_t *seed)
{
    int i = (int)(rnd(seed) % PROMISES);

    weft_event_set(&world.event);
    answer_oneshot(rnd(seed));
    do_at_once(rnd(seed));
    (void)weft_promise_complete(&world.promise[i], i + 1);
    MCHECK(weft_promise_complete(&world.promise[i], 0) == -EALREADY);
    if (rnd(seed) % 64 == 0)
        weft_token_cancel(&world.token[rnd(seed) % TOKENS]);
}

/* Cancels actors, and starts others in their place. A round in which nothing moves any more does
 * not end, and the time limit of the test tells. */
static void let_them_act(uint32_t *seed, int n_later)
{
    weft_handle task[ACTORS];
    int         n = ACTORS;
    uint32_t    i;

    for (i = 0; i < ACTORS; i++)
        spawn_actor(&task[i], new_actor(seed, rnd(seed) % 3 ? TASK : FIBER_STYLE), rnd(seed));
    while (n > 0) {
        i = rnd(seed) % (uint32_t)n;
        if (rnd(seed) % 64 == 0)
            weft_cancel(&task[i]);
        help(seed);
        if (!weft_is_finished(&task[i])) {
            pause_ms(rnd(seed) % 16 == 0);
            continue;
        }
        MCHECK(weft_block_on(NULL, weft_join(&task[i])) == 0);
        if (n_later-- > 0)
            spawn_actor(&task[i], new_actor(seed, rnd(seed) % 3 ? TASK : FIBER_STYLE), rnd(seed));
        else
            task[i] = task[--n];
    }
}

static void mix_once(uint32_t *seed)
{
    uint32_t  seeds[2] = {rnd(seed), rnd(seed)};
    pthread_t adopter[2], runner, threads[THREADS];
    weft_wait wait;

    world_begin(seed);
    runner = thread(runs_current_thread, NULL);
    for (int i = 0; i < 2; i++)
        adopter[i] = thread(adopts, &seeds[i]);
    feed(seed);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread(acts_in_thread, new_actor(seed, i == 0 ? BARE_THREAD : THREAD));
    let_them_act(seed, ACTORS);
    world_close();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    weft_tracker_close(&world.actors);
    MCHECK(weft_block_on(world.rt[0], weft_tracker_wait(&wait, &world.actors)) == 0);
    world.adopters_end = true;
    for (int i = 0; i < 2; i++)
        pthread_join(adopter[i], NULL);
    weft_event_set(&world.rest);
    pthread_join(runner, NULL);
    world_end();
}

static void mix(int64_t workers)
{
    const char *seed_text = getenv("MIXTURE_SEED"), *scale = getenv("MIXTURE_SCALE");
    uint32_t    seed = seed_text ? (uint32_t)strtoul(seed_text, NULL, 10) | 1 : 1;
    int64_t     n = test_scaled(20) * (scale ? strtoll(scale, NULL, 10) : 1);

    world.rt[0] = start(workers);
    world.rt[1] = start_with(&(weft_config){.current_thread = 1});
    for (int64_t i = 0; i < n; i++) {
        mixture_seed = seed;
        mix_once(&seed);
    }
    stop(world.rt[0]);
    stop(world.rt[1]);
}

Test(mixture, one_worker)
{
    mix(1);
}

Test(mixture, two_workers)
{
    mix(2);
}

Test(mixture, eight_workers)
{
    mix(8);
}
