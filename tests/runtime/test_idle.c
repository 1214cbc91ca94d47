/*
 * test_idle.c - waiting costs nothing: two polls a read, no system call while nothing happens
 */
#include "../actors.h"
#include "../sockets.h"

struct read_counted {
    WEFT_FRAME;
    struct {
        weft_stream    *stream;
        struct watched *reads; /* one after the other */
        atomic_int     *polls; /* of the last one that has ended */
        int             n;
    } in;
    weft_io io;
    char    buffer[64];
};
WEFT_ASYNC(read_counted)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, watched(self->in.reads, weft_read(&self->io, self->in.stream, self->buffer,
                                                        sizeof self->buffer)));
        check_cmp(n, >, 0);
        *self->in.polls = self->in.reads->n_polls;
    }
    WEFT_END(0);
}

Test(idle, a_read_on_an_idle_socket_is_polled_exactly_twice)
{
    weft_runtime  *rt = start(2);
    weft_stream   *s;
    weft_handle    h;
    struct watched reads = {.n_polls = 0};
    atomic_int     polls = 0;
    int            fd = pair(rt, &s);

    check_eq(
        weft_spawn_on(rt, &h, read_counted, .stream = s, .reads = &reads, .polls = &polls, .n = 20),
        0);
    for (int i = 0; i < 20; i++) {
        EVENTUALLY(reads.n_polls == 1); /* it waits */
        pause_ms(i == 0 ? 50 : 10);     /* and would be polled again now if it were for nothing */
        check_eq(polls, 0);
        raw_write(fd, "ping", 4);
        EVENTUALLY(polls != 0);
        check_eq(polls, 2); /* the first arms, the second completes */
        polls = 0;
    }
    check_eq(join(rt, &h), 0);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

Test(idle, a_read_of_bytes_that_are_there_is_polled_once)
{
    weft_runtime  *rt = start(1);
    weft_stream   *s;
    struct watched reads;
    atomic_int     polls = 0;
    int            fd = pair(rt, &s);
    struct pollfd  readable = {.fd = weft_stream_fd(s), .events = POLLIN};

    raw_write(fd, "ping", 4);
    check_eq(poll(&readable, 1, (int)(20000 * test_slow())), 1);
    check_eq(RUN(rt, read_counted, .stream = s, .reads = &reads, .polls = &polls, .n = 1), 0);
    check_eq(polls, 1);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}

/* ---- an idle process ---- */

/* Fails unless the threads of the runtime stay off the CPUs for the whole time, once quiet: what
 * went before ebbs away, and the monitor looks on for a tenth of a second. */
static void check_idle(int64_t ms)
{
    struct threads before = threads_at_rest("weft-", 300), after;

    check_cmp(before.n, >=, 3);
    pause_ms(ms);
    after = threads_named("weft-");
    check_eq(after.n, before.n);
    check_eq(after.n_turns, before.n_turns);
    check_eq(after.cpu_ns, before.cpu_ns);
}

Test(idle, a_new_runtime_uses_no_cpu)
{
    weft_runtime *rt = start(2);

    check_idle(1000);
    stop(rt);
}

struct idle_job {
    int unused;
};
WEFT_BLOCKING(idle_job)
{
    return self->unused;
}

#define N_IDLE 20

static void work(weft_runtime *rt)
{
    struct weft_spawn_blocking job;

    for (int i = 0; i < 200; i++) {
        check_eq(RUN(rt, sleeps, .duration = i * 1000), 0);
        check_eq(weft_block_on(rt, weft_spawn_blocking(&job, idle_job, .unused = i)), i);
    }
}

Test(idle, a_server_that_has_worked_uses_no_cpu)
{
    weft_runtime  *rt = start_with(&(weft_config){.workers = 2, .blocking_keep_ms = 1});
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s[N_IDLE];
    weft_handle    reader[N_IDLE], sleeper[N_IDLE], acceptor;
    struct weft_runtime_counters before, after;
    struct watched               reads[N_IDLE];
    atomic_int                   polls = 0;
    int                          fd[N_IDLE];

    check_eq(weft_spawn_on(rt, &acceptor, accepts, .listener = l), 0);
    for (int i = 0; i < N_IDLE; i++) {
        fd[i] = pair(rt, &s[i]);
        check_eq(weft_spawn_on(rt, &reader[i], read_counted, .stream = s[i], .reads = &reads[i],
                               .polls = &polls, .n = 2),
                 0);
        check_eq(weft_spawn_on(rt, &sleeper[i], sleeps, .duration = WEFT_S(60 + 600 * i)), 0);
        raw_write(fd[i], "once", 4);
    }
    work(rt);
    EVENTUALLY(counters(rt).blocking_threads == 0);
    check_idle(100);
    before = counters(rt);
    check_idle(3000);
    after = counters(rt);
    check_eq(after.reactor_enters, before.reactor_enters); /* no system call at all */
    check_eq(after.parks, before.parks);
    check_eq(after.polls, before.polls);
    for (int i = 0; i < N_IDLE; i++) { /* and yet all is alive */
        raw_write(fd[i], "again", 5);
        check_eq(join(rt, &reader[i]), 0);
        weft_cancel(&sleeper[i]);
        check_eq(join(rt, &sleeper[i]), -ECANCELED);
        weft_stream_close(s[i]);
        close(fd[i]);
    }
    weft_cancel(&acceptor);
    check_eq(join(rt, &acceptor), -ECANCELED);
    weft_listener_close(l);
    stop(rt);
}

Test(idle, a_distant_timer_uses_no_cpu)
{
    weft_runtime *rt = start(2);
    weft_handle   h;

    check_eq(weft_spawn_on(rt, &h, sleeps, .duration = WEFT_S(3600)), 0);
    check_eq(RUN(rt, sleeps, .duration = WEFT_MS(3)), 0);
    check_idle(1000);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    stop(rt);
}
