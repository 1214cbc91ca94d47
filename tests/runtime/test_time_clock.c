/* test_time_clock.c - test clocks: stopped, jumping, moved by hand, at the end of time */
#include "clocks.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>

static int64_t kernel_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return WEFT_S(t.tv_sec) + t.tv_nsec;
}

/* Sleeps n times. Returns how many nanoseconds passed by the runtime's clock. */
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

Test(time_clock, clock_that_jumps_makes_a_day_of_a_moment)
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

Test(time_clock, clock_jumps_in_block_on_too)
{
    weft_runtime     *rt = start_jumping(1);
    struct weft_sleep nap;
    int64_t           begun = weft_clock_now(rt);

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(1000))), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(1000));
    begun = weft_clock_now(rt); /* 1000 s ahead of the kernel's clock */
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(5))), 0);
    check_cmp(weft_clock_now(rt), >=, begun + WEFT_S(5));
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(5) + TICK);
    stop(rt);
}

Test(time_clock, clock_of_a_current_thread_runtime_jumps_only_in_block_on)
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
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* no thread is in block_on */
    check_cmp(weft_clock_now(rt), <=, begun + WEFT_S(91));
    took = join(rt, &handle);
    check_cmp(took, >=, WEFT_S(600));
    check_cmp(took, <=, WEFT_S(600) + 11 * TICK);
    stop(rt);
}

Test(time_clock, clock_that_is_stopped_lets_time_pass_by_hand_only)
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

Test(time_clock, clock_runs_on_from_where_it_was)
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

Test(time_clock, clock_moved_by_hand_wakes_those_that_are_due_and_no_others)
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

Test(time_clock, clock_does_not_jump_while_a_blocking_job_runs)
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

Test(time_clock, clock_does_not_jump_over_bytes_that_are_on_their_way)
{
    weft_runtime *rt = start_jumping(2);
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, meet, test_scaled(500)), 0);
    check_eq(join(rt, &handle), test_scaled(500));
    stop(rt);
}

/* Runs one operation of the ring after the other. Together they take longer than the clock waits
 * for a single one, and the clock must not jump. Each operation waits for a byte that arrives every
 * millisecond; a disk might take longer. If an operation takes long because the machine is busy,
 * the clock may jump: time.h says after how long. */
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

Test(time_clock, clock_does_not_jump_while_files_are_worked_on)
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

Test(time_clock, clock_of_the_runtime_that_made_a_sleep_does_not_move_the_one_that_polls_it)
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

Test(time_clock, clock_of_the_runtime_that_polls_a_sleep_counts_where_it_is_a_tests)
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

Test(time_clock, clock_that_stood_at_the_end_of_time_does_not_go_back_when_it_runs)
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

Test(time_clock, clock_near_the_end_of_time_fires_what_is_due_and_nothing_else)
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
