/*
 * test_environment.c - what the process around a runtime may do to it: limits, full disks, resets,
 * signals
 */
#include "../actors.h"
#include "../sockets.h"
#include "workload.h"

#include <limits.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

static void limit_files(rlim_t n)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void check_workload(void)
{
    uint32_t armed;
    int64_t  n_failed;

    check(workload(&armed, &n_failed));
    check_eq(n_failed, 0);
}

/* A process of its own, which ends with status 0 or has failed. Forked beside threads, it ends with
 * _exit: the leak checker, which runs at exit, needs locks that those threads may have held. */
static pid_t fork_child(void)
{
    pid_t pid = fork();

    check_cmp(pid, >=, 0);
    return pid;
}

static void check_child(pid_t pid)
{
    int status;

    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

/* ---- an echo server ---- */

struct server {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        if (n < 0)
            break;
        n = weft_spawn(NULL, echo, .stream = self->stream);
        if (n < 0)
            weft_stream_close(self->stream);
    }
    WEFT_END(n);
}

static void serve(weft_runtime *rt, weft_listener **ret, weft_address *ret_address)
{
    *ret = listen_on(rt, false, ret_address);
    check_eq(weft_spawn_on(rt, NULL, server, .listener = *ret), 0);
}

/* All streams have ended by themselves. */
static void end_server(weft_runtime *rt, weft_listener *listener)
{
    weft_listener_close(listener);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

static void check_echo(int fd, char what)
{
    char byte = 0;

    raw_write(fd, &what, 1);
    raw_read(fd, &byte, 1);
    check_eq(byte, what);
}

/* ---- limits ---- */

/* Newer kernels count the ring as locked memory. */
Test(environment, without_locked_memory_it_runs_or_says_so)
{
    struct lines  log = LINES;
    weft_config   config = {.workers = 1, .log = lines_add, .log_arg = &log};
    weft_runtime *rt;
    struct rlimit none = {0};
    int           n_before = n_fds(), r;

    check_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        check_cmp(geteuid(), !=, 0); /* root is above the limit; others are not */
    r = weft_runtime_start(&config, &rt);
    if (r == 0) {
        stop(rt);
        check_workload();
    } else {
        check_eq(r, -ENOMEM);
        check_eq(log.n, 1);
        check_str_contains(log.text, "RLIMIT_MEMLOCK");
    }
    check_eq(n_fds(), n_before);
}

struct sync {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
    weft_io io;
};
WEFT_ASYNC(sync)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_sync(&self->io, self->in.fd)); /* always on a thread of the kernel's */
    WEFT_END(n);
}

/* The runtime has its threads; then the kernel may make no more, not even its own. */
Test(environment, a_file_operation_that_gets_no_thread_says_so)
{
    weft_runtime *rt = start(1);
    char          path[] = "/tmp/weft-fault-XXXXXX";
    struct rlimit before, one;
    int           fd = mkstemp(path);

    check_cmp(fd, >=, 0);
    unlink(path);
    check_eq(getrlimit(RLIMIT_NPROC, &before), 0);
    one = (struct rlimit){1, before.rlim_max};
    check_eq(setrlimit(RLIMIT_NPROC, &one), 0);
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        check_cmp(geteuid(), !=, 0); /* root is above the limit */
    check_eq(RUN(rt, sync, .fd = fd), -EAGAIN);
    check_eq(setrlimit(RLIMIT_NPROC, &before), 0); /* a leak checker makes threads */
    close(fd);
    stop(rt);
}

/* The user ids of cases: what a user's processes have locked counts together, so each case has its
 * own. */
static void become_own_user(void)
{
    uid_t id = 70000 + (uid_t)getpid() % 100000;

    if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
        test_skip("may not become another user");
}

/* What check_workload() checks; 2: there was no memory for the ring. */
static int try_workload(void)
{
    uint32_t armed;
    int64_t  n_failed;
    int      status;
    pid_t    pid = fork_child();

    if (pid == 0) {
        if (!workload(&armed, &n_failed))
            _exit(1);
        _exit(n_failed == 0 ? 0 : n_failed < 0 ? 2 : 3);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void limit_locked(rlim_t n)
{
    struct rlimit limit;

    check_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    check_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
}

/* The limit at which a runtime just starts, in pages. */
static rlim_t least_for_a_ring(void)
{
    const weft_config config = {.workers = 1, .log = weft_log_none};
    rlim_t            too_little = 0, enough = 4 << 20;

    while (enough - too_little > 4096) {
        rlim_t        middle = (too_little + enough) / 2 / 4096 * 4096;
        weft_runtime *rt;
        int           r;

        limit_locked(middle);
        r = weft_runtime_start(&config, &rt);
        if (r == 0)
            stop(rt);
        else
            check_eq(r, -ENOMEM);
        *(r == 0 ? &enough : &too_little) = middle;
    }
    return enough;
}

/* Some kernels count the ring, all count what is sent without a copy. */
Test(environment, with_no_more_locked_memory_than_the_ring_needs_it_runs)
{
    become_own_user();
    limit_locked(least_for_a_ring());
    check_eq(try_workload(), 0);
}

/* A ring's memory comes back after its close, on some kernels. */
Test(environment, with_locked_memory_for_one_ring_it_starts_right_after_a_stop)
{
    weft_runtime *rt;

    become_own_user();
    limit_locked(least_for_a_ring());
    for (int64_t i = test_scaled(30); i > 0; i--) {
        rt = start(1);
        stop(rt);
    }
}

/* More clients at once than there are descriptors: each is served when its turn comes. */
static void be_clients(const weft_address *address, int n_rounds, int n_at_once)
{
    for (int round = 0; round < n_rounds; round++) {
        int fd[64];

        for (int i = 0; i < n_at_once; i++) {
            fd[i] = raw_connect(address);
            raw_write(fd[i], "x", 1);
        }
        for (int i = 0; i < n_at_once; i++) {
            char byte;

            raw_read(fd[i], &byte, 1);
            close(fd[i]);
        }
    }
    _exit(0);
}

Test(environment, a_server_with_20_descriptors_serves_more_clients)
{
    weft_runtime  *rt = start(2);
    weft_listener *listener;
    weft_address   address;
    pid_t          pid;

    limit_files(20);
    serve(rt, &listener, &address);
    pid = fork_child();
    if (pid == 0) {
        limit_files(100);
        be_clients(&address, 5, 40);
    }
    check_child(pid);
    end_server(rt, listener);
}

Test(environment, connecting_without_descriptors_is_an_error_and_no_more)
{
    weft_runtime *rt = start(1);
    weft_address  address;
    weft_stream  *stream = NULL;
    weft_io       io;
    int           raw = raw_listen(false, 8, &address), free_fd = dup(2);

    close(free_fd);
    limit_files((rlim_t)free_fd);
    for (int i = 0; i < 100; i++)
        check_eq(weft_block_on(rt, weft_connect(&io, &address, &stream)), -EMFILE);
    check(stream == NULL);
    limit_files((rlim_t)free_fd + 1);
    check_eq(weft_block_on(rt, weft_connect(&io, &address, &stream)), 0);
    weft_stream_close(stream);
    close(raw);
    stop(rt);
}

/* ---- full disks ---- */

static int64_t run_file(weft_runtime *rt, const char *path, int *ret_fd)
{
    weft_io io;
    int64_t n = weft_block_on(rt, weft_file_open(&io, path, O_RDWR | O_CREAT, 0600));

    *ret_fd = (int)n;
    return n;
}

Test(environment, a_full_device_is_an_error)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           fd;

    check_cmp(run_file(rt, "/dev/full", &fd), >=, 0);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "abc", 3, 0)), -ENOSPC);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    stop(rt);
}

Test(environment, the_limit_of_file_sizes_is_an_error_and_no_signal)
{
    static char   data[8192];
    struct rlimit limit = {4096, 4096};
    weft_runtime *rt = start(1);
    char          path[] = "/tmp/weft-fault-XXXXXX";
    weft_io       io;
    int           fd;

    close(mkstemp(path));
    check_cmp(run_file(rt, path, &fd), >=, 0);
    unlink(path);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit),
             0); /* beyond it comes SIGXFSZ, and nobody ignores it */
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, data, sizeof data, 0)), 4096);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, data, sizeof data, 4096)), -EFBIG);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    stop(rt);
}

Test(environment, a_full_disk_keeps_what_was_written)
{
    static char   data[64 << 10], back[64 << 10];
    char          folder[] = "/tmp/weft-fault-XXXXXX", path[64];
    weft_runtime *rt;
    weft_io       io;
    int64_t       n, size = 0;
    int           fd;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        test_skip("may not mount");
    check(mkdtemp(folder) != NULL);
    if (mount("weft", folder, "tmpfs", 0, "size=96k") < 0) {
        rmdir(folder);
        test_skip("may not mount");
    }
    rt = start(1);
    snprintf(path, sizeof path, "%s/file", folder);
    memset(data, 'd', sizeof data);
    check_cmp(run_file(rt, path, &fd), >=, 0);
    while ((n = weft_block_on(rt, weft_file_write(&io, fd, data, sizeof data, size))) > 0)
        size += n;
    check_eq(n, -ENOSPC);
    check_cmp(size, >, (int64_t)sizeof data);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, back, sizeof back, 0)), sizeof back);
    check_eq(memcmp(data, back, sizeof back), 0);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    stop(rt);
    umount(folder);
    rmdir(folder);
}

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

/* Every 200 us a signal interrupts what the host's own thread does in start, block_on and stop;
 * weft's threads block it. */
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
