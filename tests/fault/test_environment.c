/*
 * test_environment.c - what the process around a runtime may do to it: resets, signals, much at
 * once, other kinds of rings
 */
#include "around.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

/* ---- peers ---- */

Test(environment, thousands_of_resets_leave_nothing, .timeout = 120)
{
    static char    data[256 << 10];
    weft_runtime  *rt = start(2);
    weft_listener *listener;
    weft_address   address;
    uint32_t       seed = 1;
    int            n_before = n_fds(), n = (int)test_scaled(3000);

    serve(rt, &listener, &address);
    for (int i = 0; i < n; i++) {
        int fd = raw_connect(&address);

        /* before a read, in the middle of one, of a write that waits, or after the end */
        if (rnd(&seed) % 4 > 0)
            (void)!send(fd, data, rnd(&seed) % sizeof data, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (rnd(&seed) % 4 == 0)
            (void)!recv(fd, data, 1 + rnd(&seed) % 1000, MSG_DONTWAIT);
        if (rnd(&seed) % 8 == 0)
            shutdown(fd, SHUT_WR);
        if (rnd(&seed) % 8 == 0)
            sched_yield();
        raw_reset(fd);
    }
    weft_listener_close(listener);
    EVENTUALLY(counters(rt).streams_open == 0);
    EVENTUALLY(n_fds() == n_before);
    stop(rt);
}

/* ---- signals ---- */

struct napper {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    struct weft_sleep nap;
    int64_t           begin;
};
WEFT_ASYNC(napper)
{
    int64_t n = 0;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        self->begin = weft_now();
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(5)));
        if (n < 0 || weft_now() - self->begin < WEFT_MS(5))
            WEFT_RETURN(-EIO);
    }
    WEFT_END(n);
}

/* The process that is stopped: it serves one client, then says whether its timers were right. */
static void be_stopped(int report)
{
    weft_runtime  *rt = start(2);
    weft_listener *listener;
    weft_address   address;
    weft_handle    nap[8];

    serve(rt, &listener, &address);
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &nap[i], napper, .n = 60 + i), 0);
    check_eq(write(report, &address, sizeof address), sizeof address);
    for (int i = 0; i < 8; i++)
        check_eq(join(rt, &nap[i]), 0);
    end_server(rt, listener);
    exit(0);
}

Test(environment, a_stopped_process_goes_on)
{
    weft_address address;
    int          report[2], fd, status;
    pid_t        pid;

    check_eq(pipe2(report, O_CLOEXEC), 0);
    pid = fork_child();
    if (pid == 0)
        be_stopped(report[1]);
    check_eq(read(report[0], &address, sizeof address), sizeof address);
    fd = raw_connect(&address);
    check_echo(fd, 'a');
    for (int i = 0; i < 5; i++) {
        char byte;

        kill(pid, SIGSTOP);
        check_eq(waitpid(pid, &status, WUNTRACED), pid);
        check(WIFSTOPPED(status));
        raw_write(fd, "b", 1);
        pause_ms(i == 0 ? 1000 : 30);
        check_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
        kill(pid, SIGCONT);
        raw_read(fd, &byte, 1);
        check_echo(fd, 'c');
    }
    close(fd);
    check_child(pid);
}

static atomic_int n_signals;

static void count_signal(int signo)
{
    (void)signo;
    n_signals++;
}

/* Every 200 us a signal interrupts what the host's own thread does in start, block_on and stop. It
 * interrupts a worker, too, if it comes while that thread is still in the handler. The reactor and
 * the monitor block it. */
Test(environment, a_storm_of_signals_changes_nothing)
{
    struct sigaction act = {.sa_handler = count_signal}; /* no SA_RESTART */
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};

    if (TEST_TSAN)
        test_skip(
            "a signal in the middle of pthread_join's free takes a lock of TSan's twice (clang "
            "14)");
    check_eq(sigaction(SIGALRM, &act, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < 5; i++)
        check_workload();
    setitimer(ITIMER_REAL, &never, NULL);
    check_cmp(n_signals, >, 5);
}

/* ---- much at once ---- */

#define MANY 600

Test(environment, hundreds_of_sockets_are_ready_together, .timeout = 120)
{
    weft_runtime  *rt = start_with(&(weft_config){.workers = 2});
    weft_listener *listener;
    weft_address   address;
    static int     fd[MANY];

    limit_files(4 * MANY);
    serve(rt, &listener, &address);
    for (int i = 0; i < MANY; i++)
        fd[i] = raw_connect(&address);
    EVENTUALLY(counters(rt).streams_open == MANY + 1);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++)
            raw_write(fd[i], "x", 1);
        for (int i = 0; i < MANY; i++) {
            char byte;

            raw_read(fd[i], &byte, 1);
        }
    }
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    end_server(rt, listener);
}

/* ---- small rings, plain rings ---- */

struct watcher {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
    weft_io io;
    int     round;
};
WEFT_ASYNC(watcher)
{
    uint64_t value;
    int64_t  n;

    WEFT_BEGIN();
    for (self->round = 0; self->round < 5; self->round++) {
        WEFT_AWAIT(n, weft_fd_ready(&self->io, self->in.fd, POLLIN));
        if (n != POLLIN || read(self->in.fd, &value, sizeof value) < 0)
            WEFT_RETURN(-EIO);
    }
    WEFT_END(0);
}

/* 8 submissions fit, and 64 completions: all are asked for, and all complete, at once. */
static void check_overflow(int64_t mask)
{
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 2, .ring_entries = 8, .ring_mask = mask ? mask : WEFT_OFF});
    static int         fd[MANY];
    static weft_handle handle[MANY];
    uint64_t           one = 1;

    for (int i = 0; i < MANY; i++) {
        fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        check_eq(weft_spawn_on(rt, &handle[i], watcher, .fd = fd[i]), 0);
    }
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++)
            check_eq(write(fd[i], &one, sizeof one), sizeof one);
        for (int i = 0; i < MANY; i++)
            EVENTUALLY(weft_is_finished(&handle[i]) ||
                       poll(&(struct pollfd){fd[i], POLLIN, 0}, 1, 0) == 0);
    }
    for (int i = 0; i < MANY; i++) {
        check_eq(join(rt, &handle[i]), 0);
        close(fd[i]);
    }
    stop(rt);
}

Test(environment, more_events_than_the_ring_has_room_for, .timeout = 120)
{
    limit_files(3 * MANY + 100); /* without a ring, a wait takes two more */
    for (int64_t mask = 0; mask < 8; mask = 2 * mask + 1) /* the kinds of rings there are */
        check_overflow(mask);
}

Test(environment, each_kind_of_ring_does_everything, .timeout = 120)
{
    for (int mask = 0; mask < 8; mask++) {
        char text[8];

        snprintf(text, sizeof text, "%d", mask);
        setenv("WEFT_RING_MASK", text, 1);
        check_workload();
        setenv("WEFT_RING_ENTRIES", "8", 1);
        check_workload();
        unsetenv("WEFT_RING_ENTRIES");
    }
}
