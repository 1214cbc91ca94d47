/* test_time_clock.c - clocks that stand still and jump; limits within limits; wakes that are
 * saved */
#include "../helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>

#define TICK (INT64_C(1) << 20) /* how late a timer may be */

static int64_t kernel_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return WEFT_S(t.tv_sec) + t.tv_nsec;
}

static weft_runtime *start_jumping(int64_t workers)
{
    weft_runtime *rt = start(workers);

    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    return rt;
}

/* Sleeps n times; answers the nanoseconds that it took by its clock. */
struct sleeps {
    WEFT_FRAME;
    struct {
        int64_t n, duration;
    } in;
    struct weft_sleep nap;
    int64_t           i, begun;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    for (self->i = 0; self->i < self->in.n; self->i++) {
        WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.duration));
        if (n < 0)
            WEFT_RETURN(n);
    }
    WEFT_END(weft_now() - self->begun);
}

Test(clock, that_jumps_makes_a_day_of_a_moment)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;
    int64_t       took;

    check_eq(weft_spawn_on(rt, &handle, sleeps, 24, WEFT_S(3600)), 0);
    took = join(rt, &handle);
    check_cmp(took, >=, WEFT_S(24 * 3600));
    check_cmp(took, <=, WEFT_S(24 * 3600) + 24 * TICK);
    stop(rt);
}

Test(clock, jumps_in_block_on_too)
{
    weft_runtime     *rt = start_jumping(1);
    struct weft_sleep nap;
    int64_t           begun = weft_clock_now(rt);

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(1000))), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(1000));
    begun = weft_clock_now(rt); /* a thousand seconds ahead of the kernel's */
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(5))), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(5));
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(5) + TICK);
    stop(rt);
}

Test(clock, of_a_current_thread_runtime_jumps_only_in_block_on)
{
    weft_runtime     *rt = start_with(&(weft_config){.current_thread = 1});
    weft_handle       handle;
    struct weft_sleep nap;
    int64_t           begun, took;

    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    check_eq(weft_spawn_on(rt, &handle, sleeps, 10, WEFT_S(60)), 0);
    begun = weft_clock_now(rt);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(90))), 0);
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(91));
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* nobody is in block_on: */
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(91));
    took = join(rt, &handle);
    check_cmp(took, >=, WEFT_S(600));
    check_cmp(took, <=, WEFT_S(600) + 11 * TICK);
    stop(rt);
}

Test(clock, that_is_stopped_lets_time_pass_by_hand_only)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;
    int64_t       begun;

    check_eq(weft_clock_advance(rt, 1), -EINVAL);
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_clock_advance(rt, -1), -EINVAL);
    begun = weft_clock_now(rt);
    check_eq(weft_spawn_on(rt, &handle, sleeps, 1, WEFT_MS(1)), 0);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    check(!weft_is_finished(&handle));
    check_eq(weft_clock_now(rt), begun);
    check_eq(weft_clock_advance(rt, WEFT_S(1)), 0);
    check_eq(join(rt, &handle), WEFT_S(1));
    stop(rt);
}

Test(clock, runs_on_from_where_it_was)
{
    weft_runtime     *rt = start_jumping(1);
    weft_handle       handle;
    struct weft_sleep nap;
    int64_t           took;

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(1000))), 0);
    weft_clock_set(rt, WEFT_CLOCK_RUNS);
    check_eq(weft_spawn_on(rt, &handle, sleeps, 1, WEFT_MS(5)), 0);
    took = join(rt, &handle);
    check_cmp(took, >=, WEFT_MS(5));
    stop(rt);
}

static void until_armed(weft_runtime *rt, uint64_t n)
{
    struct weft_runtime_counters c;

    do
        weft_runtime_counters(rt, &c);
    while (c.timers_armed < n);
}

Test(clock, moved_by_hand_wakes_those_that_are_due_and_no_others)
{
    enum { N = 500 };
    weft_runtime                *rt = start(2);
    weft_handle                  handle[N];
    struct weft_runtime_counters c;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    for (int64_t i = 0; i < N; i++)
        check_eq(weft_spawn_on(rt, &handle[i], sleeps, 1, WEFT_MS(3) * (i + 1)), 0);
    until_armed(rt, N);
    for (int64_t i = 0; i < N; i += 100) {
        check_eq(weft_clock_advance(rt, WEFT_MS(300)), 0);
        for (int64_t k = i; k < i + 99; k++) /* the hundredth may be a tick late */
            check_eq(join(rt, &handle[k]), WEFT_MS(3) * (i + 100));
        weft_runtime_counters(rt, &c);
        check_cmp(c.timers_fired, <=, i + 100);
        if (i + 100 == N)
            check_eq(weft_clock_advance(rt, TICK), 0);
    }
    for (int64_t i = 99; i < N; i += 100)
        check_cmp(join(rt, &handle[i]), >=, WEFT_MS(3) * (i + 1));
    stop(rt);
}

/* A job that lasts a while in real time; the task beside it sleeps an hour. */
struct lasts {
    int64_t *done;
};
WEFT_BLOCKING(lasts)
{
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    __atomic_store_n(self->done, 1, __ATOMIC_RELEASE);
    return 0;
}

struct beside_a_job {
    WEFT_FRAME;
    struct {
        int64_t *done;
    } in;
    struct weft_spawn_blocking job;
    struct weft_sleep          nap;
    struct weft_select         select;
};
WEFT_ASYNC(beside_a_job)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select(&self->select, weft_spawn_blocking(&self->job, lasts, self->in.done),
                              weft_sleep(&self->nap, WEFT_S(3600))));
    check_eq(get(self->in.done), 1);
    WEFT_END(n);
}

Test(clock, does_not_jump_while_a_blocking_job_runs)
{
    weft_runtime *rt = start_jumping(2);
    int64_t       done = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, beside_a_job, &done), 0);
    check_eq(join(rt, &handle), 0); /* the job's end came first */
    stop(rt);
}

/* Two tasks over a loopback connection, with a timeout of an hour around each read: the bytes
 * win. */
struct talk {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
        int64_t      n;
        bool         first;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    int64_t             i;
    char                byte;
};
WEFT_ASYNC(talk)
{
    int64_t n = 0;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++) {
        if (self->i > 0 || self->in.first) {
            WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, &self->byte, 1));
            check_eq(n, 1);
        }
        WEFT_AWAIT(n,
                   weft_timeout(&self->limit, weft_read(&self->io, self->in.conn, &self->byte, 1),
                                WEFT_S(3600)));
        if (n != 1)
            break;
    }
    weft_stream_close(self->in.conn);
    WEFT_END(self->i);
}

struct meet {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    weft_address         address;
    weft_listener       *listener;
    weft_stream         *a, *b;
    weft_io              io, accept;
    struct weft_join_all both;
    weft_handle          handle;
    struct talk          talk;
};
WEFT_ASYNC(meet)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_address_parse("127.0.0.1", 0, &self->address), 0);
    check_eq(weft_listen(NULL, &self->address, NULL, &self->listener), 0);
    check_eq(weft_listener_address(self->listener, &self->address), 0);
    WEFT_AWAIT(n, weft_join_all(&self->both, weft_connect(&self->io, &self->address, &self->a),
                                weft_accept(&self->accept, self->listener, &self->b)));
    check_eq(n, 0);
    weft_listener_close(self->listener);
    check_eq(weft_spawn(&self->handle, talk, self->b, self->in.n, false), 0);
    WEFT_CALL(n, talk, &self->talk, self->a, self->in.n, true);
    check_eq(n, self->in.n - 1); /* the end of the stream instead of the last answer */
    WEFT_AWAIT(n, weft_join(&self->handle));
    WEFT_END(n);
}

Test(clock, does_not_jump_over_bytes_that_are_on_their_way)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, meet, test_scaled(500)), 0);
    check_eq(join(rt, &handle), test_scaled(500));
    stop(rt);
}

/* One operation of the ring after the other, for longer than what the kernel holds is waited for;
 * the clock stands. Each waits for a byte that comes every millisecond, not for a disk, which may
 * take longer. On a machine so busy that one does, the clock may go on then; time.h says after how
 * long. */
struct rings {
    WEFT_FRAME;
    struct {
        int     fd;
        int64_t duration;
    } in;
    weft_io io;
    int64_t until, begun, asked;
    char    byte;
};
WEFT_ASYNC(rings)
{
    int64_t n;

    WEFT_BEGIN();
    self->until = kernel_now() + self->in.duration;
    while (kernel_now() < self->until) {
        self->begun = weft_now();
        self->asked = kernel_now();
        WEFT_AWAIT(n, weft_file_read(&self->io, self->in.fd, &self->byte, 1, -1));
        check_eq(n, 1);
        check(weft_now() == self->begun || kernel_now() - self->asked >= WEFT_MS(50));
    }
    WEFT_END(0);
}

/* Ends when the pipe has no reader any more. */
static void *drip(void *fd)
{
    while (write(*(int *)fd, "", 1) == 1)
        nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL);
    return NULL;
}

Test(clock, does_not_jump_while_files_are_worked_on)
{
    weft_runtime     *rt = start_jumping(2);
    weft_handle       beside, handle;
    struct weft_sleep nap;
    pthread_t         writer;
    int               ends[2];

    check_cmp(signal(SIGPIPE, SIG_IGN), !=, SIG_ERR);
    check_eq(pipe(ends), 0);
    writer = thread(drip, &ends[1]);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(1))), 0);
    check_eq(weft_spawn_on(rt, &handle, rings, ends[0], WEFT_MS(300)), 0);
    check_eq(weft_spawn_on(rt, &beside, sleeps, 1, WEFT_S(3600)), 0);
    check_eq(join(rt, &handle), 0);
    check_cmp(join(rt, &beside), >=, WEFT_S(3600));
    close(ends[0]);
    pthread_join(writer, NULL);
    close(ends[1]);
    stop(rt);
}

/* ---- limits within limits ---- */

struct inner {
    WEFT_FRAME;
    struct {
        int64_t patience;
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    int64_t             left;
};
WEFT_ASYNC(inner)
{
    int64_t n;

    WEFT_BEGIN();
    self->left = weft_deadline_left(cx);
    if (self->in.patience > 0) {
        WEFT_AWAIT(
            n, weft_timeout(&self->limit, weft_sleep(&self->nap, WEFT_S(100)), self->in.patience));
    } else {
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    }
    check_eq(weft_deadline_left(cx) == 0, n == -ECANCELED);
    WEFT_END(n);
}

static int64_t seconds(int64_t ns)
{
    return ns / WEFT_S(1);
}

struct outer {
    WEFT_FRAME;
    struct {
        int64_t patience, inners;
    } in;
    struct weft_timeout  limit;
    struct inner         inner[2];
    struct weft_join_all both;
    int64_t              begun;
};
WEFT_ASYNC(outer)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_deadline_left(cx), WEFT_FOREVER);
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_join_all(&self->both,
                                             weft_async(inner, &self->inner[0], self->in.inners),
                                             weft_async(inner, &self->inner[1], 0)),
                               self->in.patience));
    check_eq(weft_context_deadline(cx), WEFT_FOREVER);
    check_eq(self->inner[1].left, self->in.patience);
    check_eq(self->inner[1].weft_frame_.future.result, -ECANCELED);
    check_eq(n, -ETIMEDOUT);
    check_eq(self->inner[0].weft_frame_.future.result,
             self->in.inners > 0 && self->in.inners < self->in.patience ? -ETIMEDOUT : -ECANCELED);
    WEFT_END(weft_now() - self->begun);
}

Test(deadline, is_inherited_and_the_earliest_counts)
{
    static const struct {
        int64_t outer, inner;
    } rows[] = {{5, 0}, {5, 10}, {10, 5}, {7, 3}};
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_eq(weft_spawn_on(rt, &handle, outer, WEFT_S(rows[i].outer), WEFT_S(rows[i].inner)),
                 0);
        check_eq(seconds(join(rt, &handle)), rows[i].outer);
    }
    stop(rt);
}

/* What is spawned has no deadline, unless it is told. */
struct told {
    WEFT_FRAME;
    struct {
        int64_t until;
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
};
WEFT_ASYNC(told)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_context_deadline(cx), WEFT_FOREVER);
    WEFT_AWAIT(n,
               weft_timeout_at(&self->limit, weft_sleep(&self->nap, WEFT_S(20)), self->in.until));
    WEFT_END(n);
}

struct tells {
    WEFT_FRAME;
    struct {
        bool tell;
    } in;
    weft_handle       handle;
    struct weft_sleep nap;
};
WEFT_ASYNC(tells)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(&self->handle, told,
                        .until = self->in.tell ? weft_context_deadline(cx) : WEFT_FOREVER),
             0);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(100)));
    check_eq(n, -ECANCELED);
    WEFT_END(n);
}

struct limits {
    WEFT_FRAME;
    struct {
        bool tell;
    } in;
    struct tells        tells;
    struct weft_timeout limit;
};
WEFT_ASYNC(limits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_timeout(&self->limit, weft_async(tells, &self->tells, self->in.tell), WEFT_S(5)));
    check_eq(n, -ETIMEDOUT);
    WEFT_AWAIT(n, weft_join(&self->tells.handle));
    check_eq(n, self->in.tell ? -ETIMEDOUT : 0);
    WEFT_END(n);
}

Test(deadline, of_a_spawned_task_is_the_one_that_it_was_told)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, limits, true), 0);
    check_eq(join(rt, &handle), -ETIMEDOUT);
    check_eq(weft_spawn_on(rt, &handle, limits, false), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* Behind a shield an outer deadline is not seen; a limit of one's own is kept. */
struct guarded {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    struct weft_sleep   nap;
    int64_t             before, after;
};
WEFT_ASYNC(guarded)
{
    int64_t n;

    WEFT_BEGIN();
    self->before = weft_deadline_left(cx);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_sleep(&self->nap, WEFT_S(100)), WEFT_S(7)));
    self->after = weft_deadline_left(cx);
    WEFT_END(n);
}

struct guards {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    struct weft_shield  guard;
    struct guarded      guarded;
    int64_t             begun;
};
WEFT_ASYNC(guards)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_timeout(
                      &self->limit,
                      weft_shield(&self->guard, weft_async(guarded, &self->guarded, ), WEFT_S(50)),
                      WEFT_S(5)));
    check_eq(n, -ETIMEDOUT); /* the guarded one's own, at 7 */
    check_eq(seconds(weft_now() - self->begun), 7);
    check_eq(self->guarded.before, WEFT_FOREVER);
    check_cmp(self->guarded.after, <=, WEFT_S(48) + 2 * TICK); /* of patience */
    check_cmp(self->guarded.after, >=, WEFT_S(48) - 2 * TICK);
    WEFT_END(0);
}

Test(deadline, stops_at_a_shield)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, guards, ), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* ---- accuracies ---- */

struct lazy {
    WEFT_FRAME;
    struct {
        int64_t duration, accuracy;
    } in;
    struct weft_sleep nap;
    int64_t           begun;
};
WEFT_ASYNC(lazy)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    WEFT_AWAIT(n, weft_sleep_about(&self->nap, self->in.duration, self->in.accuracy));
    check_eq(n, 0);
    n = weft_now() - self->begun - self->in.duration;
    check_cmp(n, >=, 0);
    check_cmp(n, <=, self->in.accuracy + TICK);
    WEFT_END(0);
}

/* Made by a thread without a runtime, whose clock is far ahead: limits and intervals begin with the
 * first poll. */
Test(clock, is_what_counts_for_limits_and_intervals_from_outside)
{
    weft_runtime       *rt = start_jumping(1);
    weft_interval       every;
    struct weft_timeout limit;
    struct inner        inner;
    struct weft_sleep   nap;
    int64_t             begun;

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(3600))), 0);
    begun = weft_clock_now(rt);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_async(inner, &inner, 0), WEFT_S(5))),
             -ETIMEDOUT);
    check_eq(inner.left, WEFT_S(5));
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(5) + TICK);

    weft_interval_start(&every, WEFT_S(1), WEFT_INTERVAL_BURST);
    check_eq(weft_block_on(rt, weft_interval_tick(&every)), 0);
    begun = weft_clock_now(rt);
    check_eq(weft_block_on(rt, weft_interval_tick(&every)), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(1) - TICK);
    stop(rt);
}

/* How many wakes a thousand timers within 10 s need. */
static uint64_t wakes_of(int64_t accuracy)
{
    static weft_handle           handle[1000];
    weft_runtime                *rt = start(2);
    struct weft_runtime_counters c;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    for (int64_t i = 0; i < 1000; i++)
        check_eq(weft_spawn_on(rt, &handle[i], lazy, WEFT_MS(10) * (i * 7919 % 1000), accuracy), 0);
    until_armed(rt, 999); /* all but that of 0 */
    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    for (int i = 0; i < 1000; i++)
        check_eq(join(rt, &handle[i]), 0);
    weft_runtime_counters(rt, &c);
    check_cmp(c.timers_fired, >=, 999);
    check_cmp(c.timers_late_max_ns, <=, TICK);
    stop(rt);
    return c.timer_wakes;
}

Test(accuracy, of_a_second_saves_most_wakes)
{
    check_cmp(wakes_of(0), >=, 900);
    check_cmp(wakes_of(WEFT_S(1)), <=, 24);
}

/* ---- clocks that differ ---- */

/* Makes a sleep, and leaves it to another runtime. */
struct makes {
    WEFT_FRAME;
    struct {
        struct weft_sleep *nap;
        int64_t            duration;
    } in;
};
WEFT_ASYNC(makes)
{
    WEFT_BEGIN();
    weft_sleep(self->in.nap, self->in.duration);
    WEFT_END(0);
}

Test(clock, of_the_runtime_that_made_a_sleep_does_not_move_the_one_that_polls_it)
{
    weft_runtime     *ahead = start(1), *rt = start(1);
    struct weft_sleep theirs, ours;
    weft_handle       handle;
    int64_t           begun = kernel_now();

    weft_clock_set(ahead, WEFT_CLOCK_STOPPED);
    check_eq(weft_clock_advance(ahead, WEFT_S(3600)), 0);
    check_eq(weft_spawn_on(ahead, &handle, makes, .nap = &theirs, .duration = WEFT_MS(5)), 0);
    check_eq(join(ahead, &handle), 0);
    check_eq(weft_block_on(rt, &theirs.future), 0);
    check_cmp(kernel_now(), >=, begun + WEFT_MS(5));
    check_eq(weft_block_on(rt, weft_sleep(&ours, WEFT_MS(5))), 0);
    stop(ahead);
    stop(rt);
}

Test(clock, of_the_runtime_that_polls_a_sleep_counts_where_it_is_a_tests)
{
    weft_runtime     *rt = start(1), *ahead = start(1);
    struct weft_sleep nap;
    weft_handle       handle;
    int64_t           begun;

    weft_clock_set(ahead, WEFT_CLOCK_JUMPS);
    check_eq(weft_block_on(ahead, weft_sleep(&nap, WEFT_S(3600))), 0);
    begun = weft_clock_now(ahead);
    check_eq(weft_spawn_on(rt, &handle, makes, .nap = &nap, .duration = WEFT_S(60)), 0);
    check_eq(join(rt, &handle), 0);
    check_eq(weft_block_on(ahead, &nap.future), 0);
    check_cmp(weft_clock_now(ahead), >=, begun + WEFT_S(60));
    stop(rt);
    stop(ahead);
}

/* ---- the end of time ---- */

Test(clock, that_stood_at_the_end_of_time_does_not_go_back_when_it_runs)
{
    weft_runtime *rt = start(1);

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_clock_advance(rt, WEFT_FOREVER), 0);
    check_eq(weft_clock_now(rt), WEFT_FOREVER);
    check_eq(weft_clock_advance(rt, WEFT_FOREVER), 0);
    weft_clock_set(rt, WEFT_CLOCK_RUNS);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    check_eq(weft_clock_now(rt), WEFT_FOREVER);
    stop(rt);
}

Test(clock, near_the_end_of_time_fires_what_is_due_and_nothing_else)
{
    weft_runtime                *rt = start(1);
    struct weft_runtime_counters c;
    weft_handle                  soon, never;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_clock_advance(rt, WEFT_FOREVER - WEFT_S(10) - weft_clock_now(rt)), 0);
    check_eq(weft_spawn_on(rt, &never, sleeps, 1, WEFT_S(10) - 1), 0);
    check_eq(weft_spawn_on(rt, &soon, sleeps, 1, WEFT_S(2)), 0);
    do
        weft_runtime_counters(rt, &c);
    while (c.timers_armed < 2);
    check_eq(weft_clock_advance(rt, WEFT_S(3)), 0);
    check_eq(join(rt, &soon), WEFT_S(3));
    check(!weft_is_finished(&never));
    weft_cancel(&never);
    check_eq(join(rt, &never), -ECANCELED);
    stop(rt);
}

Test(clock, a_limit_before_all_time_has_passed)
{
    weft_context cx;
    weft_waker   waker = weft_waker_noop();

    weft_context_init(&cx, &waker, NULL);
    cx.deadline = INT64_MIN;
    check_eq(weft_deadline_left(&cx), 0);
    cx.deadline = WEFT_FOREVER;
    check_eq(weft_deadline_left(&cx), WEFT_FOREVER);
}
