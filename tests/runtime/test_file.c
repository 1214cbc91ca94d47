/*
 * test_file.c - files by the ring
 */
#include "../actors.h"

#include <poll.h>
#include <sys/stat.h>

static char path[] = "/tmp/weft-test-XXXXXX";

static void make_file(void)
{
    int fd = mkstemp(path);

    check_cmp(fd, >=, 0);
    close(fd);
}

Test(file, what_was_written_is_read_again)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    char          buffer[32];
    int           n = n_fds(), fd;

    make_file();
    fd = (int)weft_block_on(rt, weft_file_open(&io, path, O_RDWR, 0));
    check_cmp(fd, >=, 0);
    check_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "hello, world", 12, 0)), 12);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "W", 1, 7)), 1);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, buffer, sizeof buffer, 0)), 12);
    check_eq(memcmp(buffer, "hello, World", 12), 0);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, buffer, 3, 7)), 3);
    check_eq(memcmp(buffer, "Wor", 3), 0);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, buffer, sizeof buffer, 12)), 0);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    check_eq(n_fds(), n);
    unlink(path);
    stop(rt);
}

Test(file, offset_minus_one_is_the_files_position)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    char          buffer[8];
    int           fd;

    make_file();
    fd = (int)weft_block_on(rt, weft_file_open(&io, path, O_RDWR, 0));
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "abc", 3, -1)), 3);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "def", 3, -1)), 3);
    check_eq(lseek(fd, 0, SEEK_CUR), 6);
    check_eq(lseek(fd, 2, SEEK_SET), 2);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, buffer, 8, -1)), 4);
    check_eq(memcmp(buffer, "cdef", 4), 0);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, buffer, 8, -1)), 0);
    close(fd);
    unlink(path);
    stop(rt);
}

Test(file, open_makes_files_with_the_mode_given)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    struct stat   st;
    int           fd;

    make_file();
    unlink(path);
    umask(0);
    fd = (int)weft_block_on(rt, weft_file_open(&io, path, O_CREAT | O_EXCL | O_WRONLY, 0640));
    check_cmp(fd, >=, 0);
    check_eq(fstat(fd, &st), 0);
    check_eq(st.st_mode & 0777, 0640);
    check_eq(weft_block_on(rt, weft_file_open(&io, path, O_CREAT | O_EXCL | O_WRONLY, 0640)),
             -EEXIST);
    close(fd);
    unlink(path);
    stop(rt);
}

Test(file, errors_are_the_systems)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    char          byte;
    int           fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    check_eq(weft_block_on(rt, weft_file_open(&io, "/no/such/file", O_RDONLY, 0)), -ENOENT);
    check_eq(weft_block_on(rt, weft_file_open(&io, "/", O_WRONLY, 0)), -EISDIR);
    check_eq(weft_block_on(rt, weft_file_read(&io, fd, &byte, 1, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_file_read(&io, 9999, &byte, 1, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_file_write(&io, 9999, &byte, 1, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_file_close(&io, 9999)), -EBADF);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, 9999, POLLIN)), -EBADF);
    close(fd);
    stop(rt);
}

/* ---- much ---- */

#define BLOCK (256 << 10)

struct copy {
    WEFT_FRAME;
    struct {
        const char *from;
        int64_t     size;
        uint32_t    seed;
    } in;
    weft_io io;
    int     fd;
    int64_t at, part;
    char    block[BLOCK];
};
WEFT_ASYNC(copy)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(self->fd, weft_file_open(&self->io, self->in.from, O_RDWR, 0));
    check_cmp(self->fd, >=, 0);
    for (self->at = 0; self->at < self->in.size; self->at += BLOCK) {
        memset(self->block, (int)(self->at / BLOCK * 7), BLOCK);
        for (self->part = 0; self->part < BLOCK; self->part += n) {
            WEFT_AWAIT(n, weft_file_write(&self->io, self->fd, self->block + self->part,
                                          (size_t)(BLOCK - self->part), self->at + self->part));
            check_cmp(n, >, 0);
        }
    }
    for (self->at = 0; self->at < self->in.size; self->at += n) {
        WEFT_AWAIT(n, weft_file_read(&self->io, self->fd, self->block, BLOCK, self->at));
        check_cmp(n, >, 0);
        for (int64_t i = 0; i < n; i += 511)
            check_eq(self->block[i], (char)((self->at + i) / BLOCK * 7));
    }
    WEFT_AWAIT(n, weft_file_read(&self->io, self->fd, self->block, BLOCK, self->in.size));
    check_eq(n, 0);
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    WEFT_END(n);
}

Test(file, a_large_file_is_written_and_read)
{
    weft_runtime *rt = start(2);
    int           n = n_fds();

    make_file();
    check_eq(RUN(rt, copy, .from = path, .size = 16 << 20), 0);
    check_eq(n_fds(), n);
    unlink(path);
    stop(rt);
}

struct read_many {
    WEFT_FRAME;
    struct {
        int      fd;
        uint32_t seed;
        int64_t  n;
    } in;
    weft_io  io;
    uint32_t at, got[4];
};
WEFT_ASYNC(read_many)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        self->at = rnd(&self->in.seed) % 10000;
        WEFT_AWAIT(n, weft_file_read(&self->io, self->in.fd, self->got, 16, self->at * 4));
        check_eq(n, 16);
        for (uint32_t i = 0; i < 4; i++)
            check_eq(self->got[i], self->at + i);
    }
    WEFT_END(0);
}

Test(file, many_tasks_read_one_file_at_once)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .ring_entries = 8});
    weft_handle   h[20];
    uint32_t      words[10003];
    int           fd;

    make_file();
    for (uint32_t i = 0; i < 10003; i++)
        words[i] = i;
    fd = open(path, O_RDWR | O_CLOEXEC);
    check_eq(pwrite(fd, words, sizeof words, 0), sizeof words);
    for (uint32_t i = 0; i < 20; i++)
        check_eq(
            weft_spawn_on(rt, &h[i], read_many, .fd = fd, .seed = i + 1, .n = test_scaled(100)), 0);
    for (int i = 0; i < 20; i++)
        check_eq(join(rt, &h[i]), 0);
    close(fd);
    unlink(path);
    stop(rt);
}

struct hesitate {
    WEFT_FRAME;
    struct {
        uint32_t seed;
        int64_t  n;
    } in;
    weft_io            open, read;
    struct weft_select sel;
    struct counter     turn;
    char               buffer[64];
    int64_t            got;
};
WEFT_ASYNC(hesitate)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, weft_select(&self->sel, weft_file_open(&self->open, path, O_RDONLY, 0),
                                  counter(&self->turn, rnd(&self->in.seed) % 12)));
        self->got = weft_future_result(&self->open.future);
        check_eq(self->got >= 0, n == 0);
        if (self->got < 0)
            continue;
        WEFT_AWAIT(n, weft_select(&self->sel,
                                  weft_file_read(&self->read, (int)self->got, self->buffer, 64, 0),
                                  counter(&self->turn, rnd(&self->in.seed) % 12)));
        n = weft_future_result(&self->read.future);
        check(n == 5 || n == -ECANCELED);
        check(n < 0 || memcmp(self->buffer, "bytes", 5) == 0);
        close((int)self->got);
    }
    WEFT_END(0);
}

Test(file, opens_and_reads_cancelled_at_any_moment_leave_nothing_behind)
{
    weft_runtime *rt = start(2);
    weft_handle   h[4];
    int           n = n_fds(), fd;

    make_file();
    fd = open(path, O_WRONLY | O_CLOEXEC);
    check_eq(write(fd, "bytes", 5), 5);
    close(fd);
    for (uint32_t i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &h[i], hesitate, .seed = i + 1, .n = test_scaled(1000)), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &h[i]), 0);
    check_eq(n_fds(), n);
    unlink(path);
    stop(rt);
}

/* ---- readiness ---- */

Test(file, fd_ready_tells_what_a_descriptor_shows)
{
    weft_runtime       *rt = start(1);
    weft_io             io;
    struct weft_timeout limit;
    int                 end[2];

    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, end[1], POLLOUT)), POLLOUT);
    check_eq(
        weft_block_on(rt, weft_timeout(&limit, weft_fd_ready(&io, end[0], POLLIN), WEFT_MS(5))),
        -ETIMEDOUT);
    check_eq(write(end[1], "x", 1), 1);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, end[0], POLLIN)), POLLIN);
    close(end[1]);
    check_eq(weft_block_on(rt, weft_fd_ready(&io, end[0], POLLIN)), POLLIN | POLLHUP);
    close(end[0]);
    stop(rt);
}

Test(file, fd_ready_wakes_a_task)
{
    weft_runtime *rt = start(1);
    weft_handle   h;
    int           end[2];

    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &h, awaits_fd, .fd = end[0], .events = POLLIN), 0);
    pause_ms(10);
    check(!weft_is_finished(&h));
    check_eq(write(end[1], "x", 1), 1);
    check_eq(join(rt, &h), POLLIN);
    close(end[0]);
    close(end[1]);
    stop(rt);
}
