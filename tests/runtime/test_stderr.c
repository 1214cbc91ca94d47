/*
 * test_stderr.c - the default log: no thread of the runtime waits for standard error
 */
#include "../actors.h"
#include "../sockets.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#undef stderr /* musl's is (stderr), which can be no part of a test's name */

static bool has_room(int fd)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};

    return poll(&out, 1, 50) == 1; /* a terminal moves on by itself what it has taken */
}

/* Fills what fd leads to. Its O_NONBLOCK is off again then. */
static void fill(int fd)
{
    static char data[4096];
    int         flags = fcntl(fd, F_GETFL);

    memset(data, 'x', sizeof data);
    check_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    do
        for (size_t n = sizeof data; n > 0; n /= 2)
            while (write(fd, data, n) > 0)
                ;
    while (has_room(fd));
    check_eq(fcntl(fd, F_SETFL, flags & ~O_NONBLOCK), 0);
}

/* Reads until no bytes have arrived for 100 ms. */
static void drain(int fd, char *ret, size_t size)
{
    struct pollfd in = {.fd = fd, .events = POLLIN};
    static char   part[65536];
    size_t        kept = 0;

    while (poll(&in, 1, 100) == 1) {
        ssize_t n = read(fd, part, sizeof part);

        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            if (part[i] != 'x' && kept < size - 1)
                ret[kept++] = part[i];
    }
    ret[kept] = '\0';
}

/* The log lines of a runtime: those written while standard error was full, and those after it had
 * room again. */
struct said {
    char full[4096], later[4096];
    int  flags; /* of standard error */
};

/* Its worker, its monitor and the calling thread log lines. The case has a time limit. */
static void log_to(int reader, int writer, struct said *ret)
{
    weft_runtime *rt;
    weft_handle   h;
    int           ends[2];
    weft_config   config = {.workers = 1, .watchdog_ms = 10};

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_runtime_start(&config, &rt), 0);
    check_eq(weft_spawn_on(rt, &h, awaits_fd, .fd = ends[0], .events = POLLIN), 0);
    check_eq(RUN(rt, pauses, .ms = 60), 0);
    weft_runtime_dump(rt);
    ret->flags = fcntl(STDERR_FILENO, F_GETFL);
    drain(reader, ret->full, sizeof ret->full);
    weft_runtime_dump(rt);
    drain(reader, ret->later, sizeof ret->later);
    fill(writer);
    weft_runtime_dump(rt);
    check_eq(write(ends[1], "x", 1), 1);
    check_eq(join(rt, &h), POLLIN);
    stop(rt);
}

static void check_never_waits(int reader, int writer)
{
    struct said said;
    int         saved = dup(STDERR_FILENO);

    fill(writer);
    dup2(writer, STDERR_FILENO);
    log_to(reader, writer, &said);
    dup2(saved, STDERR_FILENO);
    close(saved);
    check_eq(said.flags & O_NONBLOCK, 0); /* it is shared */
    check(strstr(said.full, "awaits_fd") == NULL);
    check_str_contains(said.later, " lines were dropped: ");
    check_str_contains(said.later, "awaits_fd");
}

Test(stderr, a_full_pipe_holds_up_nothing)
{
    int ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_never_waits(ends[0], ends[1]);
}

Test(stderr, a_full_socket_holds_up_nothing)
{
    int ends[2];

    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_never_waits(ends[0], ends[1]);
}

Test(stderr, a_terminal_that_is_not_read_holds_up_nothing)
{
    int main_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), end;

    if (main_end < 0 || grantpt(main_end) < 0 || unlockpt(main_end) < 0 ||
        (end = open(ptsname(main_end), O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
        test_skip("no terminals here");
    check_never_waits(main_end, end);
}

/* To another user the pipe can't be opened again. */
Test(stderr, a_full_pipe_of_another_user_holds_up_nothing)
{
    int ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        test_skip("not root");
    check_never_waits(ends[0], ends[1]);
}

Test(stderr, a_pipe_that_nobody_reads_raises_no_sigpipe)
{
    weft_runtime *rt;
    weft_config   config = {.workers = 1, .watchdog_ms = 10};
    int           ends[2], saved = dup(STDERR_FILENO);

    signal(SIGPIPE, SIG_DFL);
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    check_eq(weft_runtime_start(&config, &rt), 0);
    check_eq(RUN(rt, pauses, .ms = 60), 0);
    stop(rt);
    dup2(saved, STDERR_FILENO);
}

/* The kernel sends SIGXFSZ, whose default ends the process. The monitor logs a long poll, and the
 * calling thread, which does not block the signal, an unknown variable. */
Test(stderr, a_file_that_may_not_grow_raises_no_sigxfsz)
{
    weft_runtime *rt;
    weft_config   config = {.workers = 1, .watchdog_ms = 10};
    struct rlimit none = {0, RLIM_INFINITY}, before;
    char          path[] = "/tmp/weft-stderr-XXXXXX", said[256] = "";
    int           fd = mkstemp(path), saved = dup(STDERR_FILENO);

    check_cmp(fd, >=, 0);
    unlink(path);
    signal(SIGXFSZ, SIG_DFL);
    check_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    none.rlim_max = before.rlim_max;
    dup2(fd, STDERR_FILENO);
    check_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    check_eq(setenv("WEFT_UNKNOWN", "1", 1), 0);
    check_eq(weft_runtime_start(&config, &rt), 0);
    check_eq(RUN(rt, pauses, .ms = 60), 0);
    check_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    stop(rt);
    dup2(saved, STDERR_FILENO);
    check_cmp(pread(fd, said, sizeof said - 1, 0), >, 0);
    check_str_contains(said, "were dropped");
    close(fd);
}

TEST_ABORTS(stderr, the_last_words_get_through, "somebody's fault")
{
    weft_misuse_("f", "somebody's fault", "here");
}

Test(stderr, an_abort_does_not_wait_for_a_full_pipe)
{
    int   ends[2], status;
    pid_t pid;

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    fill(ends[1]);
    pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        weft_misuse_("f", "rule", "here");
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

Test(stderr, lines_that_come_from_outside_stay_one_line)
{
    struct lines  log = LINES;
    weft_config   config = {.workers = 1, .log = lines_add, .log_arg = &log};
    weft_runtime *rt;

    setenv("WEFT_BUDGET", "1\nweft: all is well\x7f", 1);
    check_eq(weft_runtime_start(&config, &rt), -EINVAL);
    check_str_contains(log.text, "WEFT_BUDGET=1?weft: all is well? is not");
    unsetenv("WEFT_BUDGET");
    setenv("WEFT_\x1b[2J", "1", 1);
    check_eq(weft_runtime_start(&config, &rt), 0);
    check_str_contains(log.text, "WEFT_?[2J");
    stop(rt);
}

/* ---- closed standard descriptors ---- */

struct everything {
    WEFT_FRAME;
    struct {
        int none;
    } in;
    weft_listener          *listener;
    weft_stream            *client, *served;
    weft_datagram          *datagram;
    weft_address            address;
    weft_io                 io;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(everything)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_address_parse("127.0.0.1", 0, &self->address);
    if (n == 0)
        n = weft_datagram_bind(NULL, &self->address, NULL, &self->datagram);
    if (n == 0)
        n = weft_listen(NULL, &self->address, NULL, &self->listener);
    if (n == 0)
        n = weft_listener_address(self->listener, &self->address);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_connect(&self->io, &self->address, &self->client));
    /* As if another process shared it: then weft accepts by a ring of its own. */
    fcntl(weft_listener_fd(self->listener), F_SETFL, 0);
    if (n == 0)
        WEFT_AWAIT(n, weft_accept(&self->io, self->listener, &self->served));
    raise(SIGUSR1);
    if (n == 0)
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, WEFT_SIGNAL(SIGUSR1)));
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            n = -EEXIST;
    weft_stream_close(self->client);
    weft_stream_close(self->served);
    weft_datagram_close(self->datagram);
    weft_listener_close(self->listener);
    WEFT_END(n == SIGUSR1 ? 0 : n);
}

static int run_without_standard(void)
{
    weft_config   config = {.workers = 1, .watchdog_ms = 10};
    weft_runtime *rt;
    weft_handle   h;

    if (weft_signal_block(WEFT_SIGNAL(SIGUSR1)) < 0 || weft_runtime_start(&config, &rt) < 0)
        return 1;
    if (weft_spawn_on(rt, &h, everything, .none = 0) < 0 || join(rt, &h) < 0)
        return 2;
    if (weft_spawn_on(rt, &h, pauses, .ms = 60) < 0 || join(rt, &h) < 0)
        return 3;
    return weft_runtime_stop(rt, WEFT_S(20)) < 0 ? 4 : 0;
}

Test(stderr, weft_never_takes_the_descriptors_that_the_host_has_closed)
{
    int saved[3], result;

    if (TEST_TSAN)
        test_skip("TSan takes a number that threads use in turn for one descriptor");
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        close(fd);
    result = run_without_standard();
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(saved[fd], fd);
    check_eq(result, 0);
}
