/*
 * tasks.c - tasks and their ends: names, cancelling, panics, groups of futures
 */
#include "expect.h"
#include "greet.h"

/* ---- what tasks do ---- */

struct nothing {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_YIELD(); /* the worker runs its other tasks first */
    WEFT_END(self->in.result);
}

static void say_ended(void *arg)
{
    *(bool *)arg = true;
}

struct patient {
    WEFT_FRAME;
    struct {
        bool *ret_ended;
    } in;
    weft_deferred     deferred;
    struct weft_sleep nap;
};
WEFT_ASYNC(patient)
{
    int64_t n;

    WEFT_BEGIN();
    /* Runs however this function ends. */
    weft_defer(&self->deferred, say_ended, self->in.ret_ended);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    if (WEFT_CANCELLED()) /* cancelled: n is -ECANCELED */
        WEFT_RETURN(n);
    WEFT_END(0);
}

/* Two functions that spawn each other: the second one is announced before its definition. */
struct odd {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle next;
};
struct even {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle next;
};
WEFT_DECLARE(even);

WEFT_ASYNC(odd)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_spawn(&self->next, even, .n = self->in.n - 1);
    if (n == 0)
        WEFT_AWAIT(n, weft_join(&self->next));
    WEFT_END(n);
}

WEFT_ASYNC(even)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.n == 0)
        WEFT_RETURN(1);
    n = weft_spawn(&self->next, odd, .n = self->in.n - 1);
    if (n == 0)
        WEFT_AWAIT(n, weft_join(&self->next));
    WEFT_END(n);
}

struct broken {
    WEFT_FRAME;
    struct {
        int divisor;
    } in;
};
WEFT_ASYNC(broken)
{
    WEFT_BEGIN();
    if (self->in.divisor < 0)
        weft_panic("a negative divisor"); /* ends this task, and no other */
    WEFT_CHECK(self->in.divisor != 0);    /* the same, unless it holds */
    WEFT_END(100 / self->in.divisor);
}

/* ---- spawning and joining ---- */

struct spawns {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle  handle;
    bool         ended;
    struct greet greet;
};
WEFT_ASYNC(spawns)
{
    int64_t n;

    WEFT_BEGIN();
    EXPECT(weft_spawn(&self->handle, nothing, .result = 7) == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == 7 && weft_handle_is_empty(&self->handle));

    EXPECT(weft_spawn(&self->handle, even, .n = 10) == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == 1);

    /* A call of another file's async function: no task of its own, its frame is memory in ours. */
    WEFT_CALL(n, greet, &self->greet, .name = "reader");
    EXPECT(n == 13 && strcmp(self->greet.text, "hello, reader") == 0);

    /* A name for logs and dumps; and a task that only worker 0 polls. */
    EXPECT(weft_spawn_named(NULL, &self->handle, "the seventh", nothing, .result = 7) == 0);
    EXPECT(strcmp(weft_handle_name(&self->handle), "the seventh") == 0);
    weft_detach(&self->handle); /* it runs on, and its result is dropped */
    EXPECT(weft_spawn_bound(NULL, &self->handle, 0, nothing, .result = 8) == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == 8);

    /* Cancelled, and joined. */
    EXPECT(weft_spawn(&self->handle, patient, .ret_ended = &self->ended) == 0);
    EXPECT(!weft_is_finished(&self->handle));
    weft_cancel(&self->handle);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == -ECANCELED);

    EXPECT(weft_spawn(&self->handle, broken, .divisor = 0) == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == -EOWNERDEAD && strstr(weft_handle_panic(&self->handle), "divisor != 0"));
    WEFT_END(0);
}

/* ---- several futures at once ---- */

struct groups {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select   select;
    struct weft_join_all all;
    struct weft_try_join both;
    weft_branch          branch[3];
    struct weft_sleep    nap[3], tick;
    struct nothing       a, b;
    int                  i;
};
WEFT_ASYNC(groups)
{
    int64_t n;

    WEFT_BEGIN();
    /* The first future that ends wins. The other one is cancelled and has ended, too. */
    WEFT_AWAIT(n, weft_select(&self->select, weft_sleep(&self->nap[0], WEFT_S(60)),
                              weft_sleep(&self->nap[1], WEFT_MS(1))));
    EXPECT(n == 1 && weft_future_result(&self->nap[0].future) == -ECANCELED);
    EXPECT(weft_select_undone(&self->select) == 0); /* nothing else completed all the same */

    /* If several are ready together, the first one wins. */
    WEFT_AWAIT(n, weft_select_biased(&self->select, weft_sleep(&self->nap[0], 0),
                                     weft_sleep(&self->nap[1], 0)));
    EXPECT(n == 0);

    /* A branch that is kept stays pending when it loses, for the next round. */
    weft_sleep(&self->tick, WEFT_MS(5));
    for (self->i = 0;; self->i++) {
        WEFT_AWAIT(n, weft_select(&self->select, weft_keep(&self->tick.future),
                                  weft_sleep(&self->nap[0], WEFT_MS(1))));
        if (n == 0)
            break;
    }

    /* Or it is given up: cancelled and polled to its end. */
    weft_sleep(&self->tick, WEFT_S(60));
    WEFT_AWAIT(n, weft_select(&self->select, weft_keep(&self->tick.future),
                              weft_sleep(&self->nap[0], WEFT_MS(1))));
    EXPECT(n == 1);
    WEFT_CANCEL(&self->tick.future);
    EXPECT(weft_future_result(&self->tick.future) == -ECANCELED);

    WEFT_WAIT(weft_sleep(&self->nap[0], WEFT_MS(1))); /* its result is of no interest */

    WEFT_AWAIT(n, weft_join_all(&self->all, weft_async(nothing, &self->a, .result = 1),
                                weft_async(nothing, &self->b, .result = -EIO)));
    EXPECT(n == 0 && weft_future_result(&self->b.weft_frame_.future) == -EIO);

    /* The first error cancels the others and is the result. */
    WEFT_AWAIT(n, weft_try_join(&self->both, weft_async(nothing, &self->b, .result = -EIO),
                                weft_sleep(&self->nap[0], WEFT_S(60))));
    EXPECT(n == -EIO);

    /* Any number of futures: in an array, which stays in place. */
    for (self->i = 0; self->i < 3; self->i++)
        self->branch[self->i].future = weft_sleep(&self->nap[self->i], WEFT_MS(1) * (self->i + 1));
    WEFT_AWAIT(n, weft_select_array(&self->select, self->branch, 3));
    EXPECT(n >= 0 && n < 3);
    for (self->i = 0; self->i < 3; self->i++)
        self->branch[self->i].future = weft_sleep(&self->nap[self->i], WEFT_MS(1));
    WEFT_AWAIT(n, weft_join_all_array(&self->all, self->branch, 3));
    EXPECT(n == 0);
    for (self->i = 0; self->i < 3; self->i++)
        self->branch[self->i].future = weft_sleep(&self->nap[self->i], WEFT_MS(1));
    WEFT_AWAIT(n, weft_try_join_array(&self->both, self->branch, 3));
    WEFT_END(n);
}

struct tasks {
    WEFT_FRAME;
    struct {
    } in;
    struct spawns spawns;
    struct groups groups;
};
WEFT_ASYNC(tasks)
{
    int64_t n;

    WEFT_BEGIN();
    EXPECT(weft_runtime_current() != NULL);
    WEFT_CALL(n, spawns, &self->spawns);
    EXPECT(n == 0);
    WEFT_CALL(n, groups, &self->groups);
    WEFT_END(n);
}

/* ---- the runtime around them ---- */

static void count_lines(void *arg, weft_log_level level, const char *line)
{
    (void)level;
    (void)line;
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

int main(void)
{
    int                          lines = 0;
    const weft_config            config = {.workers = 2, .log = count_lines, .log_arg = &lines};
    struct weft_worker_counters  worker;
    struct weft_runtime_counters counters;
    weft_runtime                *rt;
    weft_handle                  handle;

    if (weft_runtime_start(&config, &rt) < 0)
        return 1;
    EXPECT(weft_runtime_workers(rt) == 2);
    EXPECT(weft_version() / 100 == WEFT_VERSION / 100); /* of the library, and of the headers */
    printf("the reactor waits with %s\n",
           weft_runtime_backend(rt) == WEFT_BACKEND_URING ? "io_uring" : "epoll");
    EXPECT(weft_spawn_on(rt, &handle, tasks) == 0);
    EXPECT(weft_block_on(rt, weft_join(&handle)) == 0);
    weft_runtime_dump(rt); /* a line for each task that is alive: to our log */
    weft_runtime_counters(rt, &counters);
    EXPECT(counters.tasks_spawned >= 5);
    EXPECT(weft_worker_counters(rt, 0, &worker) == 0 && worker.polls <= counters.polls);
    EXPECT(weft_runtime_stop(rt, WEFT_S(5)) == 0);
    EXPECT(lines > 0); /* the panic, at least */

    /* A runtime that logs nothing. */
    EXPECT(weft_runtime_start(&(weft_config){.log = weft_log_none}, &rt) == 0);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}
