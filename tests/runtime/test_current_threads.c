/* test_current_threads.c - several threads and one current-thread runtime; stopping it; its rest */
#include "../helpers.h"

#include <sys/resource.h>

static weft_runtime *begin(void)
{
    return start_with(&(weft_config){.current_thread = 1});
}

struct nap {
    WEFT_FRAME;
    struct {
        int64_t     duration;
        atomic_int *began;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(nap)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.began)
        ++*self->in.began;
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.duration));
    WEFT_END(n);
}

/* ---- two threads in weft_block_on ---- */

/* Says which thread polls it, and ends when *enough. */
struct yields {
    WEFT_FRAME;
    struct {
        atomic_int *began, *enough;
        pthread_t  *ran_on; /* at the last poll */
    } in;
};
WEFT_ASYNC(yields)
{
    WEFT_BEGIN();
    ++*self->in.began;
    while (!*self->in.enough)
        WEFT_YIELD();
    *self->in.ran_on = pthread_self();
    WEFT_END(9);
}

typedef struct caller {
    weft_runtime *rt;
    atomic_int    began, enough, returned;
    pthread_t     ran_on, thread;
} caller;

static void *call(void *arg)
{
    caller       *c = arg;
    struct yields frame;

    check_eq(weft_block_on(c->rt, weft_async(yields, &frame, &c->began, &c->enough, &c->ran_on)),
             9);
    c->returned = 1;
    return NULL;
}

static void begin_call(caller *c, weft_runtime *rt)
{
    *c = (caller){.rt = rt};
    check_eq(pthread_create(&c->thread, NULL, call, c), 0);
    while (!c->began)
        sched_yield();
}

static void end_call(caller *c)
{
    c->enough = 1;
    pthread_join(c->thread, NULL);
}

Test(current_threads, whoever_came_first_polls_the_futures_of_both)
{
    weft_runtime *rt = begin();
    caller        first, second;

    begin_call(&first, rt);
    begin_call(&second, rt);
    end_call(&second);
    check(pthread_equal(second.ran_on, first.thread));
    check(!first.returned);
    end_call(&first);
    check(pthread_equal(first.ran_on, first.thread));
    stop(rt);
}

Test(current_threads, when_the_one_that_polls_returns_the_other_goes_on)
{
    weft_runtime *rt = begin();
    caller        first, second;

    begin_call(&first, rt);
    begin_call(&second, rt);
    end_call(&first);
    check(!second.returned);
    end_call(&second);
    check(pthread_equal(second.ran_on, second.thread));
    stop(rt);
}

static void *naps_often(void *arg)
{
    for (int64_t i = test_scaled(300); i > 0; i--) {
        struct weft_sleep nap;

        check_eq(weft_block_on(arg, weft_sleep(&nap, i % 3 * WEFT_US(50))), 0);
    }
    return NULL;
}

Test(current_threads, four_threads_take_turns)
{
    weft_runtime *rt = begin();
    pthread_t     threads[4];

    for (int i = 0; i < 4; i++)
        check_eq(pthread_create(&threads[i], NULL, naps_often, rt), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stop(rt);
}

/* ---- foreign threads ---- */

struct counts {
    WEFT_FRAME;
    struct {
        atomic_int *n;
    } in;
};
WEFT_ASYNC(counts)
{
    WEFT_BEGIN();
    ++*self->in.n;
    WEFT_END(0);
}

static atomic_int n_counted;

static void *spawns_many(void *arg)
{
    for (int64_t i = test_scaled(2000); i > 0; i--)
        check_eq(weft_spawn_on(arg, NULL, counts, &n_counted), 0);
    return NULL;
}

static weft_poll all_poll(weft_future *future, weft_context *cx)
{
    if (n_counted == 3 * test_scaled(2000))
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

Test(current_threads, other_threads_may_spawn_whether_somebody_polls_or_not)
{
    static const weft_future_ops ops = {
        .size = sizeof(weft_future), .name = "all", .poll = all_poll};
    weft_runtime *rt = begin();
    pthread_t     threads[3];
    weft_future   all;

    for (int i = 0; i < 3; i++)
        check_eq(pthread_create(&threads[i], NULL, spawns_many, rt), 0);
    pthread_join(threads[0], NULL); /* a third waits by now */
    weft_future_init(&all, &ops);
    check_eq(weft_block_on(rt, &all), 0);
    for (int i = 1; i < 3; i++)
        pthread_join(threads[i], NULL);
    stop(rt);
}

/* ---- stopping ---- */

Test(current_threads, a_stop_cancels_and_polls_what_is_left)
{
    enum { N = 10 };
    weft_runtime *rt = begin();
    atomic_int    began = 0;
    weft_handle   handle[N];

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &handle[i], nap, WEFT_S(3600), &began), 0);
    stop(rt);
    for (int i = 0; i < N; i++) {
        check(weft_is_finished(&handle[i]));
        weft_detach(&handle[i]);
    }
}

/* Does not end before *enough, cancelled or not. */
struct stubborn {
    WEFT_FRAME;
    struct {
        atomic_int *enough;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(stubborn)
{
    int64_t n = 0;

    WEFT_BEGIN();
    while (!*self->in.enough)
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    WEFT_END(n);
}

Test(current_threads, a_stop_that_runs_out_of_time_names_the_straggler_and_may_be_repeated)
{
    struct lines  log = LINES;
    weft_runtime *rt =
        start_with(&(weft_config){.current_thread = 1, .log = lines_add, .log_arg = &log});
    atomic_int  enough = 0;
    weft_handle handle;

    check_eq(weft_spawn_on(rt, &handle, stubborn, &enough), 0);
    check_eq(weft_runtime_stop(rt, WEFT_MS(30)), -ETIMEDOUT);
    check_str_contains(log.text, "stop: task stubborn (spawned at ");
    check_eq(weft_spawn_on(rt, NULL, counts, &n_counted), -ESHUTDOWN);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    enough = 1;
    check_eq(join(rt, &handle), -ESHUTDOWN); /* its own task is refused */
    stop(rt);
    check(weft_is_finished(&handle));
    weft_detach(&handle);
}

/* ---- at rest ---- */

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * WEFT_S(1) + t.tv_nsec;
}

static int64_t n_switches(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

/* Soon, when the monitor looks no more, and then for 300 ms: hardly any CPU, and only our own
 * context switch. */
static void check_rest(weft_runtime *rt)
{
    struct weft_runtime_counters before, after;
    int64_t                      cpu, switches;

    (void)threads_at_rest("weft-", 300);
    before = counters(rt);
    cpu = cpu_ns();
    switches = n_switches();
    pause_ms(300);
    switches = n_switches() - switches;
    cpu = cpu_ns() - cpu;
    after = counters(rt);
    check_eq(after.reactor_enters, before.reactor_enters);
    check_eq(after.polls, before.polls);
    check_eq(after.parks, before.parks);
    check_eq(after.searches, before.searches);
    check_cmp(switches, <=, 3);
    check_cmp(cpu, <, WEFT_MS(10) * test_slow());
}

Test(current_threads, with_nobody_in_it_a_runtime_with_pending_tasks_uses_no_cpu)
{
    weft_runtime *rt = begin();
    atomic_int    began = 0;
    weft_handle   waits, queued;

    test_skip_under_valgrind("threads that sleep use some there");
    if (TEST_TSAN)
        test_skip("a thread of the sanitizer's runs");
    check_eq(weft_spawn_on(rt, &waits, nap, WEFT_S(3600), &began), 0);
    check_eq(RUN(rt, nap, WEFT_MS(1), NULL), 0);
    check_eq(began, 1);
    check_rest(rt);
    check_eq(weft_spawn_on(rt, &queued, nap, 0, &began), 0); /* ready, but no thread runs it */
    check_rest(rt);
    check_eq(began, 1);
    check_eq(join(rt, &queued), 0);
    weft_cancel(&waits);
    check_eq(join(rt, &waits), -ECANCELED);
    stop(rt);
}

struct calls_on {
    weft_runtime *rt;
    weft_waker    waker;
    atomic_int    waits;
};

/* Keeps a waker and waits for ever, until it is cancelled. */
static struct calls_on parked;

static weft_poll parked_poll(weft_future *future, weft_context *cx)
{
    if (weft_future_is_cancelled(future)) {
        weft_waker_drop(parked.waker);
        return weft_ready(future, -ECANCELED);
    }
    if (parked.waits++ == 0)
        parked.waker = weft_waker_clone(weft_context_waker(cx));
    return WEFT_PENDING;
}

static void parked_cancel(weft_future *future)
{
    (void)future;
}

struct parks {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_future future;
};
WEFT_ASYNC(parks)
{
    static const weft_future_ops ops = {.size = sizeof(weft_future),
                                        .name = "parked",
                                        .poll = parked_poll,
                                        .cancel = parked_cancel};
    int64_t                      n;

    WEFT_BEGIN();
    weft_future_init(&self->future, &ops);
    WEFT_AWAIT(n, &self->future);
    WEFT_END(n);
}

Test(current_threads, a_task_woken_while_nobody_polls_is_polled_by_the_next_who_comes)
{
    weft_runtime *rt = begin();
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, parks, 0), 0);
    check_eq(RUN(rt, nap, 0, NULL), 0);
    check_eq(parked.waits, 1);
    for (int i = 0; i < 3; i++)
        weft_waker_wake_by_ref(&parked.waker);
    check_eq(parked.waits, 1);
    check_eq(RUN(rt, nap, 0, NULL), 0);
    check_eq(RUN(rt, nap, 0, NULL), 0);
    check_eq(parked.waits, 2);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
}
