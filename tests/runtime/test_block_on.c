/* test_block_on.c - the bridge from plain threads to futures */
#include "../helpers.h"

static int64_t block_on_here(weft_runtime *rt)
{
    struct counter c;

    return weft_block_on(rt, counter(&c, 3));
}

Test(block_on, polls_until_ready_and_answers_the_result)
{
    weft_runtime *rt = start(1);
    struct event  e;

    check_eq(block_on_here(rt), 3);
    check_eq(weft_block_on(rt, at_once(&e, -EIO)), -EIO);
    stop(rt);
}

Test(block_on, leaves_no_waker_and_no_memory_behind)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    int64_t       live = get(&memory.live);

    check_eq(block_on_here(rt), 3);
    check_eq(get(&memory.live), live);
    stop(rt);
}

struct told {
    weft_future   future;
    weft_runtime *rt;
    weft_context *cx;
    int64_t       nested;
};

/* Looks around inside a poll. */
static weft_poll look(weft_future *future, weft_context *cx)
{
    struct told *self = weft_container(future, struct told, future);

    self->rt = weft_runtime_current();
    check(cx->runtime == self->rt);
    check_eq(cx->budget, 33);
    self->nested = block_on_here(self->rt);
    return weft_ready(future, 0);
}

static weft_future *looks(struct told *self)
{
    static const weft_future_ops ops = {.size = sizeof *self, .name = "looks", .poll = look};

    weft_future_init(&self->future, &ops);
    return &self->future;
}

Test(block_on, lends_its_runtime_and_budget_to_the_thread_for_the_call)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .budget = 33});
    struct told   told;

    check(!weft_runtime_current());
    check_eq(weft_block_on(rt, looks(&told)), 0);
    check(told.rt == rt);
    check_eq(told.nested, 3); /* a plain thread may wait while it waits */
    check(!weft_runtime_current());
    stop(rt);
}

struct nests {
    WEFT_FRAME;
    struct {
        weft_runtime *rt;
    } in;
    struct counter counter;
};
WEFT_ASYNC(nests)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_block_on(self->in.rt, counter(&self->counter, 1));
    check_eq(self->counter.count, 0); /* the future is unpolled, */
    check_eq(self->counter.future.result, WEFT_UNPOLLED_);
    WEFT_END(n);
}

Test(block_on, in_a_task_is_refused_and_leaves_the_future_unpolled)
{
    weft_runtime *rt = start(1), *other = start(1);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, nests, rt), 0);
    check_eq(join(rt, &handle), -EDEADLK);
    check_eq(weft_spawn_on(rt, &handle, nests, other), 0);
    check_eq(join(rt, &handle), -EDEADLK); /* it would stall a worker all the same */
    stop(rt);
    stop(other);
}

struct receives {
    weft_runtime          *rt;
    weft_oneshot_receiver *receiver;
    int64_t                result;
    int                    got;
};

static void *receive(void *arg)
{
    struct receives *r = arg;
    weft_wait        wait;

    r->result = weft_block_on(r->rt, weft_oneshot_receive(&wait, r->receiver, &r->got));
    weft_oneshot_receiver_close(r->receiver);
    return NULL;
}

Test(block_on, sleeps_in_many_threads_at_once_until_each_is_woken)
{
    enum { N = 8 };
    weft_runtime        *rt = start(1);
    weft_oneshot_sender *sender[N];
    struct receives      r[N];
    pthread_t            threads[N];

    for (int i = 0; i < N; i++) {
        r[i] = (struct receives){.rt = rt};
        check_eq(weft_oneshot_open(sizeof i, &sender[i], &r[i].receiver), 0);
        threads[i] = thread(receive, &r[i]);
    }
    for (int i = N - 1; i >= 0; i--)
        check_eq(weft_oneshot_send(sender[i], &i), 0);
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        check_eq(r[i].result, 0);
        check_eq(r[i].got, i);
    }
    stop(rt);
}

Test(block_on, awaits_a_select_although_its_waker_is_no_task)
{
    weft_runtime          *rt = start(1);
    weft_oneshot_receiver *receiver[2];
    weft_oneshot_sender   *sender[2];
    weft_wait              wait[2];
    struct weft_select     sel;
    int                    got[2] = {0}, sent = 5;

    for (int i = 0; i < 2; i++)
        check_eq(weft_oneshot_open(sizeof sent, &sender[i], &receiver[i]), 0);
    check_eq(weft_oneshot_send(sender[1], &sent), 0);
    check_eq(
        weft_block_on(rt, weft_select(&sel, weft_oneshot_receive(&wait[0], receiver[0], &got[0]),
                                      weft_oneshot_receive(&wait[1], receiver[1], &got[1]))),
        1);
    check_eq(got[1], 5);
    weft_oneshot_sender_close(sender[0]);
    for (int i = 0; i < 2; i++)
        weft_oneshot_receiver_close(receiver[i]);
    stop(rt);
}

Test(block_on, says_enomem_and_leaves_the_future_alone)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    struct counter c;

    __atomic_store_n(&memory.fail_at, get(&memory.n) + 1, __ATOMIC_RELEASE);
    check_eq(weft_block_on(rt, counter(&c, 3)), -ENOMEM);
    check_eq(weft_block_on(rt, &c.future), 3);
    stop(rt);
}

/* ---- beside a stop ---- */

/* A future that says when it is polled, and waits for a promise. */
typedef struct waits {
    weft_future   future;
    weft_wait     wait;
    weft_promise  promise;
    weft_runtime *rt;
    int64_t       n_polls;
} waits;

static weft_poll waits_poll(weft_future *future, weft_context *cx)
{
    waits *w = weft_container(future, waits, future);

    if (w->n_polls == 0)
        weft_promise_get(&w->wait, &w->promise);
    add(&w->n_polls, 1);
    if (!weft_poll_is_ready(weft_future_poll(&w->wait.future, cx)))
        return WEFT_PENDING;
    return weft_ready(future, w->wait.future.result);
}

static void *block_on_promise(void *arg)
{
    static const weft_future_ops ops = {.size = sizeof(waits), .name = "waits", .poll = waits_poll};
    waits                       *w = arg;

    weft_future_init(&w->future, &ops);
    check_eq(weft_block_on(w->rt, &w->future), 7);
    return NULL;
}

Test(block_on, a_stop_waits_for_threads_in_it_and_names_them)
{
    struct lines lines = LINES;
    waits w = {.rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines})};
    pthread_t t = thread(block_on_promise, &w);

    EVENTUALLY(get(&w.n_polls) == 1);
    check_eq(weft_runtime_stop(w.rt, WEFT_MS(5)), -ETIMEDOUT);
    check_str_contains(lines.text, "stop: threads are in weft_block_on with the runtime: 1;");
    check_eq(weft_promise_complete(&w.promise, 7), 0);
    stop(w.rt);
    pthread_join(t, NULL);
}

/* Stops the runtime of an outer call, from a call with another runtime. */
typedef struct nested {
    weft_future   future;
    weft_runtime *outer, *inner;
    int64_t       result;
} nested;

static weft_poll stop_outer_poll(weft_future *future, weft_context *cx)
{
    nested *n = weft_container(future, nested, future);

    (void)cx;
    n->result = weft_runtime_stop(n->outer, WEFT_FOREVER);
    return weft_ready(future, 0);
}

static weft_poll block_inside_poll(weft_future *future, weft_context *cx)
{
    static const weft_future_ops ops = {
        .size = sizeof(nested), .name = "stops outer", .poll = stop_outer_poll};
    nested *n = weft_container(future, nested, future);
    nested  below = {.outer = n->outer};

    (void)cx;
    weft_future_init(&below.future, &ops);
    check_eq(weft_block_on(n->inner, &below.future), 0);
    n->result = below.result;
    return weft_ready(future, 0);
}

Test(block_on, a_stop_from_within_is_refused_also_behind_another_runtime)
{
    static const weft_future_ops ops = {
        .size = sizeof(nested), .name = "blocks inside", .poll = block_inside_poll};
    nested n = {.outer = start(1), .inner = start(1)};

    weft_future_init(&n.future, &ops);
    check_eq(weft_block_on(n.outer, &n.future), 0);
    check_eq(n.result, -EDEADLK);
    stop(n.outer);
    stop(n.inner);
}

/* Such a call is a task, which the stop cancels. */
static void *block_as_worker(void *arg)
{
    waits            *w = arg;
    struct weft_sleep nap;

    add(&w->n_polls, 1);
    check_eq(weft_block_on(w->rt, weft_sleep(&nap, WEFT_S(1000))), -ECANCELED);
    return NULL;
}

Test(block_on, a_stop_waits_for_the_thread_that_polls_a_current_thread_runtime)
{
    for (int i = 0; i < 20; i++) {
        waits     w = {.rt = start_with(&(weft_config){.current_thread = 1})};
        pthread_t t = thread(block_as_worker, &w);

        EVENTUALLY(get(&w.n_polls) == 1 && counters(w.rt).timers_armed > 0);
        stop(w.rt);
        pthread_join(t, NULL);
    }
}
