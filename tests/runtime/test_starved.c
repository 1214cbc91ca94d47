/*
 * test_starved.c - out of file descriptors: accepting waits, the rest says so
 */
#include "../sockets.h"

#include <sys/resource.h>

struct accept_one {
    WEFT_FRAME;
    struct {
        weft_listener  *listener;
        weft_stream   **ret;
        struct watched *polls;
    } in;
    weft_io io;
};
WEFT_ASYNC(accept_one)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls, weft_accept(&self->io, self->in.listener, self->in.ret)));
    WEFT_END(n);
}

static int hoard[256], n_hoarded;

/* Takes every descriptor that is left. */
static void starve(void)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
    int           fd;

    test_skip_under_valgrind("it keeps descriptors beyond the limit for itself");
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((fd = dup(2)) >= 0)
        hoard[n_hoarded++] = fd;
    check_eq(errno, EMFILE);
    check_cmp(n_hoarded, >, 0);
}

static void feed(void)
{
    while (n_hoarded > 0)
        close(hoard[--n_hoarded]);
}

typedef struct fixture {
    weft_runtime  *rt;
    weft_listener *listener;
    weft_address   address;
    weft_handle    accept;
    weft_stream   *stream;
    struct watched polls;
    int            client;
} fixture;

/* An accept that has a connection to take, and no descriptor for it. */
static void begin(fixture *f)
{
    f->rt = start(1);
    f->polls.n_polls = 0;
    f->listener = listen_on(f->rt, false, &f->address);
    f->client = raw_connect(&f->address);
    starve();
    check_eq(weft_spawn_on(f->rt, &f->accept, accept_one, .listener = f->listener,
                           .ret = &f->stream, .polls = &f->polls),
             0);
    EVENTUALLY(f->polls.n_polls > 0);
    pause_ms(100);
    check(!weft_is_finished(&f->accept));
}

static void end(fixture *f)
{
    weft_listener_close(f->listener);
    close(f->client);
    stop(f->rt);
}

Test(starved, accept_goes_on_when_descriptors_come_back)
{
    fixture f;

    begin(&f);
    feed();
    check_eq(join(f.rt, &f.accept), 0);
    weft_stream_close(f.stream);
    end(&f);
}

Test(starved, accept_does_not_spin_meanwhile)
{
    fixture                      f;
    struct weft_runtime_counters before;

    begin(&f);
    before = counters(f.rt);
    pause_ms(300);
    check_cmp(counters(f.rt).polls - before.polls, <, 100);
    check_cmp(counters(f.rt).reactor_enters - before.reactor_enters, <, 200);
    feed();
    check_eq(join(f.rt, &f.accept), 0);
    weft_stream_close(f.stream);
    end(&f);
}

Test(starved, accept_can_be_cancelled_and_the_connection_stays)
{
    fixture f;

    begin(&f);
    weft_cancel(&f.accept);
    check_eq(join(f.rt, &f.accept), -ECANCELED);
    feed();
    check_eq(RUN(f.rt, accept_one, .listener = f.listener, .ret = &f.stream, .polls = &f.polls), 0);
    weft_stream_close(f.stream);
    end(&f);
}

Test(starved, accept_ends_when_its_listener_is_closed)
{
    fixture f;

    begin(&f);
    weft_listener_close(f.listener);
    check_eq(join(f.rt, &f.accept), -ECANCELED);
    feed();
    close(f.client);
    stop(f.rt);
}

Test(starved, a_second_accept_is_busy_and_does_not_stop_the_first)
{
    fixture        f;
    weft_stream   *other;
    struct watched polls;

    begin(&f);
    check_eq(RUN(f.rt, accept_one, .listener = f.listener, .ret = &other, .polls = &polls), -EBUSY);
    feed();
    EVENTUALLY(weft_is_finished(&f.accept));
    check_eq(join(f.rt, &f.accept), 0);
    weft_stream_close(f.stream);
    end(&f);
}

/* A waker of another executor that arms a timer: weft must not call it under the timer's lock. */
static weft_runtime     *sleeps_rt;
static struct weft_sleep sleeps_nap;
static _Atomic int       n_slept;

static weft_poll poll_with(weft_future *future, const weft_waker *waker)
{
    weft_context cx;

    weft_context_init(&cx, waker, sleeps_rt);
    return weft_future_poll(future, &cx);
}

static weft_waker sleeps_clone(void *data);

static void sleeps_wake(void *data)
{
    weft_waker noop = weft_waker_noop();

    (void)data;
    if (n_slept == 0)
        check(!weft_poll_is_ready(poll_with(weft_sleep(&sleeps_nap, WEFT_S(3600)), &noop)));
    n_slept++;
}

static void sleeps_drop(void *data)
{
    (void)data;
}

static const weft_waker_vtable sleeps_vtable = {sleeps_clone, sleeps_wake, sleeps_wake, sleeps_drop,
                                                NULL};

static weft_waker sleeps_clone(void *data)
{
    return (weft_waker){&sleeps_vtable, data};
}

Test(starved, accept_of_a_foreign_executor_may_sleep_when_it_is_woken)
{
    weft_waker     waker = {&sleeps_vtable, NULL};
    weft_address   address;
    weft_listener *listener;
    weft_stream   *stream;
    weft_io        io;
    int            client;

    sleeps_rt = start(1);
    listener = listen_on(sleeps_rt, false, &address);
    client = raw_connect(&address);
    starve();
    check(!weft_poll_is_ready(poll_with(weft_accept(&io, listener, &stream), &waker)));
    EVENTUALLY(n_slept > 0);
    feed();
    while (!weft_poll_is_ready(poll_with(&io.future, &waker)))
        pause_ms(1);
    check_eq(weft_future_result(&io.future), 0);
    check(!weft_poll_is_ready(weft_future_cancel(&sleeps_nap.future)));
    check(weft_poll_is_ready(poll_with(&sleeps_nap.future, &waker)));
    weft_stream_close(stream);
    weft_listener_close(listener);
    close(client);
    stop(sleeps_rt);
}

Test(starved, connect_open_and_signals_answer_emfile)
{
    fixture                 f;
    weft_stream            *s;
    weft_io                 io;
    struct weft_signal_wait sig;

    check_eq(weft_signal_block(WEFT_SIGNAL(SIGUSR1)), 0);
    begin(&f);
    check_eq(weft_block_on(f.rt, weft_connect(&io, &f.address, &s)), -EMFILE);
    check_eq(weft_block_on(f.rt, weft_file_open(&io, "/dev/null", O_RDONLY, 0)), -EMFILE);
    check_eq(weft_block_on(f.rt, weft_signal_wait(&sig, WEFT_SIGNAL(SIGUSR1))), -EMFILE);
    feed();
    check_eq(join(f.rt, &f.accept), 0);
    weft_stream_close(f.stream);
    end(&f);
}
