/*
 * test.c - what both runners share: how a case fails, is skipped, and is watched while it aborts
 */
#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef WEFT_VALGRIND
#include <valgrind/valgrind.h>
#endif

#ifndef WEFT_PLAIN
#include <criterion/hooks.h>
#include <criterion/new/assert.h>

/* Its option --timeout does nothing (2.4.1), so each case gets the limit that plain.c gives it. */
ReportHook(PRE_ALL)(struct criterion_test_set *all)
{
    FOREACH_SET(struct criterion_suite_set * suite, all->suites)
    {
        FOREACH_SET(struct criterion_test * test, suite->tests)
        {
            if (test->data->timeout <= 0)
                test->data->timeout = TEST_LIMIT * (double)test_slow();
        }
    }
}
#endif

/* True in the process that test_aborts() forks and that Criterion does not know. */
static bool in_fork;

void test_fail(const char *file, int line, const char *format, ...)
{
    char    text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
#ifndef WEFT_PLAIN
    /* Criterion leaves the test by longjmp, which only its own thread may do. */
    if (gettid() == getpid() && !in_fork)
        cr_assert_fail_user(file, line, criterion_abort_test, "%s", text);
#endif
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    _exit(1); /* not abort(): some cases are expected to */
}

void test_skip(const char *why)
{
#ifndef WEFT_PLAIN
    criterion_skip_test("%s", why);
#endif
    fprintf(stderr, "skipped: %s\n", why);
    _exit(77);
}

void test_skip_under_valgrind(const char *why)
{
#ifdef WEFT_VALGRIND
    if (RUNNING_ON_VALGRIND)
        test_skip(why);
#else
    (void)why;
#endif
}

int64_t test_slow(void)
{
    const char *text = getenv("TEST_SLOW");
    int64_t     factor = text ? strtoll(text, NULL, 10) : 1;

    return factor > 0 ? factor : 1;
}

int64_t test_scaled(int64_t n)
{
    int64_t scaled = n / test_slow();

    return scaled > 0 ? scaled : 1;
}

void test_aborts(void (*body)(void), const char *text, const char *file, int line)
{
    static char said[16384];
    size_t      n = 0;
    ssize_t     got;
    int         end[2], status;
    pid_t       pid;

    if (pipe(end) < 0 || (pid = fork()) < 0)
        test_fail(file, line, "can't fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a case that hangs is killed with its parent */
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        in_fork = true;
        dup2(end[1], STDERR_FILENO);
        close(end[0]);
        close(end[1]);
        body();
        _exit(0);
    }
    close(end[1]);
    while (n < sizeof said - 1 && (got = read(end[0], said + n, sizeof said - 1 - n)) > 0)
        n += (size_t)got;
    close(end[0]);
    said[n] = '\0';
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        test_fail(file, line, "did not abort (wait status %#x), and said \"%s\"", (unsigned)status,
                  said);
    if (!strstr(said, text))
        test_fail(file, line, "aborted without saying \"%s\", but \"%s\"", text, said);
}
