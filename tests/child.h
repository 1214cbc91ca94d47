/* child.h - a part of a test that runs in a forked child */
#ifndef CHILD_H
#define CHILD_H

#include "test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs the body in a child, which must end by itself and well. */
static inline void in_child(void (*body)(void *arg), void *arg)
{
    pid_t pid = fork();
    int   status;

    check_cmp(pid, >=, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm((unsigned)(15 * test_slow())); /* a hang is a failure */
        body(arg);
        _exit(0);
    }
    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

#endif
