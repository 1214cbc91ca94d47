/* deny.h - system calls that fail from now on, by filters of seccomp */
#ifndef DENY_H
#define DENY_H

#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Adds a filter to all threads of the process. The test is skipped where that can't be. */
static inline void deny_by(const struct sock_fprog *filter)
{
    check_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, filter) != 0)
        test_skip("no seccomp filters for all threads here");
}

/* From now on the system call fails with the error. */
static inline void deny(int number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    deny_by(&(struct sock_fprog){.len = sizeof code / sizeof *code, .filter = code});
}

#endif
