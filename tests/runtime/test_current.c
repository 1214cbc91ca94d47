/* test_current.c - a current-thread runtime: tasks run on the thread that calls weft_block_on */
#include "../actors.h"
#include "../sockets.h"

static weft_runtime *begin(void)
{
    return start_with(&(weft_config){.current_thread = 1});
}

/* ---- tasks ---- */

struct adds_noting {
    WEFT_FRAME;
    struct {
        int64_t    a, b;
        pthread_t *ran_on;
    } in;
};
WEFT_ASYNC(adds_noting)
{
    WEFT_BEGIN();
    if (self->in.ran_on)
        *self->in.ran_on = pthread_self();
    WEFT_END(self->in.a + self->in.b);
}

struct family {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle child[100];
    int64_t     sum;
    int         i;
};
WEFT_ASYNC(family)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < self->in.n; i++)
        check_eq(weft_spawn(&self->child[i], adds_noting, i, 1, NULL), 0);
    for (self->i = 0; self->i < self->in.n; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->child[self->i]));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

Test(current, tasks_and_their_children_run_on_the_calling_thread)
{
    weft_runtime *rt = begin();
    struct family frame = {.sum = 0};
    pthread_t     ran_on = 0;
    weft_handle   handle;

    check_eq(weft_runtime_workers(rt), 1);
    check_eq(weft_spawn_on(rt, &handle, adds_noting, 30, 4, &ran_on), 0);
    check_eq(join(rt, &handle), 34);
    check(pthread_equal(ran_on, pthread_self()));
    check_eq(weft_block_on(rt, weft_async(family, &frame, 100)), 100 * 99 / 2 + 100);
    stop(rt);
}

struct runs {
    WEFT_FRAME;
    struct {
        atomic_int *ran;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(runs)
{
    int64_t n;

    WEFT_BEGIN();
    ++*self->in.ran;
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

Test(current, tasks_make_no_progress_while_nobody_is_in_block_on)
{
    weft_runtime *rt = begin();
    atomic_int    ran = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, runs, &ran), 0);
    pause_ms(20);
    check_eq(ran, 0);
    check_eq(RUN(rt, sleeps, .duration = WEFT_MS(1)), 0);
    check_eq(ran, 1);
    weft_cancel(&handle);
    pause_ms(20);
    check(!weft_is_finished(&handle));
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
}

Test(current, sleeps_and_limits_end_in_time)
{
    weft_runtime       *rt = begin();
    struct weft_timeout limit;
    struct weft_sleep   nap;
    int64_t             before = weft_now();

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(5))), 0);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_sleep(&nap, WEFT_S(3600)), WEFT_MS(5))),
             -ETIMEDOUT);
    check_cmp(weft_now() - before, >=, WEFT_MS(10));
    stop(rt);
}

Test(current, its_one_worker_can_be_pinned_to)
{
    weft_runtime *rt = begin();
    weft_handle   handle;

    check_eq(weft_spawn_bound(rt, &handle, 1, adds_noting, 1, 2, NULL), -EINVAL);
    check_eq(weft_spawn_bound(rt, &handle, 0, adds_noting, 1, 2, NULL), 0);
    check_eq(join(rt, &handle), 3);
    stop(rt);
}

struct panics {
    WEFT_FRAME;
    struct {
        int polls;
    } in;
    struct counter ticks;
};
WEFT_ASYNC(panics)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->ticks, self->in.polls));
    weft_panic("it hurts");
    WEFT_END(n);
}

Test(current, a_panic_in_a_task_or_in_the_future_itself_gives_eownerdead)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1, .log = weft_log_none});
    struct panics frame;
    weft_handle   handle;

    for (int i = 0; i < 3; i++) {
        check_eq(weft_spawn_on(rt, &handle, panics, i), 0);
        check_eq(join(rt, &handle), -EOWNERDEAD);
        check_str_contains(weft_handle_panic(&handle), "it hurts");
        check_eq(weft_block_on(rt, weft_async(panics, &frame, i)), -EOWNERDEAD);
    }
    check_eq(RUN(rt, adds_noting, 1, 2, NULL), 3);
    stop(rt);
}

struct nested {
    WEFT_FRAME;
    struct {
        weft_runtime *rt;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(nested)
{
    WEFT_BEGIN();
    check_eq(weft_runtime_current(), self->in.rt);
    check_eq(weft_runtime_stop(self->in.rt, 0), -EDEADLK);
    WEFT_END(weft_block_on(self->in.rt, weft_sleep(&self->nap, 0)));
}

Test(current, a_nested_block_on_says_edeadlk)
{
    weft_runtime *rt = begin();
    struct nested frame;

    check_eq(RUN(rt, nested, rt), -EDEADLK);
    check_eq(weft_block_on(rt, weft_async(nested, &frame, rt)), -EDEADLK);
    check(!weft_runtime_current());
    stop(rt);
}

/* ---- what others do for it: the reactor, the pool, foreign threads ---- */

struct serves {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        int            n;
    } in;
    weft_stream *conn;
    weft_io      io;
};
WEFT_ASYNC(serves)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        check_eq(n, 0);
        check_eq(weft_spawn(NULL, echo, self->conn), 0);
    }
    weft_listener_close(self->in.listener);
    WEFT_END(0);
}

struct asks {
    WEFT_FRAME;
    struct {
        const weft_address *address;
        int                 rounds;
    } in;
    weft_stream *conn;
    weft_io      io;
    int          i, got;
};
WEFT_ASYNC(asks)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_connect(&self->io, self->in.address, &self->conn));
    check_eq(n, 0);
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        WEFT_AWAIT(n, weft_write_all(&self->io, self->conn, &self->i, sizeof self->i));
        check_eq(n, sizeof self->i);
        WEFT_AWAIT(n, weft_read_exact(&self->io, self->conn, &self->got, sizeof self->got));
        check_eq(n, sizeof self->got);
        check_eq(self->got, self->i);
    }
    weft_stream_close(self->conn);
    WEFT_END(0);
}

Test(current, streams_echo_between_its_tasks)
{
    enum { N = 5 };
    weft_runtime  *rt = begin();
    weft_address   address;
    weft_listener *listener = listen_on(rt, false, &address);
    weft_handle    server, client[N];

    check_eq(weft_spawn_on(rt, &server, serves, listener, N), 0);
    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &client[i], asks, &address, (int)test_scaled(200)), 0);
    for (int i = 0; i < N; i++)
        check_eq(join(rt, &client[i]), 0);
    check_eq(join(rt, &server), 0);
    stop(rt);
}

struct job {
    pthread_t *ran_on;
};
WEFT_BLOCKING(job)
{
    *self->ran_on = pthread_self();
    return 7;
}

Test(current, blocking_jobs_run_elsewhere)
{
    weft_runtime              *rt = begin();
    pthread_t                  ran_on = pthread_self();
    struct weft_spawn_blocking job;

    check_eq(weft_block_on(rt, weft_spawn_blocking(&job, job, &ran_on)), 7);
    check(!pthread_equal(ran_on, pthread_self()));
    stop(rt);
}

struct sums {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    weft_wait wait;
    int64_t   sum;
    int       value;
};
WEFT_ASYNC(sums)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->sum = 0;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->value));
        if (n < 0)
            break;
        self->sum += self->value;
    }
    check_eq(n, WEFT_EOF);
    WEFT_END(self->sum);
}

static void *send_many(void *arg)
{
    int n = (int)test_scaled(3000);

    for (int i = 1; i <= n; i++)
        while (weft_mpsc_try_send(arg, &i) == -EAGAIN)
            sched_yield();
    weft_mpsc_sender_close(arg);
    return NULL;
}

Test(current, messages_from_other_threads_wake_it)
{
    weft_runtime       *rt = begin();
    int64_t             n = test_scaled(3000);
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;
    pthread_t           threads[3];

    check_eq(weft_mpsc_open(sizeof(int), 8, &to, &from), 0);
    for (int i = 0; i < 3; i++)
        check_eq(pthread_create(&threads[i], NULL, send_many, weft_mpsc_sender_clone(to)), 0);
    weft_mpsc_sender_close(to);
    check_eq(RUN(rt, sums, from), 3 * (n * (n + 1) / 2));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    weft_mpsc_receiver_close(from);
    stop(rt);
}

/* Each call polls something: no other thread polls the tasks of such a runtime. */
Test(current, a_stop_without_patience_that_is_called_again_ends)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1, .log = weft_log_none});
    atomic_int    ran = 0;
    int           r, n_calls = 0;

    for (int i = 0; i < 5; i++)
        check_eq(weft_spawn_on(rt, NULL, runs, &ran), 0);
    while ((r = weft_runtime_stop(rt, 0)) == -ETIMEDOUT)
        check_cmp(++n_calls, <, 1000);
    check_eq(r, 0);
}
