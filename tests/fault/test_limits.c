/*
 * test_limits.c - a runtime meets the limits of its process: memory, threads, descriptors, disks
 */
#include "around.h"

#include <limits.h>
#include <sys/mount.h>

/* ---- memory, threads, descriptors ---- */

/* Newer kernels count the ring as locked memory. */
Test(limits, without_locked_memory_it_runs_or_says_so)
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
Test(limits, a_file_operation_that_gets_no_thread_says_so)
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
Test(limits, with_no_more_locked_memory_than_the_ring_needs_it_runs)
{
    become_own_user();
    limit_locked(least_for_a_ring());
    check_eq(try_workload(), 0);
}

/* A ring's memory comes back after its close, on some kernels. */
Test(limits, with_locked_memory_for_one_ring_it_starts_right_after_a_stop)
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

Test(limits, a_server_with_20_descriptors_serves_more_clients)
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

Test(limits, connecting_without_descriptors_is_an_error_and_no_more)
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

Test(limits, a_full_device_is_an_error)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           fd;

    check_cmp(run_file(rt, "/dev/full", &fd), >=, 0);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, "abc", 3, 0)), -ENOSPC);
    check_eq(weft_block_on(rt, weft_file_close(&io, fd)), 0);
    stop(rt);
}

static void check_file_size(const weft_config *config)
{
    static char   data[8192];
    struct rlimit limit = {4096, 4096};
    weft_runtime *rt = start_with(config);
    char          path[] = "/tmp/weft-fault-XXXXXX";
    weft_stream  *stream;
    weft_io       io;
    int           fd, source;

    close(mkstemp(path));
    check_cmp(run_file(rt, path, &fd), >=, 0);
    unlink(path);
    check_eq(setrlimit(RLIMIT_FSIZE, &limit),
             0); /* beyond it comes SIGXFSZ, which this process does not ignore */
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, data, sizeof data, 0)), 4096);
    check_eq(weft_block_on(rt, weft_file_write(&io, fd, data, sizeof data, 4096)), -EFBIG);
    check_eq(weft_block_on(rt, weft_file_truncate(&io, fd, 8192)), -EFBIG);
    check_eq(lseek(fd, 0, SEEK_SET), 0);
    source = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    check_eq(weft_stream_adopt(rt, fd, &stream), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, stream, data, sizeof data)), -EFBIG);
    check_eq(io.done, 4096);
    check_eq(weft_block_on(rt, weft_send_file(&io, stream, source, 0, 4096)), -EFBIG);
    weft_stream_close(stream);
    close(source);
    stop(rt);
}

Test(limits, the_limit_of_file_sizes_is_an_error_and_no_signal)
{
    check_file_size(&(weft_config){.workers = 1});
}

Test(limits, also_where_the_worker_truncates)
{
    check_file_size(&(weft_config){.workers = 1, .ring_mask = 8});
}

Test(limits, and_without_a_ring)
{
    check_file_size(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_EPOLL});
}

Test(limits, a_full_disk_keeps_what_was_written)
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
