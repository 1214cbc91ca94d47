/*
 * sync_parts.h - rounds of the sync benchmarks, and the benchmarks by file
 *
 * Purpose     A benchmark fills a `struct round` in and calls round_repeat. What its tasks share
 *             begins with that struct.
 * Threads     The benchmarks are called by the main thread, as bench.h says. `begin` and `end` are
 *             called by a task, while no other task of the round runs.
 * Invariants  Each task of a round counts down `ended` once, as its last step.
 * Ordering    The count-down orders what the tasks did before `end`.
 * Failure     See bench.h.
 */
#ifndef SYNC_PARTS_H
#define SYNC_PARTS_H

#include "bench.h"

struct round {
    struct bench_run *run;
    int64_t           n_tasks;
    void (*begin)(struct round *round); /* spawns the tasks of one round */
    void (*end)(struct round *round);   /* all have ended: checks what they did, and counts it */
    struct countdown ended;
};

/* Repeats the round until bench_more says no. */
void round_repeat(struct round *round);

/* The sum of the numbers below n. */
static inline int64_t sum_below(int64_t n)
{
    return n * (n - 1) / 2;
}

/* In the argument of the benchmarks of locks, beside the number of tasks. */
enum { HELD = 1 << 8 };

/* sync_locks.c: the argument is a number of tasks. With HELD a task yields while it holds the lock,
 * so that the others queue for it. */
void bench_mutex(struct bench_run *run, int tasks);
void bench_rwlock(struct bench_run *run, int tasks);
void bench_semaphore(struct bench_run *run, int tasks);

/* sync_oneshot.c */
void bench_oneshot(struct bench_run *run, int argument);
void bench_oneshot_wait(struct bench_run *run, int argument);

/* sync_channels.c: the argument is a number of senders. */
void bench_mpsc(struct bench_run *run, int senders);
void bench_mpmc(struct bench_run *run, int senders);

/* sync_news.c */
void bench_notify(struct bench_run *run, int argument);
void bench_broadcast(struct bench_run *run, int argument);
void bench_watch(struct bench_run *run, int argument);

/* sync_timeout.c */
void bench_timeout_ready(struct bench_run *run, int argument);
void bench_timeout_pending(struct bench_run *run, int argument);

#endif
