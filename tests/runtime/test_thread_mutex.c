/*
 * test_thread_mutex.c - tasks that hold a thread's mutex across an await: the watchdog names both
 * sides, the others go on, and a weft_mutex has no such trouble
 */
#include "../actors.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t         is_locked, may_unlock;

/* Holds the mutex across awaits, which a task must not do. */
struct holds {
    WEFT_FRAME;
    struct {
        int none;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(holds)
{
    int64_t n = 0;

    WEFT_BEGIN();
    pthread_mutex_lock(&mutex);
    add(&is_locked, 1);
    while (!get(&may_unlock))
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    pthread_mutex_unlock(&mutex);
    WEFT_END(n);
}

struct wants {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
};
WEFT_ASYNC(wants)
{
    WEFT_BEGIN();
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    WEFT_END(self->in.result);
}

static weft_runtime *start_watching(struct lines *log, int64_t workers)
{
    return start_with(
        &(weft_config){.workers = workers, .watchdog_ms = 30, .log = lines_add, .log_arg = log});
}

/* What the line says about the mutex. */
static void check_names(struct lines *log, const char *holder)
{
    char text[160];

#ifndef __GLIBC__
    test_skip("the C library does not tell which thread has locked a mutex");
#endif
    if (access("/proc/self/syscall", R_OK) != 0)
        test_skip("/proc does not tell what a thread waits for");
    check_str_contains(log->text, "task wants (spawned at ");
    snprintf(text, sizeof text, "it waits for the pthread_mutex_t at %p, which %s", (void *)&mutex,
             holder);
    check_str_contains(log->text, text);
    check_str_contains(log->text, "weft_mutex");
}

Test(thread_mutex, the_watchdog_names_the_worker_that_has_locked_it)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 2);
    weft_handle   first, second;

    check_eq(weft_spawn_bound(rt, &first, 1, holds, 0), 0);
    spin_until(&is_locked, 1);
    check_eq(weft_spawn_bound(rt, &second, 0, wants, 7), 0);
    EVENTUALLY(lines_count(&log) > 0);
    add(&may_unlock, 1);
    check_eq(join(rt, &second), 7);
    check_eq(join(rt, &first), 0);
    stop(rt);
    check_names(&log, "worker 1 has locked");
}

/* The only worker waits for the mutex. A spare one takes its tasks, among them the one that holds
 * it. It unlocks on another thread then, which the mutex of glibc allows. */
Test(thread_mutex, the_process_goes_on_where_one_worker_holds_and_wants_it)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 1);
    weft_handle   first, second;

    if (TEST_TSAN)
        test_skip("it reports the unlock on another thread");
    check_eq(weft_spawn_on(rt, &first, holds, 0), 0);
    spin_until(&is_locked, 1);
    check_eq(weft_spawn_on(rt, &second, wants, 7), 0);
    EVENTUALLY(lines_count(&log) > 0);
    add(&may_unlock, 1);
    check_eq(join(rt, &second), 7);
    check_eq(join(rt, &first), 0);
    stop(rt);
    check_names(&log, "this worker itself has locked");
}

Test(thread_mutex, the_watchdog_names_another_thread)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 1);
    weft_handle   handle;
    char          text[80];

    pthread_mutex_lock(&mutex);
    check_eq(weft_spawn_on(rt, &handle, wants, 7), 0);
    EVENTUALLY(lines_count(&log) > 0);
    pthread_mutex_unlock(&mutex);
    check_eq(join(rt, &handle), 7);
    stop(rt);
    snprintf(text, sizeof text, "thread %d (", (int)getpid());
    check_names(&log, text);
}

/* ---- the cure ---- */

static weft_mutex cure;

struct holds_well {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
};
WEFT_ASYNC(holds_well)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &cure));
    check_eq(n, 0);
    add(&is_locked, 1);
    while (!get(&may_unlock))
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    weft_mutex_unlock(&cure);
    WEFT_END(self->in.result);
}

/* One worker, and while one task holds the lock and others want it, a fourth one runs. */
Test(thread_mutex, tasks_that_wait_for_a_weft_mutex_hold_no_worker)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_watching(&log, 1);
    weft_handle   handle[3];

    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &handle[i], holds_well, i), 0);
    spin_until(&is_locked, 1);
    for (int i = 0; i < 100; i++)
        check_eq(RUN(rt, sleeps, WEFT_MS(1)), 0);
    check_eq(get(&is_locked), 1);
    add(&may_unlock, 1);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &handle[i]), i);
    stop(rt);
    check_str_eq(log.text, "");
}
