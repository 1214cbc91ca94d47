/* test_file_cached.c - the worker itself moves what the page cache has, the ring the rest */
#include "../helpers.h"

#include <fcntl.h>
#include <unistd.h>

#define KIB  1024
#define SIZE (300 * KIB)

static weft_runtime *rt;
static char          written[SIZE], buffer[SIZE];

/* A file without a name, whose pages are in memory. */
static int make_file(void)
{
    char path[] = "/tmp/weft-test-XXXXXX";
    int  fd = mkstemp(path);

    check_cmp(fd, >=, 0);
    unlink(path);
    for (size_t i = 0; i < SIZE; i++)
        written[i] = (char)(i * 31 >> 3);
    check_eq(write(fd, written, SIZE), SIZE);
    return fd;
}

/* Awaits the future; adds how many operations the ring has completed for it. */
static int64_t await(weft_future *future, uint64_t *ret_by_ring)
{
    struct weft_runtime_counters before, after;
    int64_t                      n;

    weft_runtime_counters(rt, &before);
    n = weft_block_on(rt, future);
    weft_runtime_counters(rt, &after);
    *ret_by_ring = after.completions - before.completions;
    return n;
}

static int64_t await_read(int fd, size_t size, int64_t at, uint64_t *ret_by_ring)
{
    weft_io io;

    memset(buffer, 0, sizeof buffer);
    return await(weft_file_read(&io, fd, buffer, size, at), ret_by_ring);
}

Test(file_cached, is_read_without_the_ring)
{
    weft_io  io;
    uint64_t by_ring;
    int      fd = make_file();

    rt = start(1);
    for (size_t size = 1; size <= 128 * KIB; size *= 2) {
        check_eq(await_read(fd, size, 4097, &by_ring), (int64_t)size);
        check_eq(memcmp(buffer, written + 4097, size), 0);
        check_eq(by_ring, 0);
    }
    check_eq(await(weft_file_read_exact(&io, fd, buffer, 5000, 12345), &by_ring), 5000);
    check_eq(memcmp(buffer, written + 12345, 5000), 0);
    check_eq(by_ring, 0);
    stop(rt);
    close(fd);
}

Test(file_cached, more_than_a_worker_may_copy_is_read_by_the_ring)
{
    uint64_t by_ring;
    int      fd = make_file();

    rt = start(1);
    check_eq(await_read(fd, 128 * KIB + 1, 0, &by_ring), 128 * KIB + 1);
    check_eq(memcmp(buffer, written, 128 * KIB + 1), 0);
    check_eq(by_ring, 1);
    stop(rt);
    close(fd);
}

Test(file_cached, the_end_of_a_file_is_found_by_the_ring)
{
    weft_io  io;
    uint64_t by_ring;
    int      fd = make_file();

    rt = start(1);
    check_eq(await_read(fd, 1000, SIZE - 10, &by_ring), 10);
    check_eq(memcmp(buffer, written + SIZE - 10, 10), 0);
    check_eq(by_ring, 1);
    check_eq(await_read(fd, 1000, SIZE, &by_ring), 0);
    check_eq(by_ring, 1);
    check_eq(await(weft_file_read_exact(&io, fd, buffer, 1000, SIZE - 10), &by_ring), WEFT_EOF);
    stop(rt);
    close(fd);
}

Test(file_cached, a_read_at_the_files_position_moves_it_once)
{
    uint64_t by_ring;
    int      fd = make_file();

    rt = start(1);
    check_eq(lseek(fd, 100, SEEK_SET), 100);
    check_eq(await_read(fd, 50, -1, &by_ring), 50);
    check_eq(memcmp(buffer, written + 100, 50), 0);
    check_eq(by_ring, 1);
    check_eq(lseek(fd, 0, SEEK_CUR), 150);
    stop(rt);
    close(fd);
}

/* With RWF_NOWAIT, too, such a read waits for the disk. */
Test(file_cached, a_read_past_the_cache_is_made_by_the_ring)
{
    char        path[] = "/tmp/weft-test-XXXXXX";
    int         named = mkstemp(path), fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    uint64_t    by_ring;
    weft_io     io;
    static char aligned[4 * KIB] __attribute__((aligned(4096)));

    unlink(path);
    check_eq(write(named, written, SIZE), SIZE);
    close(named);
    if (fd < 0)
        test_skip("the files here have no O_DIRECT");
    rt = start(1);
    check_eq(await(weft_file_read(&io, fd, aligned, sizeof aligned, 4 * KIB), &by_ring), 4 * KIB);
    check_eq(by_ring, 1);
    stop(rt);
    close(fd);
}

/* Whether the files in /tmp may take writes without waiting (XFS, Btrfs). */
static bool takes_writes(int fd)
{
    struct iovec piece = {written, 1};

    return pwritev2(fd, &piece, 1, 0, RWF_NOWAIT) == 1 || errno != EOPNOTSUPP;
}

/* The write may have to change the file's time, for which it waits. So try again. */
static void check_written(int fd, size_t size, bool cached)
{
    weft_io  io;
    uint64_t by_ring;
    int      n = 0;

    do {
        memset(buffer, n + 1, size);
        check_eq(await(weft_file_write(&io, fd, buffer, size, 4097), &by_ring), (int64_t)size);
        check_eq(pread(fd, buffer + size, size, 4097), (int64_t)size);
        check_eq(memcmp(buffer, buffer + size, size), 0);
    } while (cached && by_ring > 0 && ++n < 100);
    check_eq(by_ring, !cached);
}

Test(file_cached, is_written_without_the_ring_where_the_file_system_can)
{
    weft_io  io;
    uint64_t by_ring;
    int      fd = make_file();
    bool     cached = takes_writes(fd);

    rt = start(1);
    for (size_t size = 1; size <= 128 * KIB; size *= 2)
        check_written(fd, size, cached);
    check_eq(await(weft_file_write_all(&io, fd, written, SIZE, 1), &by_ring), SIZE);
    check_eq(by_ring, 1);
    stop(rt);
    close(fd);
}

static int64_t await_write(int flags, size_t size, int64_t at, uint64_t *ret_by_ring)
{
    char    path[] = "/tmp/weft-test-XXXXXX";
    int     named = mkstemp(path), fd = open(path, O_WRONLY | O_CLOEXEC | flags);
    weft_io io;
    int64_t n;

    unlink(path);
    close(named);
    n = await(weft_file_write(&io, fd, written, size, at), ret_by_ring);
    close(fd);
    return n;
}

/* Each of them may wait for the disk, or may not be cut in two. */
Test(file_cached, writes_that_are_more_than_copies_are_made_by_the_ring)
{
    uint64_t by_ring;

    rt = start(1);
    check_eq(await_write(O_DSYNC, 100, 0, &by_ring), 100);
    check_eq(by_ring, 1);
    check_eq(await_write(O_APPEND, 100, 0, &by_ring), 100);
    check_eq(by_ring, 1);
    check_eq(await_write(0, 100, -1, &by_ring), 100);
    check_eq(by_ring, 1);
    check_eq(await_write(0, 128 * KIB + 1, 0, &by_ring), 128 * KIB + 1);
    check_eq(by_ring, 1);
    stop(rt);
}

/* The result must be the plain call's, for every kind of descriptor. */
Test(file_cached, errors_are_those_of_the_plain_call)
{
    uint64_t by_ring;
    int      ends[2], directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int      only_writes = open("/tmp", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

    rt = start(1);
    check_eq(await_read(directory, 10, 0, &by_ring), -EISDIR);
    check_eq(await_read(only_writes, 10, 0, &by_ring), -EBADF);
    check_eq(await_read(-1, 10, 0, &by_ring), -EBADF);
    check_eq(pipe(ends), 0);
    check_eq(write(ends[1], "abc", 3), 3);
    check_eq(await_read(ends[0], 3, -1, &by_ring), 3);
    stop(rt);
    close(directory);
    close(only_writes);
    close(ends[0]);
    close(ends[1]);
}

static int64_t cancelled_read(int fd)
{
    weft_io      io;
    weft_future *future = weft_file_read(&io, fd, buffer, 10, 0);

    buffer[0] = '?';
    (void)!weft_poll_is_ready(weft_future_cancel(future)); /* ready at once: it has not begun */
    return weft_future_result(future);
}

Test(file_cached, a_read_that_is_cancelled_before_its_first_poll_reads_nothing)
{
    int fd = make_file();

    rt = start(1);
    check_eq(cancelled_read(fd), -ECANCELED);
    check_eq(buffer[0], '?');
    stop(rt);
    close(fd);
}

/* ---- a task that reads on and on ---- */

struct reads {
    WEFT_FRAME;
    struct {
        int     fd;
        size_t  size;
        int64_t n;
    } in;
    weft_io io;
    int64_t i;
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++) {
        WEFT_AWAIT(n, weft_file_read(&self->io, self->in.fd, buffer, self->in.size, 0));
        check_eq(n, (int64_t)self->in.size);
    }
    WEFT_END(0);
}

/* Returns how many polls a task needs for n reads. */
static uint64_t polls_for(int fd, size_t size, int64_t n)
{
    struct weft_runtime_counters before, after;
    weft_handle                  handle;

    weft_runtime_counters(rt, &before);
    check_eq(weft_spawn_on(rt, &handle, reads, fd, size, n), 0);
    check_eq(join(rt, &handle), 0);
    weft_runtime_counters(rt, &after);
    check_eq(after.completions, before.completions);
    return after.polls - before.polls;
}

Test(file_cached, what_a_worker_copies_is_taken_from_the_polls_budget)
{
    int fd = make_file();

    rt = start_with(&(weft_config){.workers = 1, .budget = 128});
    check_eq(polls_for(fd, 100, 127), 1);
    check_eq(polls_for(fd, 100, 130), 2);
    check_eq(polls_for(fd, 128 * KIB, 14), 1); /* each is 1 + 8 of the budget */
    check_eq(polls_for(fd, 128 * KIB, 140), 10);
    stop(rt);
    close(fd);
}
