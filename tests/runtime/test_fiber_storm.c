/*
 * test_fiber_storm.c - fibers and tasks that spawn, join, cancel and await each other at random
 *
 * STORM_SCALE=350 makes 350 waves of one: a million fibers and tasks. TEST_SLOW makes the waves
 * smaller and the time limit larger. STORM_SEED makes another storm.
 */
#include "../actors.h"
#include "storm_runtimes.h"

#define ROOTS test_scaled(500)

typedef struct storm_state {
    weft_mutex  mutex;
    weft_notify notify;
    int         pipe[2];
    int64_t     begun, ended; /* fibers; atomic */
    int64_t     tasks;        /* that are no fibers; atomic */
    int64_t     panics;       /* atomic */
    int64_t     inside;       /* under the mutex */
} storm_state;

/* What each fiber finds by it. */
static weft_task_local lot_key;

/* What a fiber is given. It frees it. */
typedef struct lot {
    storm_state *storm;
    uint32_t     seed;
    int          depth;
} lot;

static int64_t wanders(void *argument);

static void ends(void *argument)
{
    lot *l = argument;

    add(&l->storm->ended, 1);
    free(l);
}

/* Returns 0, or the error of a spawn that a stop refused. */
static int spawn_wanderer(weft_runtime *rt, storm_state *storm, uint32_t seed, int depth,
                          weft_handle *ret_handle)
{
    static const size_t sizes[] = {0, 16 << 10, 32 << 10, 512 << 10};
    weft_fiber_options  options = {.stack_size = sizes[seed % 4]};
    lot                *l = malloc(sizeof *l);
    int                 r;

    check(l != NULL);
    *l = (lot){storm, seed | 1, depth};
    add(&storm->begun, 1);
    r = weft_fiber_with(rt, ret_handle, "wanders", &options, wanders, l);
    if (r < 0)
        ends(l);
    return r;
}

static void holds_the_mutex(storm_state *storm)
{
    weft_wait wait;

    if (weft_await(weft_mutex_lock(&wait, &storm->mutex)) < 0)
        return;
    check_eq(storm->inside++, 0);
    weft_fiber_yield();
    storm->inside--;
    weft_mutex_unlock(&storm->mutex);
}

/* The byte that it reads is written by another one, or not at all. */
static void uses_the_pipe(storm_state *storm, uint32_t *seed)
{
    struct weft_timeout limit;
    weft_io             io;
    char                byte = 'x';

    if (rnd(seed) % 2)
        weft_await(weft_file_write(&io, storm->pipe[1], &byte, 1, -1));
    else
        weft_await(weft_timeout(&limit, weft_file_read(&io, storm->pipe[0], &byte, 1, -1),
                                WEFT_US(rnd(seed) % 500)));
}

/* A branch that loses is cancelled, and its memory is on this stack. */
static void selects(storm_state *storm, uint32_t *seed)
{
    struct weft_select select;
    struct weft_sleep  nap;
    weft_wait          wait;

    weft_await(weft_select(&select, weft_notify_wait(&wait, &storm->notify),
                           weft_sleep(&nap, WEFT_US(rnd(seed) % 200))));
    if (rnd(seed) % 4 == 0)
        weft_notify_one(&storm->notify);
}

/* Keeps two branches while it does something else. The fiber may panic meanwhile. */
static void keeps_branches(storm_state *storm, uint32_t *seed)
{
    struct weft_select select;
    weft_wait          lock, news;
    weft_io            io;
    char               byte;

    weft_keep(weft_file_read(&io, storm->pipe[0], &byte, 1, -1));
    weft_keep(weft_notify_wait(&news, &storm->notify));
    weft_await(
        weft_select(&select, &io.future, &news.future, weft_mutex_lock(&lock, &storm->mutex)));
    if (weft_future_is_ready(&lock.future) && lock.future.result == 0)
        weft_mutex_unlock(&storm->mutex);
    weft_fiber_yield();
    if (rnd(seed) % 8 == 0) {
        add(&storm->panics, 1);
        weft_panic("with kept branches");
    }
    weft_await_cancel(&io.future);
    weft_await_cancel(&news.future);
}

static void spawns_another(lot *l)
{
    weft_handle handle;

    if (l->depth == 0 || spawn_wanderer(NULL, l->storm, rnd(&l->seed), l->depth - 1, &handle) < 0)
        return;
    if (rnd(&l->seed) % 3 == 0)
        weft_fiber_yield();
    if (rnd(&l->seed) % 3 == 0)
        weft_cancel(&handle);
    if (rnd(&l->seed) % 2 || weft_await(weft_join(&handle)) == -ECANCELED) {
        if (!weft_handle_is_empty(&handle))
            weft_detach(&handle);
    }
}

/* Ends by itself, or panics while its timer runs. */
struct lasts {
    WEFT_FRAME;
    struct {
        storm_state *storm;
        uint32_t     seed;
    } in;
    struct weft_sleep  nap;
    struct weft_select select;
    struct counter     turn;
};
WEFT_ASYNC(lasts)
{
    WEFT_BEGIN();
    check(weft_task_local_get(&lot_key) == NULL);
    weft_keep(weft_sleep(&self->nap, WEFT_US(self->in.seed % 100)));
    WEFT_WAIT(weft_select(&self->select, &self->nap.future, counter(&self->turn, 1)));
    if (self->in.seed % 32 == 0) {
        add(&self->in.storm->panics, 1);
        weft_panic("on purpose");
    }
    WEFT_CANCEL(&self->nap.future);
    WEFT_END(0);
}

static void joins_a_task(storm_state *storm, uint32_t *seed)
{
    weft_handle handle;

    if (weft_spawn(&handle, lasts, storm, rnd(seed)) < 0)
        return;
    add(&storm->tasks, 1);
    if (rnd(seed) % 2)
        weft_cancel(&handle);
    (void)weft_await(weft_join(&handle));
    if (!weft_handle_is_empty(&handle)) /* this fiber was cancelled */
        weft_detach(&handle);
}

static int64_t wanders(void *argument)
{
    lot *l = argument;

    weft_fiber_defer(ending, ends, l);
    weft_fiber_set_local(own, &lot_key, l);
    for (int i = 0; i < 8; i++) {
        check(weft_task_local_get(&lot_key) == l);
        switch (rnd(&l->seed) % 9) {
        case 0:
            holds_the_mutex(l->storm);
            break;
        case 1:
            uses_the_pipe(l->storm, &l->seed);
            break;
        case 2:
            selects(l->storm, &l->seed);
            break;
        case 3:
            spawns_another(l);
            break;
        case 4:
            joins_a_task(l->storm, &l->seed);
            break;
        case 5:
            if (rnd(&l->seed) % 32 == 0) {
                add(&l->storm->panics, 1);
                weft_panic("on purpose");
            }
            break;
        case 6:
            keeps_branches(l->storm, &l->seed);
            break;
        default:
            weft_fiber_yield();
        }
    }
    return 0;
}

static uint32_t number_of(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);

    return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

static void wave(weft_runtime *const *rt, int n_rt, storm_state *state, uint32_t *seed)
{
    weft_handle *handle = calloc((size_t)ROOTS, sizeof *handle);

    for (int i = 0; i < ROOTS; i++)
        check_eq(spawn_wanderer(rt[i % n_rt], state, rnd(seed), 3, &handle[i]), 0);
    for (int i = 0; i < ROOTS; i++) {
        if (rnd(seed) % 4 == 0)
            weft_cancel(&handle[i]);
        (void)join(rt[i % n_rt], &handle[i]);
    }
    free(handle);
}

static void wait_until_gone(weft_runtime *rt)
{
    struct weft_sleep nap;

    while (counters(rt).tasks_alive > 0) /* those that were detached */
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
}

static void storm(weft_runtime *const *rt, int n_rt)
{
    storm_state state = {0};
    uint32_t    seed = number_of("STORM_SEED", 4711) | 1;

    check_eq(pipe(state.pipe), 0);
    for (uint32_t n = number_of("STORM_SCALE", 1); n > 0; n--)
        wave(rt, n_rt, &state, &seed);
    for (int i = 0; i < n_rt; i++)
        wait_until_gone(rt[i]);
    check_eq(state.ended, state.begun);
    check_eq(state.inside, 0);
    check_eq(weft_mutex_try_lock(&state.mutex), 0);
    fprintf(stderr, "%" PRId64 " fibers, %" PRId64 " tasks, %" PRId64 " panics\n", state.begun,
            state.tasks, state.panics);
    close(state.pipe[0]);
    close(state.pipe[1]);
}

STORM_CASES(fiber_storm, storm)

/* A stop cancels all of them, wherever they are. */
Test(fiber_storm, a_stop_ends_all, .timeout = 120)
{
    for (uint32_t i = 0; i < 10; i++) {
        weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
        storm_state   state = {0};

        check_eq(pipe(state.pipe), 0);
        for (uint32_t k = 0; k < 50; k++)
            check_eq(spawn_wanderer(rt, &state, i * 1000 + k, 3, NULL), 0);
        pause_ms(i % 3);
        stop(rt);
        check_eq(state.ended, state.begun);
        close(state.pipe[0]);
        close(state.pipe[1]);
    }
}
