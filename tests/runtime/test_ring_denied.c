/*
 * test_ring_denied.c - where io_uring is demanded and can't be had, or where descriptors or threads
 * are missing, starting fails with one line that says why
 */
#include "../deny.h"
#include "../helpers.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static atomic_llong n_bytes; /* allocated and not released */

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    n_bytes += (long long)size;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg;
    n_bytes -= (long long)size;
    free(memory);
}

/* The start fails with this error, logs one line with this text, and leaves nothing behind. */
static void check_refused_with(weft_backend backend, int error, const char *text)
{
    struct lines  log = LINES;
    weft_config   config = {.workers = 2,
                            .backend = backend,
                            .log = lines_add,
                            .log_arg = &log,
                            .allocator = {allocate, release, NULL}};
    weft_runtime *rt = NULL;
    struct rlimit limit, most;
    int           n_before, n_after;

    getrlimit(RLIMIT_NOFILE, &limit);
    check_eq(weft_runtime_start(&config, &rt), error);
    check(rt == NULL);
    check_eq(log.n, 1);
    check_str_contains(log.text, text);
    check_eq(n_bytes, 0);
    most = (struct rlimit){limit.rlim_max, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &most); /* opendir needs one */
    n_before = n_fds();
    EVENTUALLY(n_weft_threads() == 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    check_cmp(weft_runtime_start(&config, &rt), <,
              0); /* once more: the same descriptors are free */
    setrlimit(RLIMIT_NOFILE, &most);
    n_after = n_fds();
    setrlimit(RLIMIT_NOFILE, &limit);
    check_eq(n_after, n_before);
    check_eq(n_bytes, 0);
}

static void check_refused(int error, const char *text)
{
    check_refused_with(WEFT_BACKEND_URING, error, text);
}

Test(ring_denied, eperm_names_seccomp_and_the_calls_to_allow)
{
    deny(SYS_io_uring_setup, EPERM);
    check_refused(-EPERM, "seccomp");
}

/* A kernel that has io_uring gives these errors only where something stands before it. */
static const char *absent(void)
{
    struct utsname host;

    uname(&host);
    return strverscmp(host.release, "5.19") < 0 ? "too old; Linux 5.19" : "seccomp filter denies";
}

Test(ring_denied, enosys_names_seccomp_or_an_old_kernel)
{
    deny(SYS_io_uring_setup, ENOSYS);
    check_refused(-ENOSYS, absent());
}

Test(ring_denied, einval_names_seccomp_or_an_old_kernel)
{
    deny(SYS_io_uring_setup, EINVAL);
    check_refused(-EINVAL, absent());
}

Test(ring_denied, eagain_names_the_limits_of_threads)
{
    deny(SYS_io_uring_setup, EAGAIN);
    check_refused(-EAGAIN, "pids.max");
}

Test(ring_denied, enomem_names_memlock_and_its_value)
{
    struct rlimit limit = {65536, 65536};

    check_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    deny(SYS_io_uring_setup, ENOMEM);
    check_refused(-ENOMEM, "raise RLIMIT_MEMLOCK (ulimit -l), which is 65536 bytes, or lower ");
}

Test(ring_denied, a_filter_on_io_uring_register_is_noticed)
{
    deny(SYS_io_uring_register, EPERM);
    check_refused(-EPERM, "seccomp");
}

Test(ring_denied, eacces_names_a_security_module)
{
    deny(SYS_io_uring_setup, EACCES);
    check_refused(-EACCES, "security module");
}

Test(ring_denied, a_filter_on_io_uring_enter_is_noticed)
{
    deny(SYS_io_uring_enter, EPERM);
    check_refused(-EPERM, "seccomp");
}

static int n_free_below(int limit)
{
    int n = 0;

    for (int fd = 0; fd < limit; fd++)
        n += fcntl(fd, F_GETFD) < 0;
    return n;
}

/* It takes four: the set of sockets, the wake-up descriptor, the leader's bell, the ring or the set
 * of descriptors that file operations wait for. */
static void check_too_few_descriptors(weft_backend backend)
{
    struct rlimit limit;
    int           most = dup(2), n_free = 0;

    close(most);
    getrlimit(RLIMIT_NOFILE, &limit);
    for (; n_free < 4; most++) {
        weft_config   config = {.workers = 2, .backend = backend, .log = weft_log_none};
        weft_runtime *rt;
        char          text[64];

        snprintf(text, sizeof text, "raise RLIMIT_NOFILE (ulimit -n), which is %d", most);
        limit.rlim_cur = (rlim_t)most;
        check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        n_free = n_free_below(most);
        if (n_free < 4) {
            check_refused_with(backend, -EMFILE, text);
        } else {
            check_eq(weft_runtime_start(&config, &rt), 0);
            stop(rt);
        }
    }
}

Test(ring_denied, too_few_descriptors_name_the_limit)
{
    check_too_few_descriptors(WEFT_BACKEND_URING);
}

Test(ring_denied, too_few_descriptors_without_a_ring_name_the_limit)
{
    check_too_few_descriptors(WEFT_BACKEND_EPOLL);
}

/* The limit of the process is not at fault, so its remedy would mislead. */
Test(ring_denied, a_system_without_descriptors_names_the_sysctl)
{
    deny(SYS_eventfd2, ENFILE);
    check_refused(-ENFILE, "fs.file-max");
}

static void *nothing(void *arg)
{
    return arg;
}

Test(ring_denied, too_few_threads_say_so)
{
    struct lines log = LINES;
    weft_config  config = {
         .workers = 4, .log = lines_add, .log_arg = &log, .allocator = {allocate, release, NULL}};
    weft_runtime *rt;
    int           n = n_fds();

    deny(SYS_clone3, EAGAIN);
    {
        pthread_t thread;
        int       r = pthread_create(&thread, NULL, nothing, NULL);

        if (r == 0)
            pthread_join(thread, NULL);
        if (r != EAGAIN)
            test_skip("threads are not made by clone3 here");
    }
    check_eq(weft_runtime_start(&config, &rt), -EAGAIN);
    check_eq(log.n, 1);
    check_str_contains(log.text, "thread");
    check_str_contains(log.text, "RLIMIT_NPROC");
    check_eq(n_bytes, 0);
    check_eq(n_fds(), n);
}

/* libc answers EAGAIN, as if there were too many threads. */
Test(ring_denied, threads_without_memory_for_their_stacks_say_so)
{
    pthread_attr_t attr;

    test_skip_under_valgrind("it answers EINVAL to a mapping that is too large");
    check_eq(pthread_attr_init(&attr), 0);
    check_eq(pthread_attr_setstacksize(&attr, (size_t)1 << 50), 0);
    check_eq(pthread_setattr_default_np(&attr), 0);
    check_refused(-EAGAIN, "no memory for a stack of 1099511627776 KiB; raise RLIMIT_AS");
}

/* ---- memory ---- */

static int64_t n_allowed;

static void *allocate_some(void *arg, size_t size)
{
    return n_allowed-- > 0 ? allocate(arg, size) : NULL;
}

Test(ring_denied, memory_that_runs_out_at_any_point_leaves_nothing_behind)
{
    struct lines  log;
    weft_config   config = {.workers = 3,
                            .log = lines_add,
                            .log_arg = &log,
                            .allocator = {allocate_some, release, NULL}};
    weft_runtime *rt;
    int           n = n_fds(), r = -ENOMEM;

    for (int64_t i = 0; r < 0; i++) {
        check_cmp(i, <, 1000);
        n_allowed = i;
        log = (struct lines)LINES;
        r = weft_runtime_start(&config, &rt);
        check(r == 0 || r == -ENOMEM);
        check_eq(log.n, r < 0); /* it says why, once */
        if (r == 0)
            stop(rt);
        check_eq(n_bytes, 0);
        check_eq(n_fds(), n);
    }
}

/* A ring's memory counts against the limit of a user who isn't root until some time after its
 * end. */
Test(ring_denied, a_start_soon_after_a_stop_waits_for_locked_memory)
{
    weft_config   config = {.workers = 1, .log = weft_log_none};
    struct rlimit limit = {400 << 10, 400 << 10}; /* enough for one ring of 200 KiB */
    weft_runtime *rt;

    check_eq(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
        check_cmp(geteuid(), !=, 0);
    if (weft_runtime_start(&config, &rt) < 0)
        test_skip("one ring takes more locked memory here");
    for (int i = 0; i < 10; i++) {
        stop(rt);
        check_eq(weft_runtime_start(&config, &rt), 0);
    }
    stop(rt);
}
