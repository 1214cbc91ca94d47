/*
 * plain.c - runs test cases so that sanitizers and valgrind can judge them
 *
 * Each case runs in a forked child that ends by exit(): there ASan looks for leaks, and each tool
 * turns what it found into an exit status, which is the verdict. The parent never starts a thread,
 * so that TSan lets the child start some. A case that overruns the time limit is killed, with its
 * own children.
 *
 *     test_deque [--no-fork] [--list] [--except PATTERN]... [PATTERN...]   "deque/take?" or "steal"
 *
 * What --except names is skipped, with its name.
 */
#include "test.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct test_case *first, **last = &first;

void test_register(struct test_case *test)
{
    *last = test;
    last = &test->next;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The status of the child, or -1 once it had to be killed. SIGCHLD is blocked in the caller. */
static int wait_for(pid_t pid, double limit)
{
    double          end = now() + limit;
    sigset_t        set;
    struct timespec left;
    int             status;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        double seconds = end - now();
        if (seconds <= 0) {
            kill(-pid, SIGKILL);
            waitpid(pid, &status, 0);
            return -1;
        }
        left.tv_sec = (time_t)seconds;
        left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
        sigtimedwait(&set, NULL, &left);
    }
    kill(-pid, SIGKILL); /* what the case has left running */
    return status;
}

/* Writes why the case failed; an empty text if it didn't. */
static void judge(const struct test_case *test, int status, double limit, char *ret_why,
                  size_t size)
{
    ret_why[0] = '\0';
    if (status == -1)
        snprintf(ret_why, size, "still running after %g s", limit);
    else if (test->signal && !(WIFSIGNALED(status) && WTERMSIG(status) == test->signal))
        snprintf(ret_why, size, "did not die of \"%s\"", strsignal(test->signal));
    else if (!test->signal && WIFSIGNALED(status))
        snprintf(ret_why, size, "%s", strsignal(WTERMSIG(status)));
    else if (!test->signal && WEXITSTATUS(status) != 0)
        snprintf(ret_why, size, "exit status %d", WEXITSTATUS(status));
}

/* 0 passed, 1 failed, 77 skipped. */
static int run_forked(const struct test_case *test)
{
    double   start = now();
    double   limit = (test->timeout > 0 ? test->timeout : TEST_LIMIT) * (double)test_slow();
    char     why[128];
    sigset_t set, old;
    pid_t    pid;
    int      status;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, &old);
    pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &old, NULL);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        test->body();
        exit(0);
    }
    setpgid(pid, pid); /* by both: neither may find the group missing */
    status = wait_for(pid, limit);
    if (status != -1 && !test->signal && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skipped %s/%s\n", test->suite, test->name);
        return 77;
    }
    judge(test, status, limit, why, sizeof why);
    if (why[0]) {
        printf("FAILED  %s/%s: %s\n", test->suite, test->name, why);
        return 1;
    }
    printf("ok      %s/%s  %.1f ms\n", test->suite, test->name, (now() - start) * 1e3);
    return 0;
}

static bool is_named(const struct test_case *test, char **pattern, int n)
{
    char full[256];

    snprintf(full, sizeof full, "%s/%s", test->suite, test->name);
    for (int i = 0; i < n; i++)
        if (fnmatch(pattern[i], full, 0) == 0 || strstr(full, pattern[i]))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    bool  fork_each = true, list = false;
    char *except[64];
    int   i, n_except = 0, passed = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0); /* else each child writes our buffer once more */
    for (i = 1; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--no-fork") == 0) {
            fork_each = false;
        } else if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else if (strcmp(argv[i], "--except") == 0 && i + 1 < argc && n_except < 64) {
            except[n_except++] = argv[++i];
        } else {
            fprintf(stderr, "usage: %s [--no-fork] [--list] [--except PATTERN]... [PATTERN...]\n",
                    argv[0]);
            return 2;
        }
    }
    for (struct test_case *test = first; test; test = test->next) {
        if (i < argc && !is_named(test, argv + i, argc - i))
            continue;
        if (is_named(test, except, n_except)) {
            printf("skipped %s/%s\n", test->suite, test->name);
        } else if (list) {
            printf("%s/%s\n", test->suite, test->name);
        } else if (!fork_each) {
            printf("running %s/%s\n", test->suite, test->name);
            test->body();
            passed++;
        } else {
            switch (run_forked(test)) {
            case 0:
                passed++;
                break;
            case 1:
                failed++;
                break;
            }
        }
    }
    if (!list)
        printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
