/*
 * test_host.c - how weft's threads affect the program's signal handlers, profiler and children
 */
#include "../helpers.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* ---- masks ---- */

enum { WORKER, POOL, REACTOR, MONITOR, KINDS };

static int kind_of(const char *name)
{
    if (strstr(name, "weft-reactor"))
        return REACTOR;
    if (strstr(name, "weft-monitor"))
        return MONITOR;
    if (strstr(name, "weft-blocking"))
        return POOL;
    return strstr(name, "weft-") ? WORKER : KINDS;
}

/* The mask of one thread of each kind; how many kinds were found. */
static int read_masks(uint64_t masks[KINDS])
{
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int            n = 0;
    bool           found[KINDS] = {false};

    while ((entry = readdir(dir))) {
        char  path[64], line[256];
        int   kind = KINDS;
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%.20s/status", entry->d_name);
        if (atoi(entry->d_name) == getpid() || !(f = fopen(path, "re")))
            continue;
        if (fgets(line, sizeof line, f))
            kind = kind_of(line);
        while (kind < KINDS && fgets(line, sizeof line, f))
            if (strncmp(line, "SigBlk:", 7) == 0) {
                masks[kind] = strtoull(line + 7, NULL, 16);
                n += !found[kind];
                found[kind] = true;
            }
        fclose(f);
    }
    closedir(dir);
    return n;
}

struct nothing {
    int none;
};
WEFT_BLOCKING(nothing)
{
    (void)self;
    return 0;
}

#define NEVER_BLOCKED                                                                              \
    (WEFT_SIGNAL(SIGSEGV) | WEFT_SIGNAL(SIGBUS) | WEFT_SIGNAL(SIGFPE) | WEFT_SIGNAL(SIGILL) |      \
     WEFT_SIGNAL(SIGTRAP) | WEFT_SIGNAL(SIGSYS) | WEFT_SIGNAL(SIGABRT) | WEFT_SIGNAL(SIGPROF))
#define TAKEN_ELSEWHERE                                                                            \
    (WEFT_SIGNAL(SIGTERM) | WEFT_SIGNAL(SIGALRM) | WEFT_SIGNAL(SIGUSR1) | WEFT_SIGNAL(SIGPIPE))

Test(host, threads_with_its_code_have_its_mask_and_others_take_only_faults_and_sigprof)
{
    test_skip_under_valgrind("threads' masks are its own");

    weft_runtime              *rt;
    struct weft_spawn_blocking job;
    uint64_t                   masks[KINDS] = {0};
    sigset_t                   set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    rt = start(2);
    sigfillset(&set); /* what its first thread does later is that thread's */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    check_eq(weft_block_on(rt, weft_spawn_blocking(&job, nothing, .none = 0)), 0);
    /* A thread names itself, and a worker then takes the host's mask. */
    EVENTUALLY(read_masks(masks) == KINDS && masks[WORKER] == WEFT_SIGNAL(SIGUSR2));
    check_eq(masks[POOL], WEFT_SIGNAL(SIGUSR2));
    for (int kind = REACTOR; kind <= MONITOR; kind++) {
        check_eq(masks[kind] & NEVER_BLOCKED, 0);
        check_eq(masks[kind] & TAKEN_ELSEWHERE, TAKEN_ELSEWHERE);
    }
    stop(rt);
}

/* ---- faults ---- */

/* Neither the compiler nor UBSan, which ends the process itself, may detect the fault. */
static volatile int *volatile nowhere = (volatile int *)64;
static volatile int zero, number = 7;

struct fault_job {
    int none;
};
WEFT_BLOCKING(fault_job)
{
    (void)self;
    return *nowhere;
}

struct fault {
    WEFT_FRAME;
    struct {
        int where;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(fault)
{
    int64_t n = 0;

    WEFT_BEGIN();
    if (self->in.where == SIGSEGV)
        n = *nowhere;
    if (self->in.where == SIGFPE)
        n = number / zero;
    if (self->in.where == 0)
        WEFT_AWAIT(n, weft_spawn_blocking(&self->job, fault_job, .none = 0));
    WEFT_END(n);
}

static void report_crash(int signo)
{
    (void)signo;
    _exit(42);
}

static void check_handler_runs(int where)
{
    int   status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGSEGV, report_crash);
        signal(SIGFPE, report_crash);
        _exit((int)RUN(start(1), fault, .where = where));
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status));
    check_eq(WEXITSTATUS(status), 42);
}

Test(host, its_crash_handler_runs_for_faults_in_tasks_and_jobs)
{
    check_handler_runs(SIGSEGV);
    check_handler_runs(0);
#if defined __x86_64__ && !TEST_SANITIZED
    check_handler_runs(SIGFPE); /* elsewhere a division by zero is no fault, or UBSan's to tell */
#endif
}

/* ---- signals with their default action ---- */

struct raise_task {
    WEFT_FRAME;
    struct {
        int signo;
    } in;
};
WEFT_ASYNC(raise_task)
{
    WEFT_BEGIN();
    raise(self->in.signo);
    WEFT_END(0);
}

static void check_ended_by(pid_t pid, int signo)
{
    int status;

    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status));
    check_eq(WTERMSIG(status), signo);
}

Test(host, a_signal_raised_in_a_task_ends_the_process)
{
    static const int signos[] = {SIGTERM, SIGUSR1, SIGPROF};

    for (size_t i = 0; i < sizeof signos / sizeof *signos; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit((int)RUN(start(1), raise_task, .signo = signos[i]));
        check_ended_by(pid, signos[i]);
    }
}

/* As in "program | head". */
struct print {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
};
WEFT_ASYNC(print)
{
    int64_t n;

    WEFT_BEGIN();
    n = write(self->in.fd, "x", 1);
    WEFT_END(n);
}

static int broken_pipe(void)
{
    int ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    return ends[1];
}

Test(host, what_a_task_itself_writes_to_a_broken_pipe_ends_the_process)
{
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        _exit((int)RUN(start(1), print, .fd = broken_pipe()));
    }
    check_ended_by(pid, SIGPIPE);
}

static bool is_pending(int signo)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, signo) == 1;
}

static void block_sigpipe(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    check_eq(pthread_sigmask(how, &set, NULL), 0);
}

/* Writes by weft to a pipe without a reader: as a stream, by the ring, from a file. */
struct write_broken {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          fd;
        bool         pending; /* with a SIGPIPE of the task's own */
    } in;
    weft_io io;
};
WEFT_ASYNC(write_broken)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.pending) {
        block_sigpipe(SIG_BLOCK);
        raise(SIGPIPE);
    }
    WEFT_AWAIT(n, weft_write(&self->io, self->in.stream, "x", 1));
    check_eq(n, -EPIPE);
    check_eq(is_pending(SIGPIPE), self->in.pending);
    if (self->in.pending) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        check_eq(sigtimedwait(&set, NULL, &(struct timespec){0}), SIGPIPE);
        WEFT_AWAIT(n, weft_write(&self->io, self->in.stream, "x", 1));
        check_eq(n, -EPIPE);
        check(!is_pending(SIGPIPE));
        block_sigpipe(SIG_UNBLOCK);
    }
    WEFT_AWAIT(n, weft_file_write(&self->io, self->in.fd, "x", 1, -1));
    check_eq(n, -EPIPE);
    WEFT_AWAIT(n, weft_file_write_all(&self->io, self->in.fd, "x", 1, -1));
    check_eq(n, -EPIPE);
    WEFT_END(0);
}

Test(host, what_weft_writes_to_a_broken_pipe_raises_no_sigpipe)
{
    weft_runtime *rt;
    weft_stream  *stream;
    int           fd = broken_pipe();

    signal(SIGPIPE, SIG_DFL); /* it would end the case */
    rt = start(1);
    check_eq(weft_stream_adopt(rt, broken_pipe(), &stream), 0);
    check_eq(RUN(rt, write_broken, .stream = stream, .fd = fd), 0);
    weft_stream_close(stream);
    close(fd);
    stop(rt);
}

Test(host, a_sigpipe_that_was_pending_before_stays_pending)
{
    weft_runtime *rt;
    weft_stream  *stream;
    int           fd = broken_pipe();

    signal(SIGPIPE, SIG_DFL);
    rt = start(1);
    check_eq(weft_stream_adopt(rt, broken_pipe(), &stream), 0);
    check_eq(RUN(rt, write_broken, .stream = stream, .fd = fd, .pending = true), 0);
    weft_stream_close(stream);
    close(fd);
    stop(rt);
}

/* ---- children ---- */

/* Starts a child as any program would. Returns 0 if it blocks no signal and may use $CPUS CPUs. */
static int64_t look_at_child(void)
{
    char *argv[] = {"sh", "-c",
                    "test \"$(grep SigBlk /proc/self/status)\" = \"SigBlk:\t0000000000000000\" || "
                    "exit 1; test $(nproc) = $CPUS || exit 2",
                    NULL};
    int   status, r;
    pid_t pid;

    r = posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ);
    if (r != 0)
        return -r;
    if (waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

struct child_job {
    int none;
};
WEFT_BLOCKING(child_job)
{
    (void)self;
    return look_at_child();
}

struct child_task {
    WEFT_FRAME;
    struct {
        int none;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(child_task)
{
    int64_t n;

    WEFT_BEGIN();
    n = look_at_child();
    if (n == 0)
        WEFT_AWAIT(n, weft_spawn_blocking(&self->job, child_job, .none = 0));
    WEFT_END(n);
}

static int n_cpus(void)
{
    cpu_set_t set;

    check_eq(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

static void begin_children(void)
{
    sigset_t none;
    char     cpus[16];

    snprintf(cpus, sizeof cpus, "%d", n_cpus());
    setenv("CPUS", cpus, 1);
    unsetenv("WEFT_CPU_AFFINITY");
    unsetenv("OMP_NUM_THREADS"); /* nproc minds it */
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

Test(host, children_have_its_signal_mask_and_its_cpus)
{
    test_skip_under_valgrind("threads' masks are its own");

    weft_runtime *rt;

    begin_children();
    check_eq(weft_signal_block(WEFT_SIGNAL(SIGTERM)), 0); /* a child can still be ended by it */
    rt = start(n_cpus());
    check_eq(RUN(rt, child_task, .none = 0), 0);
    stop(rt);
}

/* By hand, on a worker with affinity: fork, weft_child_reset, exec. */
struct fork_task {
    WEFT_FRAME;
    struct {
        bool reset;
    } in;
};
WEFT_ASYNC(fork_task)
{
    sigset_t set;
    int      status = -1;
    pid_t    pid;

    WEFT_BEGIN();
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* and with a signal that the task has blocked */
    pid = fork();
    if (pid == 0) {
        if (self->in.reset && weft_child_reset(NULL) < 0)
            _exit(3);
        pthread_sigmask(SIG_SETMASK, NULL, &set);
        _exit(sigismember(&set, SIGTERM) * 2 + (n_cpus() != atoi(getenv("CPUS"))));
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        WEFT_RETURN(-EIO);
    WEFT_END(WEXITSTATUS(status));
}

Test(host, a_child_of_a_pinned_worker_can_be_reset)
{
    weft_runtime *rt;

    begin_children();
    check_eq(weft_child_reset(NULL), -ENXIO);
    rt = start_with(&(weft_config){.workers = 1, .cpu_affinity = 1});
    check_eq(RUN(rt, fork_task, .reset = true), 0);
    check_eq(RUN(rt, fork_task, .reset = false), 2 + (n_cpus() > 1));
    stop(rt);
}

/* ---- stacks ---- */

/* Writes to a mebibyte of stack, and returns one byte of it. */
static __attribute__((noinline)) int64_t use_stack(void)
{
    volatile char bytes[1 << 20];

    for (size_t i = 0; i < sizeof bytes; i += 1024)
        bytes[i] = 1;
    return bytes[sizeof bytes / 2];
}

struct deep_job {
    int unused;
};
WEFT_BLOCKING(deep_job)
{
    (void)self;
    return use_stack();
}

struct deep {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(deep)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, deep_job, .unused = 0));
    WEFT_END(n + use_stack());
}

/* With musl a thread has 128 KiB by default. */
Test(host, a_poll_and_a_job_may_use_a_mebibyte_of_stack)
{
    weft_runtime *rt = start(1);

    check_eq(RUN(rt, deep, .unused = 0), 2);
    stop(rt);
}
