/*
 * test_cancel_task.c - cancelling a task from another thread, and by a handle that is given up
 *
 * The cases are those of Tokio's task_abort.rs and abort_on_drop.rs, by their behaviour.
 */
#include "crew.h"

/* What the test sees of a task that sleeps for an hour. */
struct seen {
    int64_t began, ended;
};

static void has_ended(void *arg)
{
    add(&((struct seen *)arg)->ended, 1);
}

static void has_ended_badly(void *arg)
{
    has_ended(arg);
    weft_panic("in a deferred call");
}

struct lingers {
    WEFT_FRAME;
    struct {
        struct seen *seen;
        bool         panics; /* when it is cancelled */
    } in;
    weft_deferred     end;
    struct weft_sleep nap;
};
WEFT_ASYNC(lingers)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->end, self->in.panics ? has_ended_badly : has_ended, self->in.seen);
    add(&self->in.seen->began, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

/* Returns when the flag is set. Tasks of a current-thread runtime are polled meanwhile. */
static void until_set(weft_runtime *rt, const int64_t *flag)
{
    struct weft_sleep nap;

    while (get(flag) == 0)
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(100))), 0);
}

static weft_handle begin(weft_runtime *rt, struct seen *seen, bool panics)
{
    weft_handle handle;

    *seen = (struct seen){0};
    check_eq(weft_spawn_on(rt, &handle, lingers, seen, panics), 0);
    until_set(rt, &seen->began);
    return handle;
}

/* ---- tokio#3157, #3964: a task that sleeps, and a handle that nothing waits for any more ---- */

static void cancels_and_joins(weft_runtime *rt)
{
    struct seen seen;
    weft_handle handle = begin(rt, &seen, false);

    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    check_eq(seen.ended, 1);
}

static void cancels_and_detaches(weft_runtime *rt)
{
    struct seen seen;
    weft_handle handle = begin(rt, &seen, false);

    weft_cancel(&handle);
    weft_detach(&handle);
    until_set(rt, &seen.ended);
}

/* The task goes on until the runtime stops. */
static void detaches_and_leaves_it_alone(weft_runtime *rt)
{
    static struct seen seen;
    weft_handle        handle = begin(rt, &seen, false);
    struct weft_sleep  nap;

    weft_detach(&handle);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(5))), 0);
    check_eq(get(&seen.ended), 0);
}

/* ---- tokio#3662, #3929: from a thread that is none of the runtime's ---- */

static void *cancel(void *handle)
{
    weft_cancel(handle);
    return NULL;
}

static void is_cancelled_by_a_thread(weft_runtime *rt)
{
    struct seen seen;
    weft_handle handle = begin(rt, &seen, false);
    pthread_t   t = thread(cancel, &handle);

    pthread_join(t, NULL);
    check_eq(join(rt, &handle), -ECANCELED);
    check_eq(seen.ended, 1);
}

/* ---- a panic in what runs when the task is cancelled ---- */

static void panics_and_is_joined(weft_runtime *rt)
{
    struct seen seen;
    weft_handle handle = begin(rt, &seen, true);

    weft_cancel(&handle);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), "in a deferred call");
    check_eq(seen.ended, 1);
}

static void panics_and_is_detached(weft_runtime *rt)
{
    struct seen seen;
    weft_handle handle = begin(rt, &seen, true);

    weft_cancel(&handle);
    weft_detach(&handle);
    until_set(rt, &seen.ended);
    cancels_and_joins(rt); /* the runtime goes on */
}

static void all(weft_runtime *rt)
{
    cancels_and_joins(rt);
    cancels_and_detaches(rt);
    detaches_and_leaves_it_alone(rt);
    is_cancelled_by_a_thread(rt);
    panics_and_is_joined(rt);
    panics_and_is_detached(rt);
}

Test(cancel_task, ends_it_on_a_current_thread)
{
    on_current_thread(all);
}

Test(cancel_task, ends_it_on_one_worker)
{
    on_workers(1, all);
}

Test(cancel_task, ends_it_on_two_workers)
{
    on_workers(2, all);
}

Test(cancel_task, ends_it_on_eight_workers)
{
    on_workers(8, all);
}
