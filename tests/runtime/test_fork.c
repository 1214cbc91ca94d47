/* test_fork.c - a forked child that touches its parent's runtime gets an error, and the parent is
 * fine */
#include "../actors.h"
#include "../child.h"
#include "../sockets.h"

/* Keeps a clone of its task's waker, and waits until it is cancelled. */
typedef struct parked {
    weft_waker waker;
    atomic_int polls;
} parked;

struct parks {
    WEFT_FRAME;
    struct {
        parked *parked;
    } in;
    weft_future future;
};

static weft_poll parks_poll(weft_future *future, weft_context *cx)
{
    parked *p = weft_container(future, struct parks, future)->in.parked;

    if (weft_future_is_cancelled(future)) {
        weft_waker_drop(p->waker);
        return weft_ready(future, -ECANCELED);
    }
    if (p->polls == 0)
        p->waker = weft_waker_clone(weft_context_waker(cx));
    p->polls++;
    return WEFT_PENDING;
}

static void parks_cancel(weft_future *future)
{
    (void)future;
}

WEFT_ASYNC(parks)
{
    static const weft_future_ops ops = {
        .size = sizeof(weft_future), .name = "parked", .poll = parks_poll, .cancel = parks_cancel};
    int64_t n;

    WEFT_BEGIN();
    weft_future_init(&self->future, &ops);
    WEFT_AWAIT(n, &self->future);
    WEFT_END(n);
}

typedef struct fixture {
    weft_runtime       *rt;
    parked              parked;
    weft_handle         parks, ended;
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;
} fixture;

static void begin(fixture *f, bool current_thread)
{
    *f =
        (fixture){.rt = start_with(&(weft_config){.workers = 2, .current_thread = current_thread})};
    check_eq(weft_spawn_on(f->rt, &f->parks, parks, &f->parked), 0);
    check_eq(weft_spawn_on(f->rt, &f->ended, adds, 3, 4), 0);
    check_eq(RUN(f->rt, adds, 1, 2), 3);
    while (f->parked.polls == 0 || !weft_is_finished(&f->ended))
        check_eq(RUN(f->rt, adds, 1, 2), 3);
}

/* All is as if there had been no child. */
static void end(fixture *f)
{
    int polls = f->parked.polls;

    check_eq(polls, 1);
    check_eq(RUN(f->rt, adds, 5, 6), 11);
    weft_waker_wake_by_ref(&f->parked.waker);
    while (f->parked.polls == polls)
        check_eq(RUN(f->rt, adds, 5, 6), 11);
    weft_cancel(&f->parks);
    check_eq(join(f->rt, &f->parks), -ECANCELED);
    check_eq(join(f->rt, &f->ended), 7);
    stop(f->rt);
}

/* ---- errors ---- */

static void touch(void *arg)
{
    fixture          *f = arg;
    weft_handle       handle = {.task_ = NULL};
    struct weft_sleep nap;

    check_eq(weft_spawn_on(f->rt, &handle, adds, 1, 2), -ECHILD);
    check(!handle.task_);
    check_eq(weft_spawn_bound(f->rt, NULL, 0, adds, 1, 2), -ECHILD);
    check_eq(weft_block_on(f->rt, weft_sleep(&nap, 0)), -ECHILD);
    check(!weft_future_is_pending(&nap.future) && !weft_future_is_ready(&nap.future));
    check_eq(weft_block_on(f->rt, weft_join(&f->ended)), -ECHILD);
    check_eq(weft_runtime_stop(f->rt, WEFT_FOREVER), -ECHILD);
    check_eq(weft_runtime_stop(f->rt, 0), -ECHILD);
}

Test(fork, spawning_blocking_and_stopping_say_echild)
{
    fixture f;

    begin(&f, false);
    in_child(touch, &f);
    end(&f);
}

Test(fork, of_a_current_thread_runtime_too)
{
    fixture f;

    begin(&f, true);
    in_child(touch, &f);
    end(&f);
}

/* ---- wakers, handles, channels ---- */

static void wake(void *arg)
{
    fixture   *f = arg;
    weft_waker waker = weft_waker_clone(&f->parked.waker);

    for (int i = 0; i < 3; i++)
        weft_waker_wake_by_ref(&f->parked.waker);
    weft_waker_wake(waker);
    weft_waker_drop(f->parked.waker);
}

Test(fork, a_wake_in_the_child_does_nothing)
{
    fixture f;

    begin(&f, false);
    in_child(wake, &f);
    pause_ms(5);
    end(&f);
}

/* ---- streams ---- */

/* Waits first. */
static void check_read(weft_runtime *rt, weft_stream *stream, int peer)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, reads_byte, .stream = stream), 0);
    pause_ms(5);
    raw_write(peer, "x", 1);
    check_eq(join(rt, &h), 1);
}

static void close_stream(void *arg)
{
    weft_stream_close(arg);
}

/* Where it waits is the parent's, too. */
Test(fork, closing_a_stream_in_the_child_leaves_the_parent_s_alone)
{
    weft_runtime *rt = start(1);
    weft_stream  *stream;
    char          byte;
    int           peer = pair(rt, &stream);

    check_read(rt, stream, peer);
    in_child(close_stream, stream);
    check_read(rt, stream, peer);
    check_read(rt, stream, peer);
    weft_stream_close(stream);
    check_eq(recv(peer, &byte, 1, 0), 0);
    close(peer);
    stop(rt);
}

static void use_handles(void *arg)
{
    fixture *f = arg;

    check(weft_is_finished(&f->ended));
    check(!weft_is_finished(&f->parks));
    check_str_eq(weft_handle_name(&f->parks), "parks");
    weft_cancel(&f->parks);
    weft_detach(&f->parks);
    weft_cancel(&f->ended);
    weft_detach(&f->ended);
}

Test(fork, handles_may_be_cancelled_and_detached_in_the_child)
{
    fixture f;

    begin(&f, false);
    in_child(use_handles, &f);
    pause_ms(5);
    end(&f);
}

struct receives {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    weft_wait wait;
    int       message;
};
WEFT_ASYNC(receives)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->message));
    WEFT_END(n < 0 ? n : self->message);
}

static void sends(void *arg)
{
    int message = 1;

    check_eq(weft_mpsc_try_send(arg, &message), 0);
    weft_mpsc_sender_close(arg);
}

Test(fork, a_message_sent_in_the_child_stays_there)
{
    fixture     f;
    weft_handle handle;
    int         message = 2;

    begin(&f, false);
    check_eq(weft_mpsc_open(sizeof(int), 1, &f.to, &f.from), 0);
    check_eq(weft_spawn_on(f.rt, &handle, receives, f.from), 0);
    pause_ms(5); /* it waits, or will do so: either is fine */
    in_child(sends, f.to);
    check(!weft_is_finished(&handle));
    check_eq(weft_mpsc_try_send(f.to, &message), 0);
    check_eq(join(f.rt, &handle), 2);
    weft_mpsc_sender_close(f.to);
    weft_mpsc_receiver_close(f.from);
    end(&f);
}

/* ---- a runtime of the child's own ---- */

static void start_own(void *arg)
{
    fixture          *f = arg;
    weft_runtime     *rt = start(2);
    weft_handle       handle;
    struct weft_sleep nap;

    check_eq(RUN(rt, adds, 20, 3), 23);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    check_eq(join(rt, &f->ended), 7); /* it ended in the parent, and the child has a copy */
    check_eq(weft_spawn_on(rt, &handle, adds, 1, 1), 0);
    touch(&(fixture){.rt = f->rt, .ended = handle});
    check_eq(join(rt, &handle), 2);
    stop(rt);
}

/* TSan lets no child of a threaded process start threads. ASan's allocator stays locked in the
 * child when another thread was in it at the fork (glibc's does not). */
static void skip_under_sanitizers(void)
{
    if (TEST_SANITIZED)
        test_skip("a sanitizer's own threads and locks do not survive a fork");
}

Test(fork, a_child_may_start_a_runtime_of_its_own)
{
    fixture f;

    skip_under_sanitizers();
    begin(&f, false);
    in_child(start_own, &f);
    end(&f);
}

static void fork_again(void *arg)
{
    weft_runtime *rt = start(1);

    check_eq(RUN(rt, adds, 20, 3), 23);
    in_child(start_own, arg);
    check_eq(RUN(rt, adds, 20, 3), 23);
    stop(rt);
}

Test(fork, a_grandchild_too)
{
    fixture f;

    skip_under_sanitizers();
    begin(&f, false);
    in_child(fork_again, &f);
    end(&f);
}

/* ---- forks at any moment ---- */

struct spawns_on {
    WEFT_FRAME;
    struct {
        atomic_int *enough;
    } in;
    weft_handle       child;
    struct weft_sleep nap;
};
WEFT_ASYNC(spawns_on)
{
    int64_t n;

    WEFT_BEGIN();
    while (!*self->in.enough) {
        check_eq(weft_spawn(&self->child, adds, 1, 2), 0);
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(1)));
        check_eq(n, 0);
        WEFT_AWAIT(n, weft_join(&self->child));
        check_eq(n, 3);
    }
    WEFT_END(0);
}

Test(fork, of_a_busy_process_hangs_neither_parent_nor_child)
{
    atomic_int  enough = 0;
    weft_handle handle[4];
    fixture     f;

    begin(&f, false);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(f.rt, &handle[i], spawns_on, &enough), 0);
    for (int64_t i = test_scaled(100); i > 0; i--) {
        in_child(touch, &f);
        in_child(wake, &f);
        in_child(use_handles, &f);
    }
    enough = 1;
    for (int i = 0; i < 4; i++)
        check_eq(join(f.rt, &handle[i]), 0);
    end(&f);
}

/* The child's only thread is a copy of a worker. */
struct forks {
    WEFT_FRAME;
    struct {
        fixture *fixture;
    } in;
};

static void touch_from_a_task(void *arg)
{
    fixture          *f = arg;
    weft_handle       handle = {.task_ = NULL};
    struct weft_sleep nap;

    check_eq(weft_spawn(&handle, adds, 1, 2), -ECHILD);
    check_eq(weft_spawn_on(f->rt, NULL, adds, 1, 2), -ECHILD);
    check_cmp(weft_block_on(f->rt, weft_sleep(&nap, 0)), <, 0);
    check_cmp(weft_runtime_stop(f->rt, 0), <, 0);
    wake(f);
}

WEFT_ASYNC(forks)
{
    WEFT_BEGIN();
    in_child(touch_from_a_task, self->in.fixture);
    WEFT_END(0);
}

struct forks_in_job {
    fixture *fixture;
};
WEFT_BLOCKING(forks_in_job)
{
    in_child(touch_from_a_task, self->fixture);
    return 0;
}

Test(fork, in_a_task_or_a_job_is_no_different)
{
    struct weft_spawn_blocking job;
    fixture                    f;

    begin(&f, false);
    check_eq(RUN(f.rt, forks, &f), 0);
    check_eq(weft_block_on(f.rt, weft_spawn_blocking(&job, forks_in_job, &f)), 0);
    end(&f);
}

/* A runtime that the child starts is its own. */
static void use_another(const weft_config *config)
{
    weft_runtime     *rt = start_with(config);
    weft_handle       handle;
    weft_pool        *pool;
    struct weft_sleep nap;

    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    check_eq(weft_spawn_on(rt, &handle, adds, 1, 2), 0);
    check_eq(join(rt, &handle), 3);
    check_eq(weft_pool_open(rt, &(weft_pool_config){.threads = 1}, &pool), 0);
    check_eq(weft_pool_close(pool, WEFT_S(10)), 0);
    stop(rt);
}

static void use_others(void *arg)
{
    (void)arg;
    use_another(&(weft_config){.workers = 2});
    use_another(&(weft_config){.current_thread = 1});
}

struct forks_and_starts {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(forks_and_starts)
{
    WEFT_BEGIN();
    in_child(use_others, NULL);
    WEFT_END(0);
}

struct forks_and_starts_in_job {
    int unused;
};
WEFT_BLOCKING(forks_and_starts_in_job)
{
    (void)self;
    in_child(use_others, NULL);
    return 0;
}

Test(fork, in_a_task_or_a_job_leaves_a_child_that_can_use_a_runtime_of_its_own)
{
    weft_runtime              *rt;
    struct weft_spawn_blocking job;

    if (TEST_TSAN) /* it refuses threads in such a child */
        return;
    rt = start(2);
    check_eq(RUN(rt, forks_and_starts, 0), 0);
    check_eq(weft_block_on(rt, weft_spawn_blocking(&job, forks_and_starts_in_job, 0)), 0);
    stop(rt);
}

/* ---- a child that returns into the parent's code ---- */

/* Returns in the child. In the parent it aborts if the child has aborted. */
static int64_t fork_and_return(void)
{
    pid_t pid = fork();
    int   status;

    check_cmp(pid, >=, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm((unsigned)(15 * test_slow())); /* a hang is no abort */
        return 0;
    }
    check_eq(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        abort();
    return status;
}

struct returns_in_child {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(returns_in_child)
{
    WEFT_BEGIN();
    WEFT_END(fork_and_return());
}

TEST_ABORTS(fork, a_child_that_returns_from_a_poll_aborts, "must not return from the poll")
{
    weft_runtime *rt = start(1);

    RUN(rt, returns_in_child, 0);
}

struct returns_in_child_of_job {
    int unused;
};
WEFT_BLOCKING(returns_in_child_of_job)
{
    (void)self;
    return fork_and_return();
}

TEST_ABORTS(fork, a_child_that_returns_from_a_job_aborts, "must not return from the blocking job")
{
    weft_runtime              *rt = start(1);
    struct weft_spawn_blocking job;

    weft_block_on(rt, weft_spawn_blocking(&job, returns_in_child_of_job, 0));
}
