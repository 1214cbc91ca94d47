/* test_fiber_stack.c - the stack of a fiber: its size, its end, and many of them */
#include "fibers.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

Test(fiber_stack, a_stack_above_the_most_is_refused)
{
    weft_runtime      *rt = start(1);
    weft_fiber_options options = {.stack_size = ((size_t)64 << 20) + 1};
    weft_handle        handle = {0};
    int64_t            n = 1;

    check_eq(weft_fiber_with(rt, &handle, "big", &options, adds_ten, NULL), -EINVAL);
    check(weft_handle_is_empty(&handle));
    options.stack_size--;
    check_eq(weft_fiber_with(rt, &handle, "big", &options, adds_ten, &n), 0);
    check_eq(join(rt, &handle), 11);
    stop(rt);
}

static __attribute__((noinline)) int64_t eats(int64_t depth)
{
    volatile char some[1000];

    some[depth % 1000] = 1;
    return depth == 0 ? 0 : eats(depth - 1) + some[depth % 1000];
}

static int64_t eats_stack(void *argument)
{
    return eats(*(int64_t *)argument);
}

/* Some 100 KB. */
static int64_t eats_and_waits(void *argument)
{
    weft_wait wait;

    check_eq(eats(95), 95);
    return weft_await(weft_event_wait(&wait, argument));
}

Test(fiber_stack, has_the_stack_that_its_options_say)
{
    weft_runtime      *rt = start(1);
    weft_fiber_options options = {.stack_size = 4 << 20};
    weft_handle        handle;
    int64_t            depth = 2500; /* 2.5 MB and more */

    check_eq(weft_fiber_with(rt, &handle, "eats", &options, eats_stack, &depth), 0);
    check_eq(join(rt, &handle), depth);
    stop(rt);
}

Test(fiber_stack, a_dump_says_how_much_of_its_stack_was_used)
{
    struct lines  lines = LINES;
    weft_runtime *rt = start_with(
        &(weft_config){.workers = 1, .fiber_stack = 512, .log = lines_add, .log_arg = &lines});
    weft_event  event = {0};
    weft_handle handle;
    int         used = 0;

    check_eq(weft_fiber_on(rt, &handle, eats_and_waits, &event), 0);
    lines_dump_until(&lines, rt, "awaiting weft_event_wait, stack ");
    check_eq(sscanf(strstr(lines.text, ", stack "), ", stack %d of 512 KiB", &used), 1);
    check_cmp(used, >=, 100);
    check_cmp(used, <=, 150);
    weft_event_set(&event);
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

/* Sanitizers handle the signal themselves. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
Test(fiber_stack, dies_at_the_end_of_its_stack, .signal = SIGSEGV)
{
    weft_runtime *rt = start(1);
    int64_t       depth = 2500;

    RUN_FIBER(rt, eats_stack, &depth);
}

static int64_t eats_stack_in_place(void *depth)
{
    return weft_block_in_place(eats_stack, depth);
}

static void in_child(bool in_place)
{
    weft_runtime *rt;
    int64_t       depth = 2500;

    check_eq(weft_fiber_catch_overflow(), 0);
    check_eq(weft_fiber_catch_overflow(), 0);
    rt = start(1);
    if (in_place)
        RUN_FIBER(rt, eats_stack_in_place, &depth);
    RUN_FIBER(rt, eats_stack, &depth);
}

static void check_named(bool in_place, const char *task)
{
    char  line[256] = "";
    int   fd[2], status;
    pid_t pid;

    check_eq(pipe(fd), 0);
    pid = fork();
    if (pid == 0) {
        dup2(fd[1], 2);
        in_child(in_place);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    check_cmp(read(fd[0], line, sizeof line - 1), >, 0);
    check(strstr(line, "the fiber has used up its stack (256 KiB;") != NULL);
    check(strstr(line, task) != NULL);
    close(fd[0]);
    close(fd[1]);
}

Test(fiber_stack, is_named_at_the_end_of_its_stack)
{
    check_named(false, "in task eats_stack, spawned at ");
}

/* The thread counts as none of the runtime's there, and is on the fiber's stack all the same. */
Test(fiber_stack, is_named_at_the_end_of_its_stack_in_a_call_in_place)
{
    check_named(true, "in task eats_stack_in_place, spawned at ");
}

static void crash(int signal)
{
    (void)signal;
    _exit(7);
}

/* A fault that is no overflow is the host's. */
Test(fiber_stack, a_fault_elsewhere_reaches_the_handler_of_the_host)
{
    int   status;
    pid_t pid = fork();

    if (pid == 0) {
        struct sigaction action = {.sa_handler = crash};

        sigaction(SIGSEGV, &action, NULL);
        check_eq(weft_fiber_catch_overflow(), 0);
        raise(SIGSEGV);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFEXITED(status));
    check_eq(WEXITSTATUS(status), 7);
}

/* No instruction faults again when the handler returns. */
Test(fiber_stack, a_signal_that_was_sent_ends_the_process)
{
    int   status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        check_eq(weft_fiber_catch_overflow(), 0);
        raise(SIGSEGV);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check(WIFSIGNALED(status));
    check_eq(WTERMSIG(status), SIGSEGV);
}
#endif

/* ---- many ---- */

static int64_t waits_for_event(void *argument)
{
    weft_wait wait;

    return weft_await(weft_event_wait(&wait, argument));
}

Test(fiber_stack, two_thousand_wait_at_once)
{
    enum { N = 2000 };
    weft_runtime      *rt = start(2);
    weft_handle       *handle = calloc(N, sizeof *handle);
    weft_event         event = {0};
    weft_fiber_options small = {.stack_size = 16 << 10};

    for (int i = 0; i < N; i++)
        check_eq(weft_fiber_with(rt, &handle[i], "waits", &small, waits_for_event, &event), 0);
    weft_event_set(&event);
    for (int i = 0; i < N; i++)
        check_eq(join(rt, &handle[i]), 0);
    free(handle);
    stop(rt);
}

/* Sanitizers have an address space of their own. */
#if !TEST_SANITIZED
static size_t address_space(void)
{
    size_t n_pages = 0;
    FILE  *f = fopen("/proc/self/statm", "re");

    check(f != NULL);
    check_eq(fscanf(f, "%zu", &n_pages), 1);
    fclose(f);
    return n_pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* There is room for a stack or two of 256 KiB, but not for those that a worker likes to map at
 * once. */
static int64_t spawns_in_little_space(void *argument)
{
    weft_event        *event = argument;
    struct rlimit      before, little;
    weft_handle        handle[8];
    weft_fiber_options small = {.stack_size = 16 << 10};
    int64_t            one = 1;
    int                n = 0, r = 0;

    /* The memory of the tasks themselves is there already. */
    check_eq(weft_fiber_with(NULL, &handle[0], "small", &small, adds_ten, &one), 0);
    check_eq(weft_await(weft_join(&handle[0])), 11);
    check_eq(getrlimit(RLIMIT_AS, &before), 0);
    little = (struct rlimit){address_space() + (600 << 10), before.rlim_max};
    check_eq(setrlimit(RLIMIT_AS, &little), 0);
    while (n < 8 && (r = weft_fiber(&handle[n], waits_for_event, event)) == 0)
        n++;
    check_eq(setrlimit(RLIMIT_AS, &before), 0);
    check_eq(r, -ENOMEM);
    weft_event_set(event);
    for (int i = 0; i < n; i++)
        check_eq(weft_await(weft_join(&handle[i])), 0);
    return n;
}

Test(fiber_stack, where_memory_ends_the_last_of_it_is_used)
{
    weft_runtime *rt = start(1);
    weft_event    event = {0};
    int64_t       n;

    test_skip_under_valgrind("it has an address space of its own");
    n = RUN_FIBER(rt, spawns_in_little_space, &event);
    check_cmp(n, >=, 1);
    check_cmp(n, <=, 3);
    stop(rt);
}
#endif
