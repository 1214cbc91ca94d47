/*
 * test_standard.c - standard input and output of every kind as streams, shared with other programs
 */
#include "../helpers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Our descriptor, and the other end of it; -1: it has none. */
typedef struct ends {
    int ours, other;
} ends;

static char path[] = "/tmp/weft-test-XXXXXX";

static bool is_non_blocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    check_cmp(flags, >=, 0);
    return flags & O_NONBLOCK;
}

static ends a_pipe_to_read(void)
{
    int fd[2];

    check_eq(pipe2(fd, O_CLOEXEC), 0);
    return (ends){fd[0], fd[1]};
}

static ends a_pipe_to_write(void)
{
    ends e = a_pipe_to_read();

    return (ends){e.other, e.ours};
}

static ends a_socket(void)
{
    int fd[2];

    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
    return (ends){fd[0], fd[1]};
}

static ends a_terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0)
        test_skip("no terminals");
    check_eq(grantpt(master), 0);
    check_eq(unlockpt(master), 0);
    return (ends){open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC), master};
}

static ends a_master(void)
{
    ends e = a_terminal();

    return (ends){e.other, e.ours};
}

static ends a_file(void)
{
    static const char text[] = "one\ntwo\n";
    int               fd = mkstemp(path);

    check_eq(write(fd, text, sizeof text - 1), sizeof text - 1);
    check_eq(lseek(fd, 0, SEEK_SET), 0);
    unlink(path);
    return (ends){fd, -1};
}

static ends nothing(void)
{
    return (ends){open("/dev/null", O_RDWR | O_CLOEXEC), -1};
}

static void close_ends(ends e)
{
    close(e.ours);
    if (e.other >= 0)
        close(e.other);
}

/* Reads lines and the end on this side. `notices` says whether the open file, which the other
 * program shares, becomes non-blocking meanwhile. */
static void check_reads(ends e, int lines, bool notices)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_reader   reader;
    int           shared = dup(e.ours), n;
    char          buffer[64], *line;

    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(weft_stream_fd(s), e.ours);
    check_eq(is_non_blocking(shared), notices);
    if (e.other >= 0)
        check_eq(write(e.other, "one\ntwo\n", 8), 8);
    weft_reader_init(&reader, s, buffer, sizeof buffer);
    for (n = 0; n < lines; n++)
        check_eq(weft_block_on(rt, weft_reader_line(&reader, &line)), 3);
    if (e.other < 0)
        check_eq(weft_block_on(rt, weft_reader_line(&reader, &line)), WEFT_EOF);
    weft_stream_close(s);
    EVENTUALLY(counters(rt).streams_open == 0);
    check(!is_non_blocking(shared));
    stop(rt);
    close(shared);
}

static void check_writes(ends e, bool notices)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    int           shared = dup(e.ours);
    char          got[4];

    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(is_non_blocking(shared), notices);
    check_eq(weft_block_on(rt, weft_write_all(&io, s, "abc\n", 4)), 4);
    if (e.other >= 0)
        check_eq(read(e.other, got, 3), 3);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), e.ours); /* it is as it came */
    check(!is_non_blocking(e.ours));
    check(!is_non_blocking(shared));
    check_eq(write(e.ours, "d", 1), 1);
    stop(rt);
    close(shared);
    close_ends(e);
}

Test(standard, input_of_every_kind_is_read_by_lines)
{
    ends e;

    e = a_pipe_to_read(), check_reads(e, 2, false), close(e.other);
    e = a_socket(), check_reads(e, 2, true), close(e.other);
    e = a_terminal(), check_reads(e, 2, false), close(e.other);
    check_reads(a_file(), 2, false);
    check_reads(nothing(), 0, true);
}

Test(standard, output_of_every_kind_is_written)
{
    check_writes(a_pipe_to_write(), false);
    check_writes(a_socket(), true);
    check_writes(a_terminal(), false);
    check_writes(a_master(), true);
    check_writes(a_file(), false);
    check_writes(nothing(), true);
}

Test(standard, one_that_does_not_block_already_stays_so)
{
    weft_runtime *rt = start(1);
    ends          e = a_pipe_to_read();
    weft_stream  *s;
    weft_io       io;

    check_eq(fcntl(e.ours, F_SETFL, O_NONBLOCK), 0);
    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(weft_block_on(rt, weft_stream_release(&io, s)), e.ours);
    check(is_non_blocking(e.ours));
    close_ends(e);
    stop(rt);
}

/* Parent and child share the open file, and the parent continues to use it. */
Test(standard, a_child_that_closes_does_not_give_the_flag_back)
{
    weft_runtime *rt = start(1);
    ends          e = a_socket();
    weft_stream  *s;
    pid_t         pid;
    int           status;

    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    pid = fork();
    if (pid == 0) {
        weft_stream_close(s);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
    check(is_non_blocking(e.ours));
    weft_stream_close(s);
    close(e.other);
    stop(rt);
}

Test(standard, the_descriptor_keeps_its_number_and_its_flags)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    ends          e = a_pipe_to_write();
    int           n = n_fds();

    check_eq(fcntl(e.ours, F_SETFD, 0), 0);
    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(fcntl(e.ours, F_GETFD), 0);
    check_eq(fcntl(e.ours, F_GETFL) & O_ACCMODE, O_WRONLY);
    check_eq(n_fds(), n);
    weft_stream_close(s);
    close(e.other);
    stop(rt);
}

/* A file's position is that of all that have it open. */
Test(standard, a_long_file_is_read_in_portions_and_its_position_moves)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    ends          e = a_file();
    int           shared = dup(e.ours);
    static char   buffer[1 << 20];

    check_eq(ftruncate(e.ours, sizeof buffer), 0);
    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, sizeof buffer)), 128 << 10);
    check_eq(lseek(shared, 0, SEEK_CUR), 128 << 10);
    check_eq(weft_block_on(rt, weft_read_exact(&io, s, buffer, 5 << 17)), 5 << 17);
    check_eq(weft_block_on(rt, weft_write(&io, s, buffer, sizeof buffer)), 128 << 10);
    check_eq(weft_block_on(rt, weft_write_all(&io, s, buffer, sizeof buffer)), sizeof buffer);
    check_eq(lseek(shared, 0, SEEK_CUR), (7 << 17) + (1 << 20));
    check_eq(weft_block_on(rt, weft_read(&io, s, buffer, 1)), 0);
    weft_stream_close(s);
    close(shared);
    stop(rt);
}

/* The worker copies the bytes, and its other tasks wait meanwhile. */
Test(standard, pieces_of_a_file_are_moved_in_portions_too)
{
    weft_runtime *rt = start(1);
    weft_stream  *s;
    weft_io       io;
    ends          e = a_file();
    static char   buffer[1 << 20];
    struct iovec  large[] = {{buffer, 0}, {buffer, sizeof buffer}, {buffer, 1}};
    struct iovec  small[] = {{buffer, 100 << 10}, {buffer, 0}, {buffer, 100 << 10}};

    check_eq(ftruncate(e.ours, sizeof buffer), 0);
    check_eq(weft_stream_adopt(rt, e.ours, &s), 0);
    check_eq(weft_block_on(rt, weft_readv(&io, s, large, 3)), 128 << 10);
    check_eq(weft_block_on(rt, weft_readv(&io, s, small, 3)), 100 << 10);
    check_eq(weft_block_on(rt, weft_writev(&io, s, large, 3)), 128 << 10);
    check_eq(weft_block_on(rt, weft_writev(&io, s, small, 3)), 100 << 10);
    check_eq(weft_block_on(rt, weft_readv(&io, s, small, 1)), 100 << 10);
    weft_stream_close(s);
    stop(rt);
}
