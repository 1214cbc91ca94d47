/*
 * test_file_fifo.c - opening a FIFO waits for its other end, and delays no other operation
 */
#include "../deny.h"
#include "../helpers.h"

#include <sys/stat.h>
#include <sys/syscall.h>

static char dir[] = "/tmp/weft-test-XXXXXX", path[64];

static void make_fifo(void)
{
    check(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/fifo", dir);
    check_eq(mkfifo(path, 0600), 0);
}

static void remove_fifo(void)
{
    unlink(path);
    check_eq(rmdir(dir), 0);
}

struct opening {
    WEFT_FRAME;
    struct {
        int flags;
    } in;
    weft_io io;
};
WEFT_ASYNC(opening)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_open(&self->io, path, self->in.flags, 0600));
    WEFT_END(n);
}

static int64_t open_for_a_while(weft_runtime *rt, int flags)
{
    weft_io             io;
    struct weft_timeout limit;

    return weft_block_on(rt,
                         weft_timeout(&limit, weft_file_open(&io, path, flags, 0600), WEFT_MS(20)));
}

/* The other end in a plain open, which waits too. */
static void *open_plainly(void *flags)
{
    return (void *)(intptr_t)open(path, (int)(intptr_t)flags | O_CLOEXEC);
}

Test(file_fifo, an_open_waits_for_the_other_end)
{
    weft_runtime *rt = start(1);
    int           n = n_fds();

    make_fifo();
    check_eq(open_for_a_while(rt, O_RDONLY), -ETIMEDOUT);
    check_eq(open_for_a_while(rt, O_WRONLY), -ETIMEDOUT);
    check_eq(open_for_a_while(rt, O_RDONLY | O_CREAT), -ETIMEDOUT);
    check_eq(open_for_a_while(rt, O_WRONLY | O_CREAT | O_TRUNC), -ETIMEDOUT);
    check_eq(n_fds(), n);
    stop(rt);
    remove_fifo();
}

static void check_meets(weft_runtime *rt, int flags, int other)
{
    weft_handle h;
    pthread_t   t;
    void       *fd;
    int         ours, status;

    check_eq(weft_spawn_on(rt, &h, opening, .flags = flags), 0);
    pause_ms(2);
    check(!weft_is_finished(&h));
    check_eq(pthread_create(&t, NULL, open_plainly, (void *)(intptr_t)other), 0);
    ours = (int)join(rt, &h);
    pthread_join(t, &fd);
    check_cmp(ours, >=, 0);
    check_cmp((intptr_t)fd, >=, 0);
    status = fcntl(ours, F_GETFL);
    check_eq(status & (O_ACCMODE | O_NONBLOCK), flags);
    close(ours);
    close((int)(intptr_t)fd);
}

Test(file_fifo, an_open_ends_when_the_other_end_comes)
{
    weft_runtime *rt = start(1);

    make_fifo();
    for (int i = 0; i < 20; i++) {
        check_meets(rt, O_RDONLY, O_WRONLY);
        check_meets(rt, O_WRONLY, O_RDONLY);
    }
    stop(rt);
    remove_fifo();
}

/* An open of weft and one of another program wait. Neither is ended by the cancel of a third. */
static void check_cancel_ends_one(weft_runtime *rt, int flags, int other)
{
    weft_handle cancelled, waiting;
    pthread_t   t;
    void       *fd;
    int         ours;

    check_eq(pthread_create(&t, NULL, open_plainly, (void *)(intptr_t)flags), 0);
    check_eq(weft_spawn_on(rt, &waiting, opening, .flags = flags), 0);
    for (int i = 0; i < 10; i++) {
        check_eq(weft_spawn_on(rt, &cancelled, opening, .flags = flags), 0);
        pause_ms(1 + i % 2);
        weft_cancel(&cancelled);
        check_eq(join(rt, &cancelled), -ECANCELED);
    }
    pause_ms(20);
    check(!weft_is_finished(&waiting));
    check_cmp(pthread_tryjoin_np(t, &fd), ==, EBUSY);
    ours = open(path, other | O_CLOEXEC);
    close((int)join(rt, &waiting));
    pthread_join(t, &fd);
    close((int)(intptr_t)fd);
    close(ours);
}

Test(file_fifo, a_cancelled_open_ends_no_other)
{
    weft_runtime *rt = start(1);

    make_fifo();
    check_cancel_ends_one(rt, O_RDONLY, O_WRONLY);
    check_cancel_ends_one(rt, O_WRONLY, O_RDONLY);
    stop(rt);
    remove_fifo();
}

/* A reader finds a writer that writes nothing, and one that has left. */
Test(file_fifo, a_silent_writer_is_the_other_end)
{
    weft_runtime *rt = start(1);
    weft_handle   h;
    int           reader, writer;

    make_fifo();
    check_eq(weft_spawn_on(rt, &h, opening, .flags = O_RDONLY), 0);
    writer = open(path, O_WRONLY | O_CLOEXEC);
    reader = (int)join(rt, &h);
    check_cmp(reader, >=, 0);
    close(reader);
    close(writer);
    check_eq(weft_spawn_on(rt, &h, opening, .flags = O_RDONLY), 0);
    close(open(path, O_WRONLY | O_CLOEXEC));
    reader = (int)join(rt, &h);
    check_cmp(reader, >=, 0);
    close(reader);
    stop(rt);
    remove_fifo();
}

/* Whether the process has a descriptor that was opened by that path. */
static bool is_held(void)
{
    char link[64], text[64];
    bool held = false;

    for (int fd = 0; fd < 100 && !held; fd++) {
        ssize_t n;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        n = readlink(link, text, sizeof text);
        held = n == (ssize_t)strlen(path) && memcmp(text, path, strlen(path)) == 0;
    }
    return held;
}

/* Before an open waits it looks for a moment what kind of file it is. */
static bool is_held_on(void)
{
    for (int i = 0; i < 20; i++) {
        if (!is_held())
            return false;
        pause_ms(1);
    }
    return true;
}

/* As in open(2), the path is looked up once. */
Test(file_fifo, a_writer_waits_for_the_fifo_that_the_path_led_to)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_EPOLL});
    weft_handle   h;
    char          moved[72];
    struct stat   st;
    int           reader, writer;

    make_fifo();
    snprintf(moved, sizeof moved, "%s2", path);
    check_eq(weft_spawn_on(rt, &h, opening, .flags = O_WRONLY | O_CREAT), 0);
    EVENTUALLY(is_held_on());
    check_eq(rename(path, moved), 0);
    pause_ms(20); /* it looks for a reader meanwhile */
    reader = open(moved, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    writer = (int)join(rt, &h);
    check_cmp(writer, >=, 0);
    check_eq(write(writer, "x", 1), 1);
    check_eq(read(reader, moved, 1), 1);
    check_eq(stat(path, &st), -1);
    close(reader);
    close(writer);
    snprintf(moved, sizeof moved, "%s2", path);
    check_eq(rename(moved, path), 0);
    stop(rt);
    remove_fifo();
}

Test(file_fifo, an_open_that_need_not_wait_does_not)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           fd;

    make_fifo();
    check_eq(weft_block_on(rt, weft_file_open(&io, path, O_WRONLY | O_NONBLOCK, 0)), -ENXIO);
    fd = (int)weft_block_on(rt, weft_file_open(&io, path, O_RDONLY | O_NONBLOCK, 0));
    check_cmp(fd, >=, 0);
    close(fd);
    fd = (int)weft_block_on(rt, weft_file_open(&io, path, O_RDWR, 0)); /* both ends */
    check_cmp(fd, >=, 0);
    close(fd);
    check_eq(weft_block_on(rt, weft_file_open(&io, path, O_RDONLY | O_CREAT | O_EXCL, 0)), -EEXIST);
    check_eq(weft_block_on(rt, weft_file_open(&io, path, O_RDONLY | O_DIRECTORY, 0)), -ENOTDIR);
    stop(rt);
    remove_fifo();
}

/* More than the kernel has threads for file operations (4 a CPU by default). */
static void check_others_go_on(void)
{
    weft_runtime *rt = start(1);
    int           n = 4 * (int)sysconf(_SC_NPROCESSORS_ONLN) + 40;
    weft_handle  *h = calloc((size_t)n, sizeof *h);
    struct statx  st;
    weft_io       io;

    make_fifo();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < n; i++)
            check_eq(weft_spawn_on(rt, &h[i], opening, .flags = O_WRONLY), 0);
        pause_ms(5);
        for (int i = 0; i < 20; i++) /* the test's limit tells if they hang */
            check_eq(weft_block_on(rt, weft_path_stat(&io, AT_FDCWD, "/", 0, STATX_SIZE, &st)), 0);
        for (int i = 0; i < n; i++)
            weft_cancel(&h[i]);
        for (int i = 0; i < n; i++)
            check_eq(join(rt, &h[i]), -ECANCELED);
    }
    free(h);
    stop(rt);
    remove_fifo();
}

Test(file_fifo, waiting_opens_hold_no_other_operation_up)
{
    check_others_go_on();
}

/* As from Linux 5.6 to 5.11, where openat2 does not know RESOLVE_CACHED. */
Test(file_fifo, waiting_opens_hold_nothing_up_where_the_path_cannot_be_looked_at)
{
    deny(SYS_openat2, EINVAL);
    check_others_go_on();
}

Test(file_fifo, opens_cancelled_at_any_moment_leave_nothing_behind)
{
    weft_runtime *rt = start(2);
    int           n = n_fds(), reader;
    uint32_t      seed = 3;

    make_fifo();
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    for (int64_t i = 0; i < test_scaled(500); i++) {
        weft_handle h;
        int64_t     r;

        check_eq(weft_spawn_on(rt, &h, opening, .flags = O_WRONLY), 0);
        for (uint32_t spin = rnd(&seed) % 30000; spin > 0; spin--)
            __asm__ volatile("");
        weft_cancel(&h);
        r = join(rt, &h);
        check(r >= 0 || r == -ECANCELED);
        if (r >= 0)
            close((int)r);
    }
    close(reader);
    check_eq(n_fds(), n);
    stop(rt);
    remove_fifo();
}
