/* test_tasks.c - names, bound tasks, joins in place, and counters */
#include "../actors.h"

/* ---- small tasks ---- */

struct waits {
    WEFT_FRAME;
    struct {
        int64_t *began;
    } in;
    struct event event;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.began)
        add(self->in.began, 1);
    WEFT_AWAIT(n, event(&self->event));
    WEFT_END(n);
}

static weft_runtime *start_logging(int64_t workers, struct lines *lines)
{
    *lines = (struct lines)LINES;
    return start_with(&(weft_config){.workers = workers, .log = lines_add, .log_arg = lines});
}

/* ---- names ---- */

Test(tasks, have_the_name_of_their_function_unless_they_are_given_one)
{
    weft_runtime *rt = start(1);
    weft_handle   plain, named;

    check_eq(weft_spawn_on(rt, &plain, returns, 1), 0);
    check_eq(weft_spawn_named(rt, &named, "the answer", returns, 42), 0);
    check_str_eq(weft_handle_name(&plain), "returns");
    check_str_eq(weft_handle_name(&named), "the answer");
    check_eq(join(rt, &plain), 1);
    while (!weft_is_finished(&named))
        sched_yield();
    check_str_eq(weft_handle_name(&named), "the answer");
    check_eq(join(rt, &named), 42);
    stop(rt);
}

Test(tasks, a_dump_has_name_place_and_what_is_awaited)
{
    struct lines  lines = LINES;
    weft_runtime *rt = start_logging(1, &lines);
    int64_t       began = 0;
    weft_handle   handle[2];
    char          at[64];

    check_eq(weft_spawn_named(rt, &handle[0], "patient", waits, &began), 0);
    snprintf(at, sizeof at, "test_tasks.c:%d), awaiting event\n", __LINE__ - 1);
    check_eq(weft_spawn_on(rt, &handle[1], waits, &began), 0);
    spin_until(&began, 2);
    do /* until both have come to rest */
        lines_dump_until(&lines, rt, "task patient (spawned at ");
    while (!strstr(lines.text, at) || !strstr(lines.text, "task waits (spawned at "));
    for (int i = 0; i < 2; i++)
        weft_cancel(&handle[i]);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &handle[i]), -ECANCELED);
    lines_clear(&lines);
    weft_runtime_dump(rt);
    check_eq(lines.n, 0);
    stop(rt);
}

Test(tasks, handles_that_are_open_at_stop_are_named)
{
    struct lines  lines;
    weft_runtime *rt = start_logging(2, &lines);
    weft_handle   open[2], other;

    check_eq(weft_spawn_named(rt, &open[0], "forgotten", returns, 7), 0);
    check_eq(weft_spawn_on(rt, &open[1], waits, NULL), 0);
    check_eq(weft_spawn_named(rt, &other, "joined", returns, 7), 0);
    check_eq(join(rt, &other), 7);
    stop(rt);
    check_str_contains(lines.text, "the handle of task forgotten (spawned at ");
    check_str_contains(lines.text, "the handle of task waits (spawned at ");
    check(!strstr(lines.text, "joined"));
    weft_detach(&open[0]);
    weft_detach(&open[1]);
}

Test(tasks, of_many_handles_open_at_stop_some_are_named_and_the_rest_counted)
{
    enum { N = 50 };
    struct lines  lines;
    weft_runtime *rt = start_logging(2, &lines);
    weft_handle   open[N];

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &open[i], returns, i), 0);
    stop(rt);
    check_str_contains(lines.text, "stop: and 30 more handles");
    for (int i = 0; i < N; i++)
        weft_detach(&open[i]);
}

struct counted {
    int64_t n_named;
    char    more[80]; /* the line that counts the others */
};

static void count_lines(void *arg, weft_log_level level, const char *line)
{
    struct counted *c = arg;

    (void)level;
    if (strstr(line, "stop: task yields (spawned at "))
        add(&c->n_named, 1);
    else if (strstr(line, "more tasks"))
        snprintf(c->more, sizeof c->more, "%s", line);
}

Test(tasks, of_very_many_that_outlast_a_stop_some_are_named_and_the_rest_counted)
{
    enum { N = 1234 };
    struct counted c = {0};
    int64_t        until = 0;
    weft_runtime  *rt = start_with(&(weft_config){.workers = 2, .log = count_lines, .log_arg = &c});

    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, NULL, yields, &until), 0);
    check_eq(weft_runtime_stop(rt, 0), -ETIMEDOUT);
    check_eq(get(&c.n_named), 1000);
    check_str_contains(c.more, "stop: 234 more tasks");
    add(&until, 1);
    stop(rt);
}

struct spawns {
    WEFT_FRAME;
    struct {
        int64_t *enough;
    } in;
    weft_handle    child[8];
    struct counter counter;
    int            i;
};
WEFT_ASYNC(spawns)
{
    int64_t n;

    WEFT_BEGIN();
    while (!get(self->in.enough)) {
        for (int i = 0; i < 8; i++)
            check_eq(weft_spawn_named(NULL, &self->child[i], "child", returns, i), 0);
        WEFT_AWAIT(n, counter(&self->counter, 1));
        for (self->i = 0; self->i < 8; self->i++) {
            WEFT_AWAIT(n, weft_join(&self->child[self->i]));
            check_eq(n, self->i);
        }
    }
    WEFT_END(0);
}

static int64_t n_names;

static void look_at(void *arg, weft_log_level level, const char *line)
{
    (void)arg;
    if (level != WEFT_LOG_INFO)
        return; /* of slow machines */
    add(&n_names, 1);
    check_str_contains(line, strstr(line, "task child") ? "task child (spawned at ../"
                                                        : "task spawns (spawned at ../");
}

Test(tasks, may_be_dumped_while_they_come_and_go)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = look_at});
    int64_t       enough = 0;
    weft_handle   handle[3];

    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &handle[i], spawns, &enough), 0);
    for (int64_t i = test_scaled(2000); i > 0 || get(&n_names) == 0; i--)
        weft_runtime_dump(rt);
    add(&enough, 1);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}

/* ---- bound ---- */

struct stays {
    WEFT_FRAME;
    struct {
        int polls;
    } in;
    struct counter counter;
    pthread_t      thread;
    int            i;
};
WEFT_ASYNC(stays)
{
    int64_t n;

    WEFT_BEGIN();
    self->thread = pthread_self();
    for (self->i = 0; self->i < self->in.polls; self->i++) {
        WEFT_AWAIT(n, counter(&self->counter, 1));
        check_eq(n, 1);
        check(pthread_equal(self->thread, pthread_self()));
        WEFT_YIELD();
        check(pthread_equal(self->thread, pthread_self()));
    }
    WEFT_END((int64_t)(uintptr_t)self->thread >> 12 & INT32_MAX);
}

Test(tasks, bound_tasks_of_one_worker_have_all_polls_on_its_thread)
{
    enum { N = 12, WORKERS = 3 };
    weft_runtime *rt = start(WORKERS);
    weft_handle   handle[N];
    int64_t       thread[N];

    check_eq(weft_runtime_workers(rt), WORKERS);
    for (int i = 0; i < N; i++)
        check_eq(weft_spawn_bound(rt, &handle[i], i % WORKERS, stays, 500), 0);
    for (int i = 0; i < N; i++)
        thread[i] = join(rt, &handle[i]);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            check_eq(thread[i] == thread[j], i % WORKERS == j % WORKERS);
    stop(rt);
}

Test(tasks, bound_to_a_worker_that_is_not_there_says_einval)
{
    weft_runtime *rt = start(2);
    weft_handle   handle = {.task_ = NULL};

    check_eq(weft_spawn_bound(rt, &handle, 2, returns, 1), -EINVAL); /* a spare one */
    check_eq(weft_spawn_bound(rt, &handle, 1000, returns, 1), -EINVAL);
    check(!handle.task_);
    check_eq(weft_spawn_bound(rt, &handle, 1, returns, 1), 0);
    check_eq(join(rt, &handle), 1);
    stop(rt);
}

/* Takes a ball from one channel to the next, always on the same thread. */
struct passes {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        weft_mpsc_sender   *to;
        int                 rounds;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
    pthread_t         thread;
    int               i, ball;
};
WEFT_ASYNC(passes)
{
    int64_t n;

    WEFT_BEGIN();
    self->thread = pthread_self();
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->ball));
        check_eq(n, 0);
        check(pthread_equal(self->thread, pthread_self()));
        if (self->i % 100 == 0) { /* woken by the timer's thread */
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(1)));
            check(pthread_equal(self->thread, pthread_self()));
        }
        self->ball++;
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->ball));
        check(pthread_equal(self->thread, pthread_self()));
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(0);
}

Test(tasks, bound_wakes_from_other_workers_and_threads_lead_back_to_its_worker)
{
    enum { ROUNDS = 1000 };
    weft_runtime       *rt = start(3);
    int                 rounds = (int)test_scaled(ROUNDS), ball = 0;
    weft_mpsc_sender   *to[4];
    weft_mpsc_receiver *from[4];
    weft_wait           wait;
    weft_handle         handle[3];

    for (int i = 0; i < 4; i++)
        check_eq(weft_mpsc_open(sizeof(int), 1, &to[i], &from[i]), 0);
    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_bound(rt, &handle[i], i, passes, from[i], to[i + 1], rounds), 0);
    for (int i = 0; i < rounds; i++) { /* this thread is a foreign one */
        check_eq(weft_block_on(rt, weft_mpsc_send(&wait, to[0], &ball)), 0);
        check_eq(weft_block_on(rt, weft_mpsc_receive(&wait, from[3], &ball)), 0);
    }
    check_eq(ball, 3 * rounds);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &handle[i]), 0);
    weft_mpsc_sender_close(to[0]);
    weft_mpsc_receiver_close(from[3]);
    stop(rt);
}

Test(tasks, bound_a_cancel_and_a_stop_reach_a_bound_task)
{
    weft_runtime *rt = start(2);
    int64_t       began = 0;
    weft_handle   handle[4];

    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_bound(rt, &handle[i], i % 2, waits, &began), 0);
    spin_until(&began, 4);
    weft_cancel(&handle[0]);
    weft_cancel(&handle[1]);
    check_eq(join(rt, &handle[0]), -ECANCELED);
    check_eq(join(rt, &handle[1]), -ECANCELED);
    stop(rt);
    weft_detach(&handle[2]);
    weft_detach(&handle[3]);
}
