/* test_spawn.c - tasks and their handles: joining, detaching, cancelling */
#include "../actors.h"

/* Waits for ever; *ran says that it began. */
struct waits {
    WEFT_FRAME;
    struct {
        int64_t *ran;
        int64_t  answer; /* if it is cancelled */
    } in;
    struct event event;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    WEFT_AWAIT(n, event(&self->event));
    WEFT_END(n == -ECANCELED && self->in.answer ? self->in.answer : n);
}

Test(spawn, runs_the_task_with_its_arguments_and_a_join_answers_its_result)
{
    weft_runtime *rt = start(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, adds, .b = 30, .a = 4), 0);
    check_eq(join(rt, &handle), 34);
    stop(rt);
}

struct counts {
    WEFT_FRAME;
    struct {
        int max;
    } in;
    struct counter counter;
};
WEFT_ASYNC(counts)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, self->in.max));
    WEFT_END(n);
}

Test(spawn, polls_a_future_written_by_the_user_as_often_as_it_asks_for)
{
    weft_runtime                *rt = start(1);
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_spawn_on(rt, &handle, counts, .max = 100), 0);
    check_eq(join(rt, &handle), 100);
    weft_runtime_counters(rt, &counters);
    check_eq(counters.polls, 101);
    stop(rt);
}

struct parent {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle child;
    int         i;
    int64_t     sum;
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (self->i = 0; self->i < self->in.n; self->i++) {
        check_eq(weft_spawn(&self->child, adds, self->i, 1), 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

Test(spawn, from_inside_a_task_uses_its_runtime)
{
    weft_runtime *rt = start(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, parent, .n = 1000), 0);
    check_eq(join(rt, &handle), 1000 * 999 / 2 + 1000);
    stop(rt);
}

Test(spawn, without_a_runtime_says_enxio_and_leaves_the_handle_alone)
{
    weft_handle handle = {.task_ = NULL};

    check_eq(weft_spawn(&handle, adds, 1, 2), -ENXIO);
    check(!handle.task_);
}

Test(spawn, detached_by_a_null_handle_runs_all_the_same)
{
    weft_runtime *rt = start(1);
    int64_t       ran = 0;

    check_eq(weft_spawn_on(rt, NULL, waits, .ran = &ran), 0);
    spin_until(&ran, 1);
    stop(rt);
}

Test(spawn, detach_lets_the_task_run_on)
{
    weft_runtime *rt = start(1);
    int64_t       until = 0, started = 0, ran = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, NULL, blocks, &until, 1, &started), 0);
    spin_until(&started, 1);
    check_eq(weft_spawn_on(rt, &handle, waits, .ran = &ran), 0);
    weft_detach(&handle); /* before it began */
    add(&until, 1);
    spin_until(&ran, 1);
    stop(rt);
}

TEST_ABORTS(spawn, a_second_join_of_a_handle_aborts, "the handle is empty")
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, adds, 1, 2), 0);
    check_eq(join(rt, &handle), 3);
    weft_join(&handle);
}

TEST_ABORTS(spawn, a_cancel_by_a_detached_handle_aborts, "weft_cancel: the handle is empty")
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, adds, 1, 2), 0);
    weft_detach(&handle);
    weft_cancel(&handle);
}

/* Begins to join a task that waits for ever. */
static void begin_join(weft_runtime *rt, weft_handle *handle)
{
    static int64_t ran;
    weft_waker     noop = weft_waker_noop();
    weft_context   cx;

    check_eq(weft_spawn_on(rt, handle, waits, .ran = &ran), 0);
    weft_context_init(&cx, &noop, rt);
    check(!weft_poll_is_ready(weft_future_poll(weft_join(handle), &cx)));
}

TEST_ABORTS(spawn, a_join_beside_a_pending_one_aborts, "another join of the task is pending")
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    begin_join(rt, &handle);
    join(rt, &handle);
}

TEST_ABORTS(spawn, a_join_by_a_copy_of_the_handle_aborts, "another join of the task is pending")
{
    weft_runtime *rt = start(1);
    weft_handle   handle, copy;

    begin_join(rt, &handle);
    copy = handle;
    join(rt, &copy);
}

TEST_ABORTS(spawn, a_detach_beside_a_pending_join_aborts, "weft_detach: a join of the task is")
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    begin_join(rt, &handle);
    weft_detach(&handle);
}

Test(spawn, cancel_before_the_task_starts_lets_it_clean_up_and_ends_its_awaits)
{
    weft_runtime *rt = start(1);
    int64_t       until = 0, started = 0, ran = 0;
    weft_handle   hogs, handle;

    check_eq(weft_spawn_on(rt, &hogs, blocks, &until, 1, &started), 0);
    spin_until(&started, 1);
    check_eq(weft_spawn_on(rt, &handle, waits, .ran = &ran), 0);
    weft_cancel(&handle);
    add(&until, 1);
    check_eq(join(rt, &handle), -ECANCELED);
    check_eq(get(&ran), 1);
    check_eq(join(rt, &hogs), 0);
    stop(rt);
}

Test(spawn, cancel_ends_the_await_and_the_body_decides_the_result)
{
    weft_runtime *rt = start(1);
    int64_t       ran = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, waits, &ran, .answer = 99), 0);
    spin_until(&ran, 1);
    check(!weft_is_finished(&handle));
    weft_cancel(&handle);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 99);
    stop(rt);
}

Test(spawn, cancel_of_a_task_that_has_ended_changes_nothing)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, adds, 1, 2), 0);
    while (!weft_is_finished(&handle))
        sched_yield();
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 3);
    stop(rt);
}

static void *cancel_often(void *arg)
{
    for (int i = 0; i < 100; i++)
        weft_cancel(arg);
    return NULL;
}

Test(spawn, cancel_by_two_threads_at_once_ends_the_task_once_and_the_handle_stays)
{
    weft_runtime *rt = start(2);

    for (int64_t round = test_scaled(300); round > 0; round--) {
        int64_t     ran = 0, got;
        weft_handle handle;
        pthread_t   threads[2];

        check_eq(weft_spawn_on(rt, &handle, waits, &ran, .answer = 6), 0);
        for (int i = 0; i < 2; i++)
            threads[i] = thread(cancel_often, &handle);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        got = join(rt, &handle);
        check_eq(got, get(&ran) ? 6 : -ECANCELED);
    }
    stop(rt);
}

/* Retries what can't succeed under a cancel until *in.enough. */
struct retries {
    WEFT_FRAME;
    struct {
        int64_t *tries, *enough;
    } in;
    struct event event;
};
WEFT_ASYNC(retries)
{
    int64_t n;

    WEFT_BEGIN();
    while (!get(self->in.enough)) {
        WEFT_AWAIT(n, event(&self->event));
        check_eq(n, -ECANCELED);
        add(self->in.tries, 1);
    }
    WEFT_END(0);
}

Test(spawn, cancel_of_a_task_that_retries_for_ever_leaves_the_worker_to_others)
{
    weft_runtime *rt = start(1);
    int64_t       tries = 0, enough = 0;
    weft_handle   stubborn, other;

    check_eq(weft_spawn_on(rt, &stubborn, retries, &tries, &enough), 0);
    weft_cancel(&stubborn);
    check_eq(weft_spawn_on(rt, &other, parent, .n = 100), 0);
    check_eq(join(rt, &other), 100 * 99 / 2 + 100);
    add(&enough, 1);
    weft_detach(&stubborn);
    stop(rt);
}

/* Joins *in.handle, and is cancelled while it waits. */
struct joins {
    WEFT_FRAME;
    struct {
        weft_handle *handle;
        int64_t     *ran;
    } in;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.ran, 1);
    WEFT_AWAIT(n, weft_join(self->in.handle));
    WEFT_END(n);
}

Test(spawn, join_that_is_cancelled_leaves_the_handle_and_its_task_as_they_were)
{
    weft_runtime *rt = start(2);
    int64_t       ran = 0;
    weft_handle   task, joiner;

    check_eq(weft_spawn_on(rt, &task, waits, &ran, .answer = 5), 0);
    check_eq(weft_spawn_on(rt, &joiner, joins, &task, &ran), 0);
    spin_until(&ran, 2);
    weft_cancel(&joiner);
    check_eq(join(rt, &joiner), -ECANCELED);
    check(!weft_is_finished(&task));
    weft_cancel(&task);
    check_eq(join(rt, &task), 5);
    stop(rt);
}

Test(spawn, join_may_be_cancelled_at_any_moment_while_the_task_ends)
{
    weft_runtime *rt = start(2);

    for (int64_t i = test_scaled(3000); i > 0; i--) {
        weft_handle task, joiner;
        int64_t     ran = 0, got;

        check_eq(weft_spawn_on(rt, &task, adds, 1, 2), 0);
        check_eq(weft_spawn_on(rt, &joiner, joins, &task, &ran), 0);
        weft_cancel(&joiner);
        got = join(rt, &joiner);
        check(got == 3 || got == -ECANCELED);
        if (got == -ECANCELED)
            check_eq(join(rt, &task), 3);
    }
    stop(rt);
}

Test(spawn, handle_may_be_used_after_the_runtime_has_stopped)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    weft_runtime *other = start(1);
    weft_handle   ended, cancelled;
    int64_t       ran = 0;

    check_eq(weft_spawn_on(rt, &ended, adds, 1, 2), 0);
    check_eq(weft_spawn_on(rt, &cancelled, waits, &ran, .answer = 77), 0);
    spin_until(&ran, 1);
    stop(rt);
    check(weft_is_finished(&ended) && weft_is_finished(&cancelled));
    weft_cancel(&ended);
    check_eq(join(other, &cancelled), 77);
    weft_detach(&ended);
    check_eq(memory.live, 0);
    stop(other);
}

Test(spawn, handle_may_be_joined_from_another_runtime)
{
    weft_runtime *one = start(1), *two = start(1);
    weft_handle   task, joiner;
    int64_t       ran = 0;

    check_eq(weft_spawn_on(one, &task, counts, .max = 1000), 0);
    check_eq(weft_spawn_on(two, &joiner, joins, &task, &ran), 0);
    check_eq(join(one, &joiner), 1000);
    stop(one);
    stop(two);
}
