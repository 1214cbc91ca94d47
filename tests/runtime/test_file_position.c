/*
 * test_file_position.c - several operations at one file's position
 */
#include "../helpers.h"

#define TASKS   8
#define RECORD  (256 << 10) /* so long a one is copied by a thread of the kernel's, beside others */
#define RECORDS 160

#define RUN_IO(...) weft_block_on(rt, __VA_ARGS__)

static char path[] = "/tmp/weft-test-XXXXXX";
static char taken[RECORDS];
static int  record[TASKS + 1][RECORD / sizeof(int)]; /* a task's; the last: the test's */

static int make_file(void)
{
    int fd = mkstemp(path);

    check_cmp(fd, >=, 0);
    unlink(path);
    return fd;
}

struct reads {
    WEFT_FRAME;
    struct {
        int  fd, *record;
        bool vector;
    } in;
    weft_io      io;
    struct iovec v[2];
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    self->v[0] = (struct iovec){self->in.record, 100};
    self->v[1] = (struct iovec){(char *)self->in.record + 100, RECORD - 100};
    for (;;) {
        if (self->in.vector)
            WEFT_AWAIT(n, weft_file_readv(&self->io, self->in.fd, self->v, 2, -1));
        else
            WEFT_AWAIT(n, weft_file_read(&self->io, self->in.fd, self->in.record, RECORD, -1));
        if (n <= 0)
            break;
        check_cmp((unsigned)self->in.record[0], <, RECORDS);
        __atomic_add_fetch(&taken[self->in.record[0]], 1, __ATOMIC_RELAXED);
    }
    WEFT_END(n);
}

struct writes {
    WEFT_FRAME;
    struct {
        int fd, *record, begin, n;
    } in;
    weft_io io;
    int     i;
};
WEFT_ASYNC(writes)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.n; self->i++) {
        self->in.record[0] = self->in.begin + self->i;
        WEFT_AWAIT(n, weft_file_write(&self->io, self->in.fd, self->in.record, RECORD, -1));
        check_eq(n, RECORD);
    }
    WEFT_END(0);
}

static void check_each_once(int fd)
{
    int *last = record[TASKS];

    memset(taken, 0, sizeof taken);
    check_eq(lseek(fd, 0, SEEK_END), (off_t)RECORDS * RECORD);
    for (int i = 0; i < RECORDS; i++) {
        check_eq(pread(fd, last, RECORD, (off_t)i * RECORD), RECORD);
        check_eq(taken[last[0]]++, 0);
    }
}

Test(file_position, records_that_tasks_write_are_all_there)
{
    weft_runtime *rt = start(2);
    weft_handle   h[TASKS];
    int           fd = make_file(), n = RECORDS / TASKS;

    for (int i = 0; i < TASKS; i++)
        check_eq(
            weft_spawn_on(rt, &h[i], writes, .fd = fd, .record = record[i], .begin = i * n, .n = n),
            0);
    for (int i = 0; i < TASKS; i++)
        check_eq(join(rt, &h[i]), 0);
    check_each_once(fd);
    close(fd);
    stop(rt);
}

Test(file_position, records_that_tasks_take_are_taken_once)
{
    weft_runtime *rt = start(2);
    weft_handle   h[TASKS];
    int           fd = make_file(), *last = record[TASKS];

    for (int i = 0; i < RECORDS; i++) {
        last[0] = i;
        check_eq(write(fd, last, RECORD), RECORD);
    }
    fsync(fd);
    for (int vector = 0; vector < 2; vector++) {
        posix_fadvise(fd, 0, 0,
                      POSIX_FADV_DONTNEED); /* reads that wait for the disk overlap most */
        check_eq(lseek(fd, 0, SEEK_SET), 0);
        memset(taken, 0, sizeof taken);
        for (int i = 0; i < TASKS; i++)
            check_eq(
                weft_spawn_on(rt, &h[i], reads, .fd = fd, .record = record[i], .vector = vector),
                0);
        for (int i = 0; i < TASKS; i++)
            check_eq(join(rt, &h[i]), 0);
        for (int i = 0; i < RECORDS; i++)
            check_eq(taken[i], 1);
    }
    close(fd);
    stop(rt);
}

#define BLOCK 4096

static _Alignas(BLOCK) char block[BLOCK];

/* Opens the file once more with O_DIRECT, for which the memory, too, has to be aligned. */
static int make_direct(int fd, int flags)
{
    char name[64];
    int  direct;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    direct = open(name, O_RDWR | O_DIRECT | O_CLOEXEC | flags);
    if (direct < 0)
        test_skip("the file system has no O_DIRECT");
    return direct;
}

static void check_position(int fd, int blocks)
{
    check_eq(lseek(fd, 0, SEEK_CUR), blocks * BLOCK);
}

Test(file_position, an_o_direct_file_moves_its_position)
{
    weft_runtime *rt = start(1);
    int           fd = make_file(), direct = make_direct(fd, 0);
    struct iovec  piece = {block, BLOCK};
    weft_io       io;

    for (int i = 0; i < 4; i++) {
        memset(block, 'a' + i, BLOCK);
        check_eq(RUN_IO(i % 2 ? weft_file_writev(&io, direct, &piece, 1, -1)
                              : weft_file_write(&io, direct, block, BLOCK, -1)),
                 BLOCK);
        check_position(direct, i + 1);
    }
    check_eq(lseek(direct, BLOCK, SEEK_SET), BLOCK);
    for (int i = 1; i < 4; i++) {
        check_eq(RUN_IO(i % 2 ? weft_file_readv(&io, direct, &piece, 1, -1)
                              : weft_file_read_exact(&io, direct, block, BLOCK, -1)),
                 BLOCK);
        check_eq(block[0], 'a' + i);
        check_position(direct, i + 1);
    }
    check_eq(RUN_IO(weft_file_read(&io, direct, block, BLOCK, -1)), 0);
    check_position(direct, 4);
    close(direct);
    close(fd);
    stop(rt);
}

Test(file_position, what_is_appended_to_an_o_direct_file_moves_it_to_the_end)
{
    weft_runtime *rt = start(1);
    int           fd = make_file(), direct = make_direct(fd, O_APPEND);
    weft_io       io;

    check_eq(ftruncate(fd, 2 * BLOCK), 0);
    check_eq(RUN_IO(weft_file_write_all(&io, direct, block, BLOCK, -1)), BLOCK);
    check_eq(lseek(direct, 0, SEEK_END), 3 * BLOCK);
    check_eq(lseek(direct, BLOCK, SEEK_SET), BLOCK);
    check_eq(RUN_IO(weft_file_read(&io, direct, block, BLOCK, -1)), BLOCK);
    check_position(direct, 2);
    check_eq(RUN_IO(weft_file_write(&io, direct, block, BLOCK, -1)), BLOCK);
    check_position(direct, 4);
    close(direct);
    close(fd);
    stop(rt);
}

/* Files without a position take no turns: a read that waits would block the write that ends it. */
Test(file_position, a_socket_is_read_and_written_at_the_same_time)
{
    weft_runtime *rt = start(1);
    weft_handle   reader;
    weft_io       io;
    int           fd[2], last[2] = {5, 0};

    check_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
    memset(taken, 0, sizeof taken);
    check_eq(weft_spawn_on(rt, &reader, reads, .fd = fd[0], .record = record[0], .vector = false),
             0);
    pause_ms(5); /* it waits */
    check_eq(weft_block_on(rt, weft_file_write(&io, fd[0], last, sizeof last, -1)), sizeof last);
    check_eq(recv(fd[1], last, sizeof last, 0), sizeof last);
    check_eq(send(fd[1], last, sizeof last, 0), sizeof last);
    close(fd[1]);
    check_eq(join(rt, &reader), 0);
    check_eq(taken[5], 1);
    close(fd[0]);
    stop(rt);
}

Test(file_position, operations_cancelled_at_any_moment_pass_their_turn_on)
{
    weft_runtime *rt = start(2);
    uint32_t      seed = 5;
    int           fd = make_file();

    check_eq(ftruncate(fd, (off_t)RECORDS * RECORD), 0);
    for (int64_t i = 0; i < test_scaled(20); i++) {
        weft_handle h[TASKS];

        check_eq(lseek(fd, 0, SEEK_SET), 0);
        for (int j = 0; j < TASKS; j++)
            check_eq(
                weft_spawn_on(rt, &h[j], reads, .fd = fd, .record = record[j], .vector = false), 0);
        for (uint32_t spin = rnd(&seed) % 2000000; spin > 0; spin--)
            __asm__ volatile("");
        for (int j = 0; j < TASKS; j += 2)
            weft_cancel(&h[j]);
        for (int j = 0; j < TASKS; j++) {
            int64_t n = join(rt, &h[j]);

            check(n == 0 || (n == -ECANCELED && j % 2 == 0));
        }
        check_eq(lseek(fd, 0, SEEK_CUR), (off_t)RECORDS * RECORD);
    }
    close(fd);
    stop(rt);
}
