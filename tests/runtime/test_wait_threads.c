/*
 * test_wait_threads.c - every lock and channel, between tasks and plain threads, and at the end
 *
 * A thread without a runtime waits for what a task does, and a task for what such a thread does:
 * tokio#8269, and the blocking_... and set_and_wait_... cases of Tokio's tests. A wait ends with
 * -ECANCELED when its task is cancelled or its runtime stops.
 */
#include "crew.h"
#include "wait_rows.h"

struct awaits {
    WEFT_FRAME;
    struct {
        weft_future *future;
    } in;
};
WEFT_ASYNC(awaits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.future);
    WEFT_END(n);
}

struct calls {
    WEFT_FRAME;
    struct {
        void (*function)(void);
    } in;
};
WEFT_ASYNC(calls)
{
    WEFT_BEGIN();
    self->in.function();
    WEFT_END(0);
}

struct blocked {
    struct watched watched;
    int64_t        result;
};

static void *block(void *arg)
{
    struct blocked *b = arg;

    b->result = weft_block_on(NULL, &b->watched.future);
    return NULL;
}

/* Returns when the wait has been polled. A task of a current-thread runtime is polled meanwhile. */
static void until_polled(weft_runtime *rt, struct watched *watched)
{
    struct weft_sleep nap;

    while (watched->n_polls == 0)
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(100))), 0);
}

static void threads_wait_for_tasks(weft_runtime *rt)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct blocked b = {.result = INT64_MIN};
        pthread_t      blocking;

        watched(&b.watched, rows[i].begin());
        blocking = thread(block, &b);
        until_polled(rt, &b.watched);
        check_eq(RUN(rt, calls, rows[i].trigger), 0);
        pthread_join(blocking, NULL);
        check_eq(b.result, rows[i].result);
        call(rows[i].end);
    }
}

static void *trigger(void *arg)
{
    const struct row *row = arg;

    row->trigger();
    return NULL;
}

static void tasks_wait_for_threads(weft_runtime *rt)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct watched w;
        weft_handle    handle;
        pthread_t      triggering;

        watched(&w, rows[i].begin());
        check_eq(weft_spawn_on(rt, &handle, awaits, &w.future), 0);
        until_polled(rt, &w);
        triggering = thread(trigger, (void *)&rows[i]);
        check_eq(join(rt, &handle), rows[i].result);
        pthread_join(triggering, NULL);
        call(rows[i].end);
    }
}

static void tasks_are_cancelled(weft_runtime *rt)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct watched w;
        weft_handle    handle;

        watched(&w, rows[i].begin());
        check_eq(weft_spawn_on(rt, &handle, awaits, &w.future), 0);
        until_polled(rt, &w);
        weft_cancel(&handle);
        check_eq(join(rt, &handle), -ECANCELED);
        call(rows[i].cancelled);
    }
}

static void each_way(weft_runtime *rt)
{
    threads_wait_for_tasks(rt);
    tasks_wait_for_threads(rt);
    tasks_are_cancelled(rt);
}

Test(wait_threads, wait_for_each_other_and_for_a_current_thread_runtime)
{
    on_current_thread(each_way);
}

Test(wait_threads, wait_for_each_other_and_for_one_worker)
{
    on_workers(1, each_way);
}

Test(wait_threads, wait_for_each_other_and_for_two_workers)
{
    on_workers(2, each_way);
}

Test(wait_threads, wait_for_each_other_and_for_eight_workers)
{
    on_workers(8, each_way);
}

Test(wait_threads, wait_for_each_other_with_a_budget_of_one)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .budget = 1});

    each_way(rt);
    stop(rt);
}

/* Each kind waits when its runtime stops. */
static void expect_a_stop_to_end_them(const weft_config *config)
{
    for (size_t i = 0; i < ROWS; i++) {
        weft_runtime  *rt = start_with(config);
        struct watched w;
        weft_handle    handle;

        watched(&w, rows[i].begin());
        check_eq(weft_spawn_on(rt, &handle, awaits, &w.future), 0);
        until_polled(rt, &w);
        stop(rt);
        check_eq(weft_block_on(NULL, weft_join(&handle)), -ECANCELED);
        call(rows[i].cancelled);
    }
}

Test(wait_threads, end_when_a_current_thread_runtime_stops)
{
    expect_a_stop_to_end_them(&(weft_config){.current_thread = 1});
}

Test(wait_threads, end_when_two_workers_stop)
{
    expect_a_stop_to_end_them(&(weft_config){.workers = 2});
}
