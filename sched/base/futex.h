/*
 * futex.h - sleeping on a word of memory
 *
 * Purpose     The two futex calls that weft makes.
 * Threads     Any.
 * Invariants  The word is private to the process.
 * Ordering    None of its own: the callers order accesses by the word itself.
 * Failure     wait returns early after signals and spurious wakes. Callers look at the word again.
 */
#ifndef WF_FUTEX_H
#define WF_FUTEX_H

#include "order.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* TSan delivers a signal only when its thread calls a libc function that TSan knows, and the futex
 * system call is none. Without this call a handler would never run on a thread that waits again and
 * again. */
static inline void wf_futex_run_handlers(void)
{
#ifdef WF_TSAN_
    nanosleep(&(struct timespec){0}, NULL);
#endif
}

/* Sleeps while *word == value, until woken or until the CLOCK_MONOTONIC instant. Returns false
 * after the latter. */
static inline bool wf_futex_wait(uint32_t *word, uint32_t value, int64_t until_ns)
{
    struct timespec at = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};

    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
                until_ns == INT64_MAX ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY) == 0)
        return true;
    if (errno == EINTR)
        wf_futex_run_handlers();
    return errno != ETIMEDOUT;
}

static inline void wf_futex_wake(uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n, NULL, NULL, 0);
}

#endif
