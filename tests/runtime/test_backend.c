/*
 * test_backend.c - without io_uring: the log line, and what threads and an epoll set do instead
 *
 * The other tests show that all operations behave alike: ./dev check runs them with
 * WEFT_BACKEND=epoll, too.
 */
#include "../actors.h"
#include "../deny.h"

#include <poll.h>
#include <pty.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static weft_runtime *start_epoll(int64_t threads)
{
    return start_with(
        &(weft_config){.workers = 2, .backend = WEFT_BACKEND_EPOLL, .file_threads = threads});
}

static void check_works(weft_runtime *rt)
{
    char    path[] = "/tmp/weft-backend-XXXXXX", text[4];
    int     fd = mkstemp(path);
    weft_io io;

    check_cmp(fd, >=, 0);
    check_eq(weft_block_on(rt, weft_file_write_all(&io, fd, "abcd", 4, 0)), 4);
    check_eq(weft_block_on(rt, weft_file_sync(&io, fd)), 0);
    check_eq(weft_block_on(rt, weft_file_read_exact(&io, fd, text, 4, 0)), 4);
    check_eq(weft_block_on(rt, weft_path_unlink(&io, AT_FDCWD, path, 0)), 0);
    check_eq(weft_block_on(rt, weft_path_unlink(&io, AT_FDCWD, path, 0)), -ENOENT);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    check_cmp(fcntl(fd, F_GETFD), <, 0);
}

static void check_falls_back(int number, int error, const char *text)
{
    struct lines  log = LINES;
    int           n_before = n_fds();
    weft_runtime *rt;

    deny(number, error);
    rt = start_with(&(weft_config){
        .workers = 2, .backend = WEFT_BACKEND_AUTO, .log = lines_add, .log_arg = &log});
    check_eq(log.n, 1);
    check_str_contains(log.text, text);
    check_str_contains(log.text, "weft uses epoll instead");
    check_eq(weft_runtime_backend(rt), WEFT_BACKEND_EPOLL);
    check_works(rt);
    stop(rt);
    check_eq(n_fds(), n_before);
}

Test(backend, where_a_filter_denies_io_uring_epoll_takes_its_place)
{
    check_falls_back(SYS_io_uring_setup, EPERM, "seccomp");
}

Test(backend, where_the_ring_may_not_be_entered_epoll_takes_its_place)
{
    check_falls_back(SYS_io_uring_enter, EPERM, "seccomp");
}

Test(backend, where_the_kernel_has_no_io_uring_epoll_takes_its_place)
{
    check_falls_back(SYS_io_uring_setup, ENOSYS, "the kernel is ");
}

Test(backend, epoll_is_silent_where_it_was_chosen)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){
        .workers = 1, .backend = WEFT_BACKEND_EPOLL, .log = lines_add, .log_arg = &log});

    check_eq(weft_runtime_backend(rt), WEFT_BACKEND_EPOLL);
    check_works(rt);
    stop(rt);
    check_eq(log.n, 0);
}

/* ---- waiting, and being cancelled ---- */

struct reads {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
    weft_io io;
    char    bytes[8]; /* an eventfd gives so many, a pipe what it has */
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_read(&self->io, self->in.fd, self->bytes, sizeof self->bytes, -1));
    WEFT_END(n);
}

struct opens {
    WEFT_FRAME;
    struct {
        const char *path;
        int         flags;
    } in;
    weft_io io;
};
WEFT_ASYNC(opens)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_open(&self->io, self->in.path, self->in.flags, 0));
    WEFT_END(n);
}

#define MANY 6

/* No byte is lost. */
Test(backend, reads_of_an_empty_pipe_end_when_they_are_cancelled)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h[MANY];
    int           ends[MANY][2];
    char          byte;

    for (int i = 0; i < MANY; i++) {
        check_eq(pipe2(ends[i], O_CLOEXEC), 0);
        check_eq(weft_spawn_on(rt, &h[i], reads, .fd = ends[i][0]), 0);
    }
    pause_ms(20); /* they wait, or are cancelled before they do */
    for (int i = 0; i < MANY; i++)
        weft_cancel(&h[i]);
    for (int i = 0; i < MANY; i++) {
        check_eq(join(rt, &h[i]), -ECANCELED);
        check_eq(write(ends[i][1], "x", 1), 1);
        check_eq(read(ends[i][0], &byte, 1), 1);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    stop(rt);
}

Test(backend, a_read_of_a_pipe_waits_for_its_byte)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h;
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &h, reads, .fd = ends[0]), 0);
    pause_ms(5);
    check_eq(write(ends[1], "x", 1), 1);
    check_eq(join(rt, &h), 1);
    check_eq(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0); /* its flags are as they were */
    close(ends[0]);
    close(ends[1]);
    stop(rt);
}

/* Waits until the task sleeps in a thread for files, or ends before it does. */
static void check_ends(weft_runtime *rt, weft_handle *h)
{
    pause_ms(20);
    check_works(rt);
    weft_cancel(h);
    check_eq(join(rt, h), -ECANCELED);
}

Test(backend, reads_of_an_eventfd_and_the_like_end_when_they_are_cancelled)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h;
    int           fd[] = {eventfd(0, EFD_CLOEXEC), timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
                          inotify_init1(IN_CLOEXEC)};
    uint64_t      one = 1;

    for (int i = 0; i < 3; i++) {
        check_eq(weft_spawn_on(rt, &h, reads, .fd = fd[i]), 0);
        check_ends(rt, &h);
    }
    check_eq(weft_spawn_on(rt, &h, reads, .fd = fd[0]), 0);
    pause_ms(5);
    check_eq(write(fd[0], &one, sizeof one), sizeof one);
    check_eq(join(rt, &h), sizeof one);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    stop(rt);
}

#define MORE_THAN_FITS (256 << 10)

struct writes_much {
    WEFT_FRAME;
    struct {
        int fd;
    } in;
    weft_io io;
};
WEFT_ASYNC(writes_much)
{
    static const char much[MORE_THAN_FITS];
    int64_t           n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_write_all(&self->io, self->in.fd, much, sizeof much, -1));
    WEFT_END(n);
}

Test(backend, writes_to_a_terminal_that_is_not_read_end_when_they_are_cancelled)
{
    weft_runtime *rt = start_epoll(1);

    /* By the one end, by the other, and by the other once the first is closed. */
    for (int by_master = 0; by_master < 3; by_master++) {
        struct termios raw;
        weft_handle    h;
        int            master, slave;

        if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
            test_skip("no pseudo terminals here");
        check_eq(tcgetattr(slave, &raw), 0);
        cfmakeraw(&raw);
        check_eq(tcsetattr(slave, TCSANOW, &raw), 0);
        if (by_master == 2)
            close(slave);
        check_eq(weft_spawn_on(rt, &h, writes_much, .fd = by_master ? master : slave), 0);
        check_ends(rt, &h);
        check_eq(fcntl(master, F_GETFL) & O_NONBLOCK, 0); /* its flags are as they were */
        if (by_master < 2)
            check_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
        close(master);
        if (by_master < 2)
            close(slave);
    }
    stop(rt);
}

/* poll(2) reports for ever that the one is ready, and never that the other is. */
Test(backend, reads_of_sockets_that_give_nothing_end)
{
    weft_runtime *rt = start_epoll(1);
    int           ends[2], listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    weft_io       io;
    char          byte;

    check_eq(listen(listener, 1), 0);
    check_eq(weft_block_on(rt, weft_file_read(&io, listener, &byte, 1, -1)), -ENOTCONN);
    check_eq(weft_block_on(rt, weft_file_write(&io, listener, &byte, 1, -1)), -EPIPE);
    check_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    check_eq(shutdown(ends[0], SHUT_RD), 0);
    check_eq(weft_block_on(rt, weft_file_read(&io, ends[0], &byte, 1, -1)), 0);
    close(listener);
    close(ends[0]);
    close(ends[1]);
    stop(rt);
}

/* Only another operation writes what the reads wait for. */
Test(backend, reads_of_pipes_wait_and_hold_up_nothing)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h[MANY];
    weft_io       io;
    int           ends[MANY][2];

    for (int i = 0; i < MANY; i++) {
        check_eq(pipe2(ends[i], O_CLOEXEC), 0);
        check_eq(weft_spawn_on(rt, &h[i], reads, .fd = ends[i][0]), 0);
    }
    pause_ms(20);
    check_works(rt);
    for (int i = MANY - 1; i >= 0; i--) {
        check_eq(weft_block_on(rt, weft_file_write(&io, ends[i][1], "x", 1, -1)), 1);
        check_eq(join(rt, &h[i]), 1);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    stop(rt);
}

/* It must not be queued behind them: they may wait for ever. */
Test(backend, what_gets_no_thread_beside_waiting_reads_says_so)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h;
    weft_io       io;
    int           ends[2], fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    test_skip_under_valgrind("it makes calls of its own");
    if (TEST_SANITIZED)
        test_skip("a sanitizer makes threads of its own at the end");
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &h, reads, .fd = ends[0]), 0);
    EVENTUALLY(threads_named("weft-files").n == 1);
    deny(SYS_clone, EAGAIN);
    deny(SYS_clone3, EAGAIN);
    check_eq(weft_block_on(rt, weft_file_sync(&io, fd)), -EAGAIN);
    check_eq(write(ends[1], "x", 1), 1);
    check_eq(join(rt, &h), 1);
    check_eq(weft_block_on(rt, weft_file_sync(&io, fd)), 0);
    close(fd);
    close(ends[0]);
    close(ends[1]);
    stop(rt);
}

struct splices {
    WEFT_FRAME;
    struct {
        int from, to;
    } in;
    weft_io io;
};
WEFT_ASYNC(splices)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_splice(&self->io, self->in.from, -1, self->in.to, -1, 1, 0));
    WEFT_END(n);
}

/* The number of the descriptor that it waits for belongs to another file then. */
Test(backend, a_splice_holds_both_files)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h;
    int           from[2], to[2], other[2];
    char          byte = 0;

    check_eq(pipe2(from, O_CLOEXEC), 0);
    check_eq(pipe2(to, O_CLOEXEC), 0);
    check_eq(pipe2(other, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &h, splices, .from = from[0], .to = to[1]), 0);
    pause_ms(20);
    check_eq(dup3(other[0], from[0], O_CLOEXEC), from[0]);
    check_eq(write(other[1], "n", 1), 1);
    pause_ms(20);
    check(!weft_is_finished(&h));
    check_eq(write(from[1], "y", 1), 1);
    check_eq(join(rt, &h), 1);
    check_eq(read(to[0], &byte, 1), 1);
    check_eq(byte, 'y');
    for (int i = 0; i < 2; i++) {
        close(from[i]);
        close(to[i]);
        close(other[i]);
    }
    stop(rt);
}

/* Opens that wait take no thread from other operations, even if there are more than the limit. */
Test(backend, opens_of_fifos_wait_and_hold_up_nothing)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h[MANY];
    char          path[] = "/tmp/weft-fifo-XXXXXX";
    int           fd = mkstemp(path), other;

    close(fd);
    unlink(path);
    check_eq(mkfifo(path, 0600), 0);
    for (int i = 0; i < MANY; i++)
        check_eq(weft_spawn_on(rt, &h[i], opens, .path = path, .flags = O_RDONLY), 0);
    pause_ms(20);
    check_works(rt);
    for (int i = 1; i < MANY; i++)
        weft_cancel(&h[i]);
    for (int i = 1; i < MANY; i++)
        check_eq(join(rt, &h[i]), -ECANCELED);
    other = open(path, O_WRONLY | O_CLOEXEC);
    fd = (int)join(rt, &h[0]);
    check_cmp(fd, >=, 0);
    close(fd);
    close(other);
    unlink(path);
    stop(rt);
}

/* openat(2) does not look at the folder then. */
Test(backend, an_absolute_path_to_a_fifo_needs_no_folder)
{
    weft_runtime *rt = start_epoll(1);
    char          path[] = "/tmp/weft-fifo-XXXXXX";
    weft_io       io;
    int           fd = mkstemp(path);
    int64_t       n;

    close(fd);
    unlink(path);
    check_eq(mkfifo(path, 0600), 0);
    n = weft_block_on(rt, weft_file_open_at(&io, -1, path, O_RDWR, 0));
    check_cmp(n, >=, 0);
    close((int)n);
    unlink(path);
    stop(rt);
}

Test(backend, any_number_of_tasks_waits_for_one_descriptor)
{
    weft_runtime *rt = start_epoll(1);
    weft_handle   h[MANY];
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < MANY; i++)
        check_eq(weft_spawn_on(rt, &h[i], awaits_fd, .fd = ends[0], .events = POLLIN), 0);
    weft_cancel(&h[0]);
    check_eq(join(rt, &h[0]), -ECANCELED);
    check_eq(RUN(rt, awaits_fd, .fd = ends[1], .events = POLLOUT), POLLOUT);
    check_eq(write(ends[1], "x", 1), 1);
    for (int i = 1; i < MANY; i++)
        check_eq(join(rt, &h[i]), POLLIN);
    close(ends[0]);
    close(ends[1]);
    check_eq(RUN(rt, awaits_fd, .fd = ends[0], .events = POLLIN), -EBADF);
    stop(rt);
}

Test(backend, a_file_is_always_ready)
{
    weft_runtime *rt = start_epoll(1);
    int           fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    check_eq(RUN(rt, awaits_fd, .fd = fd, .events = POLLIN), POLLIN);
    close(fd);
    stop(rt);
}

/* ---- at stop, and with a clock that jumps ---- */

Test(backend, stopping_ends_what_waits_in_threads)
{
    weft_runtime *rt = start_epoll(2);
    int           ends[2], n_before = n_fds();

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < MANY; i++) {
        check_eq(weft_spawn_on(rt, NULL, reads, .fd = ends[0]), 0);
        check_eq(weft_spawn_on(rt, NULL, awaits_fd, .fd = ends[0], .events = POLLIN), 0);
    }
    pause_ms(20);
    stop(rt);
    close(ends[0]);
    close(ends[1]);
    check_cmp(n_fds(), <=, n_before);
    EVENTUALLY(n_weft_threads() == 0); /* a joined one may be there for a moment */
}

Test(backend, a_clock_that_jumps_jumps)
{
    weft_runtime     *rt = start_epoll(1);
    struct weft_sleep nap;

    weft_clock_set(rt, WEFT_CLOCK_JUMPS);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_S(36000))), 0);
    stop(rt);
}
