/* test_stress.c - a storm of tasks that do everything at once; every one of them is accounted
 * for */
#include "stress_tasks.h"

/* ---- threads that are none of the runtime's ---- */

struct foreigner {
    uint64_t   random;
    weft_waker kept[KEPT]; /* of tasks that mostly have ended */
};

/* Stores a waker, and uses or drops the one that was stored in its place. */
static void keep_waker(struct foreigner *f, weft_waker waker)
{
    weft_waker *old = &f->kept[chance(&f->random) % KEPT];

    if (old->vtable && one_in(&f->random, 2))
        weft_waker_wake(*old);
    else if (old->vtable)
        weft_waker_drop(*old);
    *old = waker;
}

static void deliver(struct foreigner *f, struct parcel *p)
{
    weft_waker waker;

    pthread_mutex_lock(&p->mutex);
    waker = p->waker;
    p->waker.vtable = NULL;
    p->done = true;
    pthread_mutex_unlock(&p->mutex);
    if (waker.vtable) {
        if (one_in(&f->random, 2))
            keep_waker(f, weft_waker_clone(&waker));
        if (one_in(&f->random, 2))
            weft_waker_wake_by_ref(&waker);
        weft_waker_wake(waker);
    }
    parcel_drop(p);
}

/* Wakes a task for nothing: its poll finds no progress. */
static void disturb(struct foreigner *f)
{
    const weft_waker *w = &f->kept[chance(&f->random) % KEPT];

    if (w->vtable)
        weft_waker_wake_by_ref(w);
}

/* Spawns a task from outside, and may wait for its end. Only a tiny task waits for no other. */
static void spawn_from_outside(struct foreigner *f)
{
    struct child c = {.id = new_id()};
    int64_t      n;

    if (c.id < 0)
        return;
    if (one_in(&f->random, 2)) {
        if (spawn_one(storm.rt, &c.handle, c.id) && !market_put(&c))
            give_up(&c);
    } else if (spawned(c.id, weft_spawn_on(storm.rt, &c.handle, tiny, c.id))) {
        if (one_in(&f->random, 4))
            ask_to_end(&c);
        n = weft_block_on(storm.rt, weft_join(&c.handle));
        heard(&c, n);
    }
}

static void *foreigner_main(void *arg)
{
    struct foreigner            *f = arg;
    struct parcel               *p;
    struct weft_runtime_counters counters;

    while (!get(&storm.quit)) {
        while ((p = parcel_collect()))
            deliver(f, p);
        if (one_in(&f->random, 8))
            spawn_from_outside(f);
        if (one_in(&f->random, 8))
            disturb(f);
        if (one_in(&f->random, 64))
            weft_runtime_counters(storm.rt, &counters);
        sched_yield();
    }
    return NULL;
}

/* ---- the source ---- */

struct source {
    WEFT_FRAME;
    struct {
        uint64_t random;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(source)
{
    struct child c;
    int64_t      n;

    WEFT_BEGIN();
    while (get(&storm.next) < storm.n_tasks && !WEFT_CANCELLED()) {
        for (int i = 0; i < 10 && (c.id = new_id()) >= 0; i++) {
            if (!spawn_one(NULL, &c.handle, c.id) || market_put(&c))
                continue;
            give_up(&c);
        }
        if (one_in(&self->in.random, 16))
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(50)));
        else
            WEFT_YIELD();
        (void)n;
    }
    WEFT_END(0);
}

/* ---- the storm ---- */

struct current {
    pthread_t              thread;
    weft_oneshot_sender   *over;
    weft_oneshot_receiver *until;
};

/* The thread that a current-thread runtime lives on. */
static void *current_main(void *arg)
{
    struct current *c = arg;
    weft_wait       message;
    char            none;

    check_eq(weft_block_on(storm.rt, weft_oneshot_receive(&message, c->until, &none)), WEFT_EOF);
    return NULL;
}

static void current_begin(struct current *c)
{
    check_eq(weft_oneshot_open(1, &c->over, &c->until), 0);
    c->thread = thread(current_main, c);
}

static void current_end(struct current *c)
{
    weft_oneshot_sender_close(c->over);
    pthread_join(c->thread, NULL);
    weft_oneshot_receiver_close(c->until);
}

static void storm_open(int64_t n_tasks, const weft_config *how)
{
    const char *seed = getenv("STRESS_SEED");
    weft_config config = *how;

    n_tasks = test_scaled(n_tasks) / STRESS_SLOW + 100;
    storm.seed = seed ? strtoull(seed, NULL, 10) : 1;
    storm.n_tasks = n_tasks;
    storm.state = calloc((size_t)n_tasks, sizeof *storm.state);
    storm.outcome = calloc((size_t)n_tasks, sizeof *storm.outcome);
    pthread_mutex_init(&storm.mutex, NULL);
    fprintf(stderr, "STRESS_SEED=%" PRIu64 " gives the same storm again\n", storm.seed);
    config.allocator = memory_hooks(&storm.memory);
    config.log = storm_log;
    storm.rt = start_with(&config);
}

/* Waits for the end of the storm. `alive` tasks do not belong to it. */
static void await_end(uint64_t alive)
{
    struct weft_runtime_counters c;

    while (get(&storm.n_ended) < get(&storm.n_spawned) || get(&storm.next) < storm.n_tasks)
        if (!watch(storm.rt, &storm.n_ended, get(&storm.n_ended) + 1, HUNG_AFTER) &&
            get(&storm.n_ended) < get(&storm.n_spawned))
            test_fail(__FILE__, __LINE__, "STRESS_SEED=%" PRIu64 " stands still", storm.seed);
    for (int i = 0; i < 100000; i++) { /* a task says that it ends a moment before it has */
        weft_runtime_counters(storm.rt, &c);
        if (c.tasks_alive == alive)
            return;
        usleep(100);
    }
    weft_runtime_dump(storm.rt);
    test_fail(__FILE__, __LINE__, "STRESS_SEED=%" PRIu64 ": alive: %" PRIu64, storm.seed,
              c.tasks_alive);
}

/* Joins the handles that no task took. Their tasks have ended, and perhaps the runtime has. */
static void clear_market(void)
{
    struct child c;
    struct hand  hand;

    hand_init(&hand, NULL);
    while (market_take(&c, -1)) {
        check(weft_is_finished(&c.handle));
        heard(&c, hand_run(&hand, weft_join(&c.handle)));
    }
}

static void check_accounts(void)
{
    check_eq(get(&storm.n_begun), get(&storm.n_spawned));
    check_eq(get(&storm.n_ended), get(&storm.n_spawned));
    check_eq(get(&storm.n_deferred), get(&storm.n_defers));
    for (int64_t i = 0; i < storm.n_tasks && i < get(&storm.next); i++)
        check_eq(storm.state[i] & (SPAWNED | ENDED), SPAWNED | ENDED);
}

static struct foreigner foreigner[FOREIGNERS];
static pthread_t        foreign_threads[FOREIGNERS];

static void begin_storm(int64_t n_tasks, const weft_config *config)
{
    storm_open(n_tasks, config);
    check_eq(weft_spawn_on(storm.rt, NULL, source, storm.seed), 0);
    for (int i = 0; i < FOREIGNERS; i++) {
        foreigner[i].random = storm.seed * 3 + (uint64_t)i;
        foreign_threads[i] = thread(foreigner_main, &foreigner[i]);
    }
}

static void end_foreigners(void)
{
    add(&storm.quit, 1);
    for (int i = 0; i < FOREIGNERS; i++)
        pthread_join(foreign_threads[i], NULL);
}

/* Wakers outlive the runtime. */
static void use_kept_wakers(void)
{
    for (int i = 0; i < FOREIGNERS; i++) {
        for (int k = 0; k < KEPT; k++)
            keep_waker(&foreigner[i], (weft_waker){0});
        for (int k = 0; k < KEPT; k++)
            if (foreigner[i].kept[k].vtable)
                weft_waker_wake(foreigner[i].kept[k]);
    }
}

static void close_storm(void)
{
    struct parcel *p;

    while ((p = parcel_collect())) /* of tasks that were cancelled */
        deliver(&foreigner[0], p);
    use_kept_wakers();
    check_eq(get(&storm.memory.live), 0);
    free(storm.state);
    free(storm.outcome);
}

static void rage(int64_t n_tasks, const weft_config *config)
{
    struct current               current;
    struct weft_runtime_counters c;

    begin_storm(n_tasks, config);
    if (config->current_thread)
        current_begin(&current);
    await_end(config->current_thread ? 1 : 0); /* weft_block_on's own */
    end_foreigners();
    if (config->current_thread)
        current_end(&current);
    clear_market();
    check_accounts();
    weft_runtime_counters(storm.rt, &c);
    check_eq(c.tasks_spawned, c.tasks_ended);
    stop(storm.rt);
    close_storm();
}

/* The same, but half-way the runtime stops. */
static void break_off(int64_t n_tasks, const weft_config *config)
{
    begin_storm(n_tasks, config);
    check(watch(storm.rt, &storm.next, storm.n_tasks / 2, HUNG_AFTER));
    add(&storm.stopping, 1);
    end_foreigners();
    stop(storm.rt);
    clear_market();
    check_accounts();
    close_storm();
}

Test(stress, one_worker_loses_no_task, .timeout = 120)
{
    rage(250000, &(weft_config){.workers = 1});
}

Test(stress, two_workers_lose_no_task, .timeout = 120)
{
    rage(250000, &(weft_config){.workers = 2});
}

Test(stress, eight_workers_lose_no_task, .timeout = 120)
{
    rage(250000, &(weft_config){.workers = 8});
}

Test(stress, a_current_thread_loses_no_task, .timeout = 120)
{
    rage(250000, &(weft_config){.current_thread = 1});
}

Test(stress, a_storm_on_one_worker_can_be_stopped, .timeout = 120)
{
    break_off(50000, &(weft_config){.workers = 1});
}

Test(stress, a_storm_on_two_workers_can_be_stopped, .timeout = 120)
{
    break_off(50000, &(weft_config){.workers = 2});
}

Test(stress, a_storm_on_eight_workers_can_be_stopped, .timeout = 120)
{
    break_off(50000, &(weft_config){.workers = 8});
}

/* ---- the detector ---- */

struct waits_for_ever {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *from;
    } in;
    weft_wait message;
    char      none;
};
WEFT_ASYNC(waits_for_ever)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_oneshot_receive(&self->message, self->in.from, &self->none));
    WEFT_END(n);
}

Test(stress, a_storm_that_stands_still_is_noticed_and_the_culprit_named)
{
    struct lines           lines = LINES;
    weft_oneshot_sender   *to;
    weft_oneshot_receiver *from;
    weft_handle            handle;
    weft_runtime          *rt;
    int64_t                never = 0;

    rt = start_with(&(weft_config){.workers = 2, .log = lines_add, .log_arg = &lines});
    check_eq(weft_oneshot_open(1, &to, &from), 0);
    check_eq(weft_spawn_on(rt, &handle, waits_for_ever, from), 0);
    check(!watch(rt, &never, 1, 1));
    check_str_contains(lines.text, "task waits_for_ever (spawned at ");
    check_str_contains(lines.text, "awaiting weft_oneshot_receive");
    weft_oneshot_sender_close(to);
    check_eq(join(rt, &handle), WEFT_EOF);
    weft_oneshot_receiver_close(from);
    stop(rt);
}
