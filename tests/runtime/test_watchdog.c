/* test_watchdog.c - the log lines about tasks that block their worker, and the events of threads */
#include "../actors.h"

struct parent {
    WEFT_FRAME;
    struct {
        int64_t *flag, *started;
    } in;
    weft_handle child;
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn_named(NULL, &self->child, "the child", blocks, self->in.flag, 1,
                              self->in.started),
             0);
    WEFT_AWAIT(n, weft_join(&self->child));
    WEFT_END(n);
}

static weft_runtime *start_watching(struct lines *log, int64_t workers, int64_t ms)
{
    return start_with(
        &(weft_config){.workers = workers, .watchdog_ms = ms, .log = lines_add, .log_arg = log});
}

/* Lets a task that blocks its worker go on once the log has n lines, and has had time for more. */
static void let_go_when_told(struct lines *log, int n, int64_t *flag)
{
    EVENTUALLY(lines_count(log) >= n);
    pause_ms(100);
    add(flag, 1);
}

static void check_quiet(struct lines *log)
{
    if (log->n > 0)
        check_str_eq(log->text, "");
}

Test(watchdog, names_the_task_its_place_and_its_worker)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 2, 30);
    int64_t       flag = 0, started = 0;
    weft_handle   handle;
    char          place[64];

    snprintf(place, sizeof place, "test_watchdog.c:%d) has blocked worker 1 for", __LINE__ + 1);
    check_eq(weft_spawn_bound(rt, &handle, 1, blocks, &flag, 1, &started), 0);
    let_go_when_told(&log, 1, &flag);
    check_eq(join(rt, &handle), 0);
    stop(rt);
    check_str_contains(log.text, "task blocks (spawned at ");
    check_str_contains(log.text, place);
    check_str_contains(log.text, " ms; move blocking or long-running work to weft_spawn_blocking");
    check_eq(log.n, 1); /* once for a poll */
}

Test(watchdog, names_the_task_that_runs_within_its_joiner)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 1, 30);
    int64_t       flag = 0, started = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, parent, &flag, &started), 0);
    let_go_when_told(&log, 1, &flag);
    check_eq(join(rt, &handle), 0);
    stop(rt);
    check_str_contains(log.text, "task the child (spawned at ");
    check_eq(log.n, 1);
}

Test(watchdog, says_so_again_at_the_next_long_poll)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 1, 30);

    for (int i = 0; i < 3; i++) {
        int64_t     flag = 0, started = 0;
        weft_handle handle;

        check_eq(weft_spawn_on(rt, &handle, blocks, &flag, 1, &started), 0);
        let_go_when_told(&log, i + 1, &flag);
        check_eq(join(rt, &handle), 0);
    }
    stop(rt);
    check_eq(log.n, 3);
}

Test(watchdog, is_silent_about_tasks_that_wait_and_workers_that_sleep)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 2, 100);

    check_eq(RUN(rt, sleeps, WEFT_MS(400)), 0);
    stop(rt);
    check_quiet(&log);
}

/* ---- what waits behind a blocked worker ---- */

/* Sets the event, then blocks the worker until it is let go. */
struct sets_and_blocks {
    WEFT_FRAME;
    struct {
        weft_event    *event;
        const int64_t *go;
    } in;
};
WEFT_ASYNC(sets_and_blocks)
{
    WEFT_BEGIN();
    weft_event_set(self->in.event);
    spin_until(self->in.go, 1);
    WEFT_END(0);
}

typedef struct crowd {
    weft_event event;
    int64_t    begun, go;
} crowd;

static int64_t waits_for_event(void *argument)
{
    crowd    *c = argument;
    weft_wait wait;

    add(&c->begun, 1);
    return weft_await(weft_event_wait(&wait, &c->event));
}

static int64_t yields_until_go(void *argument)
{
    crowd *c = argument;

    add(&c->begun, 1);
    while (!get(&c->go))
        weft_fiber_yield();
    return 0;
}

static int64_t sleeps_until_cancelled(void *argument)
{
    add(&((crowd *)argument)->begun, 1);
    return weft_fiber_sleep(WEFT_S(1000));
}

static bool has_line(struct lines *log, const char *part)
{
    bool found;

    pthread_mutex_lock(&log->mutex);
    found = strstr(log->text, part) != NULL;
    pthread_mutex_unlock(&log->mutex);
    return found;
}

/* All of them are bound to worker 1. Each adds to `begun` within the poll that begins to wait, and
 * the worker polls the blocker after that. */
Test(watchdog, names_the_fibers_that_wait_behind_a_blocked_worker)
{
    weft_fiber_function *functions[] = {waits_for_event, waits_for_event, yields_until_go,
                                        sleeps_until_cancelled};
    weft_fiber_options   bound = {.bound = true, .worker = 1};
    struct lines         log = LINES;
    weft_runtime        *rt = start_watching(&log, 2, 300);
    crowd                c = {0};
    weft_handle          fiber[4], other, blocker;

    for (int i = 0; i < 4; i++)
        check_eq(weft_fiber_with(rt, &fiber[i], "waits", &bound, functions[i], &c), 0);
    bound.worker = 0;
    check_eq(weft_fiber_with(rt, &other, "elsewhere", &bound, waits_for_event, &c), 0);
    EVENTUALLY(get(&c.begun) == 5);
    check_eq(weft_spawn_bound(rt, &blocker, 1, sets_and_blocks, &c.event, &c.go), 0);
    EVENTUALLY(has_line(&log, "3 tasks that only worker 1 may run wait meanwhile: task waits "));
    check(!has_line(&log, "elsewhere"));
    add(&c.go, 1);
    weft_cancel(&fiber[3]);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &fiber[i]), i == 3 ? -ECANCELED : 0);
    check_eq(join(rt, &other), 0);
    check_eq(join(rt, &blocker), 0);
    stop(rt);
}

/* ---- the thread hook ---- */

#define SLOTS 8

typedef struct events {
    atomic_int n[4][SLOTS];
    atomic_int asleep[SLOTS], alive[SLOTS], wrong;
} events;

static void note_event(void *arg, weft_thread_event event, uint32_t index)
{
    events *e = arg;

    e->wrong += index >= SLOTS;
    e->n[event][index]++;
    switch (event) {
    case WEFT_THREAD_STARTS:
        e->wrong += e->alive[index]++ != 0;
        break;
    case WEFT_THREAD_STOPS:
        e->wrong += e->alive[index]-- != 1 || e->asleep[index];
        break;
    case WEFT_THREAD_PARKS:
        e->wrong += e->asleep[index]++ != 0 || !e->alive[index];
        break;
    case WEFT_THREAD_UNPARKS:
        e->wrong += e->asleep[index]-- != 1;
        break;
    }
}

Test(watchdog, thread_events_come_in_pairs_and_match_the_counters)
{
    static events               e;
    weft_runtime               *rt = start_with(&(weft_config){.workers = 3,
                                                               .spare_workers = 2,
                                                               .log = weft_log_none,
                                                               .thread_hook = note_event,
                                                               .thread_hook_arg = &e});
    struct weft_worker_counters c[5];
    weft_handle                 handle[3];

    for (int i = 0; i < 20; i++)
        check_eq(RUN(rt, sleeps, WEFT_MS(1)), 0);
    for (int i = 0; i < 3; i++) /* a spare one starts */
        check_eq(weft_spawn_on(rt, &handle[i], pauses, 200), 0);
    check_eq(RUN(rt, sleeps, WEFT_MS(1)), 0);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &handle[i]), 0);
    for (uint32_t i = 0; i < 5; i++)
        check_eq(weft_worker_counters(rt, i, &c[i]), 0);
    stop(rt);
    check_eq(e.wrong, 0);
    for (int i = 0; i < SLOTS; i++) {
        check_eq(e.n[WEFT_THREAD_STARTS][i], e.n[WEFT_THREAD_STOPS][i]);
        check_eq(e.n[WEFT_THREAD_PARKS][i], e.n[WEFT_THREAD_UNPARKS][i]);
        check_cmp(e.n[WEFT_THREAD_STARTS][i], <=, i < 5);
        check_cmp(e.n[WEFT_THREAD_STARTS][i], >=, i < 3);
        if (i < 5)
            check_cmp(e.n[WEFT_THREAD_PARKS][i], >=, c[i].parks);
    }
}

Test(watchdog, a_runtime_that_starts_and_stops_at_once_reports_all_its_threads)
{
    for (int64_t round = test_scaled(100); round > 0; round--) {
        static events e;

        memset(&e, 0, sizeof e);
        stop(start_with(
            &(weft_config){.workers = 4, .thread_hook = note_event, .thread_hook_arg = &e}));
        check_eq(e.wrong, 0);
        for (int i = 0; i < SLOTS; i++) {
            check_eq(e.n[WEFT_THREAD_STARTS][i], i < 4);
            check_eq(e.n[WEFT_THREAD_STOPS][i], i < 4);
            check_eq(e.asleep[i], 0);
        }
    }
}
