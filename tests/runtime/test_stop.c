/*
 * test_stop.c - a stop waits for threads that spawn, and no longer than its time limit
 */
#include "../helpers.h"

#include "executor.h"
#include "visit.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#define WAKERS 16 /* threads */
#define TASKS  256

/* ---- spawning that takes long, in the middle ---- */

static int64_t               n_inside, go, n_ended;
static _Thread_local bool    spawns_slowly;
static const weft_allocator *below;

/* Memory for the child comes when the test says so. */
static void *allocate(void *arg, size_t size)
{
    if (spawns_slowly) {
        add(&n_inside, 1);
        spin_until(&go, 1);
    }
    return below->allocate(arg, size);
}

struct child {
    WEFT_FRAME;
    struct {
        int64_t *ended;
    } in;
    struct weft_shield guard;
    struct weft_sleep  nap;
    char               large[3 << 20]; /* it needs a region of its own */
};
/* Cleans up when it is cancelled, and needs the reactor for that. */
WEFT_ASYNC(child)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_shield(&self->guard, weft_sleep(&self->nap, WEFT_MS(5)), WEFT_S(10)));
    add(self->in.ended, 1);
    WEFT_END(n);
}

static void spawn_slowly(void)
{
    spawns_slowly = true;
    check_eq(weft_spawn(NULL, child, &n_ended), 0);
    spawns_slowly = false;
}

static int64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * WEFT_S(1) + t.tv_nsec;
}

static weft_runtime *start_slow(struct memory *memory)
{
    static weft_allocator hooks;

    n_inside = go = n_ended = 0;
    hooks = memory_hooks(memory);
    below = &hooks;
    return start_with(&(weft_config){
        .workers = 1, .allocator = {allocate, hooks.release, hooks.arg}, .log = weft_log_none});
}

/* How long a stop took that had 50 ms. Other processes may have the CPUs: the best
 * of a few. */
static int64_t shortest_stop(weft_runtime *rt)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 10 && best > WEFT_MS(100); i++) {
        int64_t begin = weft_now(), took;

        check_eq(weft_runtime_stop(rt, WEFT_MS(50)), -ETIMEDOUT);
        took = weft_now() - begin;
        check_cmp(took, >=, WEFT_MS(50));
        best = took < best ? took : best;
    }
    return best;
}

/* The stopping thread waits no longer than its time limit, sleeps meanwhile, and can stop again
 * later. */
static void expect_stop_waits(weft_runtime *rt, const struct memory *memory)
{
    int64_t cpu;

    spin_until(&n_inside, 1);
    cpu = cpu_time();
    check_cmp(shortest_stop(rt), <=, WEFT_MS(100) * test_slow());
    check_cmp(cpu_time() - cpu, <, WEFT_MS(25) * test_slow());
    add(&go, 1);
    stop(rt);
    check_eq(n_ended, 1);
    check_eq(get(&memory->live), 0);
}

struct spawning {
    int none;
};
WEFT_BLOCKING(spawning)
{
    (void)self;
    spawn_slowly();
    return 0;
}

struct runs_job {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(runs_job)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, spawning, 0));
    WEFT_END(n);
}

Test(stop, waits_for_a_job_that_spawns_though_its_task_has_given_it_up)
{
    struct memory memory;
    weft_runtime *rt = start_slow(&memory);

    check_eq(weft_spawn_on(rt, NULL, runs_job), 0);
    expect_stop_waits(rt, &memory);
}

static void *spawn_on(void *rt)
{
    spawns_slowly = true;
    check_eq(weft_spawn_on(rt, NULL, child, &n_ended), 0);
    spawns_slowly = false;
    return NULL;
}

Test(stop, waits_for_a_foreign_thread_that_spawns)
{
    struct memory memory;
    weft_runtime *rt = start_slow(&memory);
    pthread_t     other = thread(spawn_on, rt);

    expect_stop_waits(rt, &memory);
    pthread_join(other, NULL);
}

/* Another executor's waker, which a worker wakes as it ends the last task. */
static weft_waker spawner_clone(void *data);

static void spawner_wake(void *data)
{
    (void)data;
    spawn_slowly();
}

static void spawner_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable spawner_vtable = {spawner_clone, spawner_wake, spawner_wake,
                                                 spawner_drop, NULL};

static weft_waker spawner_clone(void *data)
{
    return (weft_waker){&spawner_vtable, data};
}

struct lasts {
    WEFT_FRAME;
    struct {
        const int64_t *until;
    } in;
};
WEFT_ASYNC(lasts)
{
    WEFT_BEGIN();
    while (!get(self->in.until))
        WEFT_YIELD();
    WEFT_END(7);
}

Test(stop, waits_for_a_foreign_waker_that_spawns_on_a_worker)
{
    struct memory memory;
    weft_runtime *rt = start_slow(&memory);
    weft_waker    waker = {&spawner_vtable, NULL};
    weft_handle   handle;
    weft_context  cx;
    int64_t       until = 0;

    weft_context_init(&cx, &waker, rt);
    check_eq(weft_spawn_on(rt, &handle, lasts, &until), 0);
    check(!weft_poll_is_ready(weft_future_poll(weft_join(&handle), &cx)));
    add(&until, 1);
    spin_until(&n_inside, 1);
    check(weft_poll_is_ready(weft_future_poll(&handle.future_, &cx)));
    expect_stop_waits(rt, &memory);
}

/* ---- tasks that others wake all the time ---- */

static weft_waker waker[TASKS];
static int64_t    n_exposed, done, quit;

struct stays {
    weft_future future;
    int64_t     i;
    bool        told;
};

static weft_poll stays_poll(weft_future *future, weft_context *cx)
{
    struct stays *self = weft_container(future, struct stays, future);

    if (get(&done))
        return weft_ready(future, 0);
    if (!self->told) {
        self->told = true;
        waker[self->i] = weft_waker_clone(weft_context_waker(cx));
        add(&n_exposed, 1);
    }
    return WEFT_PENDING;
}

static void stays_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *stays(struct stays *self, int64_t i)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "stays",
                                        .poll = stays_poll,
                                        .cancel = stays_cancel};

    weft_future_init(&self->future, &ops);
    self->i = i;
    self->told = false;
    return &self->future;
}

struct staying {
    WEFT_FRAME;
    struct {
        int64_t i;
    } in;
    struct stays stays;
};
WEFT_ASYNC(staying)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, stays(&self->stays, self->in.i));
    WEFT_END(n);
}

static void *wake_all(void *arg)
{
    (void)arg;
    while (!get(&quit))
        for (int i = 0; i < TASKS; i++)
            weft_waker_wake_by_ref(&waker[i]);
    return NULL;
}

static void expect_patience(int64_t workers)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = workers, .log = weft_log_none});
    pthread_t     threads[WAKERS];

    n_exposed = done = quit = 0;
    for (int i = 0; i < TASKS; i++)
        check_eq(weft_spawn_on(rt, NULL, staying, i), 0);
    spin_until(&n_exposed, TASKS);
    for (int i = 0; i < WAKERS; i++)
        threads[i] = thread(wake_all, NULL);
    check_cmp(shortest_stop(rt), <=, WEFT_MS(100) * test_slow());
    add(&done, 1);
    stop(rt); /* they are woken still */
    add(&quit, 1);
    for (int i = 0; i < WAKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < TASKS; i++)
        weft_waker_drop(waker[i]);
}

Test(stop, holds_its_patience_while_others_wake_the_tasks_of_one_worker)
{
    expect_patience(1);
}

Test(stop, holds_its_patience_while_others_wake_the_tasks_of_two_workers)
{
    expect_patience(2);
}

/* ---- sleeps of other executors ---- */

static const char unfinished[] = "stop: sleeps of other executors are under way: 1";

Test(stop, waits_for_the_sleep_of_another_executor_until_it_is_cancelled)
{
    struct lines      lines = LINES;
    weft_runtime     *rt;
    struct hand       hand;
    struct weft_sleep nap;

    rt = start_with(&(weft_config){.workers = 2, .log = lines_add, .log_arg = &lines});
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_S(1000))));
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_str_contains(lines.text, unfinished);
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
    stop(rt);
}

static void await_wake(const struct hand *hand)
{
    while (!__atomic_load_n(&hand->woken, __ATOMIC_ACQUIRE))
        sched_yield();
}

/* Until then its owner may come to the wheel at any time. */
Test(stop, waits_for_the_sleep_of_another_executor_until_its_end_is_seen)
{
    weft_runtime     *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, rt);
    weft_clock_set(rt, WEFT_CLOCK_STOPPED); /* or a slow machine's is over at the first poll */
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_MS(2))));
    check_eq(weft_clock_advance(rt, WEFT_S(1)), 0);
    await_wake(&hand);
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_eq(hand_run(&hand, &nap.future), 0);
    stop(rt);
}

Test(stop, waits_for_a_sleep_that_was_reset_as_long_as_it_is_under_way)
{
    weft_runtime     *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    struct hand       hand;
    struct weft_sleep nap;

    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_sleep(&nap, WEFT_S(1000))));
    weft_sleep_reset(&nap, weft_now() + WEFT_MS(2));
    await_wake(&hand);
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    weft_sleep_reset(&nap, weft_now() + WEFT_S(1000)); /* it has fired: unarmed */
    stop(rt);
    check_eq(hand_cancel(&hand, &nap.future), -ECANCELED);
}

/* ---- jobs of other executors ---- */

struct returns_seven {
    int unused;
};
WEFT_BLOCKING(returns_seven)
{
    (void)self;
    return 7;
}

/* Until then the future may look into the runtime at any time. */
Test(stop, waits_for_the_job_of_another_executor_until_its_end_is_seen)
{
    struct lines               lines = LINES;
    struct memory              memory;
    weft_runtime              *rt;
    struct hand                hand;
    struct weft_spawn_blocking job;

    rt = start_with(&(weft_config){
        .workers = 1, .allocator = memory_hooks(&memory), .log = lines_add, .log_arg = &lines});
    hand_init(&hand, rt);
    check(!hand_poll(&hand, weft_spawn_blocking(&job, returns_seven, 0)));
    await_wake(&hand);
    check_eq(weft_runtime_stop(rt, WEFT_MS(5)), -ETIMEDOUT);
    check_str_contains(lines.text, "stop: blocking jobs of other executors have ended: 1");
    check_eq(hand_run(&hand, &job.future), 7);
    stop(rt);
    check_eq(memory.live, 0);
}

/* ---- what it says meanwhile ---- */

static void *stop_for_ever(void *rt)
{
    check_eq(weft_runtime_stop(rt, WEFT_FOREVER), 0);
    return NULL;
}

/* Stops without a time limit, until the log says what the stop waits for. */
static void expect_said(struct hand *hand, struct lines *lines, weft_future *future,
                        const char *said)
{
    pthread_t t;

    check(!hand_poll(hand, future));
    t = thread(stop_for_ever, hand->rt);
    EVENTUALLY(lines_count(lines) == 1);
    check_str_contains(lines->text, said);
    check(!weft_poll_is_ready(weft_future_cancel(future)));
    while (!hand_poll(hand, future))
        await_wake(hand);
    pthread_join(t, NULL);
}

static void start_to_be_stopped(struct hand *hand, struct lines *lines)
{
    hand_init(hand, start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = lines}));
    lines_clear(lines); /* a start without a ring has said so */
}

Test(stop, without_a_time_limit_says_after_a_second_what_of_other_executors_it_waits_for)
{
    struct lines               lines = LINES;
    struct hand                hand;
    struct weft_sleep          nap;
    struct weft_spawn_blocking job;
    weft_io                    io;
    int                        fd[2];

    start_to_be_stopped(&hand, &lines);
    expect_said(&hand, &lines, weft_sleep(&nap, WEFT_S(1000)), unfinished);
    start_to_be_stopped(&hand, &lines);
    expect_said(&hand, &lines, weft_spawn_blocking(&job, returns_seven, 0),
                "stop: blocking jobs of other executors have ended: 1");
    check_eq(pipe(fd), 0);
    start_to_be_stopped(&hand, &lines);
    expect_said(&hand, &lines, weft_fd_ready(&io, fd[0], POLLIN),
                "stop: operations of other executors are under way: 1");
    close(fd[0]);
    close(fd[1]);
}

/* ---- calls while it stops ---- */

/* Stays pending until the test ends it, however often it is cancelled. */
static weft_poll linger_poll(weft_future *future, weft_context *cx)
{
    if (get(&go) == 2)
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static void linger_cancel(weft_future *future)
{
    (void)future;
}

struct lingers {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_future future;
};
WEFT_ASYNC(lingers)
{
    static const weft_future_ops ops = {sizeof(weft_future), WEFT_FUTURE_DRAINS, "linger",
                                        linger_poll, linger_cancel};
    int64_t                      n;

    WEFT_BEGIN();
    weft_future_init(&self->future, &ops);
    add(&n_inside, 1);
    WEFT_AWAIT(n, &self->future);
    WEFT_END(n);
}

Test(stop, lets_no_pool_be_opened_that_it_would_not_end)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = NULL;

    check_eq(weft_spawn_on(rt, NULL, lingers, 0), 0);
    spin_until(&n_inside, 1);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    check_eq(weft_pool_open(rt, &(weft_pool_config){.threads = 1}, &pool), -ESHUTDOWN);
    check_eq(pool, NULL);
    add(&go, 2);
    stop(rt);
}

static wf_executor *executor_of;

/* The last line of a stop: a stream was left open. A thread is in the middle of a spawn by then. */
static void log_that_visits(void *arg, weft_log_level level, const char *line)
{
    (void)arg, (void)level;
    if (strstr(line, "have not been closed"))
        executor_of->visitors += WF_VISITOR;
}

TEST_ABORTS(stop, tells_of_a_thread_that_still_uses_what_is_freed,
            "a thread still uses the runtime")
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = log_that_visits});
    weft_stream  *stream;
    int           fd[2];

    executor_of = rt->executor;
    check_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    check_eq(weft_stream_adopt(rt, fd[0], &stream), 0);
    stop(rt);
}
