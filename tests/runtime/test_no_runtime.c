/*
 * test_no_runtime.c - NULL stands for the current runtime; a misuse line names the caller's place
 */
#include "../sockets.h"

/* ---- NULL in a task is the task's runtime ---- */

struct asks {
    WEFT_FRAME;
    struct {
        weft_runtime *rt;
    } in;
};
WEFT_ASYNC(asks)
{
    struct weft_runtime_counters counters;
    struct weft_worker_counters  worker;

    WEFT_BEGIN();
    weft_runtime_counters(NULL, &counters);
    check_cmp(counters.tasks_spawned, >, 0);
    check_eq(weft_worker_counters(NULL, 0, &worker), 0);
    check_eq(weft_worker_counters(NULL, 1000, &worker), -EINVAL);
    check_eq(weft_runtime_backend(NULL), weft_runtime_backend(self->in.rt));
    check_eq(weft_runtime_workers(NULL), 2);
    check(weft_pool_default(NULL) == weft_pool_default(self->in.rt));
    check(weft_pool_dns(NULL) == weft_pool_dns(self->in.rt));
    weft_clock_set(NULL, WEFT_CLOCK_STOPPED);
    check_eq(weft_clock_advance(NULL, WEFT_S(1000)), 0);
    check_eq(weft_clock_now(NULL), weft_clock_now(self->in.rt));
    weft_clock_set(NULL, WEFT_CLOCK_RUNS);
    weft_runtime_dump(NULL);
    WEFT_END(0);
}

Test(no_runtime, in_a_task_null_is_its_runtime)
{
    weft_runtime *rt = start(2);

    check_eq(RUN(rt, asks, .rt = rt), 0);
    stop(rt);
}

/* ---- and elsewhere an error, or a line that says so ---- */

Test(no_runtime, functions_that_can_fail_answer_that_there_is_none)
{
    struct weft_worker_counters worker;

    check_eq(weft_worker_counters(NULL, 0, &worker), -ENXIO);
    check_eq(weft_clock_advance(NULL, 1), -ENXIO);
}

#define NONE ": the runtime is NULL, and the calling thread has none"

TEST_ABORTS(no_runtime, a_dump_aborts, "weft_runtime_dump" NONE)
{
    weft_runtime_dump(NULL);
}

TEST_ABORTS(no_runtime, counters_abort, "weft_runtime_counters" NONE)
{
    struct weft_runtime_counters counters;

    weft_runtime_counters(NULL, &counters);
}

TEST_ABORTS(no_runtime, the_backend_aborts, "weft_runtime_backend" NONE)
{
    weft_runtime_backend(NULL);
}

TEST_ABORTS(no_runtime, the_number_of_workers_aborts, "weft_runtime_workers" NONE)
{
    weft_runtime_workers(NULL);
}

TEST_ABORTS(no_runtime, pools_abort, "weft_pool_dns" NONE)
{
    weft_pool_dns(NULL);
}

TEST_ABORTS(no_runtime, a_clock_aborts, "weft_clock_set" NONE)
{
    weft_clock_set(NULL, WEFT_CLOCK_STOPPED);
}

TEST_ABORTS(no_runtime, the_instant_of_a_clock_aborts, "weft_clock_now" NONE)
{
    weft_clock_now(NULL);
}

TEST_ABORTS(no_runtime, a_stop_aborts, "weft_runtime_stop: the runtime is NULL")
{
    (void)!weft_runtime_stop(NULL, 0);
}

/* ---- a thread without a runtime polls futures all the same ---- */

struct shared {
    weft_mutex mutex;
    int64_t    n;
};

static void *adds_on_thread(void *arg)
{
    struct shared *shared = arg;
    weft_wait      wait;

    for (int i = 0; i < 1000; i++) {
        check_eq(weft_block_on(NULL, weft_mutex_lock(&wait, &shared->mutex)), 0);
        shared->n++;
        weft_mutex_unlock(&shared->mutex);
    }
    return NULL;
}

struct adds {
    WEFT_FRAME;
    struct {
        struct shared *shared;
    } in;
    weft_wait wait;
    int       i;
};
WEFT_ASYNC(adds)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 1000; self->i++) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &self->in.shared->mutex));
        check_eq(n, 0);
        self->in.shared->n++;
        WEFT_YIELD();
        weft_mutex_unlock(&self->in.shared->mutex);
    }
    WEFT_END(0);
}

Test(no_runtime, threads_and_tasks_share_a_mutex)
{
    weft_runtime *rt = start(2);
    struct shared shared = {.n = 0};
    weft_handle   h[2];
    pthread_t     t[2];

    for (int i = 0; i < 2; i++) {
        check_eq(weft_spawn_on(rt, &h[i], adds, .shared = &shared), 0);
        t[i] = thread(adds_on_thread, &shared);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], NULL);
        check_eq(join(rt, &h[i]), 0);
    }
    check_eq(shared.n, 4000);
    stop(rt);
}

Test(no_runtime, a_thread_joins_a_task)
{
    weft_runtime *rt = start(1);
    struct shared shared = {.n = 0};
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, adds, .shared = &shared), 0);
    check_eq(weft_block_on(NULL, weft_join(&h)), 0);
    stop(rt);
}

struct panics {
    WEFT_FRAME;
    struct {
        int none;
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    check(weft_runtime_current() == NULL);
    weft_panic("on purpose");
    WEFT_END(0);
}

Test(no_runtime, what_needs_one_ends_with_an_error_and_a_panic_is_caught)
{
    struct weft_sleep nap;
    struct panics     p;
    weft_io           io;
    char              byte;

    check_eq(weft_block_on(NULL, weft_sleep(&nap, WEFT_MS(1))), -ENXIO);
    check_eq(weft_block_on(NULL, weft_file_read(&io, 0, &byte, 1, 0)), -ENXIO);
    check_eq(weft_block_on(NULL, weft_async(panics, &p, 0)), -EOWNERDEAD);
}

/* ---- misuse lines name the object, and the task in which it happens ---- */

struct unlocks {
    WEFT_FRAME;
    struct {
        weft_mutex *mutex;
    } in;
};
WEFT_ASYNC(unlocks)
{
    WEFT_BEGIN();
    weft_mutex_unlock(self->in.mutex);
    WEFT_END(0);
}

static void unlock_in_a_task(void)
{
    weft_mutex    mutex = {0};
    weft_runtime *rt = start(1);
    weft_handle   h;

    check_eq(weft_spawn_named(rt, &h, "careless", unlocks, .mutex = &mutex), 0);
    (void)join(rt, &h);
}

TEST_ABORTS(no_runtime, a_lock_names_the_task, "; in task careless, spawned at ")
{
    unlock_in_a_task();
}

TEST_ABORTS(no_runtime, a_lock_names_itself,
            "weft_mutex_unlock: the mutex is not locked (the mutex at 0x")
{
    unlock_in_a_task();
}

TEST_ABORTS(no_runtime, outside_of_tasks_there_is_the_object,
            "weft_rwlock_unlock_read: no reader holds the lock (the rwlock at 0x")
{
    weft_rwlock lock = {0};

    weft_rwlock_unlock_read(&lock);
}

struct twins {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select select;
    struct weft_sleep  nap;
};
WEFT_ASYNC(twins)
{
    int64_t n;

    WEFT_BEGIN();
    weft_sleep(&self->nap, 0);
    WEFT_AWAIT(n, weft_select(&self->select, &self->nap.future, &self->nap.future));
    WEFT_END(n);
}

TEST_ABORTS(no_runtime, a_group_names_the_task, "(weft_sleep; in task twins, spawned at ")
{
    weft_runtime *rt = start(1);
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, twins), 0);
    (void)join(rt, &h);
}
